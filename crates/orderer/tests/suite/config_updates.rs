//! Configuration updates: the way to a new configuration, and every refusal on it.

use bytes::Bytes;
use futures::future::join;
use prost::Message;
use windlass_identity::{ChannelConfig, SigningIdentity};
use windlass_orderer::{
    blocks::last_config_index,
    configtx::{compute_update, propose, sign_update, validate},
};
use windlass_proto::{
    common::{Config, ConfigEnvelope, ConfigGroup, ConfigUpdate, ConfigValue, Envelope, HeaderType, Status},
    envelope::unpack_envelope,
    msp::MspConfig,
    orderer::{BatchSize, ConsensusType},
    protos::{AnchorPeer, AnchorPeers},
};

use crate::network::{CHANNEL, Network, Org, assert_success, blocks, messages};

fn current(network: &Network) -> ChannelConfig {
    ChannelConfig::from_block(&network.genesis).expect("a configuration")
}

/// The update that changes the tree so.
fn update(current: &Config, change: impl FnOnce(&mut ConfigGroup)) -> ConfigUpdate {
    let mut wanted = current.clone();
    change(wanted.channel_group.as_mut().expect("a tree"));
    compute_update(CHANNEL, current, &wanted).expect("a difference")
}

fn group<'a>(root: &'a mut ConfigGroup, path: &[&str]) -> &'a mut ConfigGroup {
    path.iter().fold(root, |group, name| group.groups.get_mut(*name).expect("a group"))
}

fn value(message: &impl Message) -> ConfigValue {
    ConfigValue { version: 0, value: message.encode_to_vec().into(), mod_policy: "Admins".into() }
}

fn anchor(root: &mut ConfigGroup, port: i32) {
    let peers = AnchorPeers { anchor_peers: vec![AnchorPeer { host: "peer0.org1.example.com".into(), port }] };
    group(root, &["Application", "Org1"]).values.insert("AnchorPeers".into(), value(&peers));
}

fn batch_of(root: &mut ConfigGroup, max_message_count: u32) {
    let size = BatchSize { max_message_count, absolute_max_bytes: 1 << 20, preferred_max_bytes: 1 << 20 };
    let values = &mut group(root, &["Orderer"]).values;
    values.get_mut("BatchSize").expect("a size").value = size.encode_to_vec().into();
}

fn message(update: &ConfigUpdate, signers: &[&SigningIdentity]) -> Envelope {
    sign_update(update, signers).expect("a message")
}

/// The text that refuses an update signed by these.
fn refusal(network: &Network, update: &ConfigUpdate, signers: &[&SigningIdentity]) -> String {
    propose(&current(network), &message(update, signers)).expect_err("a refusal").to_string()
}

#[tokio::test]
async fn orders_the_configuration_that_an_update_leads_to() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    assert_success(&orderer.broadcast(network.message("before")).await);
    let admin = network.org1.identity("admin");
    let update = message(&update(current(&network).config(), |root| anchor(root, 7051)), &[&admin]);
    assert_success(&orderer.broadcast(update.clone()).await);
    assert_success(&orderer.broadcast(network.message("after")).await);

    let blocks = blocks(&orderer, 0, 4).await;
    let last_configs: Vec<_> = blocks.iter().map(|block| last_config_index(block).expect("an index")).collect();
    assert_eq!(last_configs, [0, 0, 2, 2]);
    let envelopes = messages(&blocks[2]);
    assert_eq!(envelopes.len(), 1);
    let unpacked = unpack_envelope(&envelopes[0]).expect("an envelope");
    assert_eq!(unpacked.channel_header.r#type, HeaderType::Config as i32);
    assert_eq!(unpacked.channel_header.channel_id, CHANNEL);
    assert_eq!(unpacked.signature_header.creator, network.orderer.serialized());
    let envelope = ConfigEnvelope::decode(unpacked.payload.data).expect("a configuration");
    assert_eq!(envelope.last_update, Some(update));
    let config = envelope.config.as_ref().expect("a configuration");
    assert_eq!(config.sequence, 1);
    let org1 = &config.channel_group.as_ref().expect("a tree").groups["Application"].groups["Org1"];
    assert_eq!((org1.version, org1.values["AnchorPeers"].version), (1, 0));
    // What a peer does with it.
    assert_eq!(validate(&current(&network), &envelope).expect("a configuration").sequence(), 1);
    let from_block = ChannelConfig::from_block(&blocks[2]).expect("a configuration");
    assert_eq!(from_block.application_orgs()[0].anchor_peers, [("peer0.org1.example.com".to_owned(), 7051)]);

    let config = orderer.channel_config(CHANNEL).expect("a configuration");
    assert_eq!(config.config(), from_block.config());
    orderer.shutdown().await;
    drop(orderer);
    let orderer = network.open(folder.path());
    assert_eq!(orderer.channel_config(CHANNEL).expect("a configuration").config(), config.config());
    assert_success(&orderer.broadcast(network.message("after the restart")).await);
    let block = &crate::network::blocks(&orderer, 4, 1).await[0];
    assert_eq!(last_config_index(block).expect("an index"), 2);
}

