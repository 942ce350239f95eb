//! Several instances and streams of one chaincode: sharing, losing, repeating, leaving, sleeping.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use windlass_proto::protos::{ChaincodeInput, ChaincodeMessage, PutState, chaincode_message::Type};

use super::{
    calls::spec,
    harness::{CHANNEL, Harness, Life, ok, proposal},
    memory::Memory,
    wire::{Served, Wire, until},
};
use crate::{
    build::Connection,
    engine::{ChaincodeSettings, ChaincodeState, Engine, ExecuteError, Executed, InstanceState, Repeats, custodian},
    transaction::Transaction,
};

fn at(addresses: &[&str]) -> Connection {
    let mut addresses = addresses.iter().map(|address| (*address).to_owned());
    Connection {
        address: addresses.next().expect("an address"),
        addresses: addresses.collect(),
        domain: None,
        dial_timeout: Duration::from_secs(3),
        tls: None,
    }
}

fn streams(harness: &Harness, id: &str) -> usize {
    harness.engine.status().iter().find(|status| status.id == id).map_or(0, |status| status.streams)
}

fn state(harness: &Harness, id: &str) -> ChaincodeState {
    let status = harness.engine.status();
    status.iter().find(|status| status.id == id).map_or(ChaincodeState::Idle, |status| status.state.clone())
}

/// Executes as an endorser does: on a fresh simulation each time.
async fn endorse(engine: Engine, name: &str, tx_id: String) -> (Result<Executed, ExecuteError>, Arc<Memory>, u32) {
    let (mut repeats, mut attempt) = (Repeats::default(), 0);
    loop {
        attempt += 1;
        let ledger = Memory::with([]);
        let transaction = Arc::new(Transaction {
            channel: CHANNEL.to_owned(),
            tx_id: tx_id.clone(),
            proposal: Some(Arc::new(proposal())),
            called: name.to_owned(),
            simulation: Some(ledger.clone()),
        });
        let id = engine.resolve(&transaction, name).expect("defined").chaincode_id;
        match engine.execute(&transaction, name, ChaincodeInput::default()).await {
            Err(error) if engine.runs_again(&id, &mut repeats, &error).await => {}
            outcome => return (outcome, ledger, attempt),
        }
    }
}

fn endorsing(
    harness: &Harness,
    name: &'static str,
    tx_id: &str,
) -> JoinHandle<(Result<Executed, ExecuteError>, Arc<Memory>, u32)> {
    tokio::spawn(endorse(harness.engine.clone(), name, tx_id.to_owned()))
}

/// A chaincode that registers on every stream and answers every call with what it is called, after a while.
struct Busy {
    address: String,
    calls: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Busy {
    async fn start(name: &'static str, after: Duration) -> Self {
        Self::at(name, after, "127.0.0.1:0").await
    }

    async fn at(name: &'static str, after: Duration, address: &str) -> Self {
        let mut served = Served::at(address, None).await;
        let address = served.address.clone();
        let calls = Arc::new(AtomicUsize::new(0));
        let counting = calls.clone();
        let task = tokio::spawn(async move {
            let mut streams = JoinSet::new();
            loop {
                let wire = served.next_wire().await;
                streams.spawn(answer(wire, name, after, counting.clone()));
            }
        });
        Self { address, calls, task }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Acquire)
    }

    /// Ends it as a kill does.
    async fn kill(self) -> String {
        self.task.abort();
        let _ = self.task.await;
        self.address
    }
}

async fn answer(mut wire: Wire, name: &'static str, after: Duration, calls: Arc<AtomicUsize>) {
    wire.register("cc:1").await;
    let mut replies: JoinSet<ChaincodeMessage> = JoinSet::new();
    loop {
        tokio::select! {
            call = wire.try_next() => {
                let Some(call) = call else { return };
                calls.fetch_add(1, Ordering::AcqRel);
                replies.spawn(async move { sleep(after).await; call });
            }
            Some(Ok(call)) = replies.join_next() => wire.complete(&call, &ok(name)).await,
        }
    }
}

