//! Every code, provoked with really signed transactions.

mod codes;
mod keys;
mod ledger;
mod memory;

use bytes::Bytes;
use prost::Message;
use windlass_identity::policy::text;
use windlass_proto::{
    kvrwset::{HashedRwSet, KvMetadataEntry, KvMetadataWrite, KvMetadataWriteHash, KvWrite, KvWriteHash, KvrwSet},
    protos::{ApplicationPolicy, TxValidationCode, application_policy::Type},
    rwset::{CollectionHashedReadWriteSet, NsReadWriteSet, TxReadWriteSet},
};

use super::{ValidationError, judge_block};
use crate::testing::{World, block_of};
use memory::MemoryState;

/// What becomes of these entries of one block.
fn judge(world: &World, state: &MemoryState, entries: Vec<Bytes>) -> Result<Vec<TxValidationCode>, ValidationError> {
    judge_block(&world.config, state, &block_of(None, entries))
}

/// What becomes of one entry.
fn code(world: &World, state: &MemoryState, entry: Bytes) -> TxValidationCode {
    let codes = judge(world, state, vec![entry]).expect("a verdict");
    assert_eq!(codes.len(), 1);
    codes[0]
}

/// A serialized application policy from text.
fn policy(text: &str) -> Bytes {
    let envelope = text::parse(text).expect("a policy");
    ApplicationPolicy { r#type: Some(Type::SignaturePolicy(envelope)) }.encode_to_vec().into()
}

/// A serialized reference to a policy of the channel.
fn reference(path: &str) -> Bytes {
    ApplicationPolicy { r#type: Some(Type::ChannelConfigPolicyReference(path.into())) }.encode_to_vec().into()
}

/// A serialized signature policy from text, as keys carry it.
fn key_policy(text: &str) -> Bytes {
    text::parse(text).expect("a policy").encode_to_vec().into()
}

/// A read-write set in the making.
#[derive(Default)]
struct Results(TxReadWriteSet);

impl Results {
    fn new() -> Self {
        Self::default()
    }

    fn namespace(mut self, name: &str, public: KvrwSet) -> Self {
        let rwset = public.encode_to_vec().into();
        self.0.ns_rwset.push(NsReadWriteSet { namespace: name.into(), rwset, ..Default::default() });
        self
    }

    /// A write of a public key.
    fn write(self, namespace: &str, key: &str) -> Self {
        let write = KvWrite { key: key.into(), value: "v".into(), ..Default::default() };
        self.namespace(namespace, KvrwSet { writes: vec![write], ..Default::default() })
    }

    /// A new policy for a public key.
    fn guard(self, namespace: &str, key: &str) -> Self {
        let write = KvMetadataWrite { key: key.into(), entries: vec![entry()] };
        self.namespace(namespace, KvrwSet { metadata_writes: vec![write], ..Default::default() })
    }

    fn collection(mut self, namespace: &str, collection: &str, hashed: HashedRwSet) -> Self {
        let collection = CollectionHashedReadWriteSet {
            collection_name: collection.into(),
            hashed_rwset: hashed.encode_to_vec().into(),
            ..Default::default()
        };
        let collections = vec![collection];
        self.0.ns_rwset.push(NsReadWriteSet {
            namespace: namespace.into(),
            collection_hashed_rwset: collections,
            ..Default::default()
        });
        self
    }

    /// A write of a private key, by its hash.
    fn write_private(self, namespace: &str, collection: &str, hash: &'static [u8]) -> Self {
        let write = KvWriteHash { key_hash: hash.into(), value_hash: "h".into(), ..Default::default() };
        self.collection(namespace, collection, HashedRwSet { hashed_writes: vec![write], ..Default::default() })
    }

    /// A new policy for a private key, by its hash.
    fn guard_private(self, namespace: &str, collection: &str, hash: &'static [u8]) -> Self {
        let write = KvMetadataWriteHash { key_hash: hash.into(), entries: vec![entry()] };
        self.collection(namespace, collection, HashedRwSet { metadata_writes: vec![write], ..Default::default() })
    }

    fn encode(self) -> Bytes {
        self.0.encode_to_vec().into()
    }
}

fn entry() -> KvMetadataEntry {
    KvMetadataEntry { name: "VALIDATION_PARAMETER".into(), value: key_policy("OR('Org1MSP.member')") }
}
