//! Committed state at one moment, with nothing recorded.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{HistoryIterator, LedgerError, RangeIterator, Record, history::History, keys::Space, state::StateView};

/// One snapshot of committed state.
#[derive(Clone, Debug)]
pub struct Query {
    state: StateView,
    history: History,
}

impl Query {
    pub(crate) fn new(state: StateView, history: History) -> Self {
        Self { state, history }
    }

    /// The value of a key.
    pub fn get_state(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, LedgerError> {
        Ok(self.record(namespace, key)?.map(|record| record.value))
    }

    /// The values of several keys, in their order.
    pub fn get_state_multiple(&self, namespace: &str, keys: &[String]) -> Result<Vec<Option<Bytes>>, LedgerError> {
        let records = self.state.get_many(Space::Public(namespace), keys)?;
        Ok(records.into_iter().map(|record| record.map(|record| record.value)).collect())
    }

    /// The value of a key with its version and metadata.
    pub fn record(&self, namespace: &str, key: &str) -> Result<Option<Record>, LedgerError> {
        self.state.get(Space::Public(namespace), key.as_bytes())
    }

    /// The metadata of a key by name.
    pub fn get_metadata(&self, namespace: &str, key: &str) -> Result<BTreeMap<String, Bytes>, LedgerError> {
        Ok(self.record(namespace, key)?.map(|record| record.metadata).unwrap_or_default())
    }

    /// The keys from `start` (inclusive; empty: the first) to `end` (exclusive; empty: past the last).
    pub fn range(&self, namespace: &str, start: &str, end: &str) -> Result<RangeIterator, LedgerError> {
        Ok(RangeIterator::new(namespace, self.state.range(Space::Public(namespace), start, end), None))
    }

    /// Every modification of a key by valid transactions, newest first.
    pub fn history(&self, namespace: &str, key: &str) -> Result<HistoryIterator, LedgerError> {
        self.history.of(namespace, key)
    }

    /// The private value of a key. Fails if this peer lacks the value whose hash the channel agreed on.
    pub fn get_private(&self, namespace: &str, collection: &str, key: &str) -> Result<Option<Bytes>, LedgerError> {
        Ok(self.state.private(namespace, collection, key)?.map(|record| record.value))
    }

    /// The agreed SHA-256 of a key's private value.
    pub fn get_private_hash(&self, namespace: &str, collection: &str, key: &str) -> Result<Option<Bytes>, LedgerError> {
        Ok(self.state.hashed(namespace, collection, key)?.map(|record| record.value))
    }

    /// The metadata of a private key by name.
    pub fn get_private_metadata(
        &self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<BTreeMap<String, Bytes>, LedgerError> {
        Ok(self.state.hashed(namespace, collection, key)?.map(|record| record.metadata).unwrap_or_default())
    }

    /// The hash side of a private key by the SHA-256 of the key: the value's hash, version and metadata.
    pub fn hashed_record(
        &self,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> Result<Option<Record>, LedgerError> {
        self.state.get(Space::Hashed(namespace, collection), key_hash)
    }

    /// The private keys from `start` (inclusive) to `end` (exclusive).
    pub fn private_range(
        &self,
        namespace: &str,
        collection: &str,
        start: &str,
        end: &str,
    ) -> Result<RangeIterator, LedgerError> {
        let rows = self.state.range(Space::Private(namespace, collection), start, end);
        Ok(RangeIterator::new(namespace, rows, None))
    }
}