#[tokio::test]
async fn every_address_gets_a_stream_and_the_least_loaded_one_the_next_transaction() {
    let harness = Harness::start().await;
    let (mut one, mut two) = (Served::start(None).await, Served::start(None).await);
    harness.define("cc");
    harness.source.serves("cc:1", at(&[&one.address, &two.address]));
    let launch = harness.launch("cc:1");
    let mut first = one.wire().await;
    first.register("cc:1").await;
    // The first stream is enough to serve.
    launch.await.expect("no panic").expect("launched");
    let mut second = two.wire().await;
    second.register("cc:1").await;
    until("both serve", || streams(&harness, "cc:1") == 2).await;

    let calls: Vec<_> = (0..4).map(|n| harness.call("cc", &format!("t{n}"))).collect();
    let mut open = Vec::new();
    for wire in [&mut first, &mut second] {
        for _ in 0..2 {
            open.push(wire.call(Type::Transaction).await);
        }
    }
    let instances = &harness.engine.status()[0].instances;
    assert_eq!(instances.iter().map(|instance| instance.executions).collect::<Vec<_>>(), [2, 2]);
    // The one that is free gets the next.
    for call in &open[..2] {
        first.complete(call, &ok("")).await;
    }
    until("two are done", || harness.executions("cc:1") == 2).await;
    let more = [harness.call("cc", "m1"), harness.call("cc", "m2")];
    for _ in &more {
        let call = first.call(Type::Transaction).await;
        first.complete(&call, &ok("")).await;
    }
    for call in &open[2..] {
        second.complete(call, &ok("")).await;
    }
    for call in calls.into_iter().chain(more) {
        assert!(call.await.expect("no panic").is_ok());
    }
}

#[tokio::test]
async fn a_transaction_is_refused_twice_whatever_the_stream_and_its_callees_stay_where_they_were() {
    let harness = Harness::start().await;
    let (mut one, mut two) = (Served::start(None).await, Served::start(None).await);
    harness.define("cc");
    harness.source.serves("cc:1", at(&[&one.address, &two.address]));
    let mut caller = harness.bring_up("caller").await;
    let launch = harness.launch("cc:1");
    let (mut first, mut second) = (one.wire().await, two.wire().await);
    first.register("cc:1").await;
    second.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    until("both serve", || streams(&harness, "cc:1") == 2).await;

    let executed = harness.call("caller", "tx");
    let call = caller.call(Type::Transaction).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        caller.reply(&call, Type::InvokeChaincode, prost::Message::encode_to_vec(&spec("cc", &[]))).await;
        let (wire, which) = tokio::select! {
            callee = first.call(Type::Transaction) => ((&mut first, callee), 1),
            callee = second.call(Type::Transaction) => ((&mut second, callee), 2),
        };
        let (wire, callee) = wire;
        // It cannot be entered a second time, on whatever stream.
        let error = wire.refused(&callee, Type::InvokeChaincode, &spec("cc", &[])).await;
        assert_eq!(error, "execute failed: error sending: txid: tx(ch) exists");
        wire.complete(&callee, &ok("")).await;
        caller.next().await;
        seen.push(which);
    }
    assert!(seen.iter().all(|which| *which == seen[0]), "{seen:?}");
    caller.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_lost_stream_is_dialed_again_by_itself_and_its_transaction_runs_again_elsewhere() {
    let harness = Harness::start().await;
    let (mut one, mut two) = (Served::start(None).await, Served::start(None).await);
    harness.define("cc");
    harness.source.serves("cc:1", at(&[&one.address, &two.address]));
    let launch = harness.launch("cc:1");
    let (mut first, mut second) = (one.wire().await, two.wire().await);
    first.register("cc:1").await;
    second.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    until("both serve", || streams(&harness, "cc:1") == 2).await;

    let endorsed = endorsing(&harness, "cc", "tx");
    let (call, lost, mut other) = tokio::select! {
        call = first.call(Type::Transaction) => (call, first, second),
        call = second.call(Type::Transaction) => (call, second, first),
    };
    let mut lost = lost;
    lost.get(&call, Type::PutState, &PutState { key: "lost".into(), value: "x".into(), collection: String::new() })
        .await;
    drop(lost);
    let call = other.call(Type::Transaction).await;
    other
        .get(&call, Type::PutState, &PutState { key: "kept".into(), value: "x".into(), collection: String::new() })
        .await;
    other.complete(&call, &ok("again")).await;
    let (executed, ledger, attempts) = endorsed.await.expect("no panic");
    assert_eq!((executed.expect("executed").response, attempts), (ok("again"), 2));
    // Nothing of the lost run is left.
    let keys: Vec<_> = ledger.writes.lock().iter().map(|(_, key, _)| key.clone()).collect();
    assert_eq!(keys, ["kept"]);

    let mut back = tokio::select! {
        wire = one.wire() => wire,
        wire = two.wire() => wire,
    };
    back.register("cc:1").await;
    until("both serve again", || streams(&harness, "cc:1") == 2).await;
    let status = &harness.engine.status()[0];
    assert_eq!(status.restarts, 1);
    assert!(status.last_error.as_deref().is_some_and(|error| error.contains("EOF")), "{:?}", status.last_error);
    assert!(harness.metrics.has("retried cc:1") && harness.metrics.has("lost cc:1"));
}

