//! Where the instances of a chaincode serve.

use std::{fmt, net::SocketAddr, time::Duration};

use tokio::time::timeout;
use windlass_transport::{DialError, resolve};

use crate::build::Connection;

/// One server of a chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// What the package says: `host:port`. The host is also the name to verify.
    pub(crate) address: String,
    /// Which of the host's addresses, where there are several.
    pub(crate) socket: Option<SocketAddr>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket {
            None => f.write_str(&self.address),
            Some(socket) => write!(f, "{} ({socket})", self.address),
        }
    }
}

/// The servers that `connection` leads to. A name that cannot be resolved stays one: dialing it says why.
pub(crate) async fn find(connection: &Connection) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for address in connection.all_addresses() {
        let sockets = look_up(address, connection.dial_timeout).await.unwrap_or_default();
        add(&mut found, address, sockets, false);
    }
    found
}

/// [`find`] for servers that are known by the addresses of their names, or `None` if a name cannot be resolved
/// now.
pub(crate) async fn find_again(connection: &Connection, split: bool) -> Option<Vec<Endpoint>> {
    let mut found = Vec::new();
    for address in connection.all_addresses() {
        let sockets = look_up(address, connection.dial_timeout).await.ok()?;
        add(&mut found, address, sockets, split);
    }
    Some(found)
}

async fn look_up(address: &str, limit: Duration) -> Result<Vec<SocketAddr>, DialError> {
    if address.parse::<SocketAddr>().is_ok() {
        return Ok(Vec::new());
    }
    let late = |_| DialError::Address(address.to_owned());
    timeout(limit, resolve(address)).await.map_err(late)?
}

fn add(found: &mut Vec<Endpoint>, address: &str, sockets: Vec<SocketAddr>, split: bool) {
    let mut add = |socket| {
        let endpoint = Endpoint { address: address.to_owned(), socket };
        if !found.contains(&endpoint) {
            found.push(endpoint);
        }
    };
    let sockets = one_family(sockets);
    if sockets.len() > 1 || (split && !sockets.is_empty()) {
        sockets.into_iter().for_each(|socket| add(Some(socket)));
    } else {
        add(None);
    }
}

/// A server that has an IPv4 and an IPv6 address is one server, and every server of a name has the same kinds.
fn one_family(sockets: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v4, v6): (Vec<_>, Vec<_>) = sockets.into_iter().partition(SocketAddr::is_ipv4);
    if v6.len() > v4.len() { v6 } else { v4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    fn added(texts: &[&str], split: bool) -> Vec<String> {
        let mut found = Vec::new();
        add(&mut found, "cc:9", sockets(texts), split);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_with_several_addresses_of_one_family_is_several_servers() {
        assert_eq!(added(&[], false), ["cc:9"]);
        assert_eq!(added(&["10.0.0.1:9"], false), ["cc:9"]);
        assert_eq!(added(&["[::1]:9", "127.0.0.1:9"], false), ["cc:9"]);
        assert_eq!(added(&["10.0.0.1:9", "10.0.0.2:9"], false), ["cc:9 (10.0.0.1:9)", "cc:9 (10.0.0.2:9)"]);
        assert_eq!(
            added(&["10.0.0.1:9", "[fd::1]:9", "10.0.0.2:9", "[fd::2]:9"], false),
            ["cc:9 (10.0.0.1:9)", "cc:9 (10.0.0.2:9)"]
        );
        assert_eq!(added(&["10.0.0.1:9"], true), ["cc:9 (10.0.0.1:9)"]);
    }
}
