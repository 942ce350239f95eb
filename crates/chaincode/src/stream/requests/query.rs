//! Ranges, queries, histories, and going on with them.

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    protos::{
        GetHistoryForKey, GetQueryResult, GetStateByRange, QueryMetadata, QueryResponse, QueryResponseMetadata,
        QueryStateClose, QueryStateNext,
    },
    queryresult::Kv,
};

use super::Context;
use crate::stream::{
    cursor::{Cursor, new_id, row},
    errors::RequestError,
    message::encode,
};

impl Context {
    pub(super) fn range(&mut self, payload: Bytes) -> Result<Bytes, RequestError> {
        let request = GetStateByRange::decode(payload)?;
        let paging = Paging::decode(request.metadata)?;
        self.only_public(&request.collection)?;
        let (namespace, end) = (&self.namespace, &request.end_key);
        let Some(paging) = paging else {
            let rows = self.simulation()?.range(namespace, &request.start_key, end)?;
            return self.open(Cursor::keys(rows, self.host.total_query_limit()));
        };
        let start = if paging.bookmark.is_empty() { &request.start_key } else { &paging.bookmark };
        let page_size = paging.size(self.host.total_query_limit());
        let (rows, bookmark) = self.simulation()?.range_page(namespace, start, end, page_size)?;
        Ok(one_page(&rows, bookmark))
    }

    pub(super) fn query(&mut self, payload: Bytes) -> Result<Bytes, RequestError> {
        let request = GetQueryResult::decode(payload)?;
        let paging = Paging::decode(request.metadata)?;
        self.only_public(&request.collection)?;
        let Some(paging) = paging else {
            let rows = self.simulation()?.query(&self.namespace, &request.query)?;
            return self.open(Cursor::keys(rows, self.host.total_query_limit()));
        };
        let page_size = paging.size(self.host.total_query_limit());
        let (rows, bookmark) =
            self.simulation()?.query_page(&self.namespace, &request.query, page_size, &paging.bookmark)?;
        Ok(one_page(&rows, bookmark))
    }

    pub(super) fn history(&mut self, payload: Bytes) -> Result<Bytes, RequestError> {
        // Java sends a GetQueryResult, which has the same bytes.
        // Fabric: chaincode-protocol §18
        let request = GetHistoryForKey::decode(payload)?;
        let rows = self.simulation()?.history(&self.namespace, &request.key)?;
        self.open(Cursor::history(rows, self.host.total_query_limit()))
    }

    pub(super) fn next_page(&mut self, payload: Bytes) -> Result<Bytes, RequestError> {
        let id = QueryStateNext::decode(payload)?.id;
        let cursor = self.cursors.take(&id).ok_or(RequestError::UnknownCursor)?;
        self.advance(id, cursor)
    }

    /// Closing what is closed already succeeds: shims close queries that they have read to the end.
    pub(super) fn close_query(&mut self, payload: Bytes) -> Result<Bytes, RequestError> {
        let id = QueryStateClose::decode(payload)?.id;
        self.cursors.take(&id);
        Ok(encode(&QueryResponse { id, ..Default::default() }))
    }

    fn open(&mut self, cursor: Cursor) -> Result<Bytes, RequestError> {
        self.advance(new_id(), cursor)
    }

    /// The next page of a query, which is kept only while there is more.
    fn advance(&mut self, id: String, mut cursor: Cursor) -> Result<Bytes, RequestError> {
        let (results, has_more) = cursor.page()?;
        if has_more {
            self.cursors.keep(id.clone(), cursor);
        }
        Ok(encode(&QueryResponse { results, has_more, id, ..Default::default() }))
    }
}

/// What asks for one page in one message.
// Fabric: chaincode-protocol §11
struct Paging {
    page_size: i32,
    bookmark: String,
}

impl Paging {
    /// Pages are asked for by metadata that says something, not by metadata that is there.
    fn decode(metadata: Bytes) -> Result<Option<Self>, RequestError> {
        let QueryMetadata { page_size, bookmark } = QueryMetadata::decode(metadata)?;
        let asked = page_size != 0 || !bookmark.is_empty();
        Ok(asked.then_some(Self { page_size, bookmark }))
    }

    fn size(&self, limit: u32) -> u32 {
        u32::try_from(self.page_size).ok().filter(|size| *size > 0).map_or(limit, |size| size.min(limit))
    }
}

fn one_page(rows: &[Kv], bookmark: String) -> Bytes {
    let fetched_records_count = i32::try_from(rows.len()).unwrap_or(i32::MAX);
    let metadata = encode(&QueryResponseMetadata { fetched_records_count, bookmark });
    let results = rows.iter().map(row).collect();
    encode(&QueryResponse { results, has_more: false, id: new_id(), metadata })
}
