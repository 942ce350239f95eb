//! Chaincode to chaincode, many transactions at once, and panics.

use serde_json::{Value, json};

use crate::{
    contracts::Panic,
    network::{Case, Manner},
};

pub(super) async fn calls_other_chaincode(case: &Case) {
    // Both write, each in its own namespace, in one transaction.
    let key = format!("called by {}", case.name);
    case.put(&["PutThenCall", &key, "the caller's", case.other, "", "Put", &key, "the callee's"]).await;
    assert_eq!(case.text(&["Get", &key]).await, "the caller's");
    assert_eq!(case.client.text(case.other, &["Get", &key]).await, "the callee's");
    let called = case.json(&["Call", case.other, "", "Get", &key]).await;
    assert_eq!(called, json!({ "status": 200, "message": "", "payload": "the callee's" }));
    let channel = case.client.channel.as_str();
    let called = case.json(&["Call", case.other, channel, "Get", &key]).await;
    assert_eq!(called["payload"], "the callee's", "this channel by its name");

    // An ERROR of the callee reaches the caller as the failure of its request.
    if !case.library.reports_500_as_error() {
        let failed = case.json(&["Call", case.other, "", "Fail", "no"]).await;
        assert_eq!((failed["status"].as_i64(), failed["message"].as_str()), (Some(500), Some("no")));
    }
    let unknown = refused_call(case, &["Call", "nowhere", "", "Noop"]).await;
    case.assert_refusal(&unknown, "INVOKE_CHAINCODE failed: transaction ID: ", "chaincode nowhere not found");
    let elsewhere = refused_call(case, &["Call", case.other, "nochannel", "Noop"]).await;
    case.assert_refusal(&elsewhere, "INVOKE_CHAINCODE failed: transaction ID: ", "");
}

/// The transaction runs on this stream already.
// Fabric: chaincode-protocol trap 12
pub(super) async fn may_not_call_itself(case: &Case) {
    let again = refused_call(case, &["Call", case.name, "", "Noop"]).await;
    case.assert_refusal(&again, "INVOKE_CHAINCODE failed: transaction ID: ", "(mychannel) exists");
    // Nor through another.
    let through = refused_call(case, &["Call", case.other, "", "Call", case.name, "", "Noop"]).await;
    case.assert_refusal(&through, "INVOKE_CHAINCODE failed: transaction ID: ", "(mychannel) exists");
}

/// What the peer says of a call that it refuses. The Go library makes a response of it, others an error.
async fn refused_call(case: &Case, args: &[&str]) -> String {
    match case.client.query(case.name, args).await {
        Ok(answer) => {
            let answer = serde_json::from_slice(&answer).expect("JSON");
            said_by(&answer)
        }
        Err(refusal) => case.said(refusal.text()),
    }
}

/// The text of a response inside a response.
fn said_by(answer: &Value) -> String {
    let payload = answer["payload"].as_str().unwrap_or_default();
    match serde_json::from_str(payload) {
        Ok(inner @ Value::Object(_)) => said_by(&inner),
        _ => format!("{}{payload}", answer["message"].as_str().unwrap_or_default()),
    }
}

pub(super) async fn runs_many_transactions_at_once(case: &Case) {
    let transactions = (0..40).map(|number| {
        let case = case.clone();
        tokio::spawn(async move {
            let (key, value) = (format!("once{number}"), format!("value{number}"));
            case.put(&["PutWithEvent", &key, &value, "put", &value]).await;
            assert_eq!(case.text(&["Get", &key]).await, value);
        })
    });
    futures::future::try_join_all(transactions).await.expect("all of them");
    assert_eq!(case.text(&["RangeCount", "once", "once~"]).await, "40");
}

pub(super) async fn survives_a_panic(case: &Case) {
    match case.library.panic() {
        Panic::Says(text) => {
            let refusal = case.error(&["Panic"]).await;
            assert!(refusal.contains(text), "{refusal}");
        }
        Panic::IsNotAnswered => {
            let refusal = case.error(&["Panic"]).await;
            assert!(refusal.ends_with("error sending: timeout expired while executing transaction"), "{refusal}");
        }
        // Nobody here starts a server again.
        Panic::EndsTheProcess if case.manner != Manner::Launched => return,
        Panic::EndsTheProcess => {
            let refusal = case.error(&["Panic"]).await;
            assert!(refusal.ends_with("error sending: chaincode stream terminated"), "{refusal}");
        }
    }
    case.put(&["Put", "after", "the panic"]).await;
    assert_eq!(case.text(&["Get", "after"]).await, "the panic");
}
