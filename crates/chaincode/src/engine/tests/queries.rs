//! Ranges with and without pages, histories, and the rows at the edges of a message.

use prost::Message;
use windlass_proto::{
    protos::{
        ChaincodeInput, ChaincodeMessage, GetHistoryForKey, GetQueryResult, GetStateByRange, QueryMetadata,
        QueryResponse, QueryResponseMetadata, QueryStateClose, QueryStateNext, chaincode_message::Type,
    },
    queryresult::{KeyModification, Kv},
};

use super::{harness::Harness, memory::Memory, wire::Wire};

async fn query(wire: &mut Wire, call: &ChaincodeMessage, kind: Type, request: &impl Message) -> QueryResponse {
    QueryResponse::decode(wire.get(call, kind, request).await).expect("a query response")
}

fn keys(response: &QueryResponse) -> Vec<String> {
    let row = |row: &windlass_proto::protos::QueryResultBytes| Kv::decode(row.result_bytes.clone()).expect("a row").key;
    response.results.iter().map(row).collect()
}

fn next(response: &QueryResponse) -> QueryStateNext {
    QueryStateNext { id: response.id.clone() }
}

fn close(response: &QueryResponse) -> QueryStateClose {
    QueryStateClose { id: response.id.clone() }
}

fn paged(start: &str, page_size: i32, bookmark: &str) -> GetStateByRange {
    let metadata = QueryMetadata { page_size, bookmark: bookmark.to_owned() }.encode_to_vec().into();
    GetStateByRange { start_key: start.to_owned(), metadata, ..Default::default() }
}

fn bookmark(response: &QueryResponse) -> (i32, String) {
    let metadata = QueryResponseMetadata::decode(response.metadata.clone()).expect("metadata");
    (metadata.fetched_records_count, metadata.bookmark)
}

#[tokio::test]
async fn exactly_a_hundred_rows_come_in_one_message() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::numbered(100);
    let _executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let all = query(&mut wire, &call, Type::GetStateByRange, &GetStateByRange::default()).await;
    assert_eq!((all.results.len(), all.has_more), (100, false));
    assert_eq!(uuid::Uuid::parse_str(&all.id).expect("an ID").to_string(), all.id);
    assert_eq!(*ledger.open.lock(), 0);
    assert_eq!(wire.refused(&call, Type::QueryStateNext, &next(&all)).await, "query iterator not found");
    let closed = query(&mut wire, &call, Type::QueryStateClose, &close(&all)).await;
    assert_eq!(closed, QueryResponse { id: all.id, ..Default::default() });
}

#[tokio::test]
async fn the_hundred_and_first_row_is_read_ahead_and_kept() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::numbered(101);
    let _executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let first = query(&mut wire, &call, Type::GetStateByRange, &GetStateByRange::default()).await;
    assert_eq!((first.results.len(), first.has_more), (100, true));
    let kv = Kv::decode(first.results[0].result_bytes.clone()).expect("a row");
    assert_eq!((kv.namespace.as_str(), kv.key.as_str(), &kv.value[..]), ("cc", "k0000", &b"v0"[..]));
    let second = query(&mut wire, &call, Type::QueryStateNext, &next(&first)).await;
    assert_eq!((keys(&second), second.has_more), (vec![String::from("k0100")], false));
    assert_eq!(second.id, first.id);
    assert_eq!(*ledger.open.lock(), 0);
}

#[tokio::test]
async fn queries_can_be_closed_early_and_end_with_the_transaction() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::numbered(300);
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let one = query(&mut wire, &call, Type::GetStateByRange, &GetStateByRange::default()).await;
    let two = query(&mut wire, &call, Type::GetStateByRange, &GetStateByRange::default()).await;
    assert!(one.has_more && two.has_more && one.id != two.id);
    assert_eq!(*ledger.open.lock(), 2);
    query(&mut wire, &call, Type::QueryStateClose, &close(&one)).await;
    assert_eq!(*ledger.open.lock(), 1);
    wire.complete(&call, &super::harness::ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
    assert_eq!(*ledger.open.lock(), 0);
}

