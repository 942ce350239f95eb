//! The tree of a new channel's configuration: groups, values, policies.
// Fabric: ledger §7

use prost::Message;
use windlass_identity::role_policy;
use windlass_proto::{
    common::{
        BlockDataHashingStructure, Capabilities, Capability, ConfigGroup, ConfigPolicy, ConfigValue, HashingAlgorithm,
        ImplicitMetaPolicy, OrdererAddresses, Policy, implicit_meta_policy::Rule, msp_role::MspRoleType,
        policy::PolicyType,
    },
    duration,
    msp::{FabricMspConfig, MspConfig},
    orderer::{BatchSize, BatchTimeout, ChannelRestrictions, ConsensusType},
    protos::{AnchorPeer, AnchorPeers},
};

use super::{NetworkSpec, OrgSpec, PeerOrgSpec, etcdraft};

const ADMINS: &str = "Admins";

/// The root group, `Channel`.
pub(super) fn channel(spec: &NetworkSpec) -> ConfigGroup {
    let mut group = group();
    implicit_policies(&mut group);
    value(&mut group, "HashingAlgorithm", &HashingAlgorithm { name: "SHA256".into() });
    value(&mut group, "BlockDataHashingStructure", &BlockDataHashingStructure { width: u32::MAX });
    value(&mut group, "Capabilities", &capability(&spec.capabilities.channel));
    if !spec.orderer_org.endpoints.is_empty() {
        // Older clients look for orderers here and not at the organizations. Only those who order may
        // change it, as in configurations made by Fabric's tools.
        value(&mut group, "OrdererAddresses", &OrdererAddresses { addresses: spec.orderer_org.endpoints.clone() });
        if let Some(addresses) = group.values.get_mut("OrdererAddresses") {
            addresses.mod_policy = "/Channel/Orderer/Admins".into();
        }
    }
    group.groups.insert("Orderer".into(), orderer(spec));
    group.groups.insert("Application".into(), application(spec));
    group
}

fn orderer(spec: &NetworkSpec) -> ConfigGroup {
    let mut group = group();
    implicit_policies(&mut group);
    implicit(&mut group, "BlockValidation", Rule::Any, "Writers");
    let consensus = ConsensusType {
        r#type: spec.consensus_type.clone(),
        metadata: etcdraft::metadata(&spec.consenters),
        ..Default::default()
    };
    value(&mut group, "ConsensusType", &consensus);
    let batch = &spec.batch;
    let size = BatchSize {
        max_message_count: batch.max_messages,
        absolute_max_bytes: batch.absolute_max_bytes,
        preferred_max_bytes: batch.preferred_max_bytes,
    };
    value(&mut group, "BatchSize", &size);
    value(&mut group, "BatchTimeout", &BatchTimeout { timeout: duration::format(batch.timeout) });
    value(&mut group, "ChannelRestrictions", &ChannelRestrictions { max_count: 0 });
    value(&mut group, "Capabilities", &capability(&spec.capabilities.orderer));
    group.groups.insert(spec.orderer_org.group.clone(), orderer_org(&spec.orderer_org));
    group
}

fn orderer_org(org: &OrgSpec) -> ConfigGroup {
    use MspRoleType::{Admin, Member};
    let mut group = group();
    value(&mut group, "MSP", &msp(&org.msp));
    if !org.endpoints.is_empty() {
        value(&mut group, "Endpoints", &OrdererAddresses { addresses: org.endpoints.clone() });
    }
    roles(&mut group, "Readers", &org.msp_id, &[Member]);
    roles(&mut group, "Writers", &org.msp_id, &[Member]);
    roles(&mut group, ADMINS, &org.msp_id, &[Admin]);
    group
}

fn application(spec: &NetworkSpec) -> ConfigGroup {
    let mut group = group();
    implicit_policies(&mut group);
    implicit(&mut group, "LifecycleEndorsement", Rule::Majority, "Endorsement");
    implicit(&mut group, "Endorsement", Rule::Majority, "Endorsement");
    value(&mut group, "Capabilities", &capability(&spec.capabilities.application));
    for org in &spec.orgs {
        group.groups.insert(org.group.clone(), peer_org(org));
    }
    group
}

fn peer_org(org: &PeerOrgSpec) -> ConfigGroup {
    use MspRoleType::{Admin, Client, Peer};
    let mut group = group();
    value(&mut group, "MSP", &msp(&org.msp));
    if !org.anchor_peers.is_empty() {
        let anchor = |(host, port): &(String, u16)| AnchorPeer { host: host.clone(), port: i32::from(*port) };
        let anchor_peers = org.anchor_peers.iter().map(anchor).collect();
        value(&mut group, "AnchorPeers", &AnchorPeers { anchor_peers });
    }
    roles(&mut group, "Readers", &org.msp_id, &[Admin, Peer, Client]);
    roles(&mut group, "Writers", &org.msp_id, &[Admin, Client]);
    roles(&mut group, ADMINS, &org.msp_id, &[Admin]);
    roles(&mut group, "Endorsement", &org.msp_id, &[Peer]);
    group
}

fn group() -> ConfigGroup {
    ConfigGroup { mod_policy: ADMINS.into(), ..Default::default() }
}

fn value(group: &mut ConfigGroup, key: &str, message: &impl Message) {
    let value = message.encode_to_vec().into();
    group.values.insert(key.into(), ConfigValue { version: 0, value, mod_policy: ADMINS.into() });
}

fn policy(group: &mut ConfigGroup, key: &str, kind: PolicyType, message: &impl Message) {
    let policy = Policy { r#type: kind as i32, value: message.encode_to_vec().into() };
    group.policies.insert(key.into(), ConfigPolicy { version: 0, policy: Some(policy), mod_policy: ADMINS.into() });
}

fn implicit_policies(group: &mut ConfigGroup) {
    implicit(group, "Readers", Rule::Any, "Readers");
    implicit(group, "Writers", Rule::Any, "Writers");
    implicit(group, ADMINS, Rule::Majority, ADMINS);
}

fn implicit(group: &mut ConfigGroup, key: &str, rule: Rule, sub_policy: &str) {
    let message = ImplicitMetaPolicy { sub_policy: sub_policy.into(), rule: rule as i32 };
    policy(group, key, PolicyType::ImplicitMeta, &message);
}

fn roles(group: &mut ConfigGroup, key: &str, msp_id: &str, roles: &[MspRoleType]) {
    policy(group, key, PolicyType::Signature, &role_policy(msp_id, roles));
}

fn capability(name: &str) -> Capabilities {
    Capabilities { capabilities: [(name.to_owned(), Capability {})].into() }
}

fn msp(config: &FabricMspConfig) -> MspConfig {
    // Type 0 is an MSP of X.509 certificates.
    MspConfig { r#type: 0, config: config.encode_to_vec().into() }
}
