//! Results of many rows: iterators and pages.

use std::{collections::vec_deque::VecDeque, marker::PhantomData};

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    protos::{
        GetHistoryForKey, GetQueryResult, GetStateByRange, QueryMetadata, QueryResponse, QueryResponseMetadata,
        QueryResultBytes, QueryStateClose, QueryStateNext, chaincode_message::Type,
    },
    queryresult,
};

use crate::{
    Error,
    exchange::{Caller, decode},
};

/// The first simple key: composite keys sort before it.
// Fabric: chaincode-protocol §11
const FIRST_SIMPLE_KEY: &str = "\u{1}";

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
}

/// One change of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Modification {
    /// The transaction that made it.
    pub tx_id: String,
    /// The value it wrote; empty for a deletion.
    pub value: Bytes,
    /// The transaction's own time.
    pub timestamp: Option<prost_types::Timestamp>,
    /// Whether it deleted the key.
    pub is_delete: bool,
}

/// What a row of a result can be: [`KeyValue`] or [`Modification`].
pub trait Row: Sized + Send + sealed::FromRow {}

impl Row for KeyValue {}
impl Row for Modification {}

/// The rows of a result, fetched from the peer as they are asked for.
///
/// Dropping it early is fine: the peer ends what is open with the transaction. [`close`](Self::close) does so at once.
#[derive(Debug)]
pub struct Rows<'a, R> {
    caller: &'a Caller,
    // The peer's name for the iterator; nothing once it has ended.
    id: Option<String>,
    fetched: VecDeque<QueryResultBytes>,
    row: PhantomData<fn() -> R>,
}

/// A page of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<R> {
    /// The rows.
    pub rows: Vec<R>,
    /// Where the next page begins; empty after the last.
    pub bookmark: String,
}

impl<'a, R: Row> Rows<'a, R> {
    pub(crate) async fn open(caller: &'a Caller, scan: Scan) -> Result<Self, Error> {
        let mut rows = Self { caller, id: None, fetched: VecDeque::new(), row: PhantomData };
        rows.take(scan.ask(caller).await?);
        Ok(rows)
    }

    /// The next row; nothing after the last.
    pub async fn next(&mut self) -> Result<Option<R>, Error> {
        loop {
            if let Some(row) = self.fetched.pop_front() {
                return R::from_row(row.result_bytes).map(Some);
            }
            let Some(id) = self.id.take() else { return Ok(None) };
            let next = QueryStateNext { id };
            self.take(self.caller.ask_for(Type::QueryStateNext, &next, "QueryResponse").await?);
        }
    }

    /// All rows that are left.
    pub async fn collect(mut self) -> Result<Vec<R>, Error> {
        let mut rows = Vec::new();
        while let Some(row) = self.next().await? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Ends the iterator on the peer.
    pub async fn close(mut self) -> Result<(), Error> {
        let Some(id) = self.id.take() else { return Ok(()) };
        self.caller.ask(Type::QueryStateClose, &QueryStateClose { id }).await.map(drop)
    }

    fn take(&mut self, response: QueryResponse) {
        self.fetched = response.results.into();
        self.id = response.has_more.then_some(response.id);
    }
}

pub(crate) async fn page<R: Row>(caller: &Caller, scan: Scan) -> Result<Page<R>, Error> {
    let response = scan.ask(caller).await?;
    let metadata: QueryResponseMetadata = decode("QueryResponseMetadata", response.metadata)?;
    let rows = response.results.into_iter().map(|row| R::from_row(row.result_bytes)).collect::<Result<_, _>>()?;
    Ok(Page { rows, bookmark: metadata.bookmark })
}

/// The bounds of a range over simple keys as they go to the peer.
pub(crate) fn simple_range(start: &str, end: &str) -> Result<(String, String), Error> {
    if let Some(key) = [start, end].into_iter().find(|key| key.starts_with('\0')) {
        return Err(Error::CompositeKeyInRange(key.to_owned()));
    }
    let start = if start.is_empty() { FIRST_SIMPLE_KEY } else { start };
    Ok((start.to_owned(), end.to_owned()))
}

/// A request whose answer is rows.
#[derive(Debug)]
pub(crate) enum Scan {
    Range(GetStateByRange),
    Query(GetQueryResult),
    History(GetHistoryForKey),
}

/// Which page is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging<'a> {
    pub(crate) size: i32,
    pub(crate) bookmark: &'a str,
}

impl Scan {
    pub(crate) fn range(collection: &str, start_key: String, end_key: String, paging: Option<Paging<'_>>) -> Self {
        let (collection, metadata) = (collection.to_owned(), metadata(paging));
        Self::Range(GetStateByRange { start_key, end_key, collection, metadata })
    }

    pub(crate) fn query(collection: &str, query: &str, paging: Option<Paging<'_>>) -> Self {
        let (query, collection) = (query.to_owned(), collection.to_owned());
        Self::Query(GetQueryResult { query, collection, metadata: metadata(paging) })
    }

    pub(crate) fn history(key: &str) -> Self {
        Self::History(GetHistoryForKey { key: key.to_owned() })
    }

    async fn ask(self, caller: &Caller) -> Result<QueryResponse, Error> {
        match self {
            Self::Range(range) => caller.ask_for(Type::GetStateByRange, &range, "QueryResponse").await,
            Self::Query(query) => caller.ask_for(Type::GetQueryResult, &query, "QueryResponse").await,
            Self::History(history) => caller.ask_for(Type::GetHistoryForKey, &history, "QueryResponse").await,
        }
    }
}

fn metadata(paging: Option<Paging<'_>>) -> Bytes {
    let metadata = |Paging { size, bookmark }: Paging<'_>| {
        QueryMetadata { page_size: size, bookmark: bookmark.to_owned() }.encode_to_vec().into()
    };
    paging.map(metadata).unwrap_or_default()
}

mod sealed {
    use super::{Bytes, Error, KeyValue, Modification, decode, queryresult};

    /// Decodes a row as it comes from the peer.
    pub trait FromRow {
        fn from_row(bytes: Bytes) -> Result<Self, Error>
        where
            Self: Sized;
    }

    impl FromRow for KeyValue {
        fn from_row(bytes: Bytes) -> Result<Self, Error> {
            let queryresult::Kv { key, value, .. } = decode("KV", bytes)?;
            Ok(Self { key, value })
        }
    }

    impl FromRow for Modification {
        fn from_row(bytes: Bytes) -> Result<Self, Error> {
            let queryresult::KeyModification { tx_id, value, timestamp, is_delete } = decode("KeyModification", bytes)?;
            Ok(Self { tx_id, value, timestamp, is_delete })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_simple_ranges_away_from_composite_keys() {
        assert_eq!(simple_range("", "").expect("a range"), (FIRST_SIMPLE_KEY.to_owned(), String::new()));
        assert_eq!(simple_range("a", "b").expect("a range"), ("a".to_owned(), "b".to_owned()));
        assert!(matches!(simple_range("\0a", "b"), Err(Error::CompositeKeyInRange(_))));
        assert!(matches!(simple_range("a", "\0b"), Err(Error::CompositeKeyInRange(_))));
    }

    #[test]
    fn sends_paging_only_where_a_page_is_wanted() {
        assert!(metadata(None).is_empty());
        assert!(!metadata(Some(Paging { size: 0, bookmark: "b" })).is_empty());
    }
}
