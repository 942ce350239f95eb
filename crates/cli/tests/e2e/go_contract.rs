//! A contract on `fabric-contract-api-go`, launched from its source folder and as a server.

use std::process::Command;

use crate::support::{
    client::Client,
    parts,
    place::Place,
    server::{Plan, Tls},
};

/// What every asset contract does, whatever it is written in.
pub(crate) async fn check(client: &Client, chaincode: &str) {
    client.submit(chaincode, &["InitLedger"]).await.expect("six assets");
    let assets = client.json(chaincode, &["GetAllAssets"]).await;
    assert_eq!(assets.as_array().map(Vec::len), Some(6));
    client.submit(chaincode, &["CreateAsset", "asset7", "blue", "5", "Ada", "300"]).await.expect("an asset");
    let again = client.error(chaincode, &["CreateAsset", "asset7", "blue", "5", "Ada", "300"]).await;
    assert!(again.contains("the asset asset7 already exists"), "{again}");
    let transfer = client.submit(chaincode, &["TransferAsset", "asset7", "Bo"]).await.expect("a transfer");
    assert!(transfer.response.payload.windows(3).any(|part| part == b"Ada"), "the old owner");
    assert_eq!(client.json(chaincode, &["ReadAsset", "asset7"]).await["Owner"], "Bo");
    assert_eq!(client.text(chaincode, &["AssetExists", "asset7"]).await, "true");
    client.submit(chaincode, &["UpdateAsset", "asset7", "red", "6", "Cy", "1"]).await.expect("an update");
    client.submit(chaincode, &["DeleteAsset", "asset7"]).await.expect("a deletion");
    assert_eq!(client.text(chaincode, &["AssetExists", "asset7"]).await, "false");
    let missing = client.error(chaincode, &["ReadAsset", "asset7"]).await;
    assert!(missing.contains("the asset asset7 does not exist"), "{missing}");
}

/// What contracts with pages, history and identities do.
pub(crate) async fn check_more(client: &Client, chaincode: &str) {
    let history = client.json(chaincode, &["GetAssetHistory", "asset7"]).await;
    let deleted: Vec<_> = history.as_array().expect("versions").iter().map(|one| one["Deleted"] == true).collect();
    assert_eq!(deleted, [true, false, false, false]);
    assert_eq!(history[1]["Asset"]["Owner"], "Cy");
    let page = client.json(chaincode, &["GetAssetPage", "4", ""]).await;
    assert_eq!(page["Assets"].as_array().map(Vec::len), Some(4));
    let bookmark = page["Bookmark"].as_str().expect("a bookmark");
    let rest = client.json(chaincode, &["GetAssetPage", "4", bookmark]).await;
    assert_eq!(rest["Assets"].as_array().map(Vec::len), Some(2));
    let who = client.text(chaincode, &["WhoAmI"]).await;
    assert!(who.starts_with("Org1MSP ") && who.len() > "Org1MSP ".len() + 20, "{who}");
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_and_launches_a_source_folder() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().chaincode("assets", parts::example("go-contract")).start();
    assert_eq!(windlass.ready.chaincodes[0].kind, "golang");
    let client = Client::user(&windlass.ready).await;
    check(&client, "assets").await;
    check_more(&client, "assets").await;
    let metadata = client.json("assets", &["org.hyperledger.fabric:GetMetadata"]).await;
    assert!(metadata["contracts"]["AssetContract"]["transactions"].is_array(), "{metadata}");
    windlass.stop();
}

async fn serves(plan: Plan, place: &Place) {
    let server = plan.serve(Command::new(parts::go_program("go-contract")));
    let windlass = place.dev().ephemeral().chaincode("assets", &plan.package).start();
    let client = Client::user(&windlass.ready).await;
    check(&client, "assets").await;
    windlass.stop();
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_without_tls() {
    let place = Place::new();
    serves(Plan::package(&place, "assets", Tls::Off), &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_to_a_server_with_tls() {
    let place = Place::new();
    serves(Plan::folder(&place, "assets", Tls::On), &place).await;
}