#[tokio::test]
async fn running_again_starts_the_only_instance_anew_and_can_be_switched_off() {
    for retries in [1, 0] {
        let harness = Harness::with(|config| {
            config.settings.one.insert("cc".into(), ChaincodeSettings { retries: Some(retries), ..Default::default() });
        })
        .await;
        let mut wire = harness.bring_up("cc").await;
        let endorsed = endorsing(&harness, "cc", "tx");
        wire.call(Type::Transaction).await;
        drop(wire);
        if retries == 1 {
            let _life = harness.run().await.keep();
            let mut wire = harness.dial().await;
            wire.register("cc:1").await;
            let call = wire.call(Type::Transaction).await;
            wire.complete(&call, &ok("")).await;
            assert!(endorsed.await.expect("no panic").0.is_ok());
        } else {
            let (executed, _, attempts) = endorsed.await.expect("no panic");
            assert!(executed.expect_err("lost").to_string().ends_with("chaincode stream terminated"));
            assert_eq!(attempts, 1);
        }
    }
}

#[tokio::test]
async fn what_is_lost_twice_fails_in_fabrics_words() {
    let harness = Harness::start().await;
    let mut served = Served::start(None).await;
    harness.define("cc");
    harness.source.serves("cc:1", at(&[&served.address]));
    let endorsed = endorsing(&harness, "cc", "tx");
    for _ in 0..2 {
        let mut wire = served.wire().await;
        wire.register("cc:1").await;
        wire.call(Type::Transaction).await;
    }
    let (executed, _, attempts) = endorsed.await.expect("no panic");
    assert!(executed.expect_err("lost").to_string().ends_with("error sending: chaincode stream terminated"));
    assert_eq!(attempts, 2);
}

#[tokio::test]
async fn a_callee_that_is_lost_takes_the_whole_transaction_back_to_its_start() {
    let harness = Harness::start().await;
    let mut caller = harness.bring_up("cc").await;
    let mut callee = harness.bring_up("callee").await;
    let endorsed = endorsing(&harness, "cc", "tx");
    let call = caller.call(Type::Transaction).await;
    caller.reply(&call, Type::InvokeChaincode, prost::Message::encode_to_vec(&spec("callee", &[]))).await;
    callee.call(Type::Transaction).await;
    drop(callee);
    let call = caller.call(Type::Transaction).await;
    caller.complete(&call, &ok("second")).await;
    let (executed, _, attempts) = endorsed.await.expect("no panic");
    assert_eq!((executed.expect("executed").response, attempts), (ok("second"), 2));
    assert_eq!((harness.executions("cc:1"), harness.executions("callee:1")), (0, 0));
}

