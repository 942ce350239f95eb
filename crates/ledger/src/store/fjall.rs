//! The store on disk.

use std::{
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use super::{Batch, MAX_KEY, Row, Rows, Snapshot, Store, StoreError};

const KEYSPACE: &str = "ledger";
// One writer and short reads: more threads would only compete with endorsement for the processors.
const WORKERS: usize = 2;

/// A log-structured store in a folder, locked while it is open.
#[derive(Clone)]
pub struct FjallStore {
    // Field order: the keyspace goes before the database that serves it.
    keyspace: Keyspace,
    database: Database,
    path: PathBuf,
}

impl FjallStore {
    /// Opens the store in `path`, creating it if the folder holds none. `cache` is in bytes.
    pub fn open(path: &Path, cache: u64) -> Result<Self, StoreError> {
        let open = || -> Result<Self, fjall::Error> {
            let database = Database::builder(path).cache_size(cache).worker_threads(WORKERS).open()?;
            let keyspace = database.keyspace(KEYSPACE, KeyspaceCreateOptions::default)?;
            Ok(Self { keyspace, database, path: path.to_owned() })
        };
        open().map_err(|error| match error {
            fjall::Error::Locked => StoreError::InUse(path.to_owned()),
            other => engine(other),
        })
    }
}

impl Store for FjallStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if key.len() > MAX_KEY {
            return Ok(None);
        }
        Ok(self.keyspace.get(key).map_err(engine)?.map(Bytes::from))
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(FjallSnapshot { snapshot: self.database.snapshot(), store: self.clone() })
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        // The engine asserts this limit; it must never get that far.
        batch.check()?;
        let mut write = self.database.batch().durability(Some(PersistMode::Buffer));
        for (key, value) in batch.into_changes() {
            match value {
                Some(value) => write.insert(&self.keyspace, key, value),
                None => write.remove(&self.keyspace, key),
            }
        }
        write.commit().map_err(engine)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncData).map_err(engine)
    }
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallStore").field("path", &self.path).finish_non_exhaustive()
    }
}

struct FjallSnapshot {
    snapshot: fjall::Snapshot,
    store: FjallStore,
}

impl Snapshot for FjallSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if key.len() > MAX_KEY {
            return Ok(None);
        }
        Ok(self.snapshot.get(&self.store.keyspace, key).map_err(engine)?.map(Bytes::from))
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Rows {
        if from >= to {
            return Box::new(std::iter::empty());
        }
        let bounds = (clip(from, Bound::Included), clip(to, Bound::Excluded));
        let rows = self.snapshot.range::<&[u8], _>(&self.store.keyspace, bounds);
        let store = self.store.clone();
        Box::new(rows.map(move |guard| {
            // The rows may outlive the snapshot and the ledger: they keep the database open.
            let _open = &store;
            let (key, value) = guard.into_inner().map_err(engine)?;
            Ok::<Row, StoreError>((key.into(), value.into()))
        }))
    }
}

impl std::fmt::Debug for FjallSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallSnapshot").field("at", &self.snapshot.seqno()).finish_non_exhaustive()
    }
}

/// A bound that the engine can take. Of the keys it can hold, those at or beyond a longer bound are
/// those strictly beyond the bound's first [`MAX_KEY`] bytes.
fn clip<'a>(bound: &'a [u8], kind: fn(&'a [u8]) -> Bound<&'a [u8]>) -> Bound<&'a [u8]> {
    match bound.get(..MAX_KEY) {
        Some(prefix) if bound.len() > MAX_KEY => match kind(prefix) {
            Bound::Included(prefix) => Bound::Excluded(prefix),
            _ => Bound::Included(prefix),
        },
        _ => kind(bound),
    }
}

fn engine(error: fjall::Error) -> StoreError {
    StoreError::Engine(Arc::new(error))
}
