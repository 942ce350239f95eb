//! Open queries, with the look-ahead that shims need.

use std::{collections::HashMap, sync::Arc};

use prost::Message;
use windlass_proto::{
    protos::QueryResultBytes,
    queryresult::{KeyModification, Kv},
};

use crate::{
    simulation::{Rows, SimulationResult},
    stream::{message::encode, session::Session},
};

/// How many rows one message carries.
// Fabric: chaincode-protocol §11
const PAGE: usize = 100;

/// The open queries of one transaction.
pub(crate) struct Cursors {
    open: HashMap<String, (Cursor, Arc<()>)>,
    session: Arc<Session>,
}

impl Cursors {
    /// No query yet, on this stream.
    pub(crate) fn on(session: &Arc<Session>) -> Self {
        Self { open: HashMap::new(), session: session.clone() }
    }

    pub(crate) fn keep(&mut self, id: String, cursor: Cursor) {
        self.open.insert(id, (cursor, self.session.queries.clone()));
    }

    pub(crate) fn take(&mut self, id: &str) -> Option<Cursor> {
        self.open.remove(id).map(|(cursor, _)| cursor)
    }
}

/// A query that is being read.
pub(crate) struct Cursor {
    source: Source,
    /// The row read ahead.
    pending: Option<QueryResultBytes>,
    /// How many rows may still be read.
    remaining: u32,
}

enum Source {
    Keys(Box<dyn Rows<Kv>>),
    History(Box<dyn Rows<KeyModification>>),
}

impl Cursor {
    /// A cursor over keys that ends after `limit` rows.
    pub(crate) fn keys(rows: Box<dyn Rows<Kv>>, limit: u32) -> Self {
        Self { source: Source::Keys(rows), pending: None, remaining: limit }
    }

    /// A cursor over what happened to a key that ends after `limit` rows.
    pub(crate) fn history(rows: Box<dyn Rows<KeyModification>>, limit: u32) -> Self {
        Self { source: Source::History(rows), pending: None, remaining: limit }
    }

    /// The next rows, and whether there is at least one more: Node and Java fail on an empty page, so that
    /// "more" is only said once the next row is in hand.
    pub(crate) fn page(&mut self) -> SimulationResult<(Vec<QueryResultBytes>, bool)> {
        let mut rows: Vec<_> = self.pending.take().into_iter().collect();
        while let Some(next) = self.next()? {
            if rows.len() == PAGE {
                self.pending = Some(next);
                return Ok((rows, true));
            }
            rows.push(next);
        }
        Ok((rows, false))
    }

    fn next(&mut self) -> SimulationResult<Option<QueryResultBytes>> {
        if self.remaining == 0 {
            return Ok(None);
        }
        self.remaining -= 1;
        Ok(match &mut self.source {
            Source::Keys(rows) => rows.next()?.as_ref().map(row),
            Source::History(rows) => rows.next()?.as_ref().map(row),
        })
    }
}

/// A row as messages carry it.
pub(crate) fn row(row: &impl Message) -> QueryResultBytes {
    QueryResultBytes { result_bytes: encode(row) }
}

/// A fresh ID for a query.
pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(u32);

    impl Rows<Kv> for Count {
        fn next(&mut self) -> SimulationResult<Option<Kv>> {
            let Some(left) = self.0.checked_sub(1) else { return Ok(None) };
            self.0 = left;
            Ok(Some(Kv { key: left.to_string(), ..Default::default() }))
        }
    }

    fn pages(rows: u32, limit: u32) -> Vec<(usize, bool)> {
        let mut cursor = Cursor::keys(Box::new(Count(rows)), limit);
        let mut pages = Vec::new();
        loop {
            let (rows, more) = cursor.page().expect("rows never fail");
            pages.push((rows.len(), more));
            if !more {
                return pages;
            }
        }
    }

    #[test]
    fn promises_more_only_when_there_is_more() {
        assert_eq!(pages(0, 1000), [(0, false)]);
        assert_eq!(pages(99, 1000), [(99, false)]);
        assert_eq!(pages(100, 1000), [(100, false)]);
        assert_eq!(pages(101, 1000), [(100, true), (1, false)]);
        assert_eq!(pages(200, 1000), [(100, true), (100, false)]);
        assert_eq!(pages(201, 1000), [(100, true), (100, true), (1, false)]);
    }

    #[test]
    fn ends_at_the_total_limit_without_a_mark() {
        assert_eq!(pages(500, 100), [(100, false)]);
        assert_eq!(pages(500, 150), [(100, true), (50, false)]);
        assert_eq!(pages(500, 0), [(0, false)]);
    }
}