#[tokio::test]
async fn a_restart_while_64_transactions_are_in_flight_fails_none_and_leaks_nothing() {
    let harness = Harness::start().await;
    harness.define("cc");
    let first = Busy::start("first", Duration::from_secs(60)).await;
    harness.source.serves("cc:1", at(&[&first.address]));
    harness.launch("cc:1").await.expect("no panic").expect("launched");
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let calls: Vec<_> = (0..64).map(|n| endorsing(&harness, "cc", &format!("t{n}"))).collect();
    until("all are in flight", || first.calls() == 64).await;
    let address = first.kill().await;
    let _second = Busy::at("second", Duration::ZERO, &address).await;
    for call in calls {
        let (executed, ledger, attempts) = call.await.expect("no panic");
        assert_eq!(executed.expect("executed").response, ok("second"));
        assert!(attempts >= 2);
        until("the simulation is let go", || Arc::strong_count(&ledger) == 1).await;
    }
    assert_eq!(harness.executions("cc:1"), 0);
    until("no task is left over", || tasks() <= before + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_64_clients_fails_no_transaction() {
    let harness = Harness::start().await;
    harness.define("cc");
    let mut instances =
        vec![Busy::start("a", Duration::from_millis(2)).await, Busy::start("b", Duration::from_millis(2)).await];
    let addresses: Vec<_> = instances.iter().map(|instance| instance.address.clone()).collect();
    harness.source.serves("cc:1", at(&addresses.iter().map(String::as_str).collect::<Vec<_>>()));
    harness.launch("cc:1").await.expect("no panic").expect("launched");
    until("both serve", || streams(&harness, "cc:1") == 2).await;

    let going = Arc::new(AtomicBool::new(true));
    let progress: Arc<[AtomicUsize; 64]> = Arc::new(std::array::from_fn(|_| AtomicUsize::new(0)));
    let clients: Vec<_> = (0..progress.len())
        .map(|client| {
            let (engine, going, progress) = (harness.engine.clone(), going.clone(), progress.clone());
            tokio::spawn(async move {
                let mut repeated = 0;
                while going.load(Ordering::Acquire) {
                    let done = progress[client].load(Ordering::Acquire);
                    let (executed, _, attempts) = endorse(engine.clone(), "cc", format!("c{client}-{done}")).await;
                    executed.expect("no transaction fails");
                    repeated += attempts - 1;
                    progress[client].store(done + 1, Ordering::Release);
                }
                repeated
            })
        })
        .collect();
    for round in 0..2 {
        for _ in 0..2 {
            // One after the other: the next only when both serve again, and whatever met the last one has ended.
            let before: Vec<_> = progress.iter().map(|done| done.load(Ordering::Acquire)).collect();
            until("every client went on", || {
                progress.iter().zip(&before).all(|(done, before)| done.load(Ordering::Acquire) >= before + 4)
            })
            .await;
            let address = instances.remove(0).kill().await;
            until("the loss is noticed", || streams(&harness, "cc:1") == 1).await;
            instances.push(Busy::at(if round == 0 { "c" } else { "d" }, Duration::from_millis(2), &address).await);
            until("both serve again", || streams(&harness, "cc:1") == 2).await;
        }
    }
    going.store(false, Ordering::Release);
    let mut repeated = 0;
    for client in clients {
        repeated += client.await.expect("no transaction fails");
    }
    assert!(repeated > 0, "the restarts met transactions in flight");
    assert_eq!(harness.executions("cc:1"), 0);
}

#[tokio::test]
async fn servers_that_join_and_leave_are_noticed_and_those_that_leave_finish_first() {
    let harness = Harness::with(|config| config.settings.all.resolve_interval = Some(Duration::from_millis(30))).await;
    let (mut one, mut two) = (Served::start(None).await, Served::start(None).await);
    harness.define("cc");
    harness.source.serves("cc:1", at(&[&one.address]));
    let launch = harness.launch("cc:1");
    let mut first = one.wire().await;
    first.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    let executed = harness.call("cc", "tx");
    let call = first.call(Type::Transaction).await;

    harness.source.serves("cc:1", at(&[&one.address, &two.address]));
    let mut second = two.wire().await;
    second.register("cc:1").await;
    until("both serve", || streams(&harness, "cc:1") == 2).await;

    harness.source.serves("cc:1", at(&[&two.address]));
    let drains = || harness.engine.status()[0].instances.iter().any(|one| one.state == InstanceState::Draining);
    until("the first is let go", drains).await;
    let next = harness.call("cc", "next");
    let other = second.call(Type::Transaction).await;
    second.complete(&other, &ok("")).await;
    assert!(next.await.expect("no panic").is_ok());
    // What was in flight is finished.
    first.complete(&call, &ok("finished")).await;
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("finished"));
    first.ended().await;
    until("one is left", || streams(&harness, "cc:1") == 1 && harness.engine.status()[0].instances.len() == 1).await;
}

#[tokio::test]
async fn several_processes_each_with_their_environment_share_the_work_and_one_alone_is_replaced() {
    let harness = Harness::with(|config| {
        config.tls = true;
        let environment = [(String::from("LOG"), String::from("debug"))].into();
        let settings = ChaincodeSettings { instances: Some(2), environment, ..Default::default() };
        config.settings.one.insert("cc".into(), settings);
    })
    .await;
    harness.define("cc");
    let launch = harness.launch("cc:1");
    let mut lives = Vec::new();
    let mut wires = Vec::new();
    for _ in 0..2 {
        let run = harness.run().await;
        assert_eq!(run.environment.get("LOG").map(String::as_str), Some("debug"));
        let metadata = run.metadata.clone();
        lives.push(run.keep());
        let mut wire = harness.dial_with(&metadata).await;
        wire.register("cc:1").await;
        wires.push(wire);
    }
    launch.await.expect("no panic").expect("launched");
    until("both serve", || streams(&harness, "cc:1") == 2).await;
    let status = &harness.engine.status()[0];
    let both = ["last words", "last words"].map(String::from);
    assert_eq!((status.builder.as_str(), status.output.as_slice()), ("test", both.as_slice()));

    // The certificate tells whose stream it is: just that process is replaced.
    drop(wires.remove(0));
    let run = harness.run().await;
    let metadata = run.metadata.clone();
    let _third = run.keep();
    let ended = timeout(Duration::from_secs(10), lives[0].wait_for(|life| *life == Life::Killed)).await.is_ok();
    assert!(ended, "the process without a stream goes on");
    assert_eq!(*lives[1].borrow(), Life::Running);
    let mut wire = harness.dial_with(&metadata).await;
    wire.register("cc:1").await;
    until("both serve again", || streams(&harness, "cc:1") == 2).await;
    assert!(harness.metrics.has("restarted cc:1"));
}

#[tokio::test]
async fn an_idle_chaincode_is_stopped_and_the_next_call_starts_it_again() {
    let harness = Harness::with(|config| config.settings.all.idle_timeout = Some(Duration::from_millis(100))).await;
    harness.define("cc");
    let launch = harness.launch("cc:1");
    let mut life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    // As long as something runs it is not idle.
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    sleep(Duration::from_millis(250)).await;
    assert_eq!(*life.borrow(), Life::Running);
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());

    let stopped = timeout(Duration::from_secs(10), life.wait_for(|life| *life == Life::Stopped)).await;
    assert!(stopped.is_ok(), "it goes on");
    wire.ended().await;
    until("it is idle", || state(&harness, "cc:1") == ChaincodeState::Idle).await;

    let calls: Vec<_> = (0..8).map(|n| harness.call("cc", &format!("n{n}"))).collect();
    let _life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    for _ in &calls {
        let call = wire.call(Type::Transaction).await;
        wire.complete(&call, &ok("")).await;
    }
    for call in calls {
        assert!(call.await.expect("no panic").is_ok());
    }
}

