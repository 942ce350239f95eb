//! Evaluate, submit, commit status, errors, conflicts, offline signing.

use serde_json::{Value, json};

use super::connect;
use crate::support::{gateway::Gateway, parts, place::Place};

fn create(id: &str) -> Value {
    json!({ "function": "CreateAsset", "args": [id, "blue", "5", "Ada", "300"] })
}

#[test]
fn evaluates_and_submits() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    assert_eq!(gateway.submit(json!({ "function": "InitLedger", "args": [] })), "");
    let created: Value = serde_json::from_str(&gateway.submit(create("asset7"))).expect("JSON");
    assert_eq!((created["ID"].as_str(), created["Owner"].as_str()), (Some("asset7"), Some("Ada")));
    let all: Value =
        serde_json::from_str(&gateway.evaluate(json!({ "function": "GetAllAssets", "args": [] }))).expect("JSON");
    assert_eq!(all.as_array().map(Vec::len), Some(7));
    let only_endorsed = &gateway.run("endorse-only", create("asset8"))[0];
    assert_eq!(only_endorsed["txId"].as_str().map(str::len), Some(64));
    assert_eq!(gateway.evaluate(json!({ "function": "AssetExists", "args": ["asset8"] })), "false");
    let by_organization = json!({ "function": "AssetExists", "args": ["asset7"], "organizations": ["Org1MSP"] });
    assert_eq!(gateway.evaluate(by_organization), "true");
    gateway.submit(json!({ "function": "Put", "args": ["k", "v"], "organizations": ["Org1MSP"], "user": "Admin" }));
    assert_eq!(gateway.evaluate(json!({ "function": "Get", "args": ["k"] })), "v");
    windlass.stop();
}

#[test]
fn tells_the_commit_status() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    let lines = gateway.run("submit-async", create("asset1"));
    let [submitted, committed] = lines.as_slice() else { panic!("two lines: {lines:?}") };
    assert_eq!(submitted["step"], "submitted");
    assert!(submitted["result"].as_str().is_some_and(|result| result.contains("asset1")));
    assert_eq!(
        (&committed["status"], &committed["code"], &committed["successful"]),
        (&json!("VALID"), &json!(0), &json!(true))
    );
    assert_eq!(committed["txId"], submitted["txId"]);
    assert_eq!(committed["blockNumber"], 3, "genesis, approve, commit, this one");
    windlass.stop();
}

#[test]
fn explains_why_a_call_failed() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    let missing = json!({ "function": "ReadAsset", "args": ["nothing"] });

    let error = gateway.fail("evaluate", missing.clone());
    assert_eq!(error["codeName"], "UNKNOWN");
    let text = "chaincode response 500, the asset nothing does not exist";
    assert_eq!(error["grpcMessage"], format!("evaluate call to endorser returned error: {text}"));
    let details = json!([{ "address": windlass.ready.peer.endpoint, "mspId": "Org1MSP", "message": text }]);
    assert_eq!(error["details"], details);

    let error = gateway.fail("submit", missing);
    assert_eq!((&error["type"], &error["codeName"]), (&json!("EndorseError"), &json!("ABORTED")));
    assert_eq!(error["grpcMessage"], "failed to endorse transaction, see attached details for more info");
    assert_eq!(error["details"], details);
    assert_eq!(error["txId"].as_str().map(str::len), Some(64));

    let unknown = json!({ "chaincode": "nowhere", "function": "Get", "args": ["k"] });
    let error = gateway.fail("evaluate", unknown.clone());
    assert_eq!(error["codeName"], "FAILED_PRECONDITION", "{error}");
    assert_eq!(error["grpcMessage"], "no peers available to evaluate chaincode nowhere in channel mychannel");
    let error = gateway.fail("submit", unknown);
    assert_eq!(error["codeName"], "FAILED_PRECONDITION", "{error}");
    let text = "no combination of peers can be derived which satisfy the endorsement policy: No metadata was found for chaincode nowhere in channel mychannel";
    assert_eq!(error["grpcMessage"], text);

    let error = gateway.fail("evaluate", json!({ "channel": "nochannel", "function": "Get", "args": ["k"] }));
    assert!(error["grpcMessage"].as_str().is_some_and(|text| text.contains("nochannel")), "{error}");
    windlass.stop();
}

#[test]
fn marks_the_second_of_two_conflicting_transactions() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().chaincode("shim", parts::go_program("go-shim")).start();
    let mut gateway = Gateway::connect(&windlass);
    let options = json!({ "function": "Swap", "args": ["k", "first"], "secondArgs": ["k", "second"] });
    let lines = gateway.run("conflict", options);
    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_str()).collect();
    assert_eq!(statuses, [Some("VALID"), Some("MVCC_READ_CONFLICT")]);
    assert_eq!(lines[1]["code"], 11);
    assert_eq!(gateway.evaluate(json!({ "function": "Get", "args": ["k"] })), "first");

    let error = gateway.fail("submit", json!({ "function": "Fail", "args": ["not today"] }));
    assert_eq!(error["details"][0]["message"], "chaincode response 500, not today");
    let transient = json!({ "function": "Transient", "args": [], "transient": { "secret": "hidden" } });
    assert_eq!(gateway.evaluate(transient), r#"{"secret":"hidden"}"#);
    windlass.stop();
}

#[test]
fn takes_a_transaction_only_once() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    let lines = gateway.run("submit-twice", create("asset1"));
    assert_eq!(lines[0]["status"], "VALID");
    let second = &lines[1];
    assert_eq!(second["second"], true, "{second}");
    // The status of a transaction ID is that of its first appearance.
    assert_eq!((&second["status"], &second["blockNumber"]), (&json!("VALID"), &lines[0]["blockNumber"]), "{second}");
    windlass.stop();
}

#[test]
fn works_for_clients_that_sign_elsewhere() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    let lines = gateway.run("offline", create("asset1"));
    let steps: Vec<_> = lines.iter().map(|line| (line["step"].as_str().unwrap_or_default(), &line["ok"])).collect();
    let yes = &json!(true);
    let expected = ["evaluated", "endorsed", "submitted", "committed", "event"].map(|step| (step, yes));
    assert_eq!(steps, expected, "{lines:?}");
    windlass.stop();
}
