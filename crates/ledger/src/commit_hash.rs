//! The commit hash: a running digest of what every block changed, by which peers notice that they disagree.

use bytes::Bytes;
use prost::{Message, encoding::encode_varint};
use windlass_proto::hash::sha256_of;

use crate::{
    apply::{CONFIG_NAMESPACE, Update, Updates},
    version::Version,
};

/// All changes of a block, in order.
#[derive(Clone, PartialEq, Message)]
struct UpdateList {
    #[prost(message, repeated, tag = "1")]
    writes: Vec<UpdateEntry>,
}

/// One change. Only the first of a namespace or collection names it.
#[derive(Clone, PartialEq, Message)]
struct UpdateEntry {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    collection: String,
    #[prost(bytes = "bytes", tag = "3")]
    key: Bytes,
    #[prost(bool, tag = "4")]
    is_delete: bool,
    #[prost(bytes = "bytes", tag = "5")]
    value: Bytes,
    #[prost(bytes = "vec", tag = "6")]
    version: Vec<u8>,
}

/// The commit hash of a block with these validation codes and changes, after one with `previous`.
// Fabric: ledger §5
pub(crate) fn commit_hash(codes: &[u8], updates: &Updates, previous: &[u8]) -> Bytes {
    let mut length = Vec::new();
    encode_varint(codes.len() as u64, &mut length);
    let list = list(updates).encode_to_vec();
    Bytes::copy_from_slice(&sha256_of([length.as_slice(), codes, list.as_slice(), previous]))
}

fn list(updates: &Updates) -> UpdateList {
    let mut writes = Vec::new();
    for (namespace, updates) in updates.namespaces() {
        if namespace == CONFIG_NAMESPACE {
            continue;
        }
        let first = writes.len();
        writes.extend(updates.public.iter().map(|(key, update)| entry(Bytes::from(key.clone()), update)));
        for (collection, updates) in &updates.collections {
            let first = writes.len();
            writes.extend(updates.iter().map(|(key, update)| entry(key.clone(), update)));
            if let Some(entry) = writes.get_mut(first) {
                entry.collection.clone_from(collection);
            }
        }
        if let Some(entry) = writes.get_mut(first) {
            entry.namespace.clone_from(namespace);
        }
    }
    UpdateList { writes }
}

fn entry(key: Bytes, update: &Update) -> UpdateEntry {
    let (value, version): (Bytes, Version) = match update {
        Update::Put(record) => (record.value.clone(), record.version),
        Update::Delete(version) => (Bytes::new(), *version),
    };
    UpdateEntry {
        key,
        is_delete: matches!(update, Update::Delete(_)),
        value,
        version: version.to_order_preserving_bytes(),
        ..Default::default()
    }
}
