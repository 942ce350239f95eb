//! Any messages in any order on a stream that is ready.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message;
use tokio::time::timeout;
use windlass_proto::{
    Bytes,
    protos::{
        ChaincodeId, ChaincodeInput, ChaincodeMessage, ChaincodeSpec, GetState, GetStateByRange, QueryMetadata,
        QueryStateNext, WriteBatchState, WriteRecord, chaincode_message::Type,
    },
};

use super::{
    harness::{CHANNEL, Harness, ok},
    memory::Memory,
    wire::{text, until},
};

/// The transaction that executes meanwhile, and others.
const TRANSACTIONS: [&str; 4] = ["tx", "tx", "over", ""];

fn payload() -> impl Strategy<Value = Bytes> {
    let some_text = || select(vec!["", "k0001", "\u{0}a\u{0}", "zz", "cc", "other/elsewhere", "qscc"]);
    let encoded = |message: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        message(&mut bytes);
        Bytes::from(bytes)
    };
    prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(Bytes::from),
        (some_text(), some_text()).prop_map(move |(key, collection)| {
            let get = GetState { key: key.to_owned(), collection: collection.to_owned() };
            encoded(&|bytes| get.encode(bytes).expect("room"))
        }),
        (some_text(), some_text(), any::<i32>()).prop_map(move |(start, end, page_size)| {
            let metadata = QueryMetadata { page_size, bookmark: end.to_owned() }.encode_to_vec().into();
            let range = GetStateByRange {
                start_key: start.to_owned(),
                end_key: end.to_owned(),
                metadata,
                ..Default::default()
            };
            encoded(&|bytes| range.encode(bytes).expect("room"))
        }),
        some_text().prop_map(move |id| {
            let next = QueryStateNext { id: id.to_owned() };
            encoded(&|bytes| next.encode(bytes).expect("room"))
        }),
        (some_text(), any::<i32>()).prop_map(move |(key, r#type)| {
            let record = WriteRecord { key: key.to_owned(), r#type, ..Default::default() };
            let batch = WriteBatchState { rec: vec![record.clone(), record] };
            encoded(&|bytes| batch.encode(bytes).expect("room"))
        }),
        (option::of(some_text()), vec(some_text(), 0..3)).prop_map(move |(name, args)| {
            let spec = ChaincodeSpec {
                chaincode_id: name.map(|name| ChaincodeId { name: name.to_owned(), ..Default::default() }),
                input: Some(ChaincodeInput {
                    args: args.into_iter().map(|arg| Bytes::from(arg.as_bytes())).collect(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            encoded(&|bytes| spec.encode(bytes).expect("room"))
        }),
    ]
}

fn message() -> impl Strategy<Value = ChaincodeMessage> {
    // What ends the transaction or the stream is rarer, so that there is more to see before that.
    let kind = prop_oneof![
        12 => select((8..=25).filter(|kind| *kind != Type::Response as i32).collect::<Vec<_>>()),
        1 => -1..30i32,
    ];
    let channel = prop_oneof![4 => Just(CHANNEL.to_owned()), 1 => "[a-z]{0,3}"];
    (kind, payload(), select(TRANSACTIONS.to_vec()), channel).prop_map(|(r#type, payload, txid, channel_id)| {
        ChaincodeMessage { r#type, payload, txid: txid.to_owned(), channel_id, ..Default::default() }
    })
}

/// Pours the messages on a stream while a transaction executes on it.
async fn pour(soup: Vec<ChaincodeMessage>) {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::numbered(250);
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    for message in soup {
        wire.send_message(message).await;
    }
    wire.complete(&call, &ok("")).await;
    let outcome = timeout(Duration::from_secs(10), executed).await.expect("an end").expect("no panic");

    // Asked on a stream that goes on, this is answered.
    let marker = ChaincodeMessage { txid: String::from("marker"), ..call };
    wire.reply(&marker, Type::GetState, "").await;
    let mut goes_on = false;
    while let Some(answer) = wire.try_next().await {
        let said = text(&answer);
        // What cannot be served because it names no chaincode has this text in Fabric, too.
        assert!(!said.contains("panic during execution") || said.starts_with("INVOKE_CHAINCODE"), "{said}");
        if answer.txid == marker.txid {
            goes_on = true;
            break;
        }
    }
    let status = || harness.engine.status().into_iter().find(|status| status.id == "cc:1").expect("a chaincode");
    if !goes_on {
        until("the peer knows that the stream has ended", || status().streams == 0).await;
        let cause = status().last_error.unwrap_or_default();
        assert!(cause.contains("Fabric side handler cannot handle message"), "{cause}");
        if let Err(error) = &outcome {
            let error = error.to_string();
            let is_named = error.contains("cannot handle message") && error.ends_with("chaincode stream terminated");
            assert!(is_named || !error.contains("stream"), "{error}");
        }
    }
    assert_eq!((status().executions, status().iterators, *ledger.open.lock()), (0, 0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_messages_leave_a_stream_working_or_end_it_with_a_cause(soup in vec(message(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an executor");
        runtime.block_on(pour(soup));
    }
}
