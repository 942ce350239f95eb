//! The metadata of consensus type `etcdraft`, which tools decode to find the nodes that order.

use bytes::Bytes;
use prost::Message;

/// A node that orders.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Consenter {
    /// Where other nodes reach it.
    #[prost(string, tag = "1")]
    pub host: String,
    /// Where other nodes reach it.
    #[prost(uint32, tag = "2")]
    pub port: u32,
    /// PEM of the certificate that it dials with.
    #[prost(bytes = "bytes", tag = "3")]
    pub client_tls_cert: Bytes,
    /// PEM of the certificate that it listens with.
    #[prost(bytes = "bytes", tag = "4")]
    pub server_tls_cert: Bytes,
}

// Fabric: ledger §7
#[derive(Clone, PartialEq, prost::Message)]
struct ConfigMetadata {
    #[prost(message, repeated, tag = "1")]
    consenters: Vec<Consenter>,
    #[prost(message, optional, tag = "2")]
    options: Option<Options>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Options {
    #[prost(string, tag = "1")]
    tick_interval: String,
    #[prost(uint32, tag = "2")]
    election_tick: u32,
    #[prost(uint32, tag = "3")]
    heartbeat_tick: u32,
    #[prost(uint32, tag = "4")]
    max_inflight_blocks: u32,
    #[prost(uint32, tag = "5")]
    snapshot_interval_size: u32,
}

/// The metadata of these nodes, with the options that Fabric's tools write when none are given.
pub(super) fn metadata(consenters: &[Consenter]) -> Bytes {
    let options = Options {
        tick_interval: "500ms".into(),
        election_tick: 10,
        heartbeat_tick: 1,
        max_inflight_blocks: 5,
        snapshot_interval_size: 16 << 20,
    };
    ConfigMetadata { consenters: consenters.to_vec(), options: Some(options) }.encode_to_vec().into()
}
