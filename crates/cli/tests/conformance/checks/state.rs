//! Single keys: values, sizes, batches, policies.

use serde_json::json;

use crate::{
    network::{Case, Manner},
    support::refusal::Refusal,
};

pub(super) async fn writes_reads_and_deletes(case: &Case) {
    case.put(&["Put", "k", "v1"]).await;
    assert_eq!(case.text(&["Get", "k"]).await, "v1");
    let both = case.json(&["ReadAfterWrite", "k", "v2"]).await;
    assert_eq!(both, json!({ "before": "v1", "after": "v1" }), "a transaction does not see its own writes");
    case.put(&["ReadAfterWrite", "k", "v2"]).await;
    assert_eq!(case.text(&["Get", "k"]).await, "v2");
    case.put(&["Delete", "k"]).await;
    assert_eq!(case.error(&["Get", "k"]).await, "the key k does not exist");
    case.put(&["Put", "empty", ""]).await;
    assert_eq!(case.error(&["Get", "empty"]).await, "the key empty does not exist", "a value of no bytes is as none");
}

/// Keys are text of any characters, and sort by their bytes in UTF-8, not as strings of 16-bit units do.
// Fabric: chaincode-protocol trap 13
pub(super) async fn keeps_keys_with_any_character(case: &Case) {
    let keys = ["any", "any\0", "any\0\0b", "any\u{1}", "any ключ", "any\u{ffff}", "any😀", "any\u{10ffff}"];
    for key in keys {
        case.put(&["Put", key, key]).await;
    }
    case.put(&["Put", "\0leading", "composite to the eye"]).await;
    for key in keys {
        assert_eq!(case.text(&["Get", key]).await, key);
    }
    assert_eq!(case.text(&["Get", "\0leading"]).await, "composite to the eye");
    let mut sorted = keys;
    sorted.sort_unstable();
    let rows = case.json(&["Range", "any", "anz"]).await;
    let found: Vec<_> = rows.as_array().expect("rows").iter().filter_map(|row| row["key"].as_str()).collect();
    assert_eq!(found, sorted);
    let rows = case.json(&["Range", "any\0", "any\u{1}"]).await;
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "bounds may hold any character, too");
}

pub(super) async fn carries_big_values(case: &Case) {
    const SIZE: usize = 20 << 20;
    let limit = match case.manner {
        Manner::Launched => SIZE,
        Manner::Server(_) => case.library.largest_message_to_server(),
    };
    // What goes to the chaincode has something around it.
    let received = SIZE.min(limit - (64 << 10));
    case.put(&["PutBig", "big", &received.to_string()]).await;
    for (args, size) in [(["Get", "big"], received), (["BigAnswer", &SIZE.to_string()], SIZE)] {
        let value = case.client.query(case.name, &args).await.unwrap_or_else(|refusal| panic!("{args:?}: {refusal}"));
        assert!(value.len() == size && value.iter().all(|byte| *byte == b'x'), "{args:?}");
    }
    // The other way, twice: an argument comes in the proposal, too.
    let argument = "y".repeat(received / 2 - (64 << 10));
    assert_eq!(case.text(&["Noop", &argument]).await, "");
    // Writing is not limited, for it goes to the peer.
    case.client.query(case.name, &["PutBig", "bigger", &SIZE.to_string()]).await.expect("an endorsement");
}

/// In batches where the library has them, else one by one; the outcome is the same.
pub(super) async fn writes_batches(case: &Case) {
    case.put(&["PutBatch", "batch", "250", "w"]).await;
    assert_eq!(case.text(&["RangeCount", "batch", "batch~"]).await, "250");
    let several = case.json(&["GetMultiple", "batch00000", "absent", "batch00249"]).await;
    assert_eq!(several, json!(["w", null, "w"]));
    let keys: Vec<_> = (0..250).map(|number| format!("batch{number:05}")).collect();
    let all: Vec<_> = ["GetMultiple"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    assert_eq!(case.json(&all).await, json!(vec!["w"; 250]));
    case.put(&["MixedBatch", "mixed-"]).await;
    assert_eq!(case.text(&["Get", "mixed-kept"]).await, "second");
    assert_eq!(case.error(&["Get", "mixed-gone"]).await, "the key mixed-gone does not exist");
    assert_eq!(case.json(&["GetKeyPolicy", "mixed-kept"]).await, json!(["Org1MSP"]));
}

pub(super) async fn holds_keys_to_policies(case: &Case) {
    assert_eq!(case.text(&["GetKeyPolicy", "held"]).await, "");
    case.put(&["PutWithMetadata", "held", "v", "Org1MSP"]).await;
    assert_eq!(case.json(&["GetKeyPolicy", "held"]).await, json!(["Org1MSP"]));
    case.put(&["Put", "held", "by Org1"]).await;
    // An organization without a peer here can never agree.
    case.put(&["SetKeyPolicy", "held", "Org2MSP"]).await;
    let refusal = case.client.submit(case.name, &["Put", "held", "again"]).await.expect_err("Org2 has to agree");
    match refusal {
        Refusal::Invalid(code) => assert_eq!(code.as_str_name(), "ENDORSEMENT_POLICY_FAILURE"),
        Refusal::Status { code, .. } => assert_eq!(code, tonic::Code::FailedPrecondition),
        other => panic!("{other}"),
    }
    assert_eq!(case.text(&["Get", "held"]).await, "by Org1");
}
