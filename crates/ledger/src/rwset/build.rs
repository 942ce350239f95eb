//! Puts a read-write set together in Fabric's order: everything ascending by plain key.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    hash::sha256,
    kvrwset::{
        HashedRwSet, KvMetadataWrite, KvMetadataWriteHash, KvRead, KvReadHash, KvWrite, KvWriteHash, KvrwSet,
        RangeQueryInfo,
    },
    rwset::{
        CollectionHashedReadWriteSet, CollectionPvtReadWriteSet, NsPvtReadWriteSet, NsReadWriteSet, TxPvtReadWriteSet,
        TxReadWriteSet,
    },
};

use crate::{state::metadata_entries, version::Version};

/// Metadata by name.
pub(crate) type Metadata = BTreeMap<String, Bytes>;

/// What a transaction did so far, by namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadWriteSet {
    pub(crate) namespaces: BTreeMap<String, Namespace>,
}

/// What it did in one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    pub(crate) reads: BTreeMap<String, Option<Version>>,
    // In creation order.
    pub(crate) ranges: Vec<RangeQueryInfo>,
    pub(crate) writes: BTreeMap<String, Bytes>,
    pub(crate) metadata_writes: BTreeMap<String, Metadata>,
    pub(crate) collections: BTreeMap<String, Collection>,
}

/// What it did in one collection. All maps are by plain key: the hashed set follows that order too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collection {
    pub(crate) reads: BTreeMap<String, Option<Version>>,
    pub(crate) writes: BTreeMap<String, PrivateWrite>,
    pub(crate) metadata_writes: BTreeMap<String, Metadata>,
}

/// A private write; an empty value removes the key.
#[derive(Clone, Debug)]
pub(crate) struct PrivateWrite {
    pub(crate) value: Bytes,
    pub(crate) purge: bool,
}

impl ReadWriteSet {
    pub(crate) fn namespace(&mut self, name: &str) -> &mut Namespace {
        // Twice looked up, but only once allocated: most calls find it.
        if !self.namespaces.contains_key(name) {
            self.namespaces.insert(name.to_owned(), Namespace::default());
        }
        self.namespaces.get_mut(name).expect("just inserted")
    }

    pub(crate) fn collection(&mut self, namespace: &str, name: &str) -> &mut Collection {
        self.namespace(namespace).collections.entry(name.to_owned()).or_default()
    }

    /// The public set (`TxReadWriteSet`) and the private one, if anything private was written.
    pub(crate) fn build(&self) -> (Bytes, Option<TxPvtReadWriteSet>) {
        let mut public = TxReadWriteSet::default();
        let mut private = TxPvtReadWriteSet::default();
        for (name, namespace) in &self.namespaces {
            let mut hashed_sets = Vec::with_capacity(namespace.collections.len());
            let mut private_sets = Vec::new();
            for (collection_name, collection) in &namespace.collections {
                let private = collection.private();
                let pvt_rwset_hash = private.as_ref().map(|set| Bytes::copy_from_slice(&sha256(set)));
                hashed_sets.push(CollectionHashedReadWriteSet {
                    collection_name: collection_name.clone(),
                    hashed_rwset: collection.hashed().encode_to_vec().into(),
                    pvt_rwset_hash: pvt_rwset_hash.unwrap_or_default(),
                });
                if let Some(rwset) = private {
                    let collection_name = collection_name.clone();
                    private_sets.push(CollectionPvtReadWriteSet { collection_name, rwset });
                }
            }
            public.ns_rwset.push(NsReadWriteSet {
                namespace: name.clone(),
                rwset: namespace.public().encode_to_vec().into(),
                collection_hashed_rwset: hashed_sets,
            });
            if !private_sets.is_empty() {
                let namespace = name.clone();
                private.ns_pvt_rwset.push(NsPvtReadWriteSet { namespace, collection_pvt_rwset: private_sets });
            }
        }
        let private = (!private.ns_pvt_rwset.is_empty()).then_some(private);
        (public.encode_to_vec().into(), private)
    }
}

impl Namespace {
    fn public(&self) -> KvrwSet {
        let mut ranges: Vec<RangeQueryInfo> = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            let same = |other: &RangeQueryInfo| {
                other.start_key == range.start_key
                    && other.end_key == range.end_key
                    && other.itr_exhausted == range.itr_exhausted
            };
            if !ranges.iter().any(same) {
                ranges.push(range.clone());
            }
        }
        KvrwSet {
            reads: self
                .reads
                .iter()
                .map(|(key, version)| KvRead { key: key.clone(), version: version.map(Into::into) })
                .collect(),
            range_queries_info: ranges,
            writes: self.writes.iter().map(|(key, value)| write(key, value)).collect(),
            metadata_writes: self
                .metadata_writes
                .iter()
                .map(|(key, metadata)| KvMetadataWrite { key: key.clone(), entries: metadata_entries(metadata) })
                .collect(),
        }
    }
}

impl Collection {
    fn hashed(&self) -> HashedRwSet {
        HashedRwSet {
            hashed_reads: self
                .reads
                .iter()
                .map(|(key, version)| KvReadHash { key_hash: hash(key), version: version.map(Into::into) })
                .collect(),
            hashed_writes: self
                .writes
                .iter()
                .map(|(key, write)| KvWriteHash {
                    key_hash: hash(key),
                    is_delete: write.value.is_empty(),
                    value_hash: match write.value.is_empty() {
                        true => Bytes::new(),
                        false => Bytes::copy_from_slice(&sha256(&write.value)),
                    },
                    is_purge: write.purge,
                })
                .collect(),
            metadata_writes: self
                .metadata_writes
                .iter()
                .map(|(key, metadata)| KvMetadataWriteHash { key_hash: hash(key), entries: metadata_entries(metadata) })
                .collect(),
        }
    }

    /// The private writes as they are hashed and kept; `None` if there are none.
    fn private(&self) -> Option<Bytes> {
        if self.writes.is_empty() && self.metadata_writes.is_empty() {
            return None;
        }
        let set = KvrwSet {
            writes: self.writes.iter().map(|(key, private)| write(key, &private.value)).collect(),
            // The metadata itself lies with the hashes; here only which keys get a new version.
            metadata_writes: self
                .metadata_writes
                .keys()
                .map(|key| KvMetadataWrite { key: key.clone(), entries: Vec::new() })
                .collect(),
            ..Default::default()
        };
        Some(set.encode_to_vec().into())
    }
}

/// A put of no bytes is a delete.
// Fabric: ledger §2.1
fn write(key: &str, value: &Bytes) -> KvWrite {
    KvWrite { key: key.to_owned(), is_delete: value.is_empty(), value: value.clone() }
}

fn hash(key: &str) -> Bytes {
    Bytes::copy_from_slice(&sha256(key.as_bytes()))
}