#[tokio::test]
async fn obeys_the_new_configuration_at_once() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let admin = network.orderer_org.identity("admin");
    let smaller = update(current(&network).config(), |root| batch_of(root, 1));
    assert_success(&orderer.broadcast(message(&smaller, &[&admin])).await);
    let config = orderer.channel_config(CHANNEL).expect("a configuration");
    assert_eq!((config.sequence(), config.batch().max_messages), (1, 1));
    let (one, two) = join(orderer.broadcast(network.message("one")), orderer.broadcast(network.message("two"))).await;
    assert_success(&one);
    assert_success(&two);
    assert_eq!(orderer.height(CHANNEL), Some(4), "one message a block");
    let large = orderer.broadcast(network.message(vec![0; 2 << 20])).await;
    assert_eq!(large.status, Status::BadRequest as i32);
}

#[tokio::test]
async fn applies_only_the_first_of_two_updates_of_one_configuration() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let admin = network.orderer_org.identity("admin");
    let updates =
        [3, 4].map(|count| message(&update(current(&network).config(), |root| batch_of(root, count)), &[&admin]));
    let [first, second] = updates;
    // Both are admitted against sequence 0; the second is checked again when its turn comes.
    let (first, second) = join(orderer.broadcast(first), orderer.broadcast(second)).await;
    assert_success(&first);
    assert_eq!(second.status, Status::BadRequest as i32);
    assert_eq!(
        second.info,
        "error applying config update to existing channel 'mychannel': error authorizing update: error validating \
         DeltaSet: attempt to set key [Value]  /Channel/Orderer/BatchSize to version 1, but key is at version 1"
    );
    assert_eq!(orderer.height(CHANNEL), Some(2));
}

#[tokio::test]
async fn refuses_a_writer_that_an_update_has_removed() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let admins = [network.org1.identity("admin"), network.org2.identity("admin")];
    let without = update(current(&network).config(), |root| {
        group(root, &["Application"]).groups.remove("Org2");
    });
    let writer = network.org2.identity("client");
    let late = crate::network::signed(&writer, HeaderType::Message, CHANNEL, "late".into());
    let change = message(&without, &[&admins[0], &admins[1]]);
    let (changed, late) = join(orderer.broadcast(change), orderer.broadcast(late)).await;
    assert_success(&changed);
    assert_eq!(late.status, Status::Forbidden as i32, "{}", late.info);
}

#[test]
fn adds_an_organization_with_the_majority_of_admins() {
    let network = Network::new();
    let org3 = Org::new("Org3MSP");
    let spec = windlass_orderer::genesis::NetworkSpec { orgs: vec![org3.spec("Org3")], ..network.spec.clone() };
    let other = ChannelConfig::from_block(&windlass_orderer::genesis::genesis_block(&spec)).expect("a configuration");
    let tree = other.config().channel_group.as_ref().expect("a tree");
    let new = tree.groups["Application"].groups["Org3"].clone();
    let add = update(current(&network).config(), |root| {
        group(root, &["Application"]).groups.insert("Org3".into(), new);
    });
    let admins = [network.org1.identity("admin"), network.org2.identity("admin")];
    let proposal = propose(&current(&network), &message(&add, &[&admins[0], &admins[1]])).expect("a configuration");
    let names: Vec<_> = proposal.config.application_orgs().iter().map(|org| org.group.as_str()).collect();
    assert_eq!(names, ["Org1", "Org2", "Org3"]);
    assert_eq!(
        refusal(&network, &add, &[&admins[0]]),
        "error authorizing update: error validating DeltaSet: policy for [Group]  /Channel/Application not satisfied: \
         implicit policy evaluation failed - 1 sub-policies were satisfied, but this policy requires 2 of the 'Admins' \
         sub-policies to be satisfied"
    );
    let twice = refusal(&network, &add, &[&admins[0], &admins[0]]);
    assert!(twice.contains("- 1 sub-policies were satisfied"), "one admin counts once: {twice}");
}

