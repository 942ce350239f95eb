//! Launches that are shared, fail, or take too long.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};
use windlass_proto::protos::chaincode_message::Type;

use super::{
    harness::{Harness, Life, ok},
    wire::until,
};
use crate::{
    build::{ExitOutcome, StepError},
    engine::{ChaincodeState, custodian},
};

const PATIENCE: Duration = Duration::from_secs(10);

async fn becomes(life: &mut watch::Receiver<Life>, wanted: Life) {
    let became = timeout(PATIENCE, life.wait_for(|life| *life == wanted)).await;
    assert!(became.is_ok(), "expected {wanted:?}");
}

#[tokio::test]
async fn many_callers_share_one_launch() {
    let harness = Harness::start().await;
    harness.define("cc");
    let calls: Vec<_> = (0..20).map(|n| harness.call("cc", &format!("t{n}"))).collect();
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
    assert_eq!(*harness.source.builds.lock(), 1);
    until("the launch is counted", || harness.metrics.has("launch cc:1 true")).await;
}

#[tokio::test]
async fn those_who_joined_a_launch_are_told_that_it_was_not_theirs() {
    let harness = Harness::start().await;
    harness.define("cc");
    let first = harness.launch("cc:1");
    let run = harness.run().await;
    let second = harness.launch("cc:1");
    until("the second joins", || harness.engine.status()[0].state == ChaincodeState::Starting).await;
    tokio::task::yield_now().await;
    run.exits(ExitOutcome { builder: String::from("b"), error: Some(StepError::Exited(7)) });
    let exit = "failed to wait on container exit: builder 'b' run failed: exit status 7";
    let output = "the chaincode's last output:\n  last words";
    let first = first.await.expect("no panic").expect_err("ended").to_string();
    assert_eq!(first, format!("could not launch chaincode cc:1: chaincode registration failed: {exit}\n{output}"));
    let second = second.await.expect("no panic").expect_err("ended").to_string();
    assert_eq!(
        second,
        format!(
            "could not launch chaincode cc:1: chaincode registration failed: chaincode registration failed: {exit}\n{output}"
        )
    );
    assert!(harness.metrics.has("launch cc:1 false") && !harness.metrics.has("launch failure cc:1"));
    assert_eq!(harness.engine.status()[0].state, ChaincodeState::Failed(first));
}