#[tokio::test]
async fn ranges_include_their_start_and_exclude_their_end() {
    let (harness, mut wire) = Harness::serving().await;
    let _executed = harness.call_on(Memory::numbered(10), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let request = GetStateByRange { start_key: "k0003".into(), end_key: "k0005".into(), ..Default::default() };
    let some = query(&mut wire, &call, Type::GetStateByRange, &request).await;
    assert_eq!((keys(&some), some.has_more), (vec![String::from("k0003"), String::from("k0004")], false));
    assert!(some.metadata.is_empty());
}

#[tokio::test]
async fn a_page_comes_whole_with_a_bookmark() {
    let (harness, mut wire) = Harness::serving().await;
    let _executed = harness.call_on(Memory::numbered(250), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let page = query(&mut wire, &call, Type::GetStateByRange, &paged("", 150, "")).await;
    assert_eq!((page.results.len(), page.has_more), (150, false));
    assert_eq!(bookmark(&page), (150, String::from("k0150")));
    // The bookmark replaces the start.
    let page = query(&mut wire, &call, Type::GetStateByRange, &paged("k0001", 150, "k0150")).await;
    assert_eq!(keys(&page)[0], "k0150");
    assert_eq!(bookmark(&page), (100, String::new()));
    // Without a size, but with a bookmark, the total limit counts.
    let page = query(&mut wire, &call, Type::GetStateByRange, &paged("", 0, "k0200")).await;
    assert_eq!(bookmark(&page), (50, String::new()));
    // Metadata that says nothing asks for no page.
    let first = query(&mut wire, &call, Type::GetStateByRange, &paged("", 0, "")).await;
    assert_eq!((first.results.len(), first.has_more, first.metadata.len()), (100, true, 0));
}

#[tokio::test]
async fn the_total_limit_ends_a_query_without_a_mark() {
    let harness = Harness::with(|config| config.total_query_limit = 120).await;
    let mut wire = harness.bring_up("cc").await;
    let _executed = harness.call_on(Memory::numbered(250), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let first = query(&mut wire, &call, Type::GetStateByRange, &GetStateByRange::default()).await;
    assert_eq!((first.results.len(), first.has_more), (100, true));
    let second = query(&mut wire, &call, Type::QueryStateNext, &next(&first)).await;
    assert_eq!((second.results.len(), second.has_more), (20, false));
    let page = query(&mut wire, &call, Type::GetStateByRange, &paged("", 200, "")).await;
    assert_eq!(bookmark(&page), (120, String::from("k0120")));
}

#[tokio::test]
async fn rich_queries_say_what_the_ledger_says() {
    let (harness, mut wire) = Harness::serving().await;
    let _executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    let mut request = GetQueryResult { query: "{}".into(), ..Default::default() };
    let refusal = wire.refused(&call, Type::GetQueryResult, &request).await;
    assert_eq!(refusal, "ExecuteQuery not supported for leveldb");
    request.metadata = QueryMetadata { page_size: 5, ..Default::default() }.encode_to_vec().into();
    let refusal = wire.refused(&call, Type::GetQueryResult, &request).await;
    assert_eq!(refusal, "ExecuteQueryWithMetadata not supported for leveldb");
    request.collection = "secret".into();
    let refusal = wire.refused(&call, Type::GetQueryResult, &request).await;
    assert_eq!(refusal, "collection ch/cc/secret could not be found");
}

#[tokio::test]
async fn history_comes_newest_first_with_times() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::with([("cc", "k", "v")]);
    let _executed = harness.call_on(ledger, "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let request = GetHistoryForKey { key: "k".into() };
    let history = query(&mut wire, &call, Type::GetHistoryForKey, &request).await;
    let changes: Vec<_> = history
        .results
        .iter()
        .map(|row| KeyModification::decode(row.result_bytes.clone()).expect("a change"))
        .collect();
    assert_eq!(changes.iter().map(|change| change.tx_id.as_str()).collect::<Vec<_>>(), ["newest", "oldest"]);
    assert!(changes.iter().all(|change| change.timestamp.is_some()));
    // Java asks with another message that has the same bytes.
    let request = GetQueryResult { query: "k".into(), ..Default::default() };
    let history = query(&mut wire, &call, Type::GetHistoryForKey, &request).await;
    assert_eq!((history.results.len(), history.has_more), (2, false));
}
