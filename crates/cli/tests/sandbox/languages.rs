//! Chaincode of each language, from its source folder to an answer, wholly confined.
//!
//! What toolchains download and compile is kept between runs, in a cache of the tests' own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::e2e::support::{client::Client, parts, place::Place};

/// Cargo and rustup read the settings of every folder above, and above those of the tests is this project.
fn configuration() -> String {
    let project = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).expect("the project");
    let read = [".cargo", "rust-toolchain.toml"].map(|name| format!("'{}'", project.join(name).display()));
    format!("windlass: {{sandbox: {{mode: require, read: [{}]}}}}\n", read.join(", "))
}

async fn builds_and_runs(place: &Place, source: PathBuf) {
    let core = place.folder_with("config", &[("core.yaml", &configuration())]).join("core.yaml");
    let windlass = place
        .dev()
        .ephemeral()
        .arg("--config")
        .arg(core)
        .env("XDG_CACHE_HOME", parts::scratch("caches"))
        .chaincode("assets", source)
        .start();
    let client = Client::user(&windlass.ready).await;
    client.submit("assets", &["InitLedger"]).await.expect("six assets");
    assert_eq!(client.text("assets", &["AssetExists", "asset6"]).await, "true");
    let confined =
        |pid: u32| fs::read_to_string(format!("/proc/{pid}/status")).expect("a process").contains("NoNewPrivs:\t1");
    let confined = windlass.children().into_iter().filter(|process| confined(process.pid)).count();
    assert!(confined >= 1, "the chaincode has given up rights");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn go_chaincode_builds_and_runs_in_it() {
    builds_and_runs(&Place::new(), parts::example("go-contract")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_chaincode_builds_and_runs_in_it() {
    builds_and_runs(&Place::new(), parts::example("node-contract")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn java_chaincode_builds_and_runs_in_it() {
    builds_and_runs(&Place::new(), parts::example("java-contract")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_chaincode_builds_and_runs_in_it() {
    builds_and_runs(&Place::new(), parts::example("rust-contract")).await;
}
