//! `windlass status` and `windlass doctor` with a network.

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    e2e::support::{place::Place, windlass::Command},
    person::Person,
};

#[test]
fn finds_every_peer_of_the_network_by_itself() {
    let place = Place::new();
    // Somebody's shell has the certificates of a client of another network.
    let client = |dev: Command, what: &str| dev.env(&format!("CORE_PEER_TLS_{what}"), "/nowhere");
    let dev = place.dev().in_current_folder().args(["--orgs", "2"]);
    let dev = ["CLIENTCERT_FILE", "CLIENTKEY_FILE", "CLIENTROOTCAS_FILES"].into_iter().fold(dev, client);
    let windlass = dev.start();
    let ada = Person::at(&place);
    assert_snapshot!("status", ada.types(["status"]));
    let peers = ada.types(["status", "--json"]).json()["peers"].clone();
    assert_eq!(peers[1]["mspId"], "Org2MSP");
    assert_eq!(peers[1]["chaincodes"][0]["definitions"][0], "basic 1.0 on mychannel");
    let org2 = Person::at(&place).sourced(&windlass.ready.data.join("env-org2.sh"));
    let own = org2.types(["status", "--json"]).json()["peers"].clone();
    assert_eq!(
        (own.as_array().map(Vec::len), &own[0]),
        (Some(1), &peers[1]),
        "an organization's script is for it alone"
    );
    let alone = ada.types(["status", "--operations", &windlass.ready.operations.endpoint, "--json"]).json();
    let alone = &alone["peers"][0];
    assert_eq!((&alone["mspId"], &alone["chaincodes"][0]["state"]), (&Value::Null, &"serving".into()));

    let checks = ada.types(["doctor", "--json"]).json()["checks"].clone();
    let found = |check: &str| {
        let found = checks.as_array().expect("a list").iter().find(|one| one["check"] == check);
        found.unwrap_or_else(|| panic!("{check}: {checks:#}")).clone()
    };
    assert_eq!(found("ports")["found"], "held by the network itself, which runs");
    assert_eq!(found("chaincode of Org2MSP")["found"], "basic serving");
    let sandbox = found("sandbox of the network")["found"].clone();
    assert!(sandbox.as_str().is_some_and(|found| found.starts_with("not enforced, windlass.sandbox.mode is off")));
    for check in ["peer of Org1MSP", "health of Org1MSP", "certificates of the network"] {
        assert_eq!(found(check)["level"], "ok", "{check}");
    }
    windlass.stop();
    assert_snapshot!("status_down", ada.types(["status"]));
    let checks = ada.types(["doctor", "--json"]).json()["checks"].clone();
    let network = checks.as_array().and_then(|checks| checks.iter().find(|one| one["check"] == "network"));
    assert!(network.is_some_and(|one| one["found"].as_str().is_some_and(|found| found.contains("does not run"))));
}
