//! The metadata of keys, and the capabilities that it needs.

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::{
    ChaincodeInput, GetState, GetStateMetadata, PutStateMetadata, StateMetadata, StateMetadataResult,
    chaincode_message::Type,
};

use super::{
    harness::{CHANNEL, Harness},
    memory::{Memory, channel_config},
};

fn get(key: &str) -> GetStateMetadata {
    GetStateMetadata { key: key.to_owned(), collection: String::new() }
}

fn put(key: &str, metakey: &str, value: &'static str) -> PutStateMetadata {
    let metadata = Some(StateMetadata { metakey: metakey.to_owned(), value: Bytes::from(value) });
    PutStateMetadata { key: key.to_owned(), collection: String::new(), metadata }
}

#[tokio::test]
async fn each_write_replaces_the_whole_metadata() {
    let (harness, mut wire) = Harness::serving().await;
    let executed = harness.call_on(Memory::with([]), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    assert_eq!(wire.get(&call, Type::GetStateMetadata, &get("k")).await, "");
    for metakey in ["first", "second"] {
        assert_eq!(wire.get(&call, Type::PutStateMetadata, &put("k", metakey, "p")).await, "");
    }
    let result = wire.get(&call, Type::GetStateMetadata, &get("k")).await;
    let entries = StateMetadataResult::decode(result).expect("a result").entries;
    assert_eq!(entries, [StateMetadata { metakey: "second".into(), value: Bytes::from("p") }]);
    executed.abort();
}

#[tokio::test]
async fn channels_without_the_capability_refuse() {
    let (harness, mut wire) = Harness::serving().await;
    let _executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    let set =
        |names: &[&str]| harness.channels.configs.lock().insert(CHANNEL.to_owned(), channel_config(CHANNEL, names));
    let purge = GetState { key: "k".into(), collection: "c".into() };

    set(&["V1_2"]);
    let disabled = "key level endorsement is not enabled, channel application capability of V1_3 or later is required";
    assert_eq!(wire.refused(&call, Type::GetStateMetadata, &get("k")).await, disabled);
    assert_eq!(wire.refused(&call, Type::PutStateMetadata, &put("k", "m", "v")).await, disabled);

    set(&["V1_3"]);
    wire.get(&call, Type::GetStateMetadata, &get("k")).await;
    let disabled = "purge private data is not enabled, channel application capability of V2_5 or later is required";
    assert_eq!(wire.refused(&call, Type::PurgePrivateData, &purge).await, disabled);

    harness.channels.configs.lock().clear();
    let none = "application config does not exist for ch";
    assert_eq!(wire.refused(&call, Type::GetStateMetadata, &get("k")).await, none);
    assert_eq!(wire.refused(&call, Type::PurgePrivateData, &purge).await, none);
}