#[tokio::test]
async fn going_to_sleep_under_load_fails_no_transaction() {
    let harness = Harness::with(|config| config.settings.all.idle_timeout = Some(Duration::from_millis(1))).await;
    harness.define("cc");
    let busy = Busy::start("cc", Duration::ZERO).await;
    harness.source.serves("cc:1", at(&[&busy.address]));
    for n in 0..40 {
        let executed = harness.call("cc", &format!("t{n}")).await.expect("no panic");
        executed.expect("executed");
        sleep(Duration::from_millis(n % 5)).await;
    }
    assert!(busy.calls() == 40);
}

#[tokio::test]
async fn only_so_many_wait_for_a_launch() {
    let harness = Harness::with(|config| config.settings.all.queue = Some(3)).await;
    harness.define("cc");
    let calls: Vec<_> = (0..3).map(|n| harness.call("cc", &format!("t{n}"))).collect();
    let _life = harness.run().await.keep();
    let mut refused = None;
    until("the queue is full", || {
        refused = refused.take().or_else(|| Some(harness.call("cc", "more")));
        refused.as_ref().is_some_and(JoinHandle::is_finished)
    })
    .await;
    let error = refused.expect("called").await.expect("no panic").expect_err("too many").to_string();
    assert_eq!(
        error,
        "failed to execute transaction more: could not launch chaincode cc:1: 3 transactions wait for it already, \
         which is the limit"
    );
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    for _ in &calls {
        let call = wire.call(Type::Transaction).await;
        wire.complete(&call, &ok("")).await;
    }
    for call in calls {
        assert!(call.await.expect("no panic").is_ok());
    }
}

