//! A contract on `fabric-contract-api` for Node.js, launched from its source folder and as a server.

use std::process::Command;

use crate::{
    go_contract::{check, check_more},
    support::{
        client::Client,
        parts,
        place::Place,
        server::{Plan, Tls},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn installs_and_launches_a_source_folder() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().chaincode("assets", parts::example("node-contract")).start();
    assert_eq!(windlass.ready.chaincodes[0].kind, "node");
    let client = Client::user(&windlass.ready).await;
    check(&client, "assets").await;
    check_more(&client, "assets").await;
    windlass.stop();
}

async fn serves(plan: Plan, place: &Place) {
    let folder = parts::node_example("node-contract");
    let mut command = Command::new("node");
    command.arg("node_modules/fabric-shim/cli.js").arg("server").current_dir(folder);
    command.arg(format!("--chaincode-address={}", plan.address()));
    command.arg(format!("--chaincode-id={}", plan.package_id));
    if plan.tls != Tls::Off {
        command.arg("--chaincode-tls-key-file").arg(plan.file("server.key"));
        command.arg("--chaincode-tls-cert-file").arg(plan.file("server.crt"));
    }
    if plan.tls == Tls::Mutual {
        command.arg("--chaincode-tls-client-cacert-file").arg(plan.file("client-ca.crt"));
    }
    let server = plan.serve(command);
    let windlass = place.dev().ephemeral().chaincode("assets", &plan.package).start();
    let client = Client::user(&windlass.ready).await;
    check(&client, "assets").await;
    windlass.stop();
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_without_tls() {
    let place = Place::new();
    serves(Plan::folder(&place, "assets", Tls::Off), &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_with_tls() {
    let place = Place::new();
    serves(Plan::package(&place, "assets", Tls::On), &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_with_mutual_tls() {
    let place = Place::new();
    serves(Plan::folder(&place, "assets", Tls::Mutual), &place).await;
}

#[test]
fn shows_why_a_package_cannot_be_installed() {
    let place = Place::new();
    let manifest = r#"{ "name": "broken", "version": "1.0.0", "scripts": { "build": "echo the compiler is on holiday >&2; exit 4" } }"#;
    let folder = place.folder_with("broken", &[("package.json", manifest), ("index.js", "")]);
    let said = place.dev().ephemeral().arg(folder).fail().stderr();
    assert!(said.contains("the compiler is on holiday"), "{said}");
    assert!(said.contains("external builder 'node' failed: exit status "), "{said}");
}
