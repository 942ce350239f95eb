use std::collections::BTreeMap;

use bytes::Bytes;
use windlass_proto::{
    common::{
        BlockData, BlockDataHashingStructure, Capabilities, ChannelHeader, ConfigPolicy, ConfigValue, HashingAlgorithm,
        Header, ImplicitMetaPolicy, OrdererAddresses, Payload, Policy, implicit_meta_policy::Rule, policy::PolicyType,
    },
    msp::MspConfig,
    orderer::{BatchSize, BatchTimeout, ConsensusType},
    protos::{AcLs, AnchorPeer, AnchorPeers, ApiResource},
};

use super::*;
use crate::{
    policy::members_policy,
    testing::{TestOrg, signed},
};

fn put(group: &mut ConfigGroup, key: &str, value: &impl Message) {
    let value = ConfigValue { value: value.encode_to_vec().into(), ..Default::default() };
    group.values.insert(key.to_owned(), value);
}

fn capabilities(names: &[&str]) -> Capabilities {
    Capabilities { capabilities: names.iter().map(|name| ((*name).to_owned(), Default::default())).collect() }
}

fn policies(make: impl Fn(&str) -> Policy) -> BTreeMap<String, ConfigPolicy> {
    let policy = |name: &str| {
        let policy = ConfigPolicy { policy: Some(make(name)), mod_policy: "Admins".into(), ..Default::default() };
        (name.to_owned(), policy)
    };
    ["Readers", "Writers", "Admins"].map(policy).into()
}