#[test]
fn refuses_with_fabrics_texts() {
    let network = Network::new();
    let config = current(&network);
    let admin = network.org1.identity("admin");
    let good = update(config.config(), |root| anchor(root, 7051));
    let changed = |change: fn(&mut ConfigUpdate)| {
        let mut update = good.clone();
        change(&mut update);
        refusal(&network, &update, &[&admin])
    };
    fn write(update: &mut ConfigUpdate) -> &mut ConfigGroup {
        update.write_set.as_mut().expect("a write set")
    }
    fn read(update: &mut ConfigUpdate) -> &mut ConfigGroup {
        update.read_set.as_mut().expect("a read set")
    }
    for (change, text) in [
        (
            (|update| update.channel_id = "other".into()) as fn(&mut ConfigUpdate),
            "ConfigUpdate for channel 'other' but envelope for channel 'mychannel'",
        ),
        (
            |update| update.write_set = update.read_set.clone(),
            "error validating DeltaSet: delta set was empty -- update would have no effect",
        ),
        (
            |update| group(read(update), &["Application"]).version = 7,
            "error validating ReadSet: proposed update requires that key [Group]  /Channel/Application be at version \
             7, but it is currently at version 0",
        ),
        (
            |update| {
                read(update).values.insert("Nothing".into(), ConfigValue::default());
            },
            "error validating ReadSet: existing config does not contain element for [Value]  /Channel/Nothing but was \
             in the read set",
        ),
        (
            |update| {
                read(update).groups.insert("a_b".into(), ConfigGroup::default());
            },
            "error mapping ReadSet: illegal characters in key: [Group]  /Channel/a_b: config ID 'a_b' contains illegal \
             characters",
        ),
        (
            |update| {
                write(update).policies.insert("..".into(), Default::default());
            },
            "error mapping WriteSet: illegal characters in key: [Policy] /Channel/..: name '..' for config ID is not \
             allowed",
        ),
        (
            |update| group(write(update), &["Application", "Org1"]).version = 2,
            "error validating DeltaSet: attempt to set key [Group]  /Channel/Application/Org1 to version 2, but key \
             is at version 0",
        ),
        (
            |update| {
                let values = &mut group(write(update), &["Application", "Org1"]).values;
                values.get_mut("AnchorPeers").expect("peers").version = 1;
            },
            "error validating DeltaSet: attempted to set key [Value]  /Channel/Application/Org1/AnchorPeers to \
             version 1, but key does not exist",
        ),
        (
            |update| {
                let values = &mut group(write(update), &["Application", "Org1"]).values;
                values.get_mut("AnchorPeers").expect("peers").mod_policy.clear();
            },
            "error validating DeltaSet: invalid mod_policy for element [Value]  \
             /Channel/Application/Org1/AnchorPeers: mod_policy not set",
        ),
        (
            |update| {
                let values = &mut group(write(update), &["Application", "Org1"]).values;
                values.get_mut("AnchorPeers").expect("peers").mod_policy = "/Channel/a b".into();
            },
            "error validating DeltaSet: invalid mod_policy for element [Value]  \
             /Channel/Application/Org1/AnchorPeers: path element at 1 is invalid: config ID 'a b' contains illegal \
             characters",
        ),
    ] {
        assert_eq!(changed(change), format!("error authorizing update: {text}"));
    }
}

#[test]
fn refuses_signatures_that_do_not_suffice() {
    let network = Network::new();
    let change = update(current(&network).config(), |root| anchor(root, 7051));
    let unsatisfied = "error authorizing update: error validating DeltaSet: policy for [Group]  \
                       /Channel/Application/Org1 not satisfied: signature set did not satisfy policy";
    let (client, other) = (network.org1.identity("client"), network.org2.identity("admin"));
    for signers in [&[&client][..], &[&other], &[&client, &other]] {
        assert_eq!(refusal(&network, &change, signers), unsatisfied);
    }
    let admin = network.org1.identity("admin");
    assert!(propose(&current(&network), &message(&change, &[&client, &admin])).is_ok());
}

