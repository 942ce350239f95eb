//! What the valid transactions of a block change: gathered one transaction after another, then written to the
//! store in one batch.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
};

use bytes::Bytes;
use prost::Message;
use windlass_proto::{hash::sha256, kvrwset::KvrwSet, rwset::TxPvtReadWriteSet};

use crate::{
    LedgerError, Record,
    keys::Space,
    rwset::{TransactionWrites, build::Metadata, is_delete, is_hashed_delete},
    state::{StateRows, StateView, metadata_map},
    store::Batch,
    version::Version,
};

/// The namespace and key of the channel's configuration. Chaincode cannot reach it: its name is never empty.
// Fabric: ledger §7
pub(crate) const CONFIG_NAMESPACE: &str = "";
pub(crate) const CONFIG_KEY: &str = "CHANNEL_CONFIG_ENV_BYTES";

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Update {
    Put(Record),
    Delete(Version),
}

/// The changes of a namespace.
#[derive(Debug, Default)]
pub(crate) struct NamespaceUpdates {
    pub(crate) public: BTreeMap<String, Update>,
    pub(crate) collections: BTreeMap<String, BTreeMap<Bytes, Update>>,
}

/// The changes of a block over the state that it meets.
#[derive(Debug)]
pub(crate) struct Updates {
    state: StateView,
    namespaces: BTreeMap<String, NamespaceUpdates>,
    // By namespace and collection.
    private: BTreeMap<(String, String), BTreeMap<String, Update>>,
}

/// What one transaction does to one key.
#[derive(Default)]
struct Change {
    // `Some(None)` deletes.
    value: Option<Option<Bytes>>,
    metadata: Option<Metadata>,
}

impl Updates {
    pub(crate) fn new(state: StateView) -> Self {
        Self { state, namespaces: BTreeMap::new(), private: BTreeMap::new() }
    }

    /// State before the block.
    pub(crate) fn state(&self) -> &StateView {
        &self.state
    }

    /// By namespace, in order.
    pub(crate) fn namespaces(&self) -> &BTreeMap<String, NamespaceUpdates> {
        &self.namespaces
    }

    pub(crate) fn has_public(&self, namespace: &str, key: &str) -> bool {
        self.namespaces.get(namespace).is_some_and(|updates| updates.public.contains_key(key))
    }

    pub(crate) fn has_hashed(&self, namespace: &str, collection: &str, key_hash: &[u8]) -> bool {
        let updates = self.namespaces.get(namespace).and_then(|updates| updates.collections.get(collection));
        updates.is_some_and(|updates| updates.contains_key(key_hash))
    }

