//! Range queries: rows one by one, and the record of what was seen.

use std::sync::Arc;

use parking_lot::Mutex;
use windlass_proto::{
    kvrwset::{KvRead, RangeQueryInfo},
    queryresult::Kv,
};

use crate::{
    LedgerError,
    rwset::merkle::{MAX_DEGREE, RangeReads},
    state::StateRows,
};

/// Keys and values in byte order of the keys. Owns its snapshot: commits do not disturb it. Dropping it, or
/// [`close`](Self::close), ends what is recorded.
#[derive(Debug)]
pub struct RangeIterator {
    namespace: String,
    rows: StateRows,
    // `None`: nothing is recorded.
    record: Option<Arc<Mutex<RangeRecord>>>,
}

impl RangeIterator {
    pub(crate) fn new(namespace: &str, rows: StateRows, record: Option<Arc<Mutex<RangeRecord>>>) -> Self {
        Self { namespace: namespace.to_owned(), rows, record }
    }

    /// The next key, or `None` past the last. Either is recorded.
    #[expect(clippy::should_implement_trait, reason = "an error and the end are different things to the caller")]
    pub fn next(&mut self) -> Result<Option<Kv>, LedgerError> {
        let Some((key, row)) = self.rows.next()? else {
            if let Some(record) = &self.record {
                record.lock().exhausted = true;
            }
            return Ok(None);
        };
        if let Some(record) = &self.record {
            record.lock().push(KvRead { key: key.clone(), version: Some(row.version.into()) });
        }
        Ok(Some(Kv { namespace: self.namespace.clone(), key, value: row.value }))
    }

    /// At most `size` rows and the key after them. The key after them is not recorded.
    pub(crate) fn page(mut self, size: u32) -> Result<(Vec<Kv>, String), LedgerError> {
        let mut page = Vec::new();
        while page.len() < size as usize {
            match self.next()? {
                Some(kv) => page.push(kv),
                None => return Ok((page, String::new())),
            }
        }
        let bookmark = self.rows.next()?.map(|(key, _)| key);
        Ok((page, bookmark.unwrap_or_default()))
    }

    /// Lets go of the snapshot; [`next`](Self::next) finds nothing and records nothing from now on.
    pub fn close(&mut self) {
        self.rows.close();
        self.record = None;
    }
}

/// What one range query has seen so far.
#[derive(Debug)]
pub(crate) struct RangeRecord {
    start: String,
    end: String,
    last: String,
    exhausted: bool,
    count: usize,
    reads: RangeReads,
}

impl RangeRecord {
    pub(crate) fn new(start: &str, end: &str) -> Self {
        let reads = RangeReads::new(MAX_DEGREE);
        let (start, end) = (start.to_owned(), end.to_owned());
        Self { start, end, last: String::new(), exhausted: false, count: 0, reads }
    }

    fn push(&mut self, read: KvRead) {
        self.last.clone_from(&read.key);
        self.count += 1;
        self.reads.push(read);
    }

    /// How many rows were seen.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The record as it goes into the set. The end is the requested one only if the query got there; else the
    /// last key seen, which validation includes.
    // Fabric: ledger §2.2
    pub(crate) fn info(&self) -> RangeQueryInfo {
        RangeQueryInfo {
            start_key: self.start.clone(),
            end_key: if self.exhausted { self.end.clone() } else { self.last.clone() },
            itr_exhausted: self.exhausted,
            reads_info: self.reads.clone().finish(),
        }
    }
}
