//! What each function of the stub puts on the wire, and makes of the answer.

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    protos::{
        ChaincodeMessage, ChaincodeSpec, DelState, GetHistoryForKey, GetQueryResult, GetState, GetStateByRange,
        GetStateMetadata, GetStateMultiple, GetStateMultipleResult, PutState, PutStateMetadata, QueryMetadata,
        QueryResponse, QueryResponseMetadata, QueryResultBytes, QueryStateClose, QueryStateNext, StateMetadata,
        StateMetadataResult, WriteBatchState, chaincode_message::Type, write_record,
    },
    queryresult::{KeyModification, Kv},
};
use windlass_shim::{Chaincode, Error, KeyValue, Outcome, Response, Stub};

use crate::peer::{ALL_ABILITIES, NO_ABILITIES, Peer, Way, message};

/// One function for each thing that the stub can do; results as text.
struct Requests;

impl Chaincode for Requests {
    async fn invoke(&self, stub: &Stub) -> Outcome {
        let result = match stub.function() {
            "writes" => {
                stub.put("k", "v").await?;
                stub.delete("k").await?;
                stub.set_validation_parameter("k", "policy").await?;
                String::new()
            }
            "empty key" => return stub.put("", "v").await.map(|()| Response::ok("")),
            "policy" => format!("{:?}", stub.validation_parameter("k").await?),
            "multiple" => format!("{:?}", stub.get_multiple(&["a", "b", "c"]).await?),
            "many" => {
                let keys: Vec<_> = (0..250).map(|number| number.to_string()).collect();
                stub.get_multiple(&keys).await?.len().to_string()
            }
            "range" => texts(stub.range("", "z").await?.collect().await?),
            "close" => {
                let mut rows = stub.range("", "").await?;
                let first = rows.next().await?;
                rows.close().await?;
                texts(first.into_iter().collect())
            }
            "page" => {
                let page = stub.range_page("a", "b", 2, "from").await?;
                format!("{} next {}", texts(page.rows), page.bookmark)
            }
            "composite" => texts(stub.composite_range("type", &["a"]).await?.collect().await?),
            "composite in range" => texts(stub.range("\0type", "").await?.collect().await?),
            "query" => texts(stub.query("{}").await?.collect().await?),
            "history" => {
                let versions = stub.history("k").await?.collect().await?;
                let text = |version: &windlass_shim::Modification| {
                    format!("{} {:?} {}", version.tx_id, version.value, version.is_delete)
                };
                versions.iter().map(text).collect::<Vec<_>>().join(",")
            }
            "call" => {
                let response = stub.invoke_chaincode("other", ["f", "x"], stub.text(0)?).await?;
                format!("{} {} {:?}", response.status, response.message, response.payload)
            }
            "private" => {
                let private = stub.private("coll");
                private.put("k", "v").await?;
                private.delete("k").await?;
                private.purge("k").await?;
                private.set_validation_parameter("k", "policy").await?;
                format!(
                    "{:?} {:?} {:?} {}",
                    private.get("k").await?,
                    private.hash("k").await?,
                    private.get_multiple(&["a"]).await?,
                    texts(private.range("", "").await?.collect().await?)
                )
            }
            "no collection" => format!("{:?}", stub.private("").get("k").await?),
            "batch" => {
                stub.start_write_batch();
                stub.put("b", "1").await?;
                stub.put("a", "2").await?;
                stub.delete("b").await?;
                stub.private("coll").purge("p").await?;
                stub.set_validation_parameter("a", "policy").await?;
                // Reads go on, and see nothing of the batch.
                format!("{:?}", stub.get("a").await?)
            }
            other => return Err(format!("no function {other}").into()),
        };
        Ok(Response::ok(result))
    }
}

fn texts(rows: Vec<KeyValue>) -> String {
    rows.iter().map(|row| format!("{}={:?}", row.key, row.value)).collect::<Vec<_>>().join(",")
}

fn rows(keys: &[&str], has_more: bool) -> QueryResponse {
    let row = |key: &&str| {
        let kv = Kv { namespace: "sample".into(), key: (*key).to_owned(), value: "v".into() };
        QueryResultBytes { result_bytes: kv.encode_to_vec().into() }
    };
    QueryResponse { results: keys.iter().map(row).collect(), has_more, id: "iterator".into(), metadata: Bytes::new() }
}

async fn ready() -> Peer {
    Peer::ready(Way::PeerDials, Requests).await
}

