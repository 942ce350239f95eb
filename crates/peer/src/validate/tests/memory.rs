//! Committed state that a test sets up.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use windlass_chaincode::lifecycle::ValidationInfo;

use super::policy;
use crate::validate::state::{ChannelState, NoCollection};

/// The state of a channel where `basic`, which both organizations have to endorse, is defined.
pub(super) struct MemoryState {
    pub(super) transactions: HashSet<String>,
    pub(super) definitions: HashMap<String, ValidationInfo>,
    /// By chaincode and collection.
    pub(super) collections: HashMap<(String, String), Bytes>,
    /// By namespace, collection (empty for public keys) and key.
    pub(super) keys: HashMap<(String, String, Vec<u8>), Bytes>,
    /// Every look-up fails.
    pub(super) broken: bool,
}

impl Default for MemoryState {
    fn default() -> Self {
        let state = Self {
            transactions: HashSet::new(),
            definitions: HashMap::new(),
            collections: HashMap::new(),
            keys: HashMap::new(),
            broken: false,
        };
        state.define("basic", policy("AND('Org1MSP.peer', 'Org2MSP.peer')"))
    }
}

impl MemoryState {
    pub(super) fn define(mut self, chaincode: &str, parameter: Bytes) -> Self {
        self.definitions.insert(chaincode.into(), ValidationInfo { plugin: "vscc".into(), parameter });
        self
    }

    pub(super) fn collect(mut self, chaincode: &str, collection: &str, policy: Bytes) -> Self {
        self.collections.insert((chaincode.into(), collection.into()), policy);
        self
    }

    pub(super) fn guard(mut self, namespace: &str, collection: &str, key: &[u8], policy: Bytes) -> Self {
        self.keys.insert((namespace.into(), collection.into(), key.into()), policy);
        self
    }

    fn intact<T>(&self, value: T) -> Result<T, String> {
        if self.broken { Err("the disk is gone".to_owned()) } else { Ok(value) }
    }

    fn key(&self, namespace: &str, collection: &str, key: &[u8]) -> Result<Option<Bytes>, String> {
        self.intact(self.keys.get(&(namespace.to_owned(), collection.to_owned(), key.to_owned())).cloned())
    }
}

impl ChannelState for MemoryState {
    fn has_transaction(&self, tx_id: &str) -> Result<bool, String> {
        self.intact(self.transactions.contains(tx_id))
    }

    fn key_policy(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, String> {
        self.key(namespace, "", key.as_bytes())
    }

    fn private_key_policy(&self, namespace: &str, collection: &str, key_hash: &[u8]) -> Result<Option<Bytes>, String> {
        self.key(namespace, collection, key_hash)
    }

    fn validation_info(&self, chaincode: &str) -> Result<Option<ValidationInfo>, String> {
        self.intact(self.definitions.get(chaincode).cloned())
    }

    fn collection_policy(&self, chaincode: &str, collection: &str) -> Result<Bytes, NoCollection> {
        let found = self.collections.get(&(chaincode.to_owned(), collection.to_owned()));
        found.cloned().ok_or_else(|| NoCollection::Undefined(format!("no such collection '{collection}'")))
    }
}
