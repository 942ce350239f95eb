//! Stopping: in time, and with everything that was started.

use std::time::Duration;

use rustix::process::Signal;

use crate::{
    builders,
    support::{
        client::Client,
        output::Pipe,
        parts,
        place::Place,
        processes::{self, Process},
    },
};

/// How long stopping everything may take.
const IN_TIME: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn stops_its_children_on_sigterm() {
    let place = Place::new();
    let windlass = place.dev().chaincode("one", parts::go_program("go-shim")).start();
    assert!(!windlass.children().is_empty(), "the chaincode is a child");
    // It asserts that all of them end with it.
    windlass.stop_within(IN_TIME);
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_in_time_while_a_transaction_runs() {
    let place = Place::new();
    let windlass = place.dev().chaincode("shim", parts::go_program("go-shim")).start();
    let client = Client::user(&windlass.ready).await;
    let sleeper = client.clone();
    let sleeping = tokio::spawn(async move { sleeper.query("shim", &["Sleep", "20000"]).await });
    // Once the sleeper's proposal is in, so is anything sent before this.
    client.query("shim", &["Noop"]).await.expect("an answer");
    windlass.stop_within(IN_TIME);
    assert!(sleeping.await.expect("no panic").is_err());
}

#[test]
fn stops_on_ctrl_c_and_while_it_still_builds() {
    let place = Place::new();
    let builder = [("bin/detect", "#!/bin/sh\n"), ("bin/build", "#!/bin/sh\necho building >&2\nsleep 600\n")];
    let core = builders::configuration(&place, "slow", &builder, &[]);
    let package = builders::package(&place, "slow");
    let mut windlass = place.dev().arg("--config").arg(core).arg(package).spawn();
    let building = windlass.output().wait_for(Pipe::Stderr, Duration::from_secs(60), |line| line.contains("building"));
    assert!(building.is_some(), "{}", windlass.output().shown());
    let children = processes::descendants(windlass.pid());
    assert!(!children.is_empty());
    windlass.signal(Signal::INT);
    let ended = windlass.wait(IN_TIME);
    assert!(ended.is_some(), "{}", windlass.output().shown());
    assert_eq!(processes::survivors(&children, Duration::from_secs(1)), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn cleans_up_what_a_killed_instance_left() {
    let place = Place::new();
    // Chaincode that does not mind that its peer is gone, run by a builder that does not mind either.
    let run = builders::RUN.replace("exec ", "").trim_end().to_owned() + "\nsleep 600\n";
    let run = run.replace("set -e\n", "");
    let programs = [("bin/detect", builders::DETECT), ("bin/build", builders::BUILD), ("bin/run", run.as_str())];
    let core = builders::configuration(&place, "stubborn", &programs, &["WINDLASS"]);
    let package = builders::package(&place, "stubborn");
    let dev = || {
        let dev = place.dev().arg("--config").arg(&core).env("WINDLASS", env!("CARGO_BIN_EXE_windlass"));
        dev.chaincode("stubborn", &package)
    };
    let windlass = dev().start();
    let left = windlass.kill();
    assert!(left.iter().any(Process::is_alive), "chaincode outlives a kill: {left:?}");

    let windlass = dev().start();
    assert_eq!(processes::survivors(&left, Duration::ZERO), []);
    let client = Client::user(&windlass.ready).await;
    client.query("stubborn", &["Noop"]).await.expect("the chaincode serves again");
    windlass.stop();
}