#[test]
fn refuses_configurations_that_must_not_follow() {
    let network = Network::new();
    let config = current(&network);
    let admins: Vec<_> =
        [&network.org1, &network.org2, &network.orderer_org].iter().map(|org| org.identity("admin")).collect();
    let signers: Vec<_> = admins.iter().collect();
    let other = Org::new("Org9MSP");
    let refused =
        |change: &dyn Fn(&mut ConfigGroup)| refusal(&network, &update(config.config(), |root| change(root)), &signers);
    let consensus = refused(&|root| {
        let value = &mut group(root, &["Orderer"]).values.get_mut("ConsensusType").expect("a consensus").value;
        let consensus = ConsensusType::decode(value.clone()).expect("a consensus");
        *value = ConsensusType { r#type: "solo".into(), ..consensus }.encode_to_vec().into();
    });
    assert_eq!(consensus, "attempted to change consensus type from etcdraft to solo");
    let msp = MspConfig { r#type: 0, config: other.msp().encode_to_vec().into() };
    let renamed = refused(&|root| {
        let values = &mut group(root, &["Application", "Org1"]).values;
        values.get_mut("MSP").expect("an MSP").value = msp.encode_to_vec().into();
    });
    assert_eq!(renamed, "application org Org1 attempted to change MSP ID from Org1MSP to Org9MSP");
    let without = refused(&|root| {
        root.groups.remove("Application");
    });
    assert_eq!(without, "current config has application section, but new config does not");
    let invalid = refused(&|root| batch_of(root, 0));
    assert!(!invalid.is_empty(), "a batch of no message is no valid configuration");
}

#[test]
fn refuses_messages_that_hold_no_update() {
    let network = Network::new();
    let config = current(&network);
    let admin = network.org1.identity("admin");
    let prefix = "error converting envelope to config update: ";
    let wrong = propose(&config, &network.message("data")).expect_err("a refusal").to_string();
    assert_eq!(wrong, format!("{prefix}invalid type 3, expected CONFIG_UPDATE"));
    for data in [Bytes::from_static(&[0xff]), Bytes::from_static(&[0x0a, 0x01, 0xff])] {
        let envelope = crate::network::signed(&admin, HeaderType::ConfigUpdate, CHANNEL, data);
        let error = propose(&config, &envelope).expect_err("a refusal").to_string();
        assert!(error.starts_with(&format!("{prefix}error unmarshalling ConfigUpdate")), "{error}");
    }
}

#[test]
fn validates_only_what_the_update_leads_to() {
    let network = Network::new();
    let config = current(&network);
    let admin = network.org1.identity("admin");
    let change = update(config.config(), |root| anchor(root, 7051));
    let good = propose(&config, &message(&change, &[&admin])).expect("a configuration").envelope;
    assert!(validate(&config, &good).is_ok());
    let changed = |change: fn(&mut ConfigEnvelope)| {
        let mut envelope = good.clone();
        change(&mut envelope);
        validate(&config, &envelope).expect_err("a refusal").to_string()
    };
    for (change, text) in [
        ((|envelope| envelope.config = None) as fn(&mut ConfigEnvelope), "config envelope has nil config"),
        (
            |envelope| envelope.config.as_mut().expect("a configuration").sequence = 4,
            "config currently at sequence 0, cannot validate config at sequence 4",
        ),
        (
            |envelope| {
                let config = envelope.config.as_mut().expect("a configuration");
                config.channel_group.as_mut().expect("a tree").version += 1;
            },
            "ConfigEnvelope LastUpdate did not produce the supplied config result",
        ),
        (|envelope| envelope.last_update = None, "envelope is nil"),
    ] {
        assert_eq!(changed(change), text);
    }
}

#[test]
fn computes_the_least_update() {
    let network = Network::new();
    let config = current(&network);
    assert_eq!(compute_update(CHANNEL, config.config(), config.config()), None);
    let change = update(config.config(), |root| batch_of(root, 9));
    let write = change.write_set.expect("a write set");
    assert_eq!(write.groups.keys().collect::<Vec<_>>(), ["Orderer"]);
    let orderer = &write.groups["Orderer"];
    assert_eq!(orderer.version, 0, "its members are the same");
    assert_eq!(orderer.values.keys().collect::<Vec<_>>(), ["BatchSize"]);
    assert_eq!(orderer.values["BatchSize"].version, 1);
    assert!(orderer.policies.is_empty() && orderer.groups.is_empty());
}