#[tokio::test]
async fn writes_with_one_request_each() {
    let mut peer = ready().await;
    peer.transact("tx", &["writes"]).await;
    let (request, put) = peer.expect_request::<PutState>(Type::PutState).await;
    assert_eq!(put, PutState { key: "k".into(), value: "v".into(), collection: String::new() });
    peer.answer(&request, "").await;
    let (request, delete) = peer.expect_request::<DelState>(Type::DelState).await;
    assert_eq!(delete, DelState { key: "k".into(), collection: String::new() });
    peer.answer(&request, "").await;
    let (request, put) = peer.expect_request::<PutStateMetadata>(Type::PutStateMetadata).await;
    let metadata = StateMetadata { metakey: "VALIDATION_PARAMETER".into(), value: "policy".into() };
    assert_eq!(put, PutStateMetadata { key: "k".into(), collection: String::new(), metadata: Some(metadata) });
    peer.answer(&request, "").await;
    assert_eq!(peer.expect_response().await, Response::ok(""));
}

#[tokio::test]
async fn refuses_an_empty_key_and_an_empty_collection_without_asking() {
    let mut peer = ready().await;
    peer.transact("tx1", &["empty key"]).await;
    assert_eq!(peer.expect_response().await, Response::error(Error::EmptyKey.to_string()));
    peer.transact("tx2", &["no collection"]).await;
    assert_eq!(peer.expect_response().await, Response::error(Error::EmptyCollection.to_string()));
}

