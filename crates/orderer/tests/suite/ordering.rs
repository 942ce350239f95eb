//! From message to durable block: the chain, batches, restarts, the end.

use std::{io::Write, path::Path, time::Duration};

use futures::{StreamExt, future::join_all, stream};
use prost::Message;
use windlass_identity::{ChannelConfig, SignedData};
use windlass_orderer::{Orderer, OrdererConfig, OrdererError};
use windlass_proto::{
    common::{Block, Metadata, OrdererBlockMetadata, SignatureHeader, Status},
    hash::{block_data_hash, block_header_der, block_header_hash},
};

use crate::network::{CHANNEL, Network, assert_success, blocks, connect, messages};

/// Checks that `block` follows `previous` and is signed as a peer demands.
fn assert_follows(config: &ChannelConfig, previous: &Block, block: &Block, last_config: u64) {
    let (previous, header) = (previous.header.as_ref().expect("a header"), block.header.as_ref().expect("a header"));
    assert_eq!(header.number, previous.number + 1);
    assert_eq!(header.previous_hash, block_header_hash(previous).as_slice());
    assert_eq!(header.data_hash, block_data_hash(block.data.as_ref().expect("data")).as_slice());
    let slots = &block.metadata.as_ref().expect("metadata").metadata;
    assert_eq!(slots.len(), 5);
    assert!(slots[1..].iter().all(|slot| slot.is_empty()));
    let slot = Metadata::decode(slots[0].clone()).expect("a slot");
    let value = OrdererBlockMetadata::decode(slot.value.clone()).expect("a value");
    assert_eq!(value.last_config.expect("a last configuration").index, last_config);
    let [signature] = slot.signatures.as_slice() else { panic!("one signature") };
    let signer = SignatureHeader::decode(signature.signature_header.clone()).expect("a signature header");
    assert_eq!(signer.nonce.len(), 24);
    let data = [slot.value.as_ref(), signature.signature_header.as_ref(), &block_header_der(header)].concat();
    let signed = SignedData { data: data.into(), identity: signer.creator, signature: signature.signature.clone() };
    config
        .policies()
        .evaluate("/Channel/Orderer/BlockValidation", config.msps(), &[signed])
        .expect("a signature that satisfies block validation");
}

fn assert_chain(network: &Network, blocks: &[impl AsRef<Block>]) {
    let config = ChannelConfig::from_block(&network.genesis).expect("a configuration");
    for pair in blocks.windows(2) {
        assert_follows(&config, pair[0].as_ref(), pair[1].as_ref(), 0);
    }
}

async fn order(orderer: &Orderer, network: &Network, data: &'static str) {
    assert_success(&orderer.broadcast(network.message(data)).await);
}

#[tokio::test]
async fn acknowledges_a_message_when_its_block_is_readable() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    assert_eq!(orderer.channels(), [CHANNEL]);
    assert_eq!(orderer.height(CHANNEL), Some(1));
    let message = network.message("one");
    assert_success(&orderer.broadcast(message.clone()).await);
    assert_eq!(orderer.height(CHANNEL), Some(2));
    order(&orderer, &network, "two").await;
    let blocks = blocks(&orderer, 0, 3).await;
    assert_eq!(*blocks[0], network.genesis);
    assert_eq!(messages(&blocks[1]), [message]);
    assert_chain(&network, &blocks);
}

#[tokio::test]
async fn batches_a_flood_and_loses_nothing() {
    let network = Network::with(|spec| spec.batch.max_messages = 7);
    let folder = tempfile::tempdir().expect("a folder");
    let orderer = network.start(folder.path());
    let sent: Vec<_> = (0..60).map(|number| network.message(format!("message {number}"))).collect();
    for response in join_all(sent.iter().map(|message| orderer.broadcast(message.clone()))).await {
        assert_success(&response);
    }
    let height = orderer.height(CHANNEL).expect("a height");
    assert!((10..=60).contains(&height), "60 messages in blocks of at most 7, not one each: {height}");
    let blocks = blocks(&orderer, 0, height as usize).await;
    assert_chain(&network, &blocks);
    assert!(blocks[1..].iter().all(|block| messages(block).len() <= 7));
    let ordered: Vec<_> = blocks[1..].iter().flat_map(|block| messages(block)).collect();
    assert_eq!(ordered, sent);
}

#[tokio::test]
async fn waits_for_the_timer_when_it_is_not_eager() {
    let network = Network::with(|spec| {
        spec.batch.max_messages = 3;
        spec.batch.timeout = Duration::from_millis(300);
    });
    let folder = tempfile::tempdir().expect("a folder");
    let config = OrdererConfig { eager: false, ..OrdererConfig::new(folder.path()) };
    let orderer = Orderer::open(config, network.orderer.clone()).expect("an orderer");
    orderer.create_channel(&network.genesis).expect("a channel");
    let sent: Vec<_> = (0..5).map(|number| network.message(format!("message {number}"))).collect();
    for response in join_all(sent.iter().map(|message| orderer.broadcast(message.clone()))).await {
        assert_success(&response);
    }
    // Three by count at once, the other two together when their time was up.
    let sizes: Vec<_> = blocks(&orderer, 1, 2).await.iter().map(|block| messages(block).len()).collect();
    assert_eq!(sizes, [3, 2]);
    assert_eq!(orderer.height(CHANNEL), Some(3));
}

#[tokio::test]
async fn continues_the_chain_after_a_restart() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    for (number, data) in ["one", "two", "three"].into_iter().enumerate() {
        let orderer = network.open(folder.path());
        if number == 0 {
            orderer.create_channel(&network.genesis).expect("a channel");
        }
        assert_eq!(orderer.height(CHANNEL), Some(number as u64 + 1));
        order(&orderer, &network, data).await;
        orderer.shutdown().await;
    }
    let orderer = network.open(folder.path());
    assert_chain(&network, &blocks(&orderer, 0, 4).await);
}

