//! The ledger as a chaincode sees it: one snapshot, read and written by one transaction.

use std::collections::BTreeMap;

use bytes::Bytes;
use windlass_proto::queryresult::{KeyModification, Kv};

/// Why the ledger refused. The text reaches the chaincode and its client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SimulationError(pub String);

/// Shorthand for what a [`Simulation`] returns.
pub type SimulationResult<T> = Result<T, SimulationError>;

/// One transaction's view of a channel's ledger. Reads see what was committed when the simulation began
/// and never the transaction's own writes; everything is recorded in the read-write set.
///
/// Methods take `&self` because a chaincode and the chaincodes it calls share one simulation.
pub trait Simulation: Send + Sync {
    /// The value of `key`, if it has one.
    fn get_state(&self, namespace: &str, key: &str) -> SimulationResult<Option<Bytes>>;

    /// The values of `keys`, in their order.
    fn get_state_multiple(&self, namespace: &str, keys: &[String]) -> SimulationResult<Vec<Option<Bytes>>>;

    /// Writes `value`; an empty one deletes the key.
    fn put_state(&self, namespace: &str, key: &str, value: Bytes) -> SimulationResult<()>;

    /// Deletes `key`.
    fn delete_state(&self, namespace: &str, key: &str) -> SimulationResult<()>;

    /// The metadata of `key` by name; empty if there is none.
    fn get_metadata(&self, namespace: &str, key: &str) -> SimulationResult<BTreeMap<String, Bytes>>;

    /// Replaces the whole metadata of `key`.
    fn put_metadata(&self, namespace: &str, key: &str, entries: BTreeMap<String, Bytes>) -> SimulationResult<()>;

    /// Keys from `start` (inclusive) to `end` (exclusive; empty is the namespace's end), lazily.
    fn range(&self, namespace: &str, start: &str, end: &str) -> SimulationResult<Box<dyn Rows<Kv>>>;

    /// At most `page_size` keys of the range and the bookmark to go on from; empty at the end.
    fn range_page(
        &self,
        namespace: &str,
        start: &str,
        end: &str,
        page_size: u32,
    ) -> SimulationResult<(Vec<Kv>, String)>;

    /// A query in the state database's own language.
    fn query(&self, namespace: &str, query: &str) -> SimulationResult<Box<dyn Rows<Kv>>>;

    /// One page of such a query.
    fn query_page(
        &self,
        namespace: &str,
        query: &str,
        page_size: u32,
        bookmark: &str,
    ) -> SimulationResult<(Vec<Kv>, String)>;

    /// What happened to `key`, newest first.
    fn history(&self, namespace: &str, key: &str) -> SimulationResult<Box<dyn Rows<KeyModification>>>;

    /// The private value of `key` in `collection`.
    fn get_private(&self, namespace: &str, collection: &str, key: &str) -> SimulationResult<Option<Bytes>>;

    /// SHA-256 of the private value of `key`, known also to peers without the value.
    fn get_private_hash(&self, namespace: &str, collection: &str, key: &str) -> SimulationResult<Option<Bytes>>;

    /// Writes a private value.
    fn put_private(&self, namespace: &str, collection: &str, key: &str, value: Bytes) -> SimulationResult<()>;

    /// Deletes a private value.
    fn delete_private(&self, namespace: &str, collection: &str, key: &str) -> SimulationResult<()>;

    /// Private keys from `start` to `end`, as [`Simulation::range`].
    fn private_range(
        &self,
        namespace: &str,
        collection: &str,
        start: &str,
        end: &str,
    ) -> SimulationResult<Box<dyn Rows<Kv>>>;
}

/// Rows read one after another. Dropping it ends the reading.
pub trait Rows<T>: Send {
    /// The next row, or `None` at the end.
    fn next(&mut self) -> SimulationResult<Option<T>>;
}