fn any(name: &str) -> Policy {
    let meta = ImplicitMetaPolicy { sub_policy: name.to_owned(), rule: Rule::Any.into() };
    Policy { r#type: PolicyType::ImplicitMeta as i32, value: meta.encode_to_vec().into() }
}

fn org_group(org: &TestOrg) -> ConfigGroup {
    let members = |_: &str| {
        let policy = members_policy(&[&org.msp_id], 1);
        Policy { r#type: PolicyType::Signature as i32, value: policy.encode_to_vec().into() }
    };
    let mut group = ConfigGroup { policies: policies(members), mod_policy: "Admins".into(), ..Default::default() };
    put(&mut group, "MSP", &msp_value(org));
    group
}

fn msp_value(org: &TestOrg) -> MspConfig {
    MspConfig { r#type: 0, config: org.config().encode_to_vec().into() }
}

struct Network {
    org1: TestOrg,
    org2: TestOrg,
    group: ConfigGroup,
}

/// A development channel: two organizations and one that orders.
fn network() -> Network {
    let (org1, org2, orderer) = (TestOrg::new("Org1MSP"), TestOrg::new("Org2MSP"), TestOrg::new("OrdererMSP"));
    let mut group = ConfigGroup { policies: policies(any), ..Default::default() };
    put(&mut group, "HashingAlgorithm", &HashingAlgorithm { name: "SHA256".into() });
    put(&mut group, "BlockDataHashingStructure", &BlockDataHashingStructure { width: u32::MAX });
    put(&mut group, "OrdererAddresses", &OrdererAddresses { addresses: vec!["global:7050".into()] });
    put(&mut group, "Capabilities", &capabilities(&["V2_0"]));

    let mut application = ConfigGroup { policies: policies(any), ..Default::default() };
    put(&mut application, "Capabilities", &capabilities(&["V2_5"]));
    let acl = |reference: &str| ApiResource { policy_ref: reference.to_owned() };
    let acls = [("qscc/GetChainInfo".to_owned(), acl("Admins")), ("event/Block".to_owned(), acl("/Channel/Readers"))];
    put(&mut application, "ACLs", &AcLs { acls: acls.into() });
    let mut first = org_group(&org1);
    let anchor = AnchorPeer { host: "peer0.org1.example.com".into(), port: 7051 };
    put(&mut first, "AnchorPeers", &AnchorPeers { anchor_peers: vec![anchor] });
    application.groups.insert("Org1".to_owned(), first);
    application.groups.insert("Org2".to_owned(), org_group(&org2));

    let mut ordering = ConfigGroup { policies: policies(any), ..Default::default() };
    put(&mut ordering, "ConsensusType", &ConsensusType { r#type: "etcdraft".into(), ..Default::default() });
    put(&mut ordering, "Capabilities", &capabilities(&["V2_0"]));
    put(&mut ordering, "BatchTimeout", &BatchTimeout { timeout: "1m30s".into() });
    let size = BatchSize { max_message_count: 10, absolute_max_bytes: 1000, preferred_max_bytes: 500 };
    put(&mut ordering, "BatchSize", &size);
    put(&mut ordering, "ChannelRestrictions", &());
    let mut orderers = org_group(&orderer);
    put(&mut orderers, "Endpoints", &OrdererAddresses { addresses: vec!["orderer.example.com:7050".into()] });
    ordering.groups.insert("OrdererOrg".to_owned(), orderers);

    group.groups.insert("Application".to_owned(), application);
    group.groups.insert("Orderer".to_owned(), ordering);
    Network { org1, org2, group }
}

fn config(group: ConfigGroup) -> Config {
    Config { sequence: 3, channel_group: Some(group) }
}

fn compile(group: ConfigGroup) -> Result<ChannelConfig, ChannelConfigError> {
    ChannelConfig::from_config("dev", &config(group))
}

fn block(kind: HeaderType, data: &impl Message) -> Block {
    let header = ChannelHeader { r#type: kind as i32, channel_id: "dev".into(), ..Default::default() };
    let header = Header { channel_header: header.encode_to_vec().into(), ..Default::default() };
    let payload = Payload { header: Some(header), data: data.encode_to_vec().into() };
    let envelope = Envelope { payload: payload.encode_to_vec().into(), ..Default::default() };
    Block { data: Some(BlockData { data: vec![envelope.encode_to_vec().into()] }), ..Default::default() }
}

fn config_block(config: Option<Config>) -> Block {
    block(HeaderType::Config, &ConfigEnvelope { config, last_update: None })
}

#[test]
fn compiles_a_development_channel() {
    let Network { org1, org2, group } = network();
    let channel = ChannelConfig::from_block(&config_block(Some(config(group)))).expect("a configuration");
    assert_eq!((channel.channel_id(), channel.sequence()), ("dev", 3));
    assert_eq!(channel.msps().ids(), ["OrdererMSP", "Org1MSP", "Org2MSP"]);
    let [first, second] = channel.application_orgs() else { panic!("two organizations") };
    assert_eq!((first.group.as_str(), first.msp_id.as_str()), ("Org1", "Org1MSP"));
    assert_eq!(first.anchor_peers, [("peer0.org1.example.com".to_owned(), 7051)]);
    assert_eq!(channel.application_org("Org2MSP"), Some(second));
    assert_eq!(channel.orderer_orgs()[0].endpoints, ["orderer.example.com:7050"]);
    assert_eq!(channel.orderer_endpoints(), ["orderer.example.com:7050"]);
    assert!(channel.has_application() && channel.application_capability("V2_5") && channel.channel_capability("V2_0"));
    assert!(channel.application_capability("V1_2") && !channel.channel_capability("V3_0"));
    assert_eq!(channel.capabilities(Section::Application), ["V2_5"]);
    assert_eq!(channel.acl("qscc/GetChainInfo"), Some("/Channel/Application/Admins"));
    assert_eq!(channel.acl("event/Block"), Some("/Channel/Readers"));
    assert_eq!(channel.acl("peer/Propose"), None);
    let batch = Batch {
        max_messages: 10,
        absolute_max_bytes: 1000,
        preferred_max_bytes: 500,
        timeout: Duration::from_secs(90),
    };
    assert_eq!(*channel.batch(), batch);
    assert_eq!(channel.consensus_type(), Some("etcdraft"));
    assert!(!channel.in_maintenance());

    let signatures = |org: &TestOrg| [signed(&org.signer("x", Some("client")), b"m")];
    for org in [&org1, &org2] {
        assert_eq!(channel.policies().evaluate("/Channel/Writers", channel.msps(), &signatures(org)), Ok(()));
    }
    let stranger = TestOrg::new("Org1MSP");
    assert!(channel.policies().evaluate("/Channel/Writers", channel.msps(), &signatures(&stranger)).is_err());
}

#[test]
fn falls_back_to_the_addresses_of_the_channel() {
    let mut group = network().group;
    let orderers = group.groups.get_mut("Orderer").and_then(|group| group.groups.get_mut("OrdererOrg"));
    orderers.expect("the group").values.remove("Endpoints");
    assert_eq!(compile(group).expect("a configuration").orderer_endpoints(), ["global:7050"]);
}

/// A change to one of the groups of a good configuration, and what it is refused with.
type Case = (&'static str, fn(&mut ConfigGroup), &'static str);

#[test]
fn explains_what_is_wrong_in_a_group() {
    let template = network().group;
    let cases: &[Case] = &[
        ("", |group| put(group, "Extra", &()), "Unexpected key Extra"),
        (
            "",
            |group| put(group, "HashingAlgorithm", &HashingAlgorithm { name: "MD5".into() }),
            "Unknown hashing algorithm type: MD5",
        ),
        (
            "",
            |group| put(group, "BlockDataHashingStructure", &()),
            "BlockDataHashStructure width only supported at MaxUint32 in this version",
        ),
        (
            "",
            |group| put(group, "Capabilities", &capabilities(&["V2_0", "V7_0"])),
            "Channel capability V7_0 is required but not supported",
        ),
        (
            "",
            |group| put(group, "Capabilities", &capabilities(&["V3_0"])),
            "global OrdererAddresses are not allowed with V3_0 capability, use org specific addresses only",
        ),
        (
            "",
            |group| {
                group.groups.insert("Other".into(), Default::default());
            },
            "Disallowed channel group: Other",
        ),
        (
            "",
            |group| {
                group.groups.remove("Orderer");
            },
            "cannot enable channel capabilities without orderer support first",
        ),
        (
            "",
            |group| {
                group.groups.remove("Orderer");
                group.values.remove("Capabilities");
            },
            "cannot enable application capabilities without orderer support first",
        ),
        (
            "",
            |group| {
                put(group, "Capabilities", &capabilities(&["V1_1"]));
                group.values.remove("OrdererAddresses");
            },
            "Must set some OrdererAddresses",
        ),
        (
            "Application",
            |group| put(group, "Extra", &()),
            "could not create channel Application sub-group config: Unexpected key Extra",
        ),
        (
            "Application",
            |group| put(group, "Capabilities", &capabilities(&["V9_0"])),
            "Application capability V9_0 is required but not supported",
        ),
        (
            "Orderer",
            |group| put(group, "Capabilities", &capabilities(&["V2_5"])),
            "Orderer capability V2_5 is required but not supported",
        ),
        (
            "Orderer",
            |group| put(group, "BatchSize", &()),
            "could not create channel Orderer sub-group config: Attempted to set the batch size max message count to an invalid value: 0",
        ),
        (
            "Orderer",
            |group| {
                put(
                    group,
                    "BatchSize",
                    &BatchSize { max_message_count: 1, absolute_max_bytes: 0, preferred_max_bytes: 1 },
                )
            },
            "could not create channel Orderer sub-group config: Attempted to set the batch size absolute max bytes to an invalid value: 0",
        ),
        (
            "Orderer",
            |group| {
                put(
                    group,
                    "BatchSize",
                    &BatchSize { max_message_count: 1, absolute_max_bytes: 1, preferred_max_bytes: 0 },
                )
            },
            "could not create channel Orderer sub-group config: Attempted to set the batch size preferred max bytes to an invalid value: 0",
        ),
        (
            "Orderer",
            |group| {
                put(
                    group,
                    "BatchSize",
                    &BatchSize { max_message_count: 1, absolute_max_bytes: 1, preferred_max_bytes: 2 },
                )
            },
            "could not create channel Orderer sub-group config: Attempted to set the batch size preferred max bytes (2) greater than the absolute max bytes (1).",
        ),
        (
            "Orderer",
            |group| put(group, "BatchTimeout", &BatchTimeout { timeout: "soon".into() }),
            "could not create channel Orderer sub-group config: Attempted to set the batch timeout to a invalid value: time: invalid duration \"soon\"",
        ),
        (
            "Orderer",
            |group| put(group, "BatchTimeout", &BatchTimeout { timeout: "-2s".into() }),
            "could not create channel Orderer sub-group config: Attempted to set the batch timeout to a non-positive value: -2s",
        ),
        (
            "Application/Org1",
            |group| put(group, "Endpoints", &()),
            "could not create channel Application sub-group config: Unexpected key Endpoints",
        ),
        (
            "Application/Org1",
            |group| {
                group.groups.insert("Below".into(), Default::default());
            },
            "could not create channel Application sub-group config: sub-groups not allowed in organization Org1",
        ),
        (
            "Application/Org1",
            |group| put(group, "MSP", &MspConfig { r#type: 1, ..Default::default() }),
            "could not create channel Application sub-group config: Setup error: unsupported msp type 1",
        ),
        (
            "Application/Org1",
            |group| put(group, "MSP", &()),
            "could not create channel Application sub-group config: setting up the MSP manager failed: expected at least one CA certificate",
        ),
        (
            "Application/Org2",
            |group| put(group, "MSP", &msp_value(&TestOrg::new("Org1MSP"))),
            "could not create channel Application sub-group config: Attempted to define two different versions of MSP: Org1MSP",
        ),
        (
            "Application/Org2",
            |group| put(group, "MSP", &msp_value(&TestOrg::new(""))),
            "could not create channel Application sub-group config: MSP for org Org2 has empty MSP ID",
        ),
        (
            "Application",
            |group| {
                group.policies.insert("X".into(), ConfigPolicy::default());
            },
            "initializing policymanager failed: policy X at path /Channel/Application was nil",
        ),
    ];
    for (path, change, expected) in cases {
        let mut root = template.clone();
        let mut group = &mut root;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            group = group.groups.get_mut(name).expect("the group");
        }
        change(group);
        assert_eq!(compile(root).expect_err(expected).to_string(), *expected);
    }
}

#[test]
fn wants_addresses_by_organization_from_v3() {
    let mut group = network().group;
    put(&mut group, "Capabilities", &capabilities(&["V3_0"]));
    group.values.remove("OrdererAddresses");
    assert!(compile(group.clone()).is_ok());
    let orderers = group.groups.get_mut("Orderer").and_then(|group| group.groups.get_mut("OrdererOrg"));
    orderers.expect("the group").values.remove("Endpoints");
    assert_eq!(
        compile(group).expect_err("no addresses").to_string(),
        "some orderer organizations endpoints are empty: [OrdererOrg]"
    );
}

#[test]
fn ignores_acls_without_the_capability() {
    let mut group = network().group;
    put(group.groups.get_mut("Application").expect("the group"), "Capabilities", &capabilities(&["V1_1"]));
    assert_eq!(compile(group).expect("a configuration").acl("event/Block"), None);
}

#[test]
fn checks_blocks_to_join_with() {
    let good = network().group;
    assert!(ChannelConfig::from_join_block(&config_block(Some(config(good.clone())))).is_ok());
    let without = |change: fn(&mut ConfigGroup)| {
        let mut group = good.clone();
        change(&mut group);
        config_block(Some(config(group)))
    };
    for (block, expected) in [
        (Block::default(), "Failed to envelope index out of bounds"),
        (block(HeaderType::Message, &()), "Bad configuration envelope: invalid type MESSAGE, expected CONFIG"),
        (config_block(None), "Nil config envelope Config"),
        (config_block(Some(Config::default())), "Nil channel group"),
        (without(|group| group.groups.clear()), "No channel configuration groups are available"),
        (
            without(|group| {
                group.groups.remove("Application");
            }),
            "Invalid configuration block, missing Application configuration group",
        ),
        (
            without(|group| put(group, "Capabilities", &capabilities(&["V9_9"]))),
            "Failed capabilities check: [Channel capability V9_9 is required but not supported]",
        ),
    ] {
        assert_eq!(ChannelConfig::from_join_block(&block).expect_err(expected).to_string(), expected);
    }
    let garbage = Block { data: Some(BlockData { data: vec![Bytes::from_static(b"\xff")] }), ..Default::default() };
    let error = ChannelConfig::from_join_block(&garbage).expect_err("garbage").to_string();
    assert!(error.starts_with("Bad configuration envelope: error unmarshalling Envelope: "), "{error}");
}

#[test]
fn refuses_illegal_names() {
    let group = network().group;
    for (name, expected) in [
        ("", "bad channel ID: channel ID illegal, cannot be empty"),
        ("Dev", "bad channel ID: 'Dev' contains illegal characters"),
    ] {
        let error = ChannelConfig::from_config(name, &config(group.clone())).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
}
