//! Reading and writing state.

use bytes::Bytes;
use prost::Message;
use tokio::task::JoinHandle;
use windlass_proto::protos::{
    ChaincodeInput, ChaincodeMessage, DelState, GetState, GetStateMultiple, GetStateMultipleResult, PutState,
    PutStateMetadata, StateMetadata, WriteBatchState, WriteRecord, chaincode_message::Type, write_record,
};

use super::{
    harness::{CHANNEL, Harness, ok},
    memory::Memory,
    wire::{Wire, text},
};
use crate::engine::{ExecuteError, Executed};

fn get(key: &str) -> GetState {
    GetState { key: key.to_owned(), collection: String::new() }
}

fn private(key: &str) -> GetState {
    GetState { key: key.to_owned(), collection: String::from("secret") }
}

fn put(key: &str, value: &'static str) -> PutState {
    PutState { key: key.to_owned(), value: Bytes::from(value), collection: String::new() }
}

async fn finish(mut wire: Wire, call: ChaincodeMessage, executed: JoinHandle<Result<Executed, ExecuteError>>) {
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn reads_and_writes_its_own_namespace() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::with([("cc", "k", "v"), ("other", "k", "not this"), ("cc", "\u{0}c\u{0}", "composite")]);
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    assert_eq!(wire.get(&call, Type::GetState, &get("k")).await, "v");
    assert_eq!(wire.get(&call, Type::GetState, &get("\u{0}c\u{0}")).await, "composite");
    assert_eq!(wire.get(&call, Type::GetState, &get("absent")).await, "");
    assert_eq!(wire.get(&call, Type::PutState, &put("new", "n")).await, "");
    // Its own writes stay unseen.
    assert_eq!(wire.get(&call, Type::GetState, &get("new")).await, "");
    assert_eq!(wire.get(&call, Type::PutState, &put("k", "")).await, "");
    assert_eq!(wire.get(&call, Type::DelState, &DelState { key: "x".into(), ..Default::default() }).await, "");
    let keys = ["absent", "k"].map(String::from).to_vec();
    let values = wire.get(&call, Type::GetStateMultiple, &GetStateMultiple { keys, ..Default::default() }).await;
    let values = GetStateMultipleResult::decode(values).expect("a result").values;
    assert_eq!(values, [Bytes::new(), Bytes::from("v")]);
    let write = |key: &str, value: Option<&'static str>| (String::from("cc"), key.to_owned(), value.map(Bytes::from));
    assert_eq!(*ledger.writes.lock(), [write("new", Some("n")), write("k", None), write("x", None)]);
    assert!(harness.metrics.has("received GET_STATE ch cc:1"));
    assert!(harness.metrics.has("completed GET_STATE ch cc:1 true"));
    // A channel that the chaincode made up is not counted by its name.
    let made_up = ChaincodeMessage { channel_id: String::from("nowhere"), ..call.clone() };
    assert_eq!(wire.refused(&made_up, Type::GetState, &get("k")).await, "no ledger context");
    assert!(harness.metrics.has("completed GET_STATE  cc:1 false"));
    finish(wire, call, executed).await;
}