#[tokio::test]
async fn a_lazy_chaincode_is_launched_by_its_first_call() {
    let harness = Harness::with(|config| {
        config.settings.one.insert("lazy".into(), ChaincodeSettings { lazy: Some(true), ..Default::default() });
    })
    .await;
    for name in ["lazy", "eager"] {
        harness.define(name);
    }
    let ids = Arc::new(["eager:1", "lazy:1"].map(str::to_owned).into());
    let (_runnable, watching) = tokio::sync::watch::channel(ids);
    let core = harness.engine.core.clone();
    let custodian = tokio::spawn(async move { custodian::run(&core, watching).await });
    let run = harness.run().await;
    assert_eq!(run.metadata.chaincode_id, "eager:1");
    let _eager = run.keep();
    let executed = harness.call("lazy", "tx");
    let run = harness.run().await;
    assert_eq!(run.metadata.chaincode_id, "lazy:1");
    let _lazy = run.keep();
    let mut wire = harness.dial().await;
    wire.register("lazy:1").await;
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
    custodian.abort();
}

#[tokio::test]
async fn an_old_stream_is_replaced_before_its_time_and_finishes_its_transactions() {
    let harness = Harness::with(|config| config.settings.all.stream_max_age = Some(Duration::from_millis(400))).await;
    let mut served = Served::start(None).await;
    harness.define("cc");
    harness.source.serves("cc:1", at(&[&served.address]));
    let launch = harness.launch("cc:1");
    let mut old = served.wire().await;
    old.register("cc:1").await;
    let began = Instant::now();
    launch.await.expect("no panic").expect("launched");
    let executed = harness.call("cc", "old");
    let call = old.call(Type::Transaction).await;
    let mut new = served.wire().await;
    let age = began.elapsed();
    assert!(age >= Duration::from_millis(250) && age < Duration::from_millis(1000), "{age:?}");
    new.register("cc:1").await;
    until("both are there", || streams(&harness, "cc:1") == 2).await;
    let next = loop {
        // The old one gets nothing more.
        let next = harness.call("cc", "new");
        if let Ok(call) = timeout(Duration::from_secs(1), new.call(Type::Transaction)).await {
            new.complete(&call, &ok("new")).await;
            break next;
        }
    };
    assert_eq!(next.await.expect("no panic").expect("executed").response, ok("new"));
    old.complete(&call, &ok("old")).await;
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("old"));
    old.ended().await;
}

