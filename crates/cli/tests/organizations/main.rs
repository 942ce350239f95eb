//! Several organizations and channels, used as people use them: with the built binary and published client libraries.

#[path = "../e2e"]
mod e2e {
    #[allow(dead_code)]
    pub(crate) mod support;
}

mod channel;
mod gateways;
mod lifecycle;
mod terminal;

use std::{fs, path::Path, process::Command};

use e2e::support::{gateway::Gateway, parts, place::Place, windlass::Windlass};
use serde_json::{Value, json};

/// Runs the client on `fabric-network`, with discovery on.
#[track_caller]
fn fabric_network(windlass: &Windlass, options: &Value) -> Value {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/organizations/parts/network-client");
    let folder = parts::once("network-client", || parts::node_package(&source, "network-client"));
    let mut node = Command::new("node");
    node.arg("main.mjs").arg(windlass.ready_file()).arg(options.to_string()).current_dir(folder);
    let output = node.output().expect("Node.js starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|_| panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)))
}

fn description(windlass: &Windlass) -> Value {
    serde_json::from_slice(&fs::read(windlass.ready_file()).expect("a ready file")).expect("JSON")
}

fn create(chaincode: &str, channel: &str, id: &str) -> Value {
    json!({
        "channel": channel, "chaincode": chaincode, "function": "CreateAsset", "args": [id, "blue", "5", "Ada", "100"],
    })
}

#[test]
fn three_organizations_share_two_channels() {
    let place = Place::new();
    let windlass = place.dev().arg("--orgs").arg("3").arg("--channels").arg("north,south").start();
    let description = description(&windlass);
    assert_eq!(description["channel"], "north");
    assert_eq!(description["mspId"], "Org1MSP");
    let organizations = description["organizations"].as_array().expect("a list");
    assert_eq!(organizations.iter().map(|org| &org["mspId"]).collect::<Vec<_>>(), ["Org1MSP", "Org2MSP", "Org3MSP"]);
    for organization in organizations {
        for file in ["env", "connectionProfile"] {
            assert!(Path::new(organization[file].as_str().expect("a path")).is_file(), "{organization}");
        }
    }
    let channels = description["channels"].as_array().expect("a list");
    assert_eq!(channels.iter().map(|channel| &channel["name"]).collect::<Vec<_>>(), ["north", "south"]);
    assert!(
        channels
            .iter()
            .all(|channel| channel["chaincodes"][0] == json!({"name": "basic", "version": "1.0", "sequence": 1}))
    );

    let mut gateway = Gateway::connect(&windlass);
    for channel in ["north", "south"] {
        gateway.submit(create("basic", channel, "from-the-gateway"));
        let read =
            json!({ "channel": channel, "chaincode": "basic", "function": "ReadAsset", "args": ["from-the-gateway"] });
        assert!(gateway.evaluate(read).contains("Ada"));
    }
    // What one channel holds is not on the other.
    gateway.submit(create("basic", "north", "only-north"));
    let south = json!({ "channel": "south", "chaincode": "basic", "function": "AssetExists", "args": ["only-north"] });
    assert_eq!(gateway.evaluate(south), "false");

    let mut named = create("basic", "north", "named");
    named["organizations"] = json!(["Org2MSP", "Org3MSP"]);
    gateway.submit(named);
    let mut alone = create("basic", "north", "alone");
    alone["organizations"] = json!(["Org1MSP"]);
    assert_eq!(gateway.fail("submit", alone)["status"], "ENDORSEMENT_POLICY_FAILURE");
    let mut unknown = create("basic", "north", "unknown");
    unknown["organizations"] = json!(["Org7MSP"]);
    let error = gateway.fail("submit", unknown);
    assert_eq!(error["grpcMessage"], "failed to find any endorsing peers for org(s): Org7MSP");

    // Every organization's own peer serves its own clients, and they see the same.
    for number in [2, 3] {
        let folder = parts::gateway_client();
        let description = windlass.ready.data.join(format!("network-org{number}.json"));
        let mut node = Command::new("node");
        let read = json!({ "channel": "north", "chaincode": "basic", "function": "ReadAsset", "args": ["named"] });
        node.arg("main.mjs").arg(description).arg("evaluate").arg(read.to_string());
        let output = node.current_dir(folder).output().expect("Node.js starts");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Ada"), "{output:?}");
    }

    for (organization, channel) in [(0, "north"), (2, "south")] {
        let mut options = create("basic", channel, &format!("discovered-{organization}"));
        options["organization"] = json!(organization);
        let found = fabric_network(&windlass, &options);
        assert_eq!(found["ok"], true, "{found:#}");
        assert!(found["read"].as_str().is_some_and(|asset| asset.contains("Ada")), "{found:#}");
        let discovered = &found["discovered"];
        assert_eq!(discovered["msps"], json!(["OrdererMSP", "Org1MSP", "Org2MSP", "Org3MSP"]));
        let peers = discovered["peers"].as_object().expect("an object");
        assert_eq!(peers.len(), 3);
        for (at, peer) in peers.values().enumerate() {
            assert_eq!(peer[0]["endpoint"], organizations[at]["peer"]["endpoint"]);
            assert_eq!(peer[0]["chaincodes"], json!(["basic:1", "_lifecycle:1"]));
        }
        assert_eq!(discovered["plan"]["layouts"].as_array().map(Vec::len), Some(3), "any two of three: {found:#}");
    }
    let mut alone = create("basic", "north", "discovered-alone");
    alone["endorsing"] = json!(["Org1MSP"]);
    let refused = fabric_network(&windlass, &alone);
    assert_eq!(refused["ok"], false, "{refused:#}");
}

#[test]
fn a_kept_network_keeps_its_organizations() {
    let place = Place::new();
    let policy = "AND('Org1MSP.peer', 'Org2MSP.peer')";
    let start = || place.dev().arg("--signature-policy").arg(policy);
    let windlass = start().arg("--orgs").arg("2").start();
    Gateway::connect(&windlass).submit(create("basic", "mychannel", "kept"));
    windlass.stop();

    let said = start().arg("--orgs").arg("3").fail();
    assert!(said.shown().contains("has 2; hint: start over with --fresh"), "{}", said.shown());

    // Without the number it is what it was; a channel may come to it.
    let windlass = start().arg("--channels").arg("mychannel,second").start();
    assert_eq!(description(&windlass)["organizations"].as_array().map(Vec::len), Some(2));
    let mut gateway = Gateway::connect(&windlass);
    let kept = json!({ "channel": "mychannel", "chaincode": "basic", "function": "ReadAsset", "args": ["kept"] });
    assert!(gateway.evaluate(kept).contains("Ada"));
    gateway.submit(create("basic", "second", "new"));
}
