//! Private data in a simulation: values of the peer's own store, recorded by hash.

use bytes::Bytes;

use super::{RangeIterator, Simulator};
use crate::{
    LedgerError,
    keys::{self, Space},
    rwset::build::{Metadata, PrivateWrite},
    version::Version,
};

impl Simulator {
    /// The committed private value of a key. Recorded as a hashed read. Fails if this peer lacks the value
    /// whose hash the channel agreed on.
    pub fn get_private(&self, namespace: &str, collection: &str, key: &str) -> Result<Option<Bytes>, LedgerError> {
        keys::check(namespace, collection, key)?;
        let record = self.inner.state.private(namespace, collection, key)?;
        self.record_hashed_read(namespace, collection, key, record.as_ref().map(|record| record.version));
        self.inner.recorder.lock().private_reads.insert((namespace.to_owned(), collection.to_owned()));
        Ok(record.map(|record| record.value))
    }

    /// The agreed SHA-256 of a key's private value; needs no access to the value. Recorded as a hashed read.
    pub fn get_private_hash(&self, namespace: &str, collection: &str, key: &str) -> Result<Option<Bytes>, LedgerError> {
        keys::check(namespace, collection, key)?;
        let record = self.inner.state.hashed(namespace, collection, key)?;
        self.record_hashed_read(namespace, collection, key, record.as_ref().map(|record| record.version));
        Ok(record.map(|record| record.value))
    }

    /// Writes a private key. No bytes at all delete it.
    pub fn put_private(&self, namespace: &str, collection: &str, key: &str, value: Bytes) -> Result<(), LedgerError> {
        self.write_private(namespace, collection, key, PrivateWrite { value, purge: false })
    }

    /// Deletes a private key, whether or not it exists.
    pub fn delete_private(&self, namespace: &str, collection: &str, key: &str) -> Result<(), LedgerError> {
        self.put_private(namespace, collection, key, Bytes::new())
    }

    /// Deletes a private key and asks all peers to forget its former values.
    pub fn purge_private(&self, namespace: &str, collection: &str, key: &str) -> Result<(), LedgerError> {
        self.write_private(namespace, collection, key, PrivateWrite { value: Bytes::new(), purge: true })
    }

    /// The committed metadata of a private key by name. Recorded as a hashed read.
    pub fn get_private_metadata(&self, namespace: &str, collection: &str, key: &str) -> Result<Metadata, LedgerError> {
        keys::check(namespace, collection, key)?;
        let record = self.inner.state.hashed(namespace, collection, key)?;
        self.record_hashed_read(namespace, collection, key, record.as_ref().map(|record| record.version));
        Ok(record.map(|record| record.metadata).unwrap_or_default())
    }

    /// Replaces a private key's metadata; no entries remove it.
    pub fn put_private_metadata(
        &self,
        namespace: &str,
        collection: &str,
        key: &str,
        entries: Metadata,
    ) -> Result<(), LedgerError> {
        let mut recorder = self.writing(namespace, collection, key)?;
        recorder.set.collection(namespace, collection).metadata_writes.insert(key.to_owned(), entries);
        Ok(())
    }

    /// The private keys from `start` (inclusive) to `end` (exclusive), as in [`range`](Self::range). Nothing is
    /// recorded, so only a transaction that writes nothing may ask.
    pub fn private_range(
        &self,
        namespace: &str,
        collection: &str,
        start: &str,
        end: &str,
    ) -> Result<RangeIterator, LedgerError> {
        let mut recorder = self.inner.recorder.lock();
        if recorder.written {
            return Err(LedgerError::PrivateQueryAfterWrite(self.inner.tx_id.clone()));
        }
        recorder.private_queried = true;
        drop(recorder);
        let rows = self.inner.state.range(Space::Private(namespace, collection), start, end);
        Ok(RangeIterator::new(namespace, rows, None))
    }

    fn record_hashed_read(&self, namespace: &str, collection: &str, key: &str, version: Option<Version>) {
        let mut recorder = self.inner.recorder.lock();
        recorder.set.collection(namespace, collection).reads.insert(key.to_owned(), version);
    }

    fn write_private(
        &self,
        namespace: &str,
        collection: &str,
        key: &str,
        write: PrivateWrite,
    ) -> Result<(), LedgerError> {
        let mut recorder = self.writing(namespace, collection, key)?;
        recorder.set.collection(namespace, collection).writes.insert(key.to_owned(), write);
        Ok(())
    }
}
