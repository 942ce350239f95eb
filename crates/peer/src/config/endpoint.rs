//! Addresses, and the one that chaincode is told to dial.

use std::net::IpAddr;

use super::PeerConfig;

/// The port of the chaincode listener when nothing names one.
// Fabric: chaincode-protocol §2
const CHAINCODE_PORT: u16 = 7052;

/// No address for chaincode can be derived from the configuration.
// Fabric: chaincode-protocol §2
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid endpoint for chaincode to connect")]
pub struct EndpointError;

impl PeerConfig {
    /// Where the peer listens for chaincode: `peer.chaincodeListenAddress`, else port 7052 on the host of
    /// `peer.address`.
    // Fabric: chaincode-protocol §2
    pub fn chaincode_listen_address(&self) -> String {
        if let Some(address) = &self.peer.chaincode_listen_address {
            return address.clone();
        }
        let host = split(&self.peer.address).map_or("0.0.0.0", |(host, _)| host);
        join(host, CHAINCODE_PORT)
    }

    /// Whether only this machine reaches the chaincode port.
    pub(super) fn chaincode_is_local(&self) -> bool {
        let address = self.chaincode_listen_address();
        split(&address).is_some_and(|(host, _)| {
            host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        })
    }

    /// Whether the chaincode port speaks TLS. Where chaincode is started by hand it does not: nobody gave it a
    /// certificate.
    // Fabric: chaincode-protocol §3
    pub fn chaincode_tls(&self) -> bool {
        self.peer.tls.enabled && !self.chaincode.development_mode
    }

    /// The address that chaincode is given: `peer.chaincodeAddress`; else the listen address if its host
    /// can be dialled; else the host of `peer.address` with the listen port.
    // Fabric: chaincode-protocol §2
    pub fn chaincode_endpoint(&self) -> Result<String, EndpointError> {
        let dialable = |address: &str| split(address).is_some_and(|(host, _)| !is_unspecified(host));
        if let Some(address) = &self.peer.chaincode_address {
            return if dialable(address) { Ok(address.clone()) } else { Err(EndpointError) };
        }
        let listen = self.peer.chaincode_listen_address.as_deref();
        if let Some(listen) = listen.filter(|listen| dialable(listen)) {
            return Ok(listen.to_owned());
        }
        let port = listen.and_then(split).map_or(CHAINCODE_PORT, |(_, port)| port);
        if self.chaincode.development_mode {
            let host = split(&self.peer.address).map_or("0.0.0.0", |(host, _)| host);
            return Ok(join(host, port));
        }
        match split(&self.peer.address) {
            Some((host, _)) if !is_unspecified(host) => Ok(join(host, port)),
            _ => Err(EndpointError),
        }
    }
}

/// Takes `host:port` apart; an IPv6 host is in brackets.
pub fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, port))
}

/// Puts host and port together, with brackets around an IPv6 address.
pub fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Whether a host means "every interface" and so cannot be dialled.
fn is_unspecified(host: &str) -> bool {
    host.is_empty() || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(address: &str, listen: Option<&str>, chaincode: Option<&str>) -> PeerConfig {
        let mut config = PeerConfig::default();
        config.peer.address = address.to_owned();
        config.peer.chaincode_listen_address = listen.map(str::to_owned);
        config.peer.chaincode_address = chaincode.map(str::to_owned);
        config
    }

    #[test]
    fn derives_the_address_that_chaincode_dials() {
        for (address, listen, chaincode, expected) in [
            ("peer0:7051", None, None, Some("peer0:7052")),
            ("0.0.0.0:7051", None, None, None),
            ("peer0:7051", Some("0.0.0.0:9052"), None, Some("peer0:9052")),
            ("peer0:7051", Some("[::]:9052"), None, Some("peer0:9052")),
            ("0.0.0.0:7051", Some("0.0.0.0:9052"), None, None),
            ("0.0.0.0:7051", Some("10.0.0.1:9052"), None, Some("10.0.0.1:9052")),
            ("0.0.0.0:7051", Some("10.0.0.1:9052"), Some("cc:1"), Some("cc:1")),
            ("peer0:7051", None, Some("0.0.0.0:1"), None),
        ] {
            let endpoint = config(address, listen, chaincode).chaincode_endpoint();
            assert_eq!(endpoint.as_deref().ok(), expected, "{address} {listen:?} {chaincode:?}");
        }
    }

    #[test]
    fn falls_back_to_every_interface_in_development_mode() {
        let mut config = config("0.0.0.0:7051", None, None);
        config.chaincode.development_mode = true;
        assert_eq!(config.chaincode_endpoint().as_deref(), Ok("0.0.0.0:7052"));
    }

    #[test]
    fn listens_beside_the_peer_address_by_default() {
        assert_eq!(config("peer0:7051", None, None).chaincode_listen_address(), "peer0:7052");
        assert_eq!(config("[::1]:7051", None, None).chaincode_listen_address(), "[::1]:7052");
        assert_eq!(config("peer0:7051", Some("a:1"), None).chaincode_listen_address(), "a:1");
    }

    #[test]
    fn takes_addresses_apart() {
        assert_eq!(split("a:1"), Some(("a", 1)));
        assert_eq!(split("[::1]:7051"), Some(("::1", 7051)));
        assert_eq!(split(":7051"), Some(("", 7051)));
        for bad in ["a", "a:", "a:b", "a:70000", "::1:7051", "[::1:7051"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
