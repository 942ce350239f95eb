//! Read-write sets: what a transaction read and wrote, taken apart ([`decode`]) and put together (`build`).
//!
//! Endorsements of several peers are compared byte for byte, so order and presence of every entry are fixed.

pub(crate) mod build;
pub(crate) mod merkle;

use bytes::Bytes;
use prost::{DecodeError, Message};
use windlass_proto::{
    kvrwset::{HashedRwSet, KvWrite, KvWriteHash, KvrwSet},
    rwset::TxReadWriteSet,
};

/// A read-write set with its parts decoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransactionWrites {
    /// One entry per namespace, in the order of the set.
    pub namespaces: Vec<NamespaceSet>,
}

/// What a transaction did in one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceSet {
    /// The chaincode's name.
    pub name: String,
    /// Public reads and writes.
    pub public: KvrwSet,
    /// One entry per collection, in the order of the set.
    pub collections: Vec<CollectionSet>,
}

/// What a transaction did in one collection, hashed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollectionSet {
    /// The collection's name.
    pub name: String,
    /// Reads and writes by key hash.
    pub hashed: HashedRwSet,
    /// SHA-256 of the private writes; empty if nothing was written.
    pub private_hash: Bytes,
}

/// The results of a transaction are not a read-write set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error unmarshalling {part}: {source}")]
pub struct DecodeFault {
    /// The message expected.
    pub part: &'static str,
    /// What protobuf says.
    pub source: DecodeError,
}

/// Takes the results of a chaincode action apart.
pub fn decode(results: &Bytes) -> Result<TransactionWrites, DecodeFault> {
    let set: TxReadWriteSet = part("TxReadWriteSet", results)?;
    let namespaces = set.ns_rwset.into_iter().map(|namespace| {
        let collections = namespace.collection_hashed_rwset.into_iter().map(|collection| {
            Ok(CollectionSet {
                hashed: part("HashedRWSet", &collection.hashed_rwset)?,
                name: collection.collection_name,
                private_hash: collection.pvt_rwset_hash,
            })
        });
        Ok(NamespaceSet {
            public: part("KVRWSet", &namespace.rwset)?,
            collections: collections.collect::<Result<_, _>>()?,
            name: namespace.namespace,
        })
    });
    Ok(TransactionWrites { namespaces: namespaces.collect::<Result<_, _>>()? })
}

impl TransactionWrites {
    /// Whether any namespace is written.
    pub fn is_written(&self) -> bool {
        self.namespaces.iter().any(NamespaceSet::is_written)
    }

    /// Whether it wrote private data, which is elsewhere.
    pub fn has_private(&self) -> bool {
        self.namespaces.iter().flat_map(|set| &set.collections).any(|set| !set.private_hash.is_empty())
    }
}

impl NamespaceSet {
    /// Whether anything is written here: values or metadata, public or hashed.
    // Fabric: ledger §4
    pub fn is_written(&self) -> bool {
        !self.public.writes.is_empty()
            || !self.public.metadata_writes.is_empty()
            || self.collections.iter().any(CollectionSet::is_written)
    }
}

impl CollectionSet {
    /// Whether anything is written here: values or metadata.
    pub fn is_written(&self) -> bool {
        !self.hashed.hashed_writes.is_empty() || !self.hashed.metadata_writes.is_empty()
    }
}

/// Whether a write removes the key. Old blocks hold empty values without the flag.
// Fabric: ledger §2.1
pub fn is_delete(write: &KvWrite) -> bool {
    write.is_delete || write.value.is_empty()
}

/// Whether a hashed write removes the key.
// Fabric: ledger §2.1
pub fn is_hashed_delete(write: &KvWriteHash) -> bool {
    write.is_delete || write.value_hash.is_empty() || write.value_hash == EMPTY_HASH[..]
}

/// SHA-256 of nothing.
const EMPTY_HASH: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

fn part<M: Message + Default>(part: &'static str, bytes: &Bytes) -> Result<M, DecodeFault> {
    M::decode(bytes.clone()).map_err(|source| DecodeFault { part, source })
}

#[cfg(test)]
mod tests {
    use windlass_proto::{
        hash::sha256,
        rwset::{CollectionHashedReadWriteSet, NsReadWriteSet},
    };

    use super::*;

    #[test]
    fn an_empty_value_is_a_delete_with_or_without_the_flag() {
        assert_eq!(EMPTY_HASH, sha256(b""));
        let write = |is_delete, value: &'static [u8]| KvWrite { key: "k".into(), is_delete, value: value.into() };
        assert!(is_delete(&write(true, b"v")) && is_delete(&write(false, b"")) && !is_delete(&write(false, b"v")));
        let hashed = |is_delete, hash: &[u8]| KvWriteHash {
            is_delete,
            value_hash: Bytes::copy_from_slice(hash),
            ..Default::default()
        };
        assert!(is_hashed_delete(&hashed(true, &[1; 32])));
        assert!(is_hashed_delete(&hashed(false, b"")));
        assert!(is_hashed_delete(&hashed(false, &EMPTY_HASH)));
        assert!(!is_hashed_delete(&hashed(false, &[1; 32])));
    }

    #[test]
    fn names_the_part_that_cannot_be_read() {
        let bad = Bytes::from_static(&[0xff]);
        let nested =
            |set: NsReadWriteSet| Bytes::from(TxReadWriteSet { data_model: 0, ns_rwset: vec![set] }.encode_to_vec());
        let collection = CollectionHashedReadWriteSet { hashed_rwset: bad.clone(), ..Default::default() };
        for (bytes, part) in [
            (bad.clone(), "TxReadWriteSet"),
            (nested(NsReadWriteSet { rwset: bad.clone(), ..Default::default() }), "KVRWSet"),
            (nested(NsReadWriteSet { collection_hashed_rwset: vec![collection], ..Default::default() }), "HashedRWSet"),
        ] {
            assert_eq!(decode(&bytes).expect_err(part).part, part);
        }
        assert_eq!(decode(&Bytes::new()).expect("an empty set"), TransactionWrites::default());
    }
}
