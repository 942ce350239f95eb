//! The store in memory: versions per key, so that snapshots cost nothing to take.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use super::{Batch, Row, Rows, Snapshot, Store, StoreError};

// Rows fetched per lock of the map.
const PAGE: usize = 64;

/// A store that ends with the process.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    map: RwLock<Map>,
    // How many live snapshots read at each moment.
    readers: Mutex<BTreeMap<u64, usize>>,
}

#[derive(Debug, Default)]
struct Map {
    now: u64,
    keys: BTreeMap<Bytes, Vec<Revision>>,
    // Keys with revisions that only an old snapshot still needs.
    stale: Vec<Bytes>,
}

/// A value (`None`: deleted) from a moment on.
#[derive(Debug)]
struct Revision {
    since: u64,
    value: Option<Bytes>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys and how many of their revisions are held.
    #[cfg(test)]
    pub(super) fn retained(&self) -> (usize, usize) {
        let map = self.shared.map.read();
        (map.keys.len(), map.keys.values().map(Vec::len).sum())
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.shared.map.read().get(key, u64::MAX))
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(MemorySnapshot { moment: Moment::now(&self.shared) })
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut map = self.shared.map.write();
        // A snapshot registers under the map's read lock, so none can appear before the batch is in.
        let oldest = self.shared.readers.lock().keys().next().copied();
        map.apply(batch, oldest);
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Map {
    fn get(&self, key: &[u8], moment: u64) -> Option<Bytes> {
        let revisions = self.keys.get(key)?;
        revisions.iter().rev().find(|revision| revision.since <= moment)?.value.clone()
    }

    fn apply(&mut self, batch: Batch, oldest: Option<u64>) {
        self.now += 1;
        let since = self.now;
        for (key, value) in batch.into_changes() {
            let revisions = self.keys.entry(key.clone()).or_default();
            revisions.retain(|revision| revision.since != since);
            revisions.push(Revision { since, value });
            self.stale.push(key);
        }
        // What no snapshot can see goes: all before the newest revision that the oldest snapshot sees.
        let horizon = oldest.unwrap_or(since);
        let keys = &mut self.keys;
        self.stale.retain(|key| {
            let Some(revisions) = keys.get_mut(key) else { return false };
            let first = revisions.iter().rposition(|revision| revision.since <= horizon).unwrap_or(0);
            revisions.drain(..first);
            if let [Revision { since, value: None }] = revisions.as_slice()
                && *since <= horizon
            {
                keys.remove(key);
                return false;
            }
            revisions.len() > 1 || revisions.first().is_some_and(|revision| revision.value.is_none())
        });
    }

    fn page(&self, from: Bound<&[u8]>, to: &[u8], moment: u64) -> Vec<Row> {
        let rows = self.keys.range::<[u8], _>((from, Bound::Excluded(to)));
        rows.filter_map(|(key, revisions)| {
            let revision = revisions.iter().rev().find(|revision| revision.since <= moment)?;
            Some((key.clone(), revision.value.clone()?))
        })
        .take(PAGE)
        .collect()
    }
}

/// A registered reader of one moment.
#[derive(Debug)]
struct Moment {
    shared: Arc<Shared>,
    at: u64,
}

impl Moment {
    fn now(shared: &Arc<Shared>) -> Arc<Self> {
        let map = shared.map.read();
        let at = map.now;
        *shared.readers.lock().entry(at).or_default() += 1;
        Arc::new(Self { shared: shared.clone(), at })
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        let mut readers = self.shared.readers.lock();
        if let Some(count) = readers.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                readers.remove(&self.at);
            }
        }
    }
}

#[derive(Debug)]
struct MemorySnapshot {
    moment: Arc<Moment>,
}

impl Snapshot for MemorySnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.moment.shared.map.read().get(key, self.moment.at))
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Rows {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        Box::new(MemoryRows {
            moment: self.moment.clone(),
            from: Bound::Included(Bytes::copy_from_slice(from)),
            to: Bytes::copy_from_slice(to),
            page: Vec::new().into_iter(),
            done: false,
        })
    }
}

struct MemoryRows {
    moment: Arc<Moment>,
    from: Bound<Bytes>,
    to: Bytes,
    page: std::vec::IntoIter<Row>,
    done: bool,
}

impl Iterator for MemoryRows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.page.next() {
            return Some(Ok(row));
        }
        if self.done {
            return None;
        }
        let from = self.from.as_ref().map(|from| from.as_ref());
        let page = self.moment.shared.map.read().page(from, &self.to, self.moment.at);
        match page.last() {
            Some((last, _)) if page.len() == PAGE => self.from = Bound::Excluded(last.clone()),
            _ => self.done = true,
        }
        self.page = page.into_iter();
        self.page.next().map(Ok)
    }
}
