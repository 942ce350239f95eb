//! Events of chaincode and of blocks.

use serde_json::{Value, json};

use super::connect;
use crate::support::{gateway::Gateway, parts, place::Place};

fn create(id: &str) -> Value {
    json!({ "function": "CreateAsset", "args": [id, "blue", "5", "Ada", "300"] })
}

#[test]
fn delivers_events_as_they_happen_and_from_a_block_on() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    let listening = gateway.begin("chaincode-events", json!({ "count": 2 }));
    assert_eq!(listening.next()["step"], "listening");
    let first = gateway.run("submit-async", create("asset1"));
    gateway.submit(json!({ "function": "Put", "args": ["no", "event"] }));
    let second = gateway.run("submit-async", json!({ "function": "TransferAsset", "args": ["asset1", "Bo"] }));

    let live = listening.finish();
    let names: Vec<_> = live.iter().map(|event| event["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["CreateAsset", "TransferAsset"]);
    for (event, committed) in live.iter().zip([&first[1], &second[1]]) {
        assert_eq!((&event["txId"], &event["blockNumber"]), (&committed["txId"], &committed["blockNumber"]));
        assert_eq!(event["chaincode"], "basic");
    }
    let asset: Value = serde_json::from_str(live[1]["payload"].as_str().expect("a payload")).expect("JSON");
    assert_eq!(asset["Owner"], "Bo", "events have their payload");

    let replayed = gateway.run("chaincode-events", json!({ "startBlock": 0, "count": 2 }));
    assert_eq!(replayed[1..], live);
    let after = json!({ "startBlock": 0, "afterTransactionId": live[0]["txId"], "count": 1 });
    assert_eq!(gateway.run("chaincode-events", after)[1..], live[1..]);
    let resumed = gateway.run("checkpoint-events", json!({ "first": 1, "count": 2 }));
    assert_eq!(resumed.iter().map(|event| &event["txId"]).collect::<Vec<_>>(), [&live[0]["txId"], &live[1]["txId"]]);
    let nothing =
        gateway.run("chaincode-events", json!({ "chaincode": "nowhere", "startBlock": 0, "count": 1, "waitMs": 500 }));
    assert_eq!(nothing.last().map(|line| &line["step"]), Some(&json!("timeout")));
    windlass.stop();
}

#[test]
fn delivers_no_events_of_transactions_that_are_not_valid() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().chaincode("shim", parts::go_program("go-shim")).start();
    let mut gateway = Gateway::connect(&windlass);
    gateway.fail("submit", json!({ "function": "EventThenErr", "args": ["failed", "x"] }));
    gateway.submit(json!({ "function": "Event", "args": ["bare", "nothing written"] }));
    gateway.submit(json!({ "function": "PutWithEvent", "args": ["k", "v", "written", "v"] }));
    let events = gateway.run("chaincode-events", json!({ "startBlock": 0, "count": 2 }));
    let names: Vec<_> = events[1..].iter().map(|event| event["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["bare", "written"]);
    windlass.stop();
}

#[test]
fn delivers_blocks_whole_filtered_and_with_private_data() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    let listening = gateway.begin("block-events", json!({ "count": 1 }));
    assert_eq!(listening.next()["step"], "listening");
    let committed = gateway.run("submit-async", create("asset1"))[1].clone();
    let live = listening.finish();
    assert_eq!(live[0]["number"], committed["blockNumber"]);

    let number = committed["blockNumber"].as_u64().expect("a number");
    for scenario in ["block-events", "filtered-block-events", "private-block-events"] {
        let lines = gateway.run(scenario, json!({ "startBlock": 0, "count": number + 1 }));
        let blocks = &lines[1..];
        let numbers: Vec<_> = blocks.iter().filter_map(|block| block["number"].as_u64()).collect();
        assert_eq!(numbers, (0..=number).collect::<Vec<_>>(), "{scenario}");
        let last = &blocks[number as usize]["transactions"][0];
        assert_eq!((&last["txId"], &last["status"]), (&committed["txId"], &json!("VALID")), "{scenario}");
        if scenario == "filtered-block-events" {
            let [event] = last["events"].as_array().expect("events").as_slice() else { panic!("one event: {last}") };
            assert_eq!((&event["name"], &event["payloadBytes"]), (&json!("CreateAsset"), &json!(0)));
        }
    }
    windlass.stop();
}

#[test]
fn lets_the_client_verify_the_chain() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    for number in 0..5 {
        gateway.submit(create(&format!("asset{number}")));
    }
    let info = &gateway.run("chain-info", json!({}))[0];
    assert_eq!(info["height"], 8);
    let verified = &gateway.run("verify-chain", json!({}))[0];
    assert_eq!((&verified["blocks"], &verified["problems"]), (&json!(8), &json!([])), "{verified}");
    windlass.stop();
}
