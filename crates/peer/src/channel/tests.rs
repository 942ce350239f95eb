use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    common::{
        BlockMetadataIndex, Capabilities, ConfigValue, Consenter, IdentifierHeader, Metadata, MetadataSignature,
        Orderers, SignatureHeader,
    },
    hash::block_header_der,
    orderer::ConsensusType,
};

use super::*;
use crate::testing::{CHANNEL, World, block_of};

fn options() -> LedgerOptions {
    LedgerOptions { store: windlass_ledger::StoreKind::Memory, history: true }
}

#[test]
fn leaves_out_a_channel_whose_joining_was_interrupted_and_joins_it_again() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    // What is there before the first block is durable.
    std::fs::create_dir_all(folder.path().join(CHANNEL).join("blocks")).expect("a folder");
    let acl = Acl::new(Arc::new(world.local_msp()), "Org1MSP");
    let open = || {
        let ledgers = Ledgers::open(folder.path()).expect("ledgers");
        PeerChannels::open(ledgers, options(), acl.clone()).expect("channels")
    };
    let channels = open();
    assert!(channels.names().is_empty());
    channels.create(&world.genesis).expect("joined");
    drop(channels);
    assert_eq!(open().names(), [CHANNEL]);
}

#[tokio::test]
async fn nobody_waits_for_a_channel_that_has_stopped() {
    let world = World::new();
    let joined = world.joined(vec![(world.draft().build(), TxValidationCode::Valid)]);
    let channel = joined.channels.get(CHANNEL).expect("the channel");
    let committed = windlass_proto::txid::transaction_id(b"nonce", world.user1.serialized());
    assert_eq!(channel.wait_for(&committed).await.expect("a verdict"), (TxValidationCode::Valid, 1));
    assert_eq!(joined.channels.check().await, Ok(()));

    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { channel.wait_for("another").await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    channel.stopped.cancel();
    let outcome = tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("in time").expect("no panic");
    assert_eq!(outcome.expect_err("stopped").to_string(), "channel ch has stopped: a block could not be committed");
    assert_eq!(channel.wait_for(&committed).await.expect("a verdict"), (TxValidationCode::Valid, 1));
    assert_eq!(joined.channels.check().await, Err("no more blocks are committed on ch".to_owned()));
}

#[test]
fn takes_only_the_next_block_signed_by_the_ordering_service() {
    let world = World::new();
    let joined = world.joined(vec![(world.draft().build(), TxValidationCode::Valid)]);
    let channel = joined.channels.get(CHANNEL).expect("the channel");
    let config = channel.config();
    let verify = |block: &Block| commit::verify(&channel, &config, block).map_err(|error| error.to_string());
    let signed = |signer: &windlass_identity::SigningIdentity, mut block: Block| {
        let header = SignatureHeader { creator: signer.serialized().clone(), nonce: "n".into() };
        let signature_header: Bytes = header.encode_to_vec().into();
        let der = block_header_der(block.header.as_ref().expect("a header"));
        let signature = signer.sign(&[signature_header.as_ref(), &der].concat()).into();
        let signature = MetadataSignature { signature_header, signature, ..Default::default() };
        let slot = Metadata { value: Bytes::new(), signatures: vec![signature] };
        block.metadata.as_mut().expect("metadata").metadata[BlockMetadataIndex::Signatures as usize] =
            slot.encode_to_vec().into();
        block
    };
    let next = block_of(joined.blocks.last(), vec![world.draft().build()]);
    let good = signed(&world.orderer, next.clone());
    assert_eq!(verify(&good), Ok(()));

    let unsigned = verify(&next).expect_err("unsigned");
    assert!(unsigned.starts_with("block 2 is not signed by the ordering service: "), "{unsigned}");
    assert!(verify(&signed(&world.peer1, next.clone())).is_err(), "a peer orders nothing");
    let mut short = good.clone();
    short.metadata.as_mut().expect("metadata").metadata.truncate(4);
    assert_eq!(verify(&short), Err("block 2 has 4 metadata slots, expected 5".to_owned()));
    let error = verify(&signed(&world.orderer, joined.blocks[1].clone())).expect_err("an old block");
    assert_eq!(error, "expected block 2, the ordering service sent block 1");
    let mut other = good.clone();
    other.data.as_mut().expect("data").data.push("more".into());
    assert_eq!(verify(&other), Err("the data of block 2 does not have the hash in its header".to_owned()));
}

// Fabric: ledger §11
#[test]
fn orderers_of_a_bft_channel_go_by_their_numbers() {
    let world = World::new();
    let joined = world.joined(vec![(world.draft().build(), TxValidationCode::Valid)]);
    let channel = joined.channels.get(CHANNEL).expect("the channel");
    let config = bft(&world);
    let next = block_of(joined.blocks.last(), vec![world.draft().build()]);
    let verify = |identifier: u32, signer: &windlass_identity::SigningIdentity| {
        let identifier_header: Bytes = IdentifierHeader { identifier, nonce: "n".into() }.encode_to_vec().into();
        let der = block_header_der(next.header.as_ref().expect("a header"));
        let value = Bytes::from_static(b"value");
        let signature = signer.sign(&[&value, identifier_header.as_ref(), &der].concat()).into();
        let signature = MetadataSignature { identifier_header, signature, ..Default::default() };
        let mut block = next.clone();
        block.metadata.as_mut().expect("metadata").metadata[BlockMetadataIndex::Signatures as usize] =
            Metadata { value, signatures: vec![signature] }.encode_to_vec().into();
        commit::verify(&channel, &config, &block).map_err(|error| error.to_string())
    };
    assert_eq!(verify(1, &world.orderer), Ok(()));
    assert!(verify(2, &world.orderer).is_err(), "nobody has this number");
    assert!(verify(1, &world.orderer_admin).is_err(), "another's number");
}

/// The channel with one orderer that goes by number 1.
fn bft(world: &World) -> ChannelConfig {
    let mut config = world.config.config().clone();
    let group = config.channel_group.as_mut().expect("a group");
    let value = |message: Vec<u8>| ConfigValue { value: message.into(), ..Default::default() };
    let capabilities = Capabilities { capabilities: [("V3_0".to_owned(), Default::default())].into() };
    group.values.insert("Capabilities".to_owned(), value(capabilities.encode_to_vec()));
    group.values.remove("OrdererAddresses");
    let orderer = group.groups.get_mut("Orderer").expect("a group");
    let consensus = ConsensusType { r#type: "BFT".to_owned(), ..Default::default() };
    orderer.values.insert("ConsensusType".to_owned(), value(consensus.encode_to_vec()));
    let consenter = Consenter {
        id: 1,
        msp_id: "OrdererMSP".to_owned(),
        identity: Bytes::copy_from_slice(world.orderer.certificate_pem().as_bytes()),
        ..Default::default()
    };
    let orderers = Orderers { consenter_mapping: vec![consenter] };
    orderer.values.insert("Orderers".to_owned(), value(orderers.encode_to_vec()));
    ChannelConfig::from_config(CHANNEL, &config).expect("a configuration")
}