#[tokio::test]
async fn cuts_off_what_a_crash_left_half_written() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    order(&orderer, &network, "kept").await;
    let copy = tempfile::tempdir().expect("a folder");
    copy_folder(&folder.path().join(CHANNEL), &copy.path().join(CHANNEL));
    let newest = newest_block_file(&copy.path().join(CHANNEL));
    let mut file = std::fs::OpenOptions::new().append(true).open(newest).expect("a block file");
    file.write_all(&[0x5a; 37]).expect("a torn write");
    drop(file);
    let recovered = network.open(copy.path());
    assert_eq!(recovered.height(CHANNEL), Some(2));
    order(&recovered, &network, "after").await;
    assert_chain(&network, &blocks(&recovered, 0, 3).await);
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

fn newest_block_file(folder: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.max_by_key(|path| path.metadata().expect("metadata").len()).expect("a block file")
}

#[tokio::test]
async fn creates_a_channel_once() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    orderer.create_channel(&network.genesis).expect("the same again");
    order(&orderer, &network, "one").await;
    orderer.create_channel(&network.genesis).expect("the same again");
    let other = windlass_orderer::genesis::genesis_block(&network.spec);
    let error = orderer.create_channel(&other).expect_err("another genesis block");
    assert_eq!(error.to_string(), "channel mychannel already exists with another genesis block");
    assert_eq!(orderer.height(CHANNEL), Some(2));
}

#[tokio::test]
async fn takes_up_a_creation_that_was_interrupted() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    drop(windlass_ledger::blocks::BlockLog::open(&folder.path().join(CHANNEL)).expect("an empty log"));
    let orderer = network.open(folder.path());
    assert!(orderer.channels().is_empty());
    orderer.create_channel(&network.genesis).expect("a channel");
    order(&orderer, &network, "one").await;
}

#[tokio::test]
async fn refuses_blocks_that_are_no_genesis() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.open(folder.path());
    let broken = |change: fn(&mut Block)| {
        let mut block = network.genesis.clone();
        change(&mut block);
        orderer.create_channel(&block).expect_err("no genesis").to_string()
    };
    for (change, text) in [
        ((|block| block.header.as_mut().expect("a header").number = 1) as fn(&mut Block), "has number 0"),
        (|block| block.header.as_mut().expect("a header").previous_hash = "x".into(), "no previous hash"),
        (|block| block.header.as_mut().expect("a header").data_hash = "x".into(), "data hash does not match"),
        (|block| block.header = None, "no header"),
        (|block| block.metadata = None, "metadata slot is missing"),
    ] {
        let error = broken(change);
        assert!(error.contains(text), "{error}");
    }
    assert!(broken(|block| block.data = None).starts_with("unusable channel configuration"));
    assert!(orderer.channels().is_empty());
    orderer.create_channel(&network.genesis).expect("refusals leave nothing in the way");
}

#[test]
fn refuses_to_open_without_a_runtime() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let outcome = Orderer::open(OrdererConfig::new(folder.path()), network.orderer.clone());
    assert!(matches!(outcome, Err(OrdererError::NoRuntime)));
}

#[tokio::test]
async fn hands_new_blocks_to_those_who_wait() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let waiting = tokio::spawn({
        let orderer = orderer.clone();
        async move { blocks(&orderer, 1, 2).await }
    });
    order(&orderer, &network, "one").await;
    order(&orderer, &network, "two").await;
    let blocks = waiting.await.expect("blocks");
    let numbers: Vec<_> = blocks.iter().map(|block| block.header.as_ref().expect("a header").number).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(matches!(orderer.blocks("nochannel", 0).err(), Some(OrdererError::UnknownChannel)));
}

#[tokio::test]
async fn orders_what_was_taken_before_it_stops() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let config = OrdererConfig { eager: false, ..OrdererConfig::new(folder.path()) };
    let orderer = Orderer::open(config, network.orderer.clone()).expect("an orderer");
    orderer.create_channel(&network.genesis).expect("a channel");
    let mut followed = Box::pin(orderer.blocks(CHANNEL, 1).expect("a channel"));
    let (response, ()) = tokio::join!(orderer.broadcast(network.message("last")), async {
        // The message waits for its timer; the end is what cuts the batch.
        tokio::task::yield_now().await;
        orderer.shutdown().await;
    });
    assert_success(&response);
    assert!(followed.next().await.expect("an item").is_ok());
    let error = followed.next().await.expect("an item").expect_err("the end");
    assert_eq!(error.to_string(), "channel mychannel is no longer being ordered");
    assert!(followed.next().await.is_none());
    let response = orderer.broadcast(network.message("late")).await;
    assert_eq!(response.status, Status::ServiceUnavailable as i32);
    orderer.shutdown().await;
}

#[tokio::test]
async fn orders_over_grpc() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let mut client = connect(&orderer).await;
    let sent: Vec<_> = (0..100).map(|number| network.message(format!("message {number}"))).collect();
    let responses = client.broadcast(stream::iter(sent.clone())).await.expect("a stream").into_inner();
    let responses: Vec<_> = responses.collect().await;
    assert_eq!(responses.len(), 100);
    for response in responses {
        assert_success(&response.expect("a response"));
    }
    let height = orderer.height(CHANNEL).expect("a height");
    assert!(height < 100, "messages of one stream share blocks: {height}");
    let blocks = blocks(&orderer, 0, height as usize).await;
    assert_chain(&network, &blocks);
    assert_eq!(blocks[1..].iter().flat_map(|block| messages(block)).collect::<Vec<_>>(), sent);
}
