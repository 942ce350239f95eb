//! From its source folder, and as a server in every manner of TLS.

use std::process::Command;

use crate::support::{
    client::Client,
    parts,
    place::Place,
    server::{Plan, Tls},
};

async fn check(client: &Client, chaincode: &str) {
    client.submit(chaincode, &["Put", "k", "v"]).await.expect("a transaction");
    assert_eq!(client.text(chaincode, &["Get", "k"]).await, "v");
    let described = client.json(chaincode, &["Describe", "a", "b"]).await;
    assert_eq!((described["channel"].as_str(), described["mspId"].as_str()), (Some("mychannel"), Some("Org1MSP")));
    assert_eq!(described["parameters"], serde_json::json!(["a", "b"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_and_launches_a_source_folder() {
    let place = Place::new();
    let windlass = place.dev().arg(parts::example("go-shim")).start();
    let [chaincode] = windlass.ready.chaincodes.as_slice() else { panic!("one chaincode") };
    assert_eq!((chaincode.name.as_str(), chaincode.kind.as_str()), ("go-shim", "golang"));
    let client = Client::user(&windlass.ready).await;
    check(&client, "go-shim").await;
    assert_eq!(client.json("go-shim", &["Describe"]).await["localMspId"], "Org1MSP");
    windlass.stop();

    // A second run finds the build.
    let windlass = place.dev().arg(parts::example("go-shim")).start();
    assert!(!windlass.output().stderr().contains("building"), "{}", windlass.output().stderr());
    assert_eq!(Client::user(&windlass.ready).await.text("go-shim", &["Get", "k"]).await, "v");
    windlass.stop();
}

async fn serves(plan: Plan, place: &Place) {
    let program = parts::go_program("go-shim");
    let server = plan.serve(Command::new(&program));
    let windlass = place.dev().ephemeral().chaincode("shim", &plan.package).start();
    assert_eq!(windlass.package_id("shim"), plan.package_id);
    assert_eq!(windlass.ready.chaincodes[0].kind, "ccaas");
    let client = Client::user(&windlass.ready).await;
    check(&client, "shim").await;

    // A server that has been away is found again by the next call.
    drop(server);
    let refusal = client.error("shim", &["Get", "k"]).await;
    assert!(refusal.contains("error in simulation: failed to execute transaction"), "{refusal}");
    let server = plan.serve(Command::new(&program));
    assert_eq!(client.text("shim", &["Get", "k"]).await, "v");
    windlass.stop();
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_without_tls() {
    let place = Place::new();
    serves(Plan::folder(&place, "shim", Tls::Off), &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_with_tls() {
    let place = Place::new();
    serves(Plan::package(&place, "shim", Tls::On), &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_with_mutual_tls() {
    let place = Place::new();
    serves(Plan::folder(&place, "shim", Tls::Mutual), &place).await;
}

#[test]
fn says_why_a_server_cannot_be_reached() {
    let place = Place::new();
    let plan = Plan::folder(&place, "shim", Tls::Off);
    let said = place.dev().ephemeral().chaincode("shim", &plan.package).fail().stderr();
    assert!(said.contains("connection refused") || said.contains("Connection refused"), "{said}");
}
