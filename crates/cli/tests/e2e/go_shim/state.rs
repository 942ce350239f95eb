//! Single keys: values, batches, sizes, policies.

use serde_json::json;

use super::serve;
use crate::support::{chain, place::Place, refusal::Refusal};

#[tokio::test(flavor = "multi_thread")]
async fn writes_reads_and_deletes() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    client.submit("shim", &["Put", "k", "v1"]).await.expect("a transaction");
    assert_eq!(client.text("shim", &["Get", "k"]).await, "v1");
    let swapped = client.submit("shim", &["Swap", "k", "v2"]).await.expect("a transaction");
    assert_eq!(swapped.response.payload, "v1");
    let both = client.json("shim", &["ReadAfterWrite", "k", "v3"]).await;
    assert_eq!(both, json!({ "before": "v2", "after": "v2" }), "a transaction does not see its own writes");
    client.submit("shim", &["Delete", "k"]).await.expect("a transaction");
    assert_eq!(client.error("shim", &["Get", "k"]).await, "the key k does not exist");
    client.submit("shim", &["Put", "unicode ключ", "значение"]).await.expect("a transaction");
    assert_eq!(client.text("shim", &["Get", "unicode ключ"]).await, "значение");
    // A value of no bytes is as none.
    client.submit("shim", &["Put", "empty", ""]).await.expect("a transaction");
    assert_eq!(client.error("shim", &["Get", "empty"]).await, "the key empty does not exist");
    chain::verify_all(&client).await;
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_and_reads_many_keys_at_once() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    client.submit("shim", &["PutMany", "many", "250", "v"]).await.expect("a transaction");
    client.submit("shim", &["PutBatch", "batch", "2500", "w"]).await.expect("a transaction");
    assert_eq!(client.text("shim", &["RangeCount", "many", "many~"]).await, "250");
    assert_eq!(client.text("shim", &["RangeCount", "batch", "batch~"]).await, "2500");
    let several = client.json("shim", &["GetMultiple", "many00000", "absent", "batch02499"]).await;
    assert_eq!(several, json!(["v", null, "w"]));
    let keys: Vec<_> = (0..1200).map(|number| format!("batch{number:05}")).collect();
    let all: Vec<_> = ["GetMultiple".to_owned()].into_iter().chain(keys).collect();
    let values = client.json("shim", &all).await;
    assert_eq!(values.as_array().map(Vec::len), Some(1200));
    assert!(values.as_array().is_some_and(|values| values.iter().all(|value| value == "w")));

    client.submit("shim", &["MixedBatch", "mixed-"]).await.expect("a transaction");
    assert_eq!(client.text("shim", &["Get", "mixed-kept"]).await, "second");
    assert_eq!(client.error("shim", &["Get", "mixed-gone"]).await, "the key mixed-gone does not exist");
    assert_eq!(client.json("shim", &["GetKeyPolicy", "mixed-kept"]).await, json!(["Org1MSP"]));
    chain::verify_all(&client).await;
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn carries_values_of_many_megabytes() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    const SIZE: usize = 8 << 20;
    client.submit("shim", &["PutBig", "big", &SIZE.to_string()]).await.expect("a transaction");
    let value = client.query("shim", &["Get", "big"]).await.expect("the value");
    assert!(value.len() == SIZE && value.iter().all(|byte| *byte == b'x'));
    let answer = client.query("shim", &["BigAnswer", &(40 << 20).to_string()]).await.expect("an answer");
    assert_eq!(answer.len(), 40 << 20);
    let argument = "y".repeat(4 << 20);
    client.submit("shim", &["Put", "argument", &argument]).await.expect("a transaction");
    assert_eq!(client.text("shim", &["Get", "argument"]).await, argument);
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_keys_to_their_own_policies() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    assert_eq!(client.query("shim", &["GetKeyPolicy", "k"]).await.expect("nothing"), "");
    client.submit("shim", &["PutWithMetadata", "k", "v", "Org1MSP"]).await.expect("a transaction");
    assert_eq!(client.json("shim", &["GetKeyPolicy", "k"]).await, json!(["Org1MSP"]));
    client.submit("shim", &["Put", "k", "by Org1"]).await.expect("Org1 may");

    // An organization without a peer here can never agree.
    client.submit("shim", &["SetKeyPolicy", "k", "Org2MSP"]).await.expect("Org1 may still");
    let refusal = client.submit("shim", &["Put", "k", "again"]).await.expect_err("Org2 has to agree");
    match refusal {
        Refusal::Invalid(code) => assert_eq!(code.as_str_name(), "ENDORSEMENT_POLICY_FAILURE"),
        Refusal::Status { code, .. } => assert_eq!(code, tonic::Code::FailedPrecondition),
        other => panic!("{other}"),
    }
    assert_eq!(client.text("shim", &["Get", "k"]).await, "by Org1");
    windlass.stop();
}
