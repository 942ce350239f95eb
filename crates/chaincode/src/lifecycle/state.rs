//! Where lifecycle records live: the channel's public state, and each organization's implicit collection.

use bytes::Bytes;
use windlass_proto::hash::sha256;

use crate::simulation::{Simulation, SimulationResult};

/// The name of the lifecycle's chaincode and of its namespace in the ledger.
pub const LIFECYCLE: &str = "_lifecycle";

// Fabric: lifecycle §6.1
const IMPLICIT_PREFIX: &str = "_implicit_org_";

/// The name of the collection that every chaincode has for the organization with this MSP ID.
pub fn implicit_collection(msp_id: &str) -> String {
    format!("{IMPLICIT_PREFIX}{msp_id}")
}

/// The MSP ID if `collection` is an organization's implicit collection.
pub fn implicit_collection_owner(collection: &str) -> Option<&str> {
    collection.strip_prefix(IMPLICIT_PREFIX)
}

/// Keys and values that records are kept in.
pub(crate) trait State {
    fn get(&self, key: &str) -> SimulationResult<Option<Bytes>>;
    fn put(&self, key: &str, value: Bytes) -> SimulationResult<()>;
    fn delete(&self, key: &str) -> SimulationResult<()>;
    /// All keys with `prefix` and their values, in key order.
    fn scan(&self, prefix: &str) -> SimulationResult<Vec<(String, Bytes)>>;
}

/// What the channel has committed.
#[derive(Clone, Copy)]
pub(crate) struct PublicState<'a>(pub(crate) &'a dyn Simulation);

/// What one organization has approved.
#[derive(Clone)]
pub(crate) struct OrgState<'a> {
    simulation: &'a dyn Simulation,
    collection: String,
}

impl<'a> OrgState<'a> {
    pub(crate) fn new(simulation: &'a dyn Simulation, msp_id: &str) -> Self {
        Self { simulation, collection: implicit_collection(msp_id) }
    }

    /// The hash of the value of `key`; known for every organization, not only for one's own.
    pub(crate) fn hash(&self, key: &str) -> SimulationResult<Option<Bytes>> {
        self.simulation.get_private_hash(LIFECYCLE, &self.collection, key)
    }

    /// Whether the value of `key` is `expected`, by hash.
    pub(crate) fn hash_matches(hash: Option<&Bytes>, expected: &[u8]) -> bool {
        hash.is_some_and(|hash| **hash == sha256(expected))
    }
}

impl State for PublicState<'_> {
    fn get(&self, key: &str) -> SimulationResult<Option<Bytes>> {
        self.0.get_state(LIFECYCLE, key)
    }

    fn put(&self, key: &str, value: Bytes) -> SimulationResult<()> {
        self.0.put_state(LIFECYCLE, key, value)
    }

    fn delete(&self, key: &str) -> SimulationResult<()> {
        self.0.delete_state(LIFECYCLE, key)
    }

    fn scan(&self, prefix: &str) -> SimulationResult<Vec<(String, Bytes)>> {
        let mut rows = self.0.range(LIFECYCLE, prefix, &scan_end(prefix))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.key, row.value));
        }
        Ok(found)
    }
}

impl State for OrgState<'_> {
    fn get(&self, key: &str) -> SimulationResult<Option<Bytes>> {
        self.simulation.get_private(LIFECYCLE, &self.collection, key)
    }

    fn put(&self, key: &str, value: Bytes) -> SimulationResult<()> {
        self.simulation.put_private(LIFECYCLE, &self.collection, key, value)
    }

    fn delete(&self, key: &str) -> SimulationResult<()> {
        self.simulation.delete_private(LIFECYCLE, &self.collection, key)
    }

    fn scan(&self, prefix: &str) -> SimulationResult<Vec<(String, Bytes)>> {
        let mut rows = self.simulation.private_range(LIFECYCLE, &self.collection, prefix, &scan_end(prefix))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.key, row.value));
        }
        Ok(found)
    }
}

// Fabric: lifecycle §6.1. The end is recorded in the read set, so it must be this one.
fn scan_end(prefix: &str) -> String {
    format!("{prefix}\x7f")
}