    /// Keys and versions of a public range as they are after the updates so far.
    pub(crate) fn range(&self, namespace: &str, start: &str, end: &str, include_end: bool) -> UpdatedRows<'_> {
        // The first string after the end: nothing lies between the two.
        let end = if include_end && !end.is_empty() { format!("{end}\0") } else { end.to_owned() };
        let updates = self.namespaces.get(namespace).map(|updates| {
            let from = updates.public.range::<str, _>((std::ops::Bound::Included(start), std::ops::Bound::Unbounded));
            from.peekable()
        });
        let committed = self.state.range(Space::Public(namespace), start, &end);
        UpdatedRows { end, updates, committed, ahead: None }
    }

    /// Adds the public and hashed writes of a valid transaction.
    pub(crate) fn add(&mut self, writes: &TransactionWrites, version: Version) -> Result<(), LedgerError> {
        for set in &writes.namespaces {
            if !set.is_written() {
                continue;
            }
            let updates = self.namespaces.entry(set.name.clone()).or_default();
            let mut changes: BTreeMap<String, Change> = BTreeMap::new();
            for write in &set.public.writes {
                let value = (!is_delete(write)).then(|| write.value.clone());
                changes.entry(write.key.clone()).or_default().value = Some(value);
            }
            for write in &set.public.metadata_writes {
                changes.entry(write.key.clone()).or_default().metadata = Some(metadata_map(write.entries.clone()));
            }
            for (key, change) in changes {
                let committed = || self.state.get(Space::Public(&set.name), key.as_bytes());
                if let Some(update) = change.resolve(updates.public.get(&key), committed, version)? {
                    updates.public.insert(key, update);
                }
            }
            for collection in &set.collections {
                let mut changes: BTreeMap<Bytes, Change> = BTreeMap::new();
                for write in &collection.hashed.hashed_writes {
                    let value = (!is_hashed_delete(write)).then(|| write.value_hash.clone());
                    changes.entry(write.key_hash.clone()).or_default().value = Some(value);
                }
                for write in &collection.hashed.metadata_writes {
                    let metadata = metadata_map(write.entries.clone());
                    changes.entry(write.key_hash.clone()).or_default().metadata = Some(metadata);
                }
                if changes.is_empty() {
                    continue;
                }
                let updates = updates.collections.entry(collection.name.clone()).or_default();
                for (key, change) in changes {
                    let committed = || self.state.get(Space::Hashed(&set.name, &collection.name), &key);
                    if let Some(update) = change.resolve(updates.get(&key), committed, version)? {
                        updates.insert(key, update);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the private writes of a valid transaction, after its hashed ones.
    pub(crate) fn add_private(&mut self, set: &TxPvtReadWriteSet, version: Version) -> Result<(), LedgerError> {
        for namespace in &set.ns_pvt_rwset {
            for collection in &namespace.collection_pvt_rwset {
                let Ok(set) = KvrwSet::decode(collection.rwset.clone()) else {
                    // Its hash matched, so this is what was endorsed; there is nothing in it to apply.
                    continue;
                };
                let names = (namespace.namespace.clone(), collection.collection_name.clone());
                self.add_collection(names, &set, version)?;
            }
        }
        Ok(())
    }

    fn add_collection(&mut self, names: (String, String), set: &KvrwSet, version: Version) -> Result<(), LedgerError> {
        let (namespace, collection) = (&names.0, &names.1);
        let mut added = BTreeMap::new();
        for write in &set.writes {
            let update = match is_delete(write) {
                true => Update::Delete(version),
                false => Update::Put(Record { version, value: write.value.clone(), metadata: Metadata::new() }),
            };
            added.insert(write.key.clone(), update);
        }
        for write in &set.metadata_writes {
            if added.contains_key(&write.key) {
                continue;
            }
            // Metadata lies with the hash, whose version it changed: the value's has to follow.
            let space = Space::Private(namespace, collection);
            let pending = self.private.get(&names).and_then(|updates| updates.get(&write.key));
            let current = latest(pending, || self.state.get(space, write.key.as_bytes()))?;
            let hash = sha256(write.key.as_bytes());
            let hashed = self.namespaces.get(namespace).and_then(|updates| updates.collections.get(collection));
            let hashed = hashed.and_then(|updates| updates.get(hash.as_slice()));
            // A value older than the hash had been is one that this peer never received: it stays behind.
            let behind = current.as_ref().is_some_and(
                |record| matches!(hashed, Some(Update::Put(hashed)) if hashed.value[..] != sha256(&record.value)),
            );
            if let Some(record) = current.filter(|_| !behind) {
                added.insert(write.key.clone(), Update::Put(Record { version, ..record }));
            }
        }
        self.private.entry(names).or_default().extend(added);
        Ok(())
    }

    /// Adds the channel configuration of a valid transaction.
    pub(crate) fn add_config(&mut self, config: Bytes, version: Version) {
        let updates = self.namespaces.entry(CONFIG_NAMESPACE.to_owned()).or_default();
        let record = Record { version, value: config, metadata: Metadata::new() };
        updates.public.insert(CONFIG_KEY.to_owned(), Update::Put(record));
    }

    /// Adds all changes to a batch.
    pub(crate) fn write(&self, batch: &mut Batch) {
        for (namespace, updates) in &self.namespaces {
            for (key, update) in &updates.public {
                update.write(Space::Public(namespace), key.as_bytes(), batch);
            }
            for (collection, updates) in &updates.collections {
                for (key, update) in updates {
                    update.write(Space::Hashed(namespace, collection), key, batch);
                }
            }
        }
        for ((namespace, collection), updates) in &self.private {
            for (key, update) in updates {
                update.write(Space::Private(namespace, collection), key.as_bytes(), batch);
            }
        }
    }
}

impl Update {
    fn write(&self, space: Space<'_>, key: &[u8], batch: &mut Batch) {
        match self {
            Self::Put(record) => batch.put(space.key(key), record.encode()),
            Self::Delete(_) => batch.delete(space.key(key)),
        }
    }
}

impl Change {
    /// The update that this change makes of what is there; `None`: nothing changes.
    // Fabric: ledger §3, metadata writes
    fn resolve(
        self,
        pending: Option<&Update>,
        committed: impl FnOnce() -> Result<Option<Record>, LedgerError>,
        version: Version,
    ) -> Result<Option<Update>, LedgerError> {
        Ok(match (self.value, self.metadata) {
            (Some(None), _) => Some(Update::Delete(version)),
            (Some(Some(value)), Some(metadata)) => Some(Update::Put(Record { version, value, metadata })),
            (Some(Some(value)), None) => {
                let metadata = latest(pending, committed)?.map(|record| record.metadata).unwrap_or_default();
                Some(Update::Put(Record { version, value, metadata }))
            }
            (None, Some(metadata)) => {
                latest(pending, committed)?.map(|record| Update::Put(Record { version, value: record.value, metadata }))
            }
            (None, None) => None,
        })
    }
}

/// A key as it is after the updates so far.
fn latest(
    pending: Option<&Update>,
    committed: impl FnOnce() -> Result<Option<Record>, LedgerError>,
) -> Result<Option<Record>, LedgerError> {
    match pending {
        Some(Update::Put(record)) => Ok(Some(record.clone())),
        Some(Update::Delete(_)) => Ok(None),
        None => committed(),
    }
}

/// A range of committed keys with the updates of a block laid over them.
pub(crate) struct UpdatedRows<'a> {
    end: String,
    updates: Option<Peekable<btree_map::Range<'a, String, Update>>>,
    committed: StateRows,
    // A committed row that was read but not yet given out.
    ahead: Option<(String, Version)>,
}

impl UpdatedRows<'_> {
    pub(crate) fn next(&mut self) -> Result<Option<(String, Version)>, LedgerError> {
        loop {
            if self.ahead.is_none() {
                self.ahead = self.committed.next()?.map(|(key, record)| (key, record.version));
            }
            let end = &self.end;
            let update = self.updates.as_mut().and_then(|updates| {
                let (key, _) = updates.peek()?;
                let within = end.is_empty() || key.as_str() < end.as_str();
                let first = self.ahead.as_ref().is_none_or(|(ahead, _)| *key <= ahead);
                if within && first { updates.next() } else { None }
            });
            let Some((key, update)) = update else { return Ok(self.ahead.take()) };
            if self.ahead.as_ref().is_some_and(|(ahead, _)| ahead == key) {
                self.ahead = None;
            }
            if let Update::Put(record) = update {
                return Ok(Some((key.clone(), record.version)));
            }
        }
    }
}