#[tokio::test]
async fn refusals_have_their_exact_texts() {
    let (harness, mut wire) = Harness::serving().await;
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    let unknown = "collection ch/cc/secret could not be found";
    let defined = "collection ch/cc/defined is defined, but chaincode cannot use private data here: this version keeps \
                   the definitions of collections only";
    let own = GetState { key: String::from("k"), collection: String::from("defined") };
    let key = String::from("k");
    let collection = String::from("secret");
    for (kind, request, expected) in [
        (Type::GetState, get("broken").encode_to_vec(), "the ledger is broken"),
        (Type::GetState, get("panic").encode_to_vec(), "panic during execution"),
        (Type::GetState, private("k").encode_to_vec(), unknown),
        (Type::GetState, own.encode_to_vec(), defined),
        (Type::GetPrivateDataHash, own.encode_to_vec(), defined),
        (Type::DelState, private("k").encode_to_vec(), unknown),
        (Type::PurgePrivateData, private("k").encode_to_vec(), unknown),
        (Type::PurgePrivateData, get("k").encode_to_vec(), "only applicable for private data"),
        (
            Type::GetPrivateDataHash,
            private("k").encode_to_vec(),
            "collection config not defined for chaincode [cc], pass the collection configuration upon chaincode \
             definition/instantiation",
        ),
        (
            Type::PutState,
            PutState { key: key.clone(), collection: collection.clone(), ..Default::default() }.encode_to_vec(),
            unknown,
        ),
        (
            Type::GetStateMultiple,
            GetStateMultiple { collection: collection.clone(), ..Default::default() }.encode_to_vec(),
            unknown,
        ),
        (Type::GetStateMetadata, private("k").encode_to_vec(), unknown),
        (Type::PutStateMetadata, PutStateMetadata { key, collection, metadata: None }.encode_to_vec(), unknown),
    ] {
        wire.reply(&call, kind, request).await;
        let answer = wire.next().await;
        assert_eq!(answer.r#type, Type::Error as i32);
        assert_eq!(text(&answer), format!("{} failed: transaction ID: tx: {expected}", kind.as_str_name()));
    }
    for kind in [
        Type::GetState,
        Type::PutState,
        Type::DelState,
        Type::GetStateMultiple,
        Type::GetStateByRange,
        Type::GetQueryResult,
        Type::GetHistoryForKey,
        Type::QueryStateNext,
        Type::QueryStateClose,
        Type::GetStateMetadata,
        Type::PutStateMetadata,
        Type::GetPrivateDataHash,
        Type::PurgePrivateData,
        Type::WriteBatchState,
        Type::InvokeChaincode,
    ] {
        wire.reply(&call, kind, vec![0xff]).await;
        let answer = text(&wire.next().await);
        let prefix = format!("{} failed: transaction ID: tx: unmarshal failed: ", kind.as_str_name());
        assert!(answer.starts_with(&prefix), "{answer}");
    }
    finish(wire, call, executed).await;
}

#[tokio::test]
async fn init_may_not_touch_private_data() {
    let (harness, mut wire) = Harness::serving().await;
    harness.definitions.define_with_init(CHANNEL, "fresh", "cc:1");
    let input = ChaincodeInput { is_init: true, ..Default::default() };
    let executed = harness.call_on(Memory::with([]), "fresh", "tx", input);
    let call = wire.call(Type::Init).await;
    for kind in [Type::GetState, Type::DelState, Type::GetPrivateDataHash, Type::PurgePrivateData] {
        let refusal = wire.refused(&call, kind, &private("k")).await;
        assert_eq!(refusal, "private data APIs are not allowed in chaincode Init()");
    }
    assert_eq!(wire.get(&call, Type::GetState, &get("k")).await, "");
    finish(wire, call, executed).await;
}

#[tokio::test]
async fn a_batch_is_written_in_order_until_something_fails() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::with([]);
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let record = |kind: write_record::Type, key: &str, value: &'static str| WriteRecord {
        key: key.to_owned(),
        value: Bytes::from(value),
        r#type: kind as i32,
        ..Default::default()
    };
    let metadata = WriteRecord {
        metadata: Some(StateMetadata { metakey: "VALIDATION_PARAMETER".into(), value: Bytes::from("p") }),
        ..record(write_record::Type::PutStateMetadata, "a", "")
    };
    let rec = vec![
        record(write_record::Type::PutState, "a", "1"),
        metadata,
        record(write_record::Type::DelState, "b", ""),
        record(write_record::Type::PutState, "a", "2"),
    ];
    assert_eq!(wire.get(&call, Type::WriteBatchState, &WriteBatchState { rec }).await, "");
    let write = |key: &str, value: Option<&'static str>| (String::from("cc"), key.to_owned(), value.map(Bytes::from));
    assert_eq!(*ledger.writes.lock(), [write("a", Some("1")), write("b", None), write("a", Some("2"))]);
    assert_eq!(ledger.metadata.lock().len(), 1);

    let rec = vec![
        record(write_record::Type::PutState, "c", "3"),
        record(write_record::Type::Undefined, "d", "4"),
        record(write_record::Type::PutState, "e", "5"),
    ];
    let refusal = wire.refused(&call, Type::WriteBatchState, &WriteBatchState { rec }).await;
    assert_eq!(refusal, "unknown operation type");
    assert_eq!(ledger.writes.lock().len(), 4);
    let rec = vec![record(write_record::Type::PurgePrivateData, "c", "")];
    let refusal = wire.refused(&call, Type::WriteBatchState, &WriteBatchState { rec }).await;
    assert_eq!(refusal, "only applicable for private data");
    finish(wire, call, executed).await;
}

#[tokio::test]
async fn a_request_behind_an_unanswered_one_is_dropped() {
    let (harness, mut wire) = Harness::serving().await;
    harness.engine.register(std::sync::Arc::new(super::harness::Echo("echo")));
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    let spec = super::calls::spec("echo", &["sleep"]);
    wire.reply(&call, Type::InvokeChaincode, spec.encode_to_vec()).await;
    wire.reply(&call, Type::GetState, get("k").encode_to_vec()).await;
    let answer = wire.next().await;
    assert!(text(&answer).contains("echo|ch|cc|sleep"));
    wire.hears_nothing().await;
    finish(wire, call, executed).await;
}