#[tokio::test]
async fn finds_the_policy_of_a_key_among_its_metadata() {
    let mut peer = ready().await;
    for (entries, expected) in
        [(vec![], "None"), (vec![("OTHER", "x"), ("VALIDATION_PARAMETER", "policy")], "Some(b\"policy\")")]
    {
        peer.transact("tx", &["policy"]).await;
        let (request, get) = peer.expect_request::<GetStateMetadata>(Type::GetStateMetadata).await;
        assert_eq!(get, GetStateMetadata { key: "k".into(), collection: String::new() });
        let entry = |(key, value): (&str, &'static str)| StateMetadata { metakey: key.into(), value: value.into() };
        let result = StateMetadataResult { entries: entries.into_iter().map(entry).collect() };
        peer.answer(&request, result.encode_to_vec()).await;
        assert_eq!(peer.expect_response().await, Response::ok(expected));
    }
}

#[tokio::test]
async fn reads_several_keys_at_once_where_the_peer_can() {
    let mut peer = ready().await;
    peer.transact("tx", &["multiple"]).await;
    let (request, get) = peer.expect_request::<GetStateMultiple>(Type::GetStateMultiple).await;
    assert_eq!(get.keys, ["a", "b", "c"]);
    let result = GetStateMultipleResult { values: vec!["1".into(), Bytes::new(), "3".into()] };
    peer.answer(&request, result.encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok("[Some(b\"1\"), None, Some(b\"3\")]"));
}

#[tokio::test]
async fn reads_several_keys_one_by_one_where_the_peer_cannot() {
    let mut peer = Peer::ready_with(Way::PeerDials, Requests, NO_ABILITIES).await;
    peer.transact("tx", &["multiple"]).await;
    for (key, value) in [("a", "1"), ("b", ""), ("c", "3")] {
        let (request, get) = peer.expect_request::<GetState>(Type::GetState).await;
        assert_eq!(get.key, key);
        peer.answer(&request, value).await;
    }
    assert_eq!(peer.expect_response().await, Response::ok("[Some(b\"1\"), None, Some(b\"3\")]"));
}

#[tokio::test]
async fn asks_for_no_more_keys_at_once_than_the_peer_takes() {
    // Less than 100 counts as 100.
    let abilities =
        windlass_proto::protos::ChaincodeAdditionalParams { max_size_get_multiple_keys: 7, ..ALL_ABILITIES };
    let mut peer = Peer::ready_with(Way::PeerDials, Requests, abilities).await;
    peer.transact("tx", &["many"]).await;
    for size in [100, 100, 50] {
        let (request, get) = peer.expect_request::<GetStateMultiple>(Type::GetStateMultiple).await;
        assert_eq!(get.keys.len(), size);
        let result = GetStateMultipleResult { values: vec!["v".into(); size] };
        peer.answer(&request, result.encode_to_vec()).await;
    }
    assert_eq!(peer.expect_response().await, Response::ok("250"));
}

#[tokio::test]
async fn fetches_the_rows_of_a_range_as_they_are_needed() {
    let mut peer = ready().await;
    peer.transact("tx", &["range"]).await;
    let (request, range) = peer.expect_request::<GetStateByRange>(Type::GetStateByRange).await;
    let expected = GetStateByRange { start_key: "\u{1}".into(), end_key: "z".into(), ..Default::default() };
    assert_eq!(range, expected);
    peer.answer(&request, rows(&["a", "b"], true).encode_to_vec()).await;
    let (request, next) = peer.expect_request::<QueryStateNext>(Type::QueryStateNext).await;
    assert_eq!(next.id, "iterator");
    peer.answer(&request, rows(&["c"], false).encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok("a=b\"v\",b=b\"v\",c=b\"v\""));
}

#[tokio::test]
async fn closes_an_iterator_that_has_more() {
    let mut peer = ready().await;
    peer.transact("tx1", &["close"]).await;
    let request = peer.expect(Type::GetStateByRange).await;
    peer.answer(&request, rows(&["a", "b"], true).encode_to_vec()).await;
    let (request, close) = peer.expect_request::<QueryStateClose>(Type::QueryStateClose).await;
    assert_eq!(close.id, "iterator");
    peer.answer(&request, rows(&[], false).encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok("a=b\"v\""));
    // One that the peer has closed already is not closed again.
    peer.transact("tx2", &["close"]).await;
    let request = peer.expect(Type::GetStateByRange).await;
    peer.answer(&request, rows(&["a"], false).encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok("a=b\"v\""));
}

#[tokio::test]
async fn asks_for_a_page_and_returns_its_bookmark() {
    let mut peer = ready().await;
    peer.transact("tx", &["page"]).await;
    let (request, range) = peer.expect_request::<GetStateByRange>(Type::GetStateByRange).await;
    let metadata = QueryMetadata::decode(range.metadata).expect("paging");
    assert_eq!(metadata, QueryMetadata { page_size: 2, bookmark: "from".into() });
    let metadata = QueryResponseMetadata { fetched_records_count: 1, bookmark: "to".into() };
    let page = QueryResponse { metadata: metadata.encode_to_vec().into(), ..rows(&["a"], false) };
    peer.answer(&request, page.encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok("a=b\"v\" next to"));
}

#[tokio::test]
async fn ranges_over_composite_keys_by_prefix_and_over_simple_keys_not_at_all() {
    let mut peer = ready().await;
    peer.transact("tx1", &["composite"]).await;
    let (request, range) = peer.expect_request::<GetStateByRange>(Type::GetStateByRange).await;
    assert_eq!((range.start_key.as_str(), range.end_key.as_str()), ("\0type\0a\0", "\0type\0a\0\u{10ffff}"));
    peer.answer(&request, rows(&[], false).encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok(""));
    peer.transact("tx2", &["composite in range"]).await;
    assert!(!peer.expect_response().await.is_ok());
}

#[tokio::test]
async fn passes_rich_queries_on() {
    let mut peer = ready().await;
    peer.transact("tx", &["query"]).await;
    let (request, query) = peer.expect_request::<GetQueryResult>(Type::GetQueryResult).await;
    assert_eq!(query, GetQueryResult { query: "{}".into(), ..Default::default() });
    peer.refuse(&request, "ExecuteQuery not supported for leveldb").await;
    assert_eq!(peer.expect_response().await, Response::error("ExecuteQuery not supported for leveldb"));
}

#[tokio::test]
async fn reads_the_history_of_a_key() {
    let mut peer = ready().await;
    peer.transact("tx", &["history"]).await;
    let (request, history) = peer.expect_request::<GetHistoryForKey>(Type::GetHistoryForKey).await;
    assert_eq!(history.key, "k");
    let version = |tx_id: &str, value: &'static str, is_delete| {
        let version = KeyModification { tx_id: tx_id.into(), value: value.into(), timestamp: None, is_delete };
        QueryResultBytes { result_bytes: version.encode_to_vec().into() }
    };
    let results = vec![version("t2", "", true), version("t1", "v", false)];
    let response = QueryResponse { results, id: "iterator".into(), ..Default::default() };
    peer.answer(&request, response.encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok("t2 b\"\" true,t1 b\"v\" false"));
}

#[tokio::test]
async fn calls_other_chaincode_and_unwraps_what_it_completed_with() {
    let mut peer = ready().await;
    for (channel, name) in [("", "other"), ("there", "other/there")] {
        peer.transact("tx", &["call", channel]).await;
        let (request, spec) = peer.expect_request::<ChaincodeSpec>(Type::InvokeChaincode).await;
        assert_eq!(spec.chaincode_id.expect("an ID").name, name);
        assert_eq!(spec.input.expect("input").args, ["f", "x"]);
        let refusal = Response { status: 404, message: "not here".into(), payload: "p".into() };
        let payload = windlass_proto::protos::Response::from(refusal).encode_to_vec().into();
        let inner: ChaincodeMessage = message(Type::Completed, channel, "tx", payload);
        peer.answer(&request, inner.encode_to_vec()).await;
        assert_eq!(peer.expect_response().await, Response::ok("404 not here b\"p\""));
    }
    peer.transact("tx", &["call", ""]).await;
    let request = peer.expect(Type::InvokeChaincode).await;
    let inner: ChaincodeMessage = message(Type::Error, "", "tx", "it broke".into());
    peer.answer(&request, inner.encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::error("it broke"));
}

