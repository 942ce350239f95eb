//! `kill -9` of the whole process in the middle of load, and what is there afterwards.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use windlass_proto::protos::TxValidationCode;

use crate::support::{chain, client::Client, place::Place, processes, windlass::Windlass};

const ROUNDS: usize = 3;
const WORKERS: usize = 8;
/// Acknowledged transactions of a round before the kill.
const ENOUGH: usize = 60;

/// A key that was acknowledged: its transaction, and the block that it was said to be in.
#[derive(Clone, Debug)]
struct Acknowledged {
    key: String,
    id: String,
    block: u64,
}

/// Clients that submit until the network is gone, and what they were told.
#[derive(Clone, Debug, Default)]
struct Load {
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    /// Everything that was ever sent to the orderer, acknowledged or not.
    submitted: Arc<Mutex<HashSet<String>>>,
    count: Arc<AtomicUsize>,
    killed: Arc<AtomicBool>,
}

impl Load {
    async fn work(self, client: Client, round: usize, worker: usize) {
        for number in 0.. {
            let key = format!("r{round}-w{worker}-{number:05}");
            let call = client.call("basic", &["Put", &key, &key]);
            let outcome = async {
                let prepared = client.prepare(&call).await?;
                self.submitted.lock().expect("no panics").insert(prepared.id.clone());
                client.order(&prepared).await?;
                client.commit(&prepared).await
            };
            match outcome.await {
                Ok(committed) => {
                    let (id, block) = (committed.id, committed.block);
                    self.acknowledged.lock().expect("no panics").push(Acknowledged { key, id, block });
                    self.count.fetch_add(1, Ordering::SeqCst);
                }
                Err(refusal) => {
                    assert!(self.killed.load(Ordering::SeqCst), "refused while all was well: {refusal}");
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_nothing_that_was_acknowledged() {
    let place = Place::new();
    let load = Load::default();
    let mut height = 0;
    for round in 0..ROUNDS {
        let windlass = place.dev().start();
        if round > 0 {
            height = verify(&windlass, &load, height).await;
        }
        let left = run_and_kill(windlass, &load, round).await;
        assert_eq!(processes::survivors(&left, Duration::from_secs(10)), [], "chaincode notices that its peer is gone");
    }
    let windlass = place.dev().start();
    verify(&windlass, &load, height).await;

    // Load goes on.
    let client = Client::user(&windlass.ready).await;
    client.submit("basic", &["Put", "after", "all"]).await.expect("a transaction");
    assert_eq!(client.text("basic", &["Get", "after"]).await, "all");
    windlass.stop();
}

async fn run_and_kill(windlass: Windlass, load: &Load, round: usize) -> Vec<processes::Process> {
    load.killed.store(false, Ordering::SeqCst);
    let client = Client::user(&windlass.ready).await;
    let (enough, already) = (ENOUGH + round * 17, load.count.load(Ordering::SeqCst));
    let workers: Vec<_> =
        (0..WORKERS).map(|worker| tokio::spawn(load.clone().work(client.clone(), round, worker))).collect();
    let running = async {
        while load.count.load(Ordering::SeqCst) < already + enough {
            assert!(workers.iter().all(|worker| !worker.is_finished()), "load breaks off by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), running).await.expect("enough transactions in time");
    load.killed.store(true, Ordering::SeqCst);
    let left = windlass.kill();
    for worker in workers {
        worker.await.expect("a worker only sees refusals after the kill");
    }
    left
}

/// Verifies the chain and everything acknowledged so far; returns the height.
async fn verify(windlass: &Windlass, load: &Load, height_before: u64) -> u64 {
    let client = Client::user(&windlass.ready).await;
    let transactions = chain::verify_all(&client).await;
    let height = transactions.iter().map(|transaction| transaction.block + 1).max().unwrap_or_default();
    assert!(height > height_before, "the chain has grown from {height_before} to {height}");

    let acknowledged = load.acknowledged.lock().expect("no panics").clone();
    let submitted = load.submitted.lock().expect("no panics").clone();
    let valid: HashSet<_> = transactions
        .iter()
        .filter(|transaction| transaction.code == TxValidationCode::Valid)
        .map(|transaction| (transaction.id.as_str(), transaction.block))
        .collect();
    for one in &acknowledged {
        assert!(valid.contains(&(one.id.as_str(), one.block)), "{one:?} is not on the ledger");
    }
    // Every transaction once, and none from nowhere: genesis, approve and commit are not the load's.
    let ids: HashSet<_> = transactions.iter().map(|transaction| &transaction.id).collect();
    assert_eq!(ids.len(), transactions.len(), "a transaction twice");
    let foreign = transactions.iter().filter(|transaction| !submitted.contains(&transaction.id)).count();
    assert_eq!(foreign, 3);

    let missing: Vec<_> = stream::iter(acknowledged)
        .map(|one| {
            let client = client.clone();
            async move {
                let value = client.evaluate("basic", &["Get", &one.key]).await;
                (!matches!(&value, Ok(value) if *value == one.key)).then_some((one, value))
            }
        })
        .buffer_unordered(16)
        .filter_map(|missing| async { missing })
        .collect()
        .await;
    assert!(missing.is_empty(), "{missing:?}");
    height
}
