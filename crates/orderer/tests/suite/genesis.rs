//! Block zero, byte by byte where the bytes are fixed.

use std::collections::BTreeMap;

use prost::Message;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::{
        BlockDataHashingStructure, Capabilities, ConfigEnvelope, ConfigGroup, HashingAlgorithm, HeaderType,
        ImplicitMetaPolicy, OrdererAddresses, SignaturePolicyEnvelope, policy::PolicyType,
    },
    envelope::unpack_envelope,
    hash::block_data_hash,
    msp::{FabricMspConfig, MspConfig},
    orderer::{BatchSize, BatchTimeout, ConsensusType},
    protos::AnchorPeers,
    txid::transaction_id,
};

use crate::network::{CHANNEL, Network, messages};

/// The tree of the network's genesis block.
fn tree(network: &Network) -> ConfigGroup {
    let envelope = messages(&network.genesis).remove(0);
    let payload = unpack_envelope(&envelope).expect("an envelope").payload;
    let config = ConfigEnvelope::decode(payload.data).expect("a configuration").config.expect("a configuration");
    assert_eq!(config.sequence, 0);
    config.channel_group.expect("a tree")
}

fn value<M: Message + Default>(group: &ConfigGroup, name: &str) -> M {
    M::decode(group.values[name].value.clone()).expect("a value")
}

#[test]
fn has_the_fixed_bytes() {
    let network = Network::new();
    let header = network.genesis.header.as_ref().expect("a header");
    assert_eq!(header.number, 0);
    assert!(header.previous_hash.is_empty());
    let data = network.genesis.data.as_ref().expect("data");
    assert_eq!(header.data_hash, block_data_hash(data).as_slice());
    assert_eq!(data.data.len(), 1);
    let slots = &network.genesis.metadata.as_ref().expect("metadata").metadata;
    assert_eq!(slots[0].as_ref(), [0x0a, 0x02, 0x0a, 0x00]);
    assert_eq!(slots.len(), 5);
    assert!(slots[1..].iter().all(|slot| slot.is_empty()));
}

