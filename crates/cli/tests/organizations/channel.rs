//! `peer channel`: reading a channel, and changing its configuration with the signatures of a majority. What the new
//! configuration says holds for `windlass deploy` too.

use std::fs;

use prost::Message;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    Bytes,
    common::{
        Block, ChannelHeader, ConfigGroup, ConfigPolicy, ConfigUpdate, ConfigUpdateEnvelope, ConfigValue, Envelope,
        Header, HeaderType, ImplicitMetaPolicy, Payload, Policy, implicit_meta_policy::Rule, policy::PolicyType,
    },
    protos::{AcLs, ApiResource},
};

use crate::{
    description,
    e2e::support::place::{Place, SAMPLE},
    terminal::Terminal,
};

/// An unsigned update that maps a resource to a policy and lets any organization alone define chaincode, made for the
/// configuration in a block.
fn update(config: &Block) -> Vec<u8> {
    let config = ChannelConfig::from_block(config).expect("a configuration");
    let current = &config.group().groups["Application"];
    let kept = |group: &ConfigGroup| ConfigGroup { version: group.version, ..Default::default() };
    let under_channel = |application: ConfigGroup| ConfigGroup {
        groups: [("Application".to_owned(), application)].into(),
        ..kept(config.group())
    };
    let names = current.groups.iter().map(|(name, group)| (name.clone(), kept(group)));
    let values = current
        .values
        .iter()
        .map(|(name, value)| (name.clone(), ConfigValue { version: value.version, ..Default::default() }));
    let mut application = ConfigGroup {
        groups: names.collect(),
        values: values.collect(),
        policies: current
            .policies
            .iter()
            .map(|(name, policy)| (name.clone(), ConfigPolicy { version: policy.version, ..Default::default() }))
            .collect(),
        ..kept(current)
    };
    let read = application.clone();
    let policy = ApiResource { policy_ref: "/Channel/Application/Writers".to_owned() };
    let acls = AcLs { acls: [("event/Block".to_owned(), policy)].into() };
    let value = ConfigValue { version: 0, value: acls.encode_to_vec().into(), mod_policy: "Admins".to_owned() };
    application.values.insert("ACLs".to_owned(), value);
    let any = ImplicitMetaPolicy { sub_policy: "Endorsement".to_owned(), rule: Rule::Any as i32 };
    let any = Policy { r#type: PolicyType::ImplicitMeta as i32, value: any.encode_to_vec().into() };
    let lifecycle = application.policies.get_mut("LifecycleEndorsement").expect("a policy");
    *lifecycle = ConfigPolicy { version: lifecycle.version + 1, policy: Some(any), mod_policy: "Admins".to_owned() };
    application.version += 1;
    application.mod_policy = "Admins".to_owned();
    let update = ConfigUpdate {
        channel_id: config.channel_id().to_owned(),
        read_set: Some(under_channel(read)),
        write_set: Some(under_channel(application)),
        ..Default::default()
    };
    let envelope = ConfigUpdateEnvelope { config_update: update.encode_to_vec().into(), signatures: Vec::new() };
    let header = ChannelHeader {
        r#type: HeaderType::ConfigUpdate as i32,
        channel_id: config.channel_id().to_owned(),
        ..Default::default()
    };
    let header = Header { channel_header: header.encode_to_vec().into(), ..Default::default() };
    let payload = Payload { header: Some(header), data: envelope.encode_to_vec().into() };
    Envelope { payload: payload.encode_to_vec().into(), signature: Bytes::new() }.encode_to_vec()
}

#[test]
fn is_read_and_changed() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().arg("--orgs").arg("3").start();
    let mut terminal = Terminal::new(&place, &windlass, &description(&windlass));
    let block = |terminal: &Terminal, name: &str| {
        let bytes = fs::read(terminal.folder().join(name)).expect("a block");
        Block::decode(Bytes::from(bytes)).expect("a block")
    };
    terminal.types(1, "peer channel list");
    terminal.types(2, "peer channel getinfo -c mychannel | sed 's/height\":[0-9]*/height\":N/'");
    terminal.types(1, "peer channel getinfo -c nochannel");
    terminal.types(1, "peer channel fetch oldest -c mychannel");
    terminal.types(1, "peer channel fetch 0 by-number.block -c mychannel $ORDERER");
    terminal.types(3, "peer channel fetch newest newest.block -c mychannel 2>/dev/null");
    terminal.types(1, "peer channel fetch config config.block -c mychannel $ORDERER 2>&1 | grep config");
    terminal.types(1, "peer channel fetch 999 -c mychannel");
    terminal.types(1, "peer channel fetch newest -c nochannel $ORDERER");
    assert_eq!(block(&terminal, "mychannel_oldest.block").header, block(&terminal, "by-number.block").header);
    assert!(block(&terminal, "newest.block").header.is_some_and(|header| header.number > 0));

    terminal.set("WINDLASS", env!("CARGO_BIN_EXE_windlass"));
    let token = place.program("token", SAMPLE).display().to_string();
    let deploy = format!("$WINDLASS deploy {token}");
    let alone = terminal.runs(1, &deploy);
    assert_eq!(alone.code, 1, "{alone:?}");
    assert!(alone.stdout.contains("the channel's LifecycleEndorsement policy wants more organizations"), "{alone:?}");
    let approved = terminal.runs(2, &format!("{deploy} --approve-only"));
    assert!(approved.stdout.contains("hint: enough have approved; this command without"), "{approved:?}");

    fs::write(terminal.folder().join("update.tx"), update(&block(&terminal, "config.block"))).expect("a file");
    terminal.types(1, "peer channel signconfigtx -f nothing.tx");
    terminal.types(1, "peer channel update -f update.tx -c mychannel $ORDERER");
    terminal.types(1, "peer channel signconfigtx -f update.tx");
    terminal.types(2, "peer channel update -f update.tx -c other $ORDERER");
    terminal.types(2, "peer channel update -f update.tx -c mychannel $ORDERER");
    terminal.types(2, "peer channel update -f update.tx -c mychannel $ORDERER");
    terminal.types(1, "peer channel fetch config changed.block -c mychannel $ORDERER 2>/dev/null");
    insta::assert_snapshot!("channel", terminal.transcript());
    let changed = ChannelConfig::from_block(&block(&terminal, "changed.block")).expect("a configuration");
    assert!(changed.group().groups["Application"].values.contains_key("ACLs"));

    let alone = terminal.runs(3, &deploy.replace(" deploy ", " deploy mine="));
    assert_eq!(alone.code, 0, "{alone:?}");
    assert!(alone.stdout.starts_with("deployed "), "any organization is enough now: {alone:?}");
}