#[tokio::test]
async fn a_goodbye_is_answered_with_a_new_stream_where_streams_are_replaced() {
    let harness = Harness::with(|config| config.settings.all.stream_max_age = Some(Duration::from_secs(3600))).await;
    let mut served = Served::start(None).await;
    harness.define("cc");
    harness.source.serves("cc:1", at(&[&served.address]));
    let launch = harness.launch("cc:1");
    let mut old = served.wire().await;
    old.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    let executed = harness.call("cc", "old");
    let call = old.call(Type::Transaction).await;
    let address = served.address.clone();
    // A server that stops lets its streams end, and says goodbye on their connections.
    served.close();
    let mut next = Served::at(&address, None).await;
    let mut new = next.wire().await;
    new.register("cc:1").await;
    until("both are there", || streams(&harness, "cc:1") == 2).await;
    old.complete(&call, &ok("old")).await;
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("old"));
    until("the old one is gone", || streams(&harness, "cc:1") == 1).await;
}

#[tokio::test]
async fn a_silent_server_fails_the_launch_when_its_dial_is_out_of_time() {
    let harness = Harness::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    harness.source.serves("cc:1", Connection { dial_timeout: Duration::from_millis(100), ..at(&[&address]) });
    let began = Instant::now();
    let error = harness.launch("cc:1").await.expect("no panic").expect_err("silent").to_string();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(
        error,
        format!(
            "could not launch chaincode cc:1: connection to cc:1 failed: error cannot create connection for cc:1: error \
             creating grpc connection to {address}: failed to create new connection: context deadline exceeded\nno \
             connection to {address} within 0.1s: the server accepts the connection and says nothing; it may expect TLS"
        )
    );
}

#[tokio::test]
async fn a_chaincode_that_a_channel_runs_and_that_fails_is_broken_until_it_serves() {
    let harness = Harness::start().await;
    harness.define("cc");
    harness.source.does_not_start("cc:1", "no");
    harness.source.does_not_start("unwanted:1", "no");
    let (_runnable, watching) = tokio::sync::watch::channel(Arc::new([String::from("cc:1")].into()));
    let core = harness.engine.core.clone();
    let custodian = tokio::spawn(async move { custodian::run(&core, watching).await });
    harness.launch("unwanted:1").await.expect("no panic").expect_err("fails");
    until("it is broken", || harness.engine.broken().len() == 1).await;
    assert_eq!(harness.engine.broken()[0].0, "cc:1");
    harness.source.runs("cc:1");
    let launch = harness.launch("cc:1");
    let _life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    assert_eq!(harness.engine.broken(), []);
    custodian.abort();
}

#[tokio::test]
async fn one_who_calls_a_superseded_chaincode_is_served_and_then_it_is_stopped_again() {
    let harness = Harness::start().await;
    harness.define("cc");
    let (runnable, watching) = tokio::sync::watch::channel(Arc::new([String::from("cc:1")].into()));
    let core = harness.engine.core.clone();
    let custodian = tokio::spawn(async move { custodian::run(&core, watching).await });
    let mut life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    until("it serves", || state(&harness, "cc:1") == ChaincodeState::Serving).await;
    runnable.send_replace(Arc::default());
    let stopped = timeout(Duration::from_secs(10), life.wait_for(|life| *life == Life::Stopped)).await.is_ok();
    assert!(stopped, "it goes on");

    // Resolved before the upgrade was committed.
    let executed = harness.call("cc", "late");
    let mut life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
    let stopped = timeout(Duration::from_secs(10), life.wait_for(|life| *life == Life::Stopped)).await.is_ok();
    assert!(stopped, "it goes on");
    custodian.abort();
}
