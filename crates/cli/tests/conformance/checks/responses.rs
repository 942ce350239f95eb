//! What a transaction knows and says: its proposal, Init, events, responses.

use prost::Message;
use serde_json::json;
use windlass_proto::{
    envelope::{Call, unpack_response_payload},
    protos::ChaincodeEvent,
};

use crate::network::{Case, INIT};

pub(super) async fn knows_its_transaction(case: &Case) {
    let (proposal, id) = case.client.sign(&case.client.call(case.name, &["Describe", "a", "", "ключ"]));
    let answer = case.client.endorse(proposal).await.expect("an answer").response.expect("a response");
    assert_eq!(answer.status, 200, "{}", answer.message);
    let described: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!((&described["txId"], &described["channel"]), (&json!(id), &json!("mychannel")));
    assert_eq!(described["parameters"], json!(["a", "", "ключ"]));
    assert_eq!(described["mspId"], "Org1MSP");
    assert_eq!(described["certificate"], case.client.identity.certificate_pem());
    assert_eq!(described["binding"].as_str().map(str::len), Some(64));
    assert_eq!(described["localMspId"], "Org1MSP");
    let mut call = case.client.call(case.name, &["Transient"]);
    call.transient = [("secret".to_owned(), "hidden".into()), ("other".to_owned(), "one".into())].into();
    let transient = case.client.propose(&call).await.expect("an answer").payload;
    let transient: serde_json::Value = serde_json::from_slice(&transient).expect("JSON");
    assert_eq!(transient, json!({ "secret": "hidden", "other": "one" }));
}

/// `windlass dev` has called Init.
pub(super) async fn was_initialised_once(case: &Case) {
    let expected: serde_json::Value = serde_json::from_str(INIT).expect("JSON");
    assert_eq!(case.json(&["Get", "init"]).await, expected);
    let again = Call { is_init: true, ..case.client.call(case.name, &["Init"]) };
    let refusal = case.client.propose(&again).await.expect_err("it is initialised").text();
    let end = format!("chaincode '{}' is already initialized but called as init", case.name);
    assert!(refusal.ends_with(&end), "{refusal}");
}

pub(super) async fn sets_events(case: &Case) {
    let (proposal, id) = case.client.sign(&case.client.call(case.name, &["PutWithEvent", "k", "v", "put", "payload"]));
    let answer = case.client.endorse(proposal).await.expect("an answer");
    let action = unpack_response_payload(&answer.payload).expect("a payload").1;
    let event = ChaincodeEvent::decode(action.events).expect("an event");
    let expected = ChaincodeEvent {
        chaincode_id: case.name.to_owned(),
        tx_id: id,
        event_name: "put".to_owned(),
        payload: "payload".into(),
    };
    assert_eq!(event, expected);
    assert_eq!(case.error(&["EventThenErr", "put", "payload"]).await, "failed after setting an event");
}

pub(super) async fn answers_with_any_status(case: &Case) {
    for (status, endorsed) in
        [(200, true), (201, true), (399, true), (400, false), (404, false), (500, false), (599, false)]
    {
        if !case.library.takes_any_status() && ![200, 400, 500].contains(&status) {
            let refusal = case.error(&["Status", &status.to_string(), "said so"]).await;
            assert!(refusal.contains("java.lang.NullPointerException"), "{refusal}");
            continue;
        }
        let (proposal, _) = case.client.sign(&case.client.call(case.name, &["Status", &status.to_string(), "said so"]));
        let answer = case.client.endorse(proposal).await.expect("an answer");
        let response = answer.response.expect("a response");
        if status >= 500 && case.library.reports_500_as_error() {
            let message = "error in simulation: transaction returned with failure: said so";
            assert_eq!((response.status, response.message.as_str()), (500, message));
            assert!(response.payload.is_empty() && answer.payload.is_empty() && answer.endorsement.is_none());
            continue;
        }
        assert_eq!((response.status, response.message.as_str()), (status, "said so"));
        assert_eq!(response.payload, format!("payload of {status}"));
        assert_eq!(answer.endorsement.is_some(), endorsed, "{status}");
        // Fabric: endorsement-and-gateway §2
        assert_eq!(answer.payload.is_empty(), (400..500).contains(&status), "{status}");
    }
    let refusal = case.client.submit(case.name, &["Status", "400", "not here"]).await.expect_err("not endorsed");
    assert!(refusal.to_string().contains("chaincode response 400, not here"), "{refusal}");
    assert_eq!(case.error(&["Fail", "said so"]).await, "said so");
    assert_eq!(case.error(&["Nothing"]).await, "no function \"Nothing\"");
}
