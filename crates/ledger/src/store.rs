//! The seam to the embedded database: point reads, snapshots, ranges on a snapshot, atomic batches.
//!
//! One ordered space of keys. A single one is deliberate: what a crash can take from the engine's journal is
//! then always a suffix of whole batches, never one half of a block.
//!
//! [`memory::MemoryStore`] and [`fjall::FjallStore`] pass one conformance suite.

pub mod fjall;
pub mod memory;

#[cfg(test)]
mod conformance;

use std::{
    fmt,
    io::{self, ErrorKind},
    sync::Arc,
};

use bytes::Bytes;

/// The longest key that a store takes, in bytes.
pub const MAX_KEY: usize = u16::MAX as usize;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A key of more than [`MAX_KEY`] bytes.
    #[error("a key of {0} bytes is too long for the store: the limit is {MAX_KEY}")]
    KeyTooLong(usize),
    /// Another process, or another handle of this one, has the store open.
    #[error("the store in {} is in use by another process", .0.display())]
    InUse(std::path::PathBuf),
    /// The engine failed.
    #[error("the store failed: {0}")]
    Engine(Arc<dyn std::error::Error + Send + Sync>),
}

// EIO, ENFILE, EMFILE: they have no kind of their own.
const SYSTEM_REFUSALS: [i32; 3] = [5, 23, 24];

impl StoreError {
    /// Whether the engine found what it cannot read. Otherwise the system is at fault (rights, room, memory, file
    /// descriptors, the device), and what is stored may be as good as ever.
    pub(crate) fn is_damage(&self) -> bool {
        let Self::Engine(error) = self else { return false };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&**error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return !is_refusal(error);
            }
            cause = error.source();
        }
        true
    }
}

fn is_refusal(error: &io::Error) -> bool {
    let refused = matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::OutOfMemory
            | ErrorKind::ResourceBusy
            | ErrorKind::StaleNetworkFileHandle
    );
    refused || error.raw_os_error().is_some_and(|number| SYSTEM_REFUSALS.contains(&number))
}

/// A key and its value.
pub type Row = (Bytes, Bytes);

/// The rows of a range, in key order. Owns its snapshot.
pub type Rows = Box<dyn Iterator<Item = Result<Row, StoreError>> + Send>;

/// An ordered map from bytes to bytes, written in atomic batches.
pub trait Store: fmt::Debug + Send + Sync {
    /// The value of `key` now.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// A view that later batches do not change.
    fn snapshot(&self) -> Arc<dyn Snapshot>;

    /// Applies all of `batch` or nothing. Survives the end of the process, but a loss of power only after
    /// [`flush`](Store::flush). Refuses the whole batch if one key is too long.
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;

    /// Returns when everything applied so far survives a loss of power.
    fn flush(&self) -> Result<(), StoreError>;
}

/// A view of the store at one moment.
pub trait Snapshot: fmt::Debug + Send + Sync {
    /// The value of `key`. A key too long to be stored is absent.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The values of `keys`, in their order.
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>, StoreError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// The rows from `from` (inclusive) to `to` (exclusive) in byte order.
    fn range(&self, from: &[u8], to: &[u8]) -> Rows;
}

/// Changes that are applied together. The last change to a key wins.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    changes: Vec<(Bytes, Option<Bytes>)>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changes.push((key.into(), Some(value.into())));
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        self.changes.push((key.into(), None));
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Refuses keys that no store can hold.
    pub fn check(&self) -> Result<(), StoreError> {
        match self.changes.iter().find(|(key, _)| key.len() > MAX_KEY) {
            Some((key, _)) => Err(StoreError::KeyTooLong(key.len())),
            None => Ok(()),
        }
    }

    /// The changes in order; `None` removes the key.
    pub fn into_changes(self) -> Vec<(Bytes, Option<Bytes>)> {
        self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_damage_from_a_refusal_of_the_system() {
        let engine = |error: ::fjall::Error| StoreError::Engine(Arc::new(error));
        let storage = |error: io::Error| engine(::fjall::Error::Storage(error.into()));
        for error in [ErrorKind::PermissionDenied, ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem] {
            assert!(!engine(io::Error::from(error).into()).is_damage(), "{error}");
            assert!(!storage(error.into()).is_damage(), "{error}");
        }
        for number in SYSTEM_REFUSALS {
            assert!(!storage(io::Error::from_raw_os_error(number)).is_damage(), "{number}");
        }
        for error in [ErrorKind::NotFound, ErrorKind::UnexpectedEof, ErrorKind::InvalidData] {
            assert!(storage(error.into()).is_damage(), "{error}");
        }
        assert!(engine(::fjall::Error::InvalidTrailer).is_damage());
        assert!(!StoreError::InUse("state".into()).is_damage());
    }
}
