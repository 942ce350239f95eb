//! Rust chaincode as a server: the published crate `fabric-shim`, unmodified, and the bundled sample.

use std::process::Command;

use crate::{
    go_contract::check,
    support::{
        client::Client,
        parts,
        place::Place,
        server::{Plan, Tls},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_the_published_crate() {
    let place = Place::new();
    let plan = Plan::folder(&place, "assets", Tls::Off);
    let server = plan.serve(Command::new(parts::rust_program("fabric-shim-rust")));
    let windlass = place.dev().ephemeral().chaincode("assets", &plan.package).start();
    let client = Client::user(&windlass.ready).await;
    check(&client, "assets").await;
    let metadata = client.json("assets", &["org.hyperledger.fabric:GetMetadata"]).await;
    assert!(metadata["contracts"]["AssetContract"].is_object(), "{metadata}");
    windlass.stop();
    drop(server);
}

async fn serves_the_sample(tls: Tls) {
    let place = Place::new();
    let plan = Plan::folder(&place, "assets", tls);
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.arg("sample");
    let server = plan.serve(command);
    let windlass = place.dev().ephemeral().chaincode("assets", &plan.package).start();
    let client = Client::user(&windlass.ready).await;
    check(&client, "assets").await;
    windlass.stop();
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_the_sample_without_tls() {
    serves_the_sample(Tls::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_the_sample_with_mutual_tls() {
    serves_the_sample(Tls::Mutual).await;
}
