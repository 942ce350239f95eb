//! Committed state as it lies in the store: a value, its version, its metadata.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Buf, Bytes};
use prost::{
    Message,
    encoding::{decode_varint, encode_varint},
};
use windlass_proto::{
    hash::sha256,
    kvrwset::{KvMetadataEntry, KvMetadataWrite},
};

use crate::{
    LedgerError,
    keys::Space,
    store::{Rows, Snapshot},
    version::Version,
};

/// A committed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was last written; a write of metadata alone counts.
    pub version: Version,
    /// The value; for the hash side of a collection, the value's SHA-256.
    pub value: Bytes,
    /// Named metadata, such as the key's own endorsement policy.
    pub metadata: BTreeMap<String, Bytes>,
}

impl Record {
    /// Version, length of the metadata, metadata, value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let metadata = if self.metadata.is_empty() {
            Vec::new()
        } else {
            KvMetadataWrite { key: String::new(), entries: metadata_entries(&self.metadata) }.encode_to_vec()
        };
        let mut out = Vec::with_capacity(16 + metadata.len() + self.value.len());
        encode_varint(self.version.block, &mut out);
        encode_varint(self.version.transaction, &mut out);
        encode_varint(metadata.len() as u64, &mut out);
        out.extend_from_slice(&metadata);
        out.extend_from_slice(&self.value);
        out
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, LedgerError> {
        Self::parse(bytes).ok_or(LedgerError::Damaged("a state record cannot be read"))
    }

    fn parse(mut bytes: Bytes) -> Option<Self> {
        let version = Version::new(decode_varint(&mut bytes).ok()?, decode_varint(&mut bytes).ok()?);
        let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
        if length > bytes.remaining() {
            return None;
        }
        let metadata = KvMetadataWrite::decode(bytes.split_to(length)).ok()?;
        Some(Self { version, value: bytes, metadata: metadata_map(metadata.entries) })
    }
}

/// Metadata as it goes on the wire: ascending by name.
pub(crate) fn metadata_entries(metadata: &BTreeMap<String, Bytes>) -> Vec<KvMetadataEntry> {
    metadata.iter().map(|(name, value)| KvMetadataEntry { name: name.clone(), value: value.clone() }).collect()
}

/// Metadata as it is used.
pub(crate) fn metadata_map(entries: Vec<KvMetadataEntry>) -> BTreeMap<String, Bytes> {
    entries.into_iter().map(|entry| (entry.name, entry.value)).collect()
}

/// Committed state at one moment.
#[derive(Clone, Debug)]
pub(crate) struct StateView {
    pub(crate) snapshot: Arc<dyn Snapshot>,
    reader: Reader,
}

/// Held by everything that keeps a snapshot from being let go, and so counts all that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader(Arc<()>);

impl Reader {
    /// How many there are besides this one.
    pub(crate) fn others(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl StateView {
    pub(crate) fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Self { snapshot, reader: Reader::default() }
    }

    /// The same, counted with the others of `reader`.
    pub(crate) fn counted_with(self, reader: &Reader) -> Self {
        Self { reader: reader.clone(), ..self }
    }

    pub(crate) fn get(&self, space: Space<'_>, key: &[u8]) -> Result<Option<Record>, LedgerError> {
        self.snapshot.get(&space.key(key))?.map(Record::decode).transpose()
    }

    pub(crate) fn get_many(&self, space: Space<'_>, keys: &[String]) -> Result<Vec<Option<Record>>, LedgerError> {
        let keys: Vec<_> = keys.iter().map(|key| space.key(key.as_bytes())).collect();
        let found = self.snapshot.get_many(&keys)?;
        found.into_iter().map(|bytes| bytes.map(Record::decode).transpose()).collect()
    }

    /// The hash side of a private key.
    pub(crate) fn hashed(&self, namespace: &str, collection: &str, key: &str) -> Result<Option<Record>, LedgerError> {
        self.get(Space::Hashed(namespace, collection), &sha256(key.as_bytes()))
    }

    /// A private value with its version. Fails if it is not the one whose hash the channel agreed on: this
    /// peer never received it, or not yet.
    pub(crate) fn private(&self, namespace: &str, collection: &str, key: &str) -> Result<Option<Record>, LedgerError> {
        let hashed = self.hashed(namespace, collection, key)?.map(|record| record.version);
        let record = self.get(Space::Private(namespace, collection), key.as_bytes())?;
        let version = record.as_ref().map(|record| record.version);
        if hashed != version {
            return Err(LedgerError::PrivateValueBehind { hash: hashed, value: version });
        }
        Ok(record)
    }

    /// The keys from `start` (inclusive) to `end` (exclusive; empty: no end) in byte order.
    pub(crate) fn range(&self, space: Space<'_>, start: &str, end: &str) -> StateRows {
        let (from, to) = space.bounds(start.as_bytes(), end.as_bytes());
        let rows = Some((self.snapshot.range(&from, &to), self.reader.clone()));
        StateRows { rows, prefix: space.prefix().len() }
    }
}

/// Keys and their records, in byte order of the keys.
pub(crate) struct StateRows {
    rows: Option<(Rows, Reader)>,
    prefix: usize,
}

impl StateRows {
    pub(crate) fn next(&mut self) -> Result<Option<(String, Record)>, LedgerError> {
        let Some(row) = self.rows.as_mut().and_then(|(rows, _)| rows.next()) else { return Ok(None) };
        let (key, value) = row?;
        let key = key.get(self.prefix..).and_then(|key| std::str::from_utf8(key).ok());
        let key = key.ok_or(LedgerError::Damaged("a state key cannot be read"))?;
        Ok(Some((key.to_owned(), Record::decode(value)?)))
    }

    /// Lets go of the snapshot.
    pub(crate) fn close(&mut self) {
        self.rows = None;
    }
}

impl std::fmt::Debug for StateRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateRows").field("open", &self.rows.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_encoding() {
        let metadata = BTreeMap::from([("VALIDATION_PARAMETER".to_owned(), Bytes::from_static(b"policy"))]);
        for record in [
            Record { version: Version::new(0, 0), value: Bytes::from_static(b"v"), metadata: BTreeMap::new() },
            Record { version: Version::new(u64::MAX, 300), value: Bytes::from(vec![0; 1000]), metadata },
        ] {
            assert_eq!(Record::decode(record.encode().into()).expect("a record"), record);
        }
        assert!(Record::decode(Bytes::from_static(&[1, 2, 200])).is_err());
        assert!(Record::decode(Bytes::new()).is_err());
    }
}
