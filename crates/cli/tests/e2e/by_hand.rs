//! Chaincode that its author starts: from a shell, in a debugger, again and again.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    go_contract::check,
    support::{
        client::Client,
        parts,
        place::Place,
        windlass::{Running, Windlass},
    },
};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs the command that the banner has for a language, with `program` in place of the `tool` that finds it.
fn start(windlass: &Windlass, language: &str, tool: &str, program: &str, folder: &Path) -> Running {
    let said = windlass.output().stdout();
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix(language)).expect("a line to paste").trim();
    assert!(line.contains(tool), "{line}");
    let mut shell = Command::new("sh");
    // So that no shell stays between.
    shell.arg("-c").arg(format!("exec env {}", line.replace(tool, program))).current_dir(folder);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::spawn(shell)
}

/// Waits until somebody answers; each call waits a few seconds itself.
async fn answers(client: &Client, process: &Running) {
    for _ in 0..20 {
        if client.query("assets", &["AssetExists", "asset1"]).await.is_ok() {
            return;
        }
    }
    panic!("nobody answers\n{}", process.output().shown());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_go_contract_is_started_again_and_again() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().args(["--chaincode-dev", "assets"]).start();
    let client = Client::user(&windlass.ready).await;
    let error = client.error("assets", &["AssetExists", "asset1"]).await;
    assert!(error.contains("nothing has registered as assets:1.0; hint: start it with "), "{error}");

    let folder = parts::example("go-contract");
    let program = parts::go_program("go-contract").display().to_string();
    let go = || start(&windlass, "Go", "go run .", &program, &folder);
    let first = go();
    answers(&client, &first).await;
    check(&client, "assets").await;
    drop(first);
    let mut second = go();
    answers(&client, &second).await;
    assert_eq!(client.json("assets", &["GetAllAssets"]).await.as_array().map(Vec::len), Some(6));
    // The newest wins, and the one before sees its stream end.
    let third = go();
    assert!(second.wait(LIMIT).is_some(), "{}", second.output().shown());
    assert_eq!(client.text("assets", &["AssetExists", "asset1"]).await, "true");
    drop(third);
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_contract_is_started_with_the_line_of_the_banner() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().args(["--chaincode-dev", "assets"]).start();
    let client = Client::user(&windlass.ready).await;
    let folder = parts::node_example("node-contract");
    let node = start(&windlass, "Node", "npx fabric-chaincode-node", "node node_modules/fabric-shim/cli.js", &folder);
    answers(&client, &node).await;
    check(&client, "assets").await;
    drop(node);
    windlass.stop();
}
