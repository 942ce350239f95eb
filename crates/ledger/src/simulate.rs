//! Simulation: a transaction reads one snapshot of committed state, and what it reads and writes is recorded.
//!
//! Reads never see the transaction's own writes.

mod private;
mod range;
mod results;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use windlass_proto::queryresult::Kv;

pub use range::RangeIterator;
pub use results::{CollectionInterest, NamespaceInterest, SimulationResults};

use crate::{
    HistoryIterator, LedgerError, Record,
    history::History,
    keys::{self, Space},
    rwset::build::{Metadata, ReadWriteSet},
    state::StateView,
};
use range::RangeRecord;

/// The state that one transaction sees, and the record of what it did. Clones share both.
#[derive(Clone, Debug)]
pub struct Simulator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tx_id: String,
    state: StateView,
    history: History,
    recorder: Mutex<Recorder>,
}

#[derive(Debug, Default)]
struct Recorder {
    set: ReadWriteSet,
    // In creation order; the iterators write into them until the results are taken.
    ranges: Vec<(String, Arc<Mutex<RangeRecord>>)>,
    private_reads: BTreeSet<(String, String)>,
    written: bool,
    private_queried: bool,
    paged: bool,
    results_taken: bool,
}

impl Simulator {
    pub(crate) fn new(tx_id: &str, state: StateView, history: History) -> Self {
        let recorder = Mutex::new(Recorder::default());
        Self { inner: Arc::new(Inner { tx_id: tx_id.to_owned(), state, history, recorder }) }
    }

    /// The transaction's ID.
    pub fn tx_id(&self) -> &str {
        &self.inner.tx_id
    }

    /// The committed value of a key. Recorded as a read.
    pub fn get_state(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, LedgerError> {
        Ok(self.read(namespace, key)?.map(|record| record.value))
    }

    /// The committed values of several keys, in their order. Recorded as that many single reads.
    pub fn get_state_multiple(&self, namespace: &str, keys: &[String]) -> Result<Vec<Option<Bytes>>, LedgerError> {
        for key in keys {
            keys::check(namespace, "", key)?;
        }
        let records = self.inner.state.get_many(Space::Public(namespace), keys)?;
        let mut recorder = self.inner.recorder.lock();
        let reads = &mut recorder.set.namespace(namespace).reads;
        let values = keys.iter().zip(records).map(|(key, record)| {
            reads.insert(key.clone(), record.as_ref().map(|record| record.version));
            record.map(|record| record.value)
        });
        Ok(values.collect())
    }

    /// Writes a key. No bytes at all delete it.
    pub fn put_state(&self, namespace: &str, key: &str, value: Bytes) -> Result<(), LedgerError> {
        let mut recorder = self.writing(namespace, "", key)?;
        recorder.set.namespace(namespace).writes.insert(key.to_owned(), value);
        Ok(())
    }

    /// Deletes a key, whether or not it exists.
    pub fn delete_state(&self, namespace: &str, key: &str) -> Result<(), LedgerError> {
        self.put_state(namespace, key, Bytes::new())
    }

    /// The committed metadata of a key by name. Recorded as a read of the key.
    pub fn get_metadata(&self, namespace: &str, key: &str) -> Result<BTreeMap<String, Bytes>, LedgerError> {
        Ok(self.read(namespace, key)?.map(|record| record.metadata).unwrap_or_default())
    }

    /// Replaces a key's metadata; no entries remove it.
    pub fn put_metadata(&self, namespace: &str, key: &str, entries: Metadata) -> Result<(), LedgerError> {
        let mut recorder = self.writing(namespace, "", key)?;
        recorder.set.namespace(namespace).metadata_writes.insert(key.to_owned(), entries);
        Ok(())
    }

    /// The keys from `start` (inclusive; empty: the first) to `end` (exclusive; empty: past the last). What the
    /// iterator yields is recorded, no more.
    pub fn range(&self, namespace: &str, start: &str, end: &str) -> Result<RangeIterator, LedgerError> {
        let record = Arc::new(Mutex::new(RangeRecord::new(start, end)));
        self.inner.recorder.lock().ranges.push((namespace.to_owned(), record.clone()));
        let rows = self.inner.state.range(Space::Public(namespace), start, end);
        Ok(RangeIterator::new(namespace, rows, Some(record)))
    }

    /// One page of [`range`](Self::range): at most `page_size` keys, and the key at which the next page begins
    /// (empty: there is none). Only a transaction that writes nothing may page.
    pub fn range_page(
        &self,
        namespace: &str,
        start: &str,
        end: &str,
        page_size: u32,
    ) -> Result<(Vec<Kv>, String), LedgerError> {
        {
            let mut recorder = self.inner.recorder.lock();
            if recorder.written {
                return Err(LedgerError::PageAfterWrite(self.inner.tx_id.clone()));
            }
            recorder.paged = true;
        }
        self.range(namespace, start, end)?.page(page_size)
    }

    /// Every modification of a key by valid transactions, newest first. Not recorded.
    pub fn history(&self, namespace: &str, key: &str) -> Result<HistoryIterator, LedgerError> {
        self.inner.history.of(namespace, key)
    }

    fn read(&self, namespace: &str, key: &str) -> Result<Option<Record>, LedgerError> {
        keys::check(namespace, "", key)?;
        let record = self.inner.state.get(Space::Public(namespace), key.as_bytes())?;
        let version = record.as_ref().map(|record| record.version);
        self.inner.recorder.lock().set.namespace(namespace).reads.insert(key.to_owned(), version);
        Ok(record)
    }

    /// The recorder, if this transaction may still write.
    fn writing(
        &self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<parking_lot::MutexGuard<'_, Recorder>, LedgerError> {
        keys::check(namespace, collection, key)?;
        let mut recorder = self.inner.recorder.lock();
        if recorder.private_queried {
            return Err(LedgerError::WriteAfterPrivateQuery(self.inner.tx_id.clone()));
        }
        if recorder.paged {
            return Err(LedgerError::WriteAfterPage(self.inner.tx_id.clone()));
        }
        recorder.written = true;
        Ok(recorder)
    }
}

#[cfg(test)]
mod tests;