#[tokio::test]
async fn names_the_collection_in_private_requests() {
    let mut peer = ready().await;
    peer.transact("tx", &["private"]).await;
    let (request, put) = peer.expect_request::<PutState>(Type::PutState).await;
    assert_eq!(put.collection, "coll");
    peer.answer(&request, "").await;
    for kind in [Type::DelState, Type::PurgePrivateData] {
        let (request, delete) = peer.expect_request::<DelState>(kind).await;
        assert_eq!(delete, DelState { key: "k".into(), collection: "coll".into() });
        peer.answer(&request, "").await;
    }
    let (request, put) = peer.expect_request::<PutStateMetadata>(Type::PutStateMetadata).await;
    assert_eq!(put.collection, "coll");
    peer.answer(&request, "").await;
    for (kind, answer) in [(Type::GetState, "v"), (Type::GetPrivateDataHash, "h")] {
        let (request, get) = peer.expect_request::<GetState>(kind).await;
        assert_eq!(get, GetState { key: "k".into(), collection: "coll".into() });
        peer.answer(&request, answer).await;
    }
    let (request, get) = peer.expect_request::<GetStateMultiple>(Type::GetStateMultiple).await;
    assert_eq!(get, GetStateMultiple { keys: vec!["a".into()], collection: "coll".into() });
    peer.answer(&request, GetStateMultipleResult { values: vec!["1".into()] }.encode_to_vec()).await;
    let (request, range) = peer.expect_request::<GetStateByRange>(Type::GetStateByRange).await;
    assert_eq!(range.collection, "coll");
    peer.answer(&request, rows(&["r"], false).encode_to_vec()).await;
    assert_eq!(peer.expect_response().await, Response::ok("Some(b\"v\") Some(b\"h\") [Some(b\"1\")] r=b\"v\""));
}

#[tokio::test]
async fn sends_a_batch_before_completing() {
    let mut peer = ready().await;
    peer.transact("tx", &["batch"]).await;
    let read = peer.expect(Type::GetState).await;
    peer.answer(&read, "old").await;
    let (request, batch) = peer.expect_request::<WriteBatchState>(Type::WriteBatchState).await;
    let records: Vec<_> = batch.rec.iter().map(|r| (r.key.as_str(), r.collection.as_str(), r.r#type())).collect();
    let expected = [
        ("a", "", write_record::Type::PutState),
        ("b", "", write_record::Type::DelState),
        ("p", "coll", write_record::Type::PurgePrivateData),
        ("a", "", write_record::Type::PutStateMetadata),
    ];
    assert_eq!(records, expected);
    peer.answer(&request, "").await;
    assert_eq!(peer.expect_response().await, Response::ok("Some(b\"old\")"));
}

#[tokio::test]
async fn fails_the_transaction_when_its_batch_fails() {
    let mut peer = ready().await;
    peer.transact("tx", &["batch"]).await;
    let read = peer.expect(Type::GetState).await;
    peer.answer(&read, "").await;
    let request = peer.expect(Type::WriteBatchState).await;
    peer.refuse(&request, "no writes today").await;
    let error = peer.expect(Type::Error).await;
    assert_eq!(error.payload, "failed send batch: no writes today");
    assert_eq!((error.txid.as_str(), error.channel_id.as_str()), ("tx", "channel"));
}

#[tokio::test]
async fn writes_at_once_where_the_peer_takes_no_batches() {
    let mut peer = Peer::ready_with(Way::PeerDials, Requests, NO_ABILITIES).await;
    peer.transact("tx", &["batch"]).await;
    for kind in [Type::PutState, Type::PutState, Type::DelState, Type::PurgePrivateData, Type::PutStateMetadata] {
        let request = peer.expect(kind).await;
        peer.answer(&request, "").await;
    }
    let read = peer.expect(Type::GetState).await;
    peer.answer(&read, "").await;
    assert_eq!(peer.expect_response().await, Response::ok("None"));
}

#[tokio::test]
async fn reports_an_answer_that_is_not_what_it_should_be() {
    let mut peer = ready().await;
    peer.transact("tx", &["range"]).await;
    let request = peer.expect(Type::GetStateByRange).await;
    peer.answer(&request, Bytes::from_static(&[0xff])).await;
    let response = peer.expect_response().await;
    assert!(response.message.starts_with("the peer's answer is not a QueryResponse: "), "{response:?}");
}
