//! What a simulation comes to.

use std::collections::BTreeMap;

use bytes::Bytes;
use windlass_proto::rwset::TxPvtReadWriteSet;

use super::Simulator;
use crate::{
    LedgerError, Record,
    keys::Space,
    rwset::build::{Collection, Namespace},
};

/// The metadata entry that holds a key's own endorsement policy.
const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";

/// The results of a simulation.
#[derive(Clone, Debug)]
pub struct SimulationResults {
    /// The serialized `TxReadWriteSet`; peers compare it byte for byte.
    pub public: Bytes,
    /// Private writes, if there are any: to be kept, never to be ordered.
    pub private: Option<TxPvtReadWriteSet>,
    /// How many keys were read, rows of range queries included.
    pub reads: usize,
    /// How many keys were written or deleted, metadata included.
    pub writes: usize,
    /// By namespace, what decides who must endorse.
    pub interest: BTreeMap<String, NamespaceInterest>,
}

/// What a transaction did in one namespace, as far as it decides who must endorse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceInterest {
    /// The public keys written, each with its own committed endorsement policy, if it has one.
    pub written: BTreeMap<String, Option<Bytes>>,
    /// The collections touched.
    pub collections: BTreeMap<String, CollectionInterest>,
}

/// The same for one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionInterest {
    /// Whether a private value was read; reads of hashes do not count.
    pub read: bool,
    /// The private keys written, each with its own committed endorsement policy, if it has one.
    pub written: BTreeMap<String, Option<Bytes>>,
}

impl Simulator {
    /// The results. May be asked for once.
    pub fn results(&self) -> Result<SimulationResults, LedgerError> {
        let mut recorder = self.inner.recorder.lock();
        if recorder.results_taken {
            return Err(LedgerError::ResultsTaken);
        }
        recorder.results_taken = true;
        let mut reads = 0;
        for (namespace, range) in std::mem::take(&mut recorder.ranges) {
            let range = range.lock();
            reads += range.count();
            recorder.set.namespace(&namespace).ranges.push(range.info());
        }
        let mut writes = 0;
        let mut interest = BTreeMap::new();
        for (name, namespace) in &recorder.set.namespaces {
            reads += namespace.reads.len();
            reads += namespace.collections.values().map(|collection| collection.reads.len()).sum::<usize>();
            let mut touched = self.interest(name, namespace)?;
            for (collection, interest) in &mut touched.collections {
                interest.read = recorder.private_reads.contains(&(name.clone(), collection.clone()));
                writes += interest.written.len();
            }
            writes += touched.written.len();
            interest.insert(name.clone(), touched);
        }
        let (public, private) = recorder.set.build();
        Ok(SimulationResults { public, private, reads, writes, interest })
    }

    fn interest(&self, name: &str, namespace: &Namespace) -> Result<NamespaceInterest, LedgerError> {
        let mut interest = NamespaceInterest::default();
        for key in namespace.writes.keys().chain(namespace.metadata_writes.keys()) {
            let record = self.inner.state.get(Space::Public(name), key.as_bytes())?;
            interest.written.insert(key.clone(), policy(record));
        }
        for (collection_name, collection) in &namespace.collections {
            let collection = self.collection_interest(name, collection_name, collection)?;
            interest.collections.insert(collection_name.clone(), collection);
        }
        Ok(interest)
    }

    fn collection_interest(
        &self,
        namespace: &str,
        name: &str,
        collection: &Collection,
    ) -> Result<CollectionInterest, LedgerError> {
        let mut interest = CollectionInterest::default();
        for key in collection.writes.keys().chain(collection.metadata_writes.keys()) {
            let record = self.inner.state.hashed(namespace, name, key)?;
            interest.written.insert(key.clone(), policy(record));
        }
        Ok(interest)
    }
}

fn policy(record: Option<Record>) -> Option<Bytes> {
    record?.metadata.remove(VALIDATION_PARAMETER)
}