#[test]
fn holds_one_unsigned_configuration() {
    let network = Network::new();
    let envelope = messages(&network.genesis).remove(0);
    assert!(envelope.signature.is_empty());
    let unpacked = unpack_envelope(&envelope).expect("an envelope");
    let (channel, signature) = (unpacked.channel_header, unpacked.signature_header);
    assert_eq!((channel.r#type, channel.version, channel.epoch), (HeaderType::Config as i32, 1, 0));
    assert_eq!(channel.channel_id, CHANNEL);
    let timestamp = channel.timestamp.expect("a timestamp");
    assert!(timestamp.seconds > 1_700_000_000);
    assert_eq!(timestamp.nanos, 0);
    assert!(signature.creator.is_empty());
    assert_eq!(signature.nonce.len(), 24);
    assert_eq!(channel.tx_id, transaction_id(&signature.nonce, b""));
    let config = ConfigEnvelope::decode(unpacked.payload.data).expect("a configuration");
    assert_eq!(config.last_update, None);
}

#[test]
fn differs_each_time() {
    let network = Network::new();
    let again = windlass_orderer::genesis::genesis_block(&network.spec);
    assert_ne!(again.data, network.genesis.data);
}

#[test]
fn has_the_tree_of_fabrics_tools() {
    // Groups, values, policies.
    type Members = (Vec<&'static str>, Vec<&'static str>, Vec<&'static str>);
    let mut expected: BTreeMap<&str, Members> = BTreeMap::new();
    let basic = || vec!["Admins", "Readers", "Writers"];
    expected.insert(
        "Channel",
        (
            vec!["Application", "Orderer"],
            vec!["BlockDataHashingStructure", "Capabilities", "HashingAlgorithm", "OrdererAddresses"],
            basic(),
        ),
    );
    expected.insert(
        "Application",
        (
            vec!["Org1", "Org2"],
            vec!["Capabilities"],
            vec!["Admins", "Endorsement", "LifecycleEndorsement", "Readers", "Writers"],
        ),
    );
    expected.insert(
        "Orderer",
        (
            vec!["OrdererOrg"],
            vec!["BatchSize", "BatchTimeout", "Capabilities", "ChannelRestrictions", "ConsensusType"],
            vec!["Admins", "BlockValidation", "Readers", "Writers"],
        ),
    );
    expected.insert("OrdererOrg", (vec![], vec!["Endpoints", "MSP"], basic()));
    let peer_org = || vec!["Admins", "Endorsement", "Readers", "Writers"];
    expected.insert("Org1", (vec![], vec!["AnchorPeers", "MSP"], peer_org()));
    expected.insert("Org2", (vec![], vec!["MSP"], peer_org()));

    let network = Network::with(|spec| spec.orgs[0].anchor_peers = vec![("peer0.org1.example.com".into(), 7051)]);
    let root = tree(&network);
    let mut groups = vec![("Channel", &root)];
    let mut seen = 0;
    while let Some((name, group)) = groups.pop() {
        let keys = (
            group.groups.keys().map(String::as_str).collect(),
            group.values.keys().map(String::as_str).collect(),
            group.policies.keys().map(String::as_str).collect(),
        );
        assert_eq!(keys, expected[name], "{name}");
        assert_eq!((group.version, group.mod_policy.as_str()), (0, "Admins"), "{name}");
        for (key, value) in &group.values {
            let mod_policy = if key == "OrdererAddresses" { "/Channel/Orderer/Admins" } else { "Admins" };
            assert_eq!((value.version, value.mod_policy.as_str()), (0, mod_policy), "{key}");
        }
        assert!(group.policies.values().all(|policy| policy.version == 0 && policy.mod_policy == "Admins"));
        groups.extend(group.groups.iter().map(|(name, group)| (name.as_str(), group)));
        seen += 1;
    }
    assert_eq!(seen, expected.len());
}

#[test]
fn has_the_values_of_fabrics_tools() {
    let network = Network::with(|spec| spec.orgs[0].anchor_peers = vec![("peer0.org1.example.com".into(), 7051)]);
    let root = tree(&network);
    assert_eq!(value::<HashingAlgorithm>(&root, "HashingAlgorithm").name, "SHA256");
    assert_eq!(value::<BlockDataHashingStructure>(&root, "BlockDataHashingStructure").width, 4_294_967_295);
    let addresses = vec!["orderer.example.com:7050".to_owned()];
    assert_eq!(value::<OrdererAddresses>(&root, "OrdererAddresses").addresses, addresses);
    let (orderer, application) = (&root.groups["Orderer"], &root.groups["Application"]);
    for (group, level) in [(&root, "V2_0"), (orderer, "V2_0"), (application, "V2_5")] {
        let names: Vec<_> = value::<Capabilities>(group, "Capabilities").capabilities.into_keys().collect();
        assert_eq!(names, [level]);
    }
    let batch = BatchSize { max_message_count: 500, absolute_max_bytes: 99 << 20, preferred_max_bytes: 2 << 20 };
    assert_eq!(value::<BatchSize>(orderer, "BatchSize"), batch);
    assert_eq!(value::<BatchTimeout>(orderer, "BatchTimeout").timeout, "2s");
    assert!(orderer.values["ChannelRestrictions"].value.is_empty());
    let consensus = value::<ConsensusType>(orderer, "ConsensusType");
    assert_eq!((consensus.r#type.as_str(), consensus.state), ("etcdraft", 0));
    let consenter = b"\x0a\x13orderer.example.com\x10\x8a\x37\x1a\x06client\x22\x06server";
    assert_eq!(consensus.metadata[..2], [0x0a, consenter.len() as u8]);
    assert_eq!(consensus.metadata[2..2 + consenter.len()], consenter[..]);
    let options = b"\x12\x12\x0a\x05500ms\x10\x0a\x18\x01\x20\x05\x28\x80\x80\x80\x08";
    assert_eq!(consensus.metadata[2 + consenter.len()..], options[..]);

    let ordering = &orderer.groups["OrdererOrg"];
    assert_eq!(value::<OrdererAddresses>(ordering, "Endpoints").addresses, addresses);
    let org1 = &application.groups["Org1"];
    let anchor = &value::<AnchorPeers>(org1, "AnchorPeers").anchor_peers[0];
    assert_eq!((anchor.host.as_str(), anchor.port), ("peer0.org1.example.com", 7051));
    let msp = value::<MspConfig>(org1, "MSP");
    assert_eq!(msp.r#type, 0);
    assert_eq!(FabricMspConfig::decode(msp.config).expect("an MSP"), network.org1.msp());
}

#[test]
fn has_the_policies_of_fabrics_tools() {
    use windlass_proto::common::implicit_meta_policy::Rule::{Any, Majority};
    let root = tree(&Network::new());
    for (path, name, rule, sub_policy) in [
        (&[][..], "Readers", Any, "Readers"),
        (&[], "Writers", Any, "Writers"),
        (&[], "Admins", Majority, "Admins"),
        (&["Orderer"], "Admins", Majority, "Admins"),
        (&["Orderer"], "BlockValidation", Any, "Writers"),
        (&["Application"], "Writers", Any, "Writers"),
        (&["Application"], "Endorsement", Majority, "Endorsement"),
        (&["Application"], "LifecycleEndorsement", Majority, "Endorsement"),
    ] {
        let group = path.iter().fold(&root, |group, name| &group.groups[*name]);
        let policy = group.policies[name].policy.as_ref().expect("a policy");
        assert_eq!(policy.r#type, PolicyType::ImplicitMeta as i32);
        let policy = ImplicitMetaPolicy::decode(policy.value.clone()).expect("a policy");
        assert_eq!(policy, ImplicitMetaPolicy { sub_policy: sub_policy.into(), rule: rule as i32 }, "{path:?} {name}");
    }
    for (path, name, principals) in [
        (["Orderer", "OrdererOrg"], "Readers", 1),
        (["Orderer", "OrdererOrg"], "Admins", 1),
        (["Application", "Org1"], "Readers", 3),
        (["Application", "Org1"], "Writers", 2),
        (["Application", "Org1"], "Admins", 1),
        (["Application", "Org1"], "Endorsement", 1),
    ] {
        let group = path.iter().fold(&root, |group, name| &group.groups[*name]);
        let policy = group.policies[name].policy.as_ref().expect("a policy");
        assert_eq!(policy.r#type, PolicyType::Signature as i32);
        let policy = SignaturePolicyEnvelope::decode(policy.value.clone()).expect("a policy");
        assert_eq!(policy.identities.len(), principals, "{path:?} {name}");
    }
}

#[test]
fn is_read_back_as_a_channel_configuration() {
    let network = Network::new();
    let config = ChannelConfig::from_block(&network.genesis).expect("a configuration");
    assert_eq!((config.channel_id(), config.sequence()), (CHANNEL, 0));
    let orgs: Vec<_> = config.application_orgs().iter().map(|org| (org.group.as_str(), org.msp_id.as_str())).collect();
    assert_eq!(orgs, [("Org1", "Org1MSP"), ("Org2", "Org2MSP")]);
    assert!(config.application_capability("V2_5"));
    assert_eq!(config.orderer_endpoints(), ["orderer.example.com:7050"]);
}