#[tokio::test]
async fn a_failed_launch_is_tried_again_by_the_next_call() {
    let harness = Harness::start().await;
    harness.define("cc");
    let failed = harness.call("cc", "t1");
    harness.run().await.exits(ExitOutcome { builder: String::from("b"), error: None });
    let error = failed.await.expect("no panic").expect_err("ended").to_string();
    assert!(
        error.starts_with(
            "failed to execute transaction t1: could not launch chaincode cc:1: chaincode registration failed: \
             container exited with 0\n"
        ),
        "{error}"
    );
    let executed = harness.call("cc", "t2");
    let _life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn builds_and_starts_that_fail_say_why() {
    let harness = Harness::start().await;
    harness.source.does_not_start("b:1", "could not execute run: no");
    harness.source.serves_nowhere("c:1", "chaincode address not provided");
    for (id, expected) in [
        ("a:1", "error building chaincode: error building image: chaincode install package 'a:1' not found"),
        ("b:1", "error starting container: error starting container: could not execute run: no"),
        ("c:1", "error building chaincode: chaincode address not provided"),
    ] {
        let error = harness.launch(id).await.expect("no panic").expect_err("fails").to_string();
        assert_eq!(error, format!("could not launch chaincode {id}: {expected}"));
        assert!(harness.metrics.has(&format!("launch failure {id}")));
    }
}

#[tokio::test]
async fn a_chaincode_that_never_registers_is_given_up_and_killed() {
    let harness = Harness::with(|config| config.startup_timeout = Duration::from_millis(100)).await;
    harness.define("cc");
    let launch = harness.launch("cc:1");
    let mut life = harness.run().await.keep();
    let error = launch.await.expect("no panic").expect_err("late").to_string();
    let expected = "could not launch chaincode cc:1: timeout expired while starting chaincode cc:1 for transaction\n";
    assert!(error.starts_with(expected), "{error}");
    assert!(harness.metrics.has("launch timeout cc:1"));
    becomes(&mut life, Life::Killed).await;
    let mut late = harness.dial().await;
    late.say_register("cc:1").await;
    late.hears_nothing().await;
}

#[tokio::test]
async fn a_process_that_lost_its_stream_does_not_outlive_the_next_launch() {
    let harness = Harness::start().await;
    harness.define("cc");
    let launch = harness.launch("cc:1");
    let mut first = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    drop(wire);
    until("the session ends", || harness.engine.status()[0].state == ChaincodeState::Idle).await;
    assert_eq!(*first.borrow(), Life::Running);
    let _launch = harness.launch("cc:1");
    let second = harness.run().await.keep();
    becomes(&mut first, Life::Killed).await;
    assert_eq!(*second.borrow(), Life::Running);
}

#[tokio::test]
async fn stopping_ends_everything_in_good_order() {
    let (harness, mut wire) = Harness::serving().await;
    harness.define("starting");
    let starting = harness.launch("starting:1");
    let mut life = harness.run().await.keep();
    let executed = harness.call("cc", "tx");
    wire.call(Type::Transaction).await;
    timeout(PATIENCE, harness.engine.shutdown()).await.expect("within its limit");
    assert_eq!(*life.borrow_and_update(), Life::Stopped);
    let error = starting.await.expect("no panic").expect_err("stopped").to_string();
    assert!(error.starts_with("could not launch chaincode starting:1: the peer is stopping\n"), "{error}");
    let error = executed.await.expect("no panic").expect_err("stopped").to_string();
    assert!(error.ends_with("chaincode stream terminated"), "{error}");
    wire.ended().await;
    let error = harness.launch("cc:1").await.expect("no panic").expect_err("stopped");
    assert_eq!(error.to_string(), "could not launch chaincode cc:1: the peer is stopping");
}

#[tokio::test]
async fn dropping_the_engine_kills_what_it_ran() {
    let harness = Harness::start().await;
    harness.define("cc");
    let launch = harness.launch("cc:1");
    let mut life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    harness.define("starting");
    let launch = harness.launch("starting:1");
    let mut starting = harness.run().await.keep();
    launch.abort();
    drop(harness);
    wire.ended().await;
    becomes(&mut life, Life::Killed).await;
    let ended = timeout(PATIENCE, starting.wait_for(|life| *life != Life::Running)).await;
    assert!(ended.is_ok(), "the launch goes on");
}

#[tokio::test]
async fn the_custodian_launches_side_by_side_and_stops_what_is_superseded() {
    let harness = Harness::start().await;
    for name in ["hangs", "old", "new"] {
        harness.define(name);
    }
    let ids = |names: &[&str]| Arc::new(names.iter().map(|name| format!("{name}:1")).collect::<BTreeSet<_>>());
    let (runnable, watching) = watch::channel(ids(&["hangs", "old"]));
    let core = harness.engine.core.clone();
    let custodian = tokio::spawn(async move { custodian::run(&core, watching).await });
    let mut lives = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let run = harness.run().await;
        lives.insert(run.metadata.chaincode_id.clone(), run.keep());
    }
    // `hangs` never registers, and delays nobody.
    let mut wire = harness.dial().await;
    wire.register("old:1").await;
    until("old serves", || harness.engine.status().iter().any(|status| status.state == ChaincodeState::Serving)).await;

    let executed = harness.call("old", "tx");
    let call = wire.call(Type::Transaction).await;
    runnable.send_replace(ids(&["hangs", "new"]));
    assert_eq!(harness.run().await.metadata.chaincode_id, "new:1");
    // What is in flight is finished first.
    assert_eq!(*lives["old:1"].borrow(), Life::Running);
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
    becomes(lives.get_mut("old:1").expect("run"), Life::Stopped).await;
    wire.ended().await;
    custodian.abort();
}
