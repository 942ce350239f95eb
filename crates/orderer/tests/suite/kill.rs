//! kill -9 in the middle of load: whatever was acknowledged is there, and the chain goes on.

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

use futures::future::join_all;
use windlass_orderer::{Orderer, OrdererConfig};
use windlass_proto::{
    common::Status,
    envelope::unpack_envelope,
    hash::{block_data_hash, block_header_hash},
};

use crate::network::{CHANNEL, Network, assert_success, blocks, messages};

const FOLDER: &str = "WINDLASS_TEST_VICTIM_FOLDER";
const LINE: &str = "acknowledged ";

/// Orders without end, eight messages at a time, and reports each that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that gets killed, started by the test below"]
async fn victim() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let network = Network::with(|spec| spec.batch.max_messages = 5);
    let orderer = network.start(folder.as_ref());
    for round in 0.. {
        let (orderer, network) = (&orderer, &network);
        let sent = (0..8).map(|number| async move {
            let name = format!("{round}-{number}");
            assert_success(&orderer.broadcast(network.message(name.clone())).await);
            // Not a macro, which would be captured.
            writeln!(std::io::stdout(), "{LINE}{name}").expect("a reader");
        });
        join_all(sent).await;
    }
}

#[tokio::test]
async fn keeps_what_was_acknowledged_when_it_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut victim = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "kill::victim", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut acknowledged = BTreeSet::new();
    for line in BufReader::new(victim.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("a line");
        // The test runner may have begun the line. No name is cut short: a line is written at once.
        let Some((_, name)) = line.split_once(LINE) else { continue };
        acknowledged.insert(name.to_owned());
        if acknowledged.len() == 100 {
            victim.kill().expect("a kill");
        }
    }
    assert!(!victim.wait().expect("an end").success());
    assert!(acknowledged.len() >= 100);

    // Another network's key is as good as any to read the log and to continue it.
    let network = Network::new();
    let orderer = Orderer::open(OrdererConfig::new(folder.path()), network.orderer.clone()).expect("an orderer");
    let height = orderer.height(CHANNEL).expect("a channel");
    let blocks = tokio::time::timeout(Duration::from_secs(20), blocks(&orderer, 0, height as usize));
    let blocks = blocks.await.expect("blocks in time");
    for pair in blocks.windows(2) {
        let header = pair[1].header.as_ref().expect("a header");
        assert_eq!(header.previous_hash, block_header_hash(pair[0].header.as_ref().expect("a header")).as_slice());
        assert_eq!(header.data_hash, block_data_hash(pair[1].data.as_ref().expect("data")).as_slice());
    }
    let ordered: BTreeSet<_> = blocks[1..]
        .iter()
        .flat_map(|block| messages(block))
        .map(|envelope| unpack_envelope(&envelope).expect("an envelope").payload.data)
        .map(|data| String::from_utf8(data.to_vec()).expect("text"))
        .collect();
    let lost: Vec<_> = acknowledged.difference(&ordered).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // Strangers to the channel are still refused: its configuration has been found again.
    let refused = orderer.broadcast(network.message("stranger")).await;
    assert_eq!(refused.status, Status::Forbidden as i32);
}
