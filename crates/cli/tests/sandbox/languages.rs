//! Chaincode of each language, from its source folder to an answer, wholly confined.
//!
//! What toolchains download and compile is kept between runs, in a cache of the tests' own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::e2e::support::{client::Client, parts, place::Place};

const CONFIGURATION: &str = "
chaincode: {installTimeout: 15m}
windlass: {sandbox: {mode: require}}
";

async fn builds_and_runs(place: &Place, source: PathBuf) {
    let core = place.folder_with("config", &[("core.yaml", CONFIGURATION)]).join("core.yaml");
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
    let place = Place::new();
    let source = place.path().join("rust-contract");
    parts::copy(&parts::example("rust-contract"), &source);
    let manifest = source.join("Cargo.toml");
    let shim = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../shim")).expect("the library");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let text = text.replace("../../crates/shim", shim.to_str().expect("a path of text"));
    // It need not be quick, only soon there.
    fs::write(&manifest, format!("{text}\n[profile.release]\nopt-level = 0\n")).expect("a file");
    builds_and_runs(&place, source).await;
}
