//! What the engine can be told.

use std::time::Duration;

use windlass_proto::protos::ChaincodeAdditionalParams;
use windlass_transport::Keepalive;

use super::settings::Settings;

/// Settings of an engine. [`EngineConfig::new`] fills in Fabric's sample values.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// How long one INIT or TRANSACTION may take, launch not included. Below one second counts as 30 s.
    pub execute_timeout: Duration,
    /// How long InstallChaincode may take, the build included. The larger of this and
    /// [`EngineConfig::execute_timeout`] counts.
    pub install_timeout: Duration,
    /// How long a launch may take, from build to registration; at least 5 s.
    pub startup_timeout: Duration,
    /// How often a KEEPALIVE message is sent on every stream; `None` is never.
    pub keepalive: Option<Duration>,
    /// When chaincode that serves is pinged. Go and Java servers close a connection that is pinged more than once a
    /// minute.
    pub ping: Keepalive,
    /// The peer's own MSP.
    pub msp_id: String,
    /// Where chaincode finds this peer: `host:port` of the chaincode listener.
    pub peer_address: String,
    /// Whether the chaincode listener speaks TLS; then every launched chaincode gets its own certificate.
    pub tls: bool,
    /// Whether chaincode may be started by hand: any stream may register then, under any ID, and the newest under
    /// an ID gets the transactions. What has no package waits for that. Needs a listener without TLS.
    pub development: bool,
    /// What chaincode is told that this peer can do beyond the first protocol.
    pub runtime: RuntimeParams,
    /// How many rows one query may return in all.
    pub total_query_limit: u32,
    /// What is said of chaincode beside its packages.
    pub settings: Settings,
}

/// The payload of READY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeParams {
    /// Whether writes may come in batches.
    pub use_write_batch: bool,
    /// Records in one batch.
    pub max_size_write_batch: u32,
    /// Whether many keys may be read at once.
    pub use_get_multiple_keys: bool,
    /// Keys in one such read.
    pub max_size_get_multiple_keys: u32,
}

// Fabric: chaincode-protocol §9
const DEFAULT_EXECUTE_TIMEOUT: Duration = Duration::from_secs(30);
const SHORTEST_EXECUTE_TIMEOUT: Duration = Duration::from_secs(1);
// Fabric: chaincode-protocol §7
const SHORTEST_STARTUP_TIMEOUT: Duration = Duration::from_secs(5);
// Fabric: chaincode-protocol §4
const PING: Duration = Duration::from_secs(60);

impl EngineConfig {
    /// Fabric's sample values for a peer of `msp_id` whose chaincode listener is at `peer_address`.
    pub fn new(msp_id: impl Into<String>, peer_address: impl Into<String>) -> Self {
        Self {
            execute_timeout: DEFAULT_EXECUTE_TIMEOUT,
            install_timeout: Duration::from_secs(300),
            startup_timeout: Duration::from_secs(300),
            keepalive: None,
            ping: Keepalive::after(PING),
            msp_id: msp_id.into(),
            peer_address: peer_address.into(),
            tls: true,
            development: false,
            runtime: RuntimeParams::default(),
            total_query_limit: 100_000,
            settings: Settings::default(),
        }
    }

    /// The same with every value inside its bounds.
    pub(crate) fn bounded(mut self) -> Self {
        if self.execute_timeout < SHORTEST_EXECUTE_TIMEOUT {
            self.execute_timeout = DEFAULT_EXECUTE_TIMEOUT;
        }
        self.startup_timeout = self.startup_timeout.max(SHORTEST_STARTUP_TIMEOUT);
        self.keepalive = self.keepalive.filter(|interval| !interval.is_zero());
        self
    }
}

impl Default for RuntimeParams {
    // Fabric: chaincode-protocol §6
    fn default() -> Self {
        Self {
            use_write_batch: true,
            max_size_write_batch: 1000,
            use_get_multiple_keys: true,
            max_size_get_multiple_keys: 1000,
        }
    }
}

impl From<RuntimeParams> for ChaincodeAdditionalParams {
    fn from(params: RuntimeParams) -> Self {
        Self {
            use_write_batch: params.use_write_batch,
            max_size_write_batch: params.max_size_write_batch,
            use_get_multiple_keys: params.use_get_multiple_keys,
            max_size_get_multiple_keys: params.max_size_get_multiple_keys,
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn ready_payload_has_the_bytes_of_the_sample_configuration() {
        let bytes = |params: RuntimeParams| ChaincodeAdditionalParams::from(params).encode_to_vec();
        assert_eq!(hex::encode(bytes(RuntimeParams::default())), "080110e807180120e807");
        let without = RuntimeParams { use_write_batch: false, use_get_multiple_keys: false, ..Default::default() };
        assert_eq!(hex::encode(bytes(without)), "10e80720e807");
    }

    #[test]
    fn keeps_timeouts_inside_their_bounds() {
        let mut config = EngineConfig::new("Org1MSP", "localhost:7052");
        config.execute_timeout = Duration::from_millis(900);
        config.startup_timeout = Duration::from_secs(1);
        config.keepalive = Some(Duration::ZERO);
        let bounded = config.bounded();
        assert_eq!(bounded.execute_timeout, Duration::from_secs(30));
        assert_eq!(bounded.startup_timeout, Duration::from_secs(5));
        assert_eq!(bounded.keepalive, None);
    }
}
