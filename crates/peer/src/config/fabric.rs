//! Settings of Fabric's `core.yaml` that exist but change nothing here.

/// Sections and keys, lower case, that Fabric knows and Windlass does not use. One warning names each
/// section that was met, so that nobody believes such a setting to be in force.
// Fabric: sampleconfig/core.yaml
const WITHOUT_EFFECT: [&str; 30] = [
    "peer.addressautodetect",
    "peer.bccsp",
    "peer.client",
    "peer.deliveryclient.addressoverrides",
    "peer.deliveryclient.blockcensorshiptimeoutkey",
    "peer.deliveryclient.minimalreconnectinterval",
    "peer.deliveryclient.policy",
    "peer.deliveryclient.reconnectbackoffthreshold",
    "peer.deliveryclient.reconnecttotaltimethreshold",
    "peer.discovery",
    "peer.gossip",
    "peer.handlers",
    "peer.localmsptype",
    "peer.profile",
    "peer.validatorpoolsize",
    "vm",
    "chaincode.builder",
    "chaincode.golang",
    "chaincode.id",
    "chaincode.java",
    "chaincode.logging",
    "chaincode.node",
    "chaincode.pull",
    "chaincode.system",
    "ledger.blockchain",
    "ledger.pvtdatastore",
    "ledger.snapshots",
    "ledger.state.couchdbconfig",
    "metrics.statsd",
    "logging",
];

/// The section without effect that `key` is in.
pub(super) fn is_without_effect(key: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    WITHOUT_EFFECT
        .into_iter()
        .find(|section| key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Variables that begin like the peer's but are read by the `peer` client or by chaincode.
// Fabric: endorsement-and-gateway §11, chaincode-protocol §16-§18
pub(super) fn variable_is_foreign(variable: &str) -> bool {
    const FOREIGN: [&str; 5] = [
        "CORE_PEER_TLS_SERVERHOSTOVERRIDE",
        "CORE_PEER_CLIENT_CONNTIMEOUT",
        "CORE_TLS_CLIENT_",
        "CORE_CHAINCODE_LOGGING_",
        "CORE_CHAINCODE_ID_NAME",
    ];
    FOREIGN.iter().any(|foreign| variable.starts_with(foreign))
}
