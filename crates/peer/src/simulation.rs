//! Joins the ledger's simulator to the chaincode engine, which know nothing of each other.

use std::collections::BTreeMap;

use windlass_chaincode::simulation::{Rows, Simulation, SimulationError, SimulationResult};
use windlass_ledger::{HistoryIterator, LedgerError, RangeIterator, Simulator};
use windlass_proto::{
    Bytes,
    queryresult::{KeyModification, Kv},
};

/// A ledger's simulator as chaincode sees it.
#[derive(Clone, Debug)]
pub struct LedgerSimulation(pub Simulator);

fn refused(error: LedgerError) -> SimulationError {
    SimulationError(error.to_string())
}

fn boxed<I, T>(iterator: I) -> Box<dyn Rows<T>>
where
    LedgerRows<I>: Rows<T> + 'static,
{
    Box::new(LedgerRows(iterator))
}

impl Simulation for LedgerSimulation {
    fn get_state(&self, namespace: &str, key: &str) -> SimulationResult<Option<Bytes>> {
        self.0.get_state(namespace, key).map_err(refused)
    }

    fn get_state_multiple(&self, namespace: &str, keys: &[String]) -> SimulationResult<Vec<Option<Bytes>>> {
        self.0.get_state_multiple(namespace, keys).map_err(refused)
    }

    fn put_state(&self, namespace: &str, key: &str, value: Bytes) -> SimulationResult<()> {
        self.0.put_state(namespace, key, value).map_err(refused)
    }

    fn delete_state(&self, namespace: &str, key: &str) -> SimulationResult<()> {
        self.0.delete_state(namespace, key).map_err(refused)
    }

    fn get_metadata(&self, namespace: &str, key: &str) -> SimulationResult<BTreeMap<String, Bytes>> {
        self.0.get_metadata(namespace, key).map_err(refused)
    }

    fn put_metadata(&self, namespace: &str, key: &str, entries: BTreeMap<String, Bytes>) -> SimulationResult<()> {
        self.0.put_metadata(namespace, key, entries).map_err(refused)
    }

    fn range(&self, namespace: &str, start: &str, end: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        self.0.range(namespace, start, end).map(boxed).map_err(refused)
    }

    fn range_page(
        &self,
        namespace: &str,
        start: &str,
        end: &str,
        page_size: u32,
    ) -> SimulationResult<(Vec<Kv>, String)> {
        self.0.range_page(namespace, start, end, page_size).map_err(refused)
    }

    // Fabric: chaincode-protocol §10
    fn query(&self, _: &str, _: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        Err(SimulationError("ExecuteQuery not supported for leveldb".to_owned()))
    }

    fn query_page(&self, _: &str, _: &str, _: u32, _: &str) -> SimulationResult<(Vec<Kv>, String)> {
        Err(SimulationError("ExecuteQueryWithMetadata not supported for leveldb".to_owned()))
    }

    fn history(&self, namespace: &str, key: &str) -> SimulationResult<Box<dyn Rows<KeyModification>>> {
        self.0.history(namespace, key).map(boxed).map_err(refused)
    }

    fn get_private(&self, namespace: &str, collection: &str, key: &str) -> SimulationResult<Option<Bytes>> {
        self.0.get_private(namespace, collection, key).map_err(refused)
    }

    fn get_private_hash(&self, namespace: &str, collection: &str, key: &str) -> SimulationResult<Option<Bytes>> {
        self.0.get_private_hash(namespace, collection, key).map_err(refused)
    }

    fn put_private(&self, namespace: &str, collection: &str, key: &str, value: Bytes) -> SimulationResult<()> {
        self.0.put_private(namespace, collection, key, value).map_err(refused)
    }

    fn delete_private(&self, namespace: &str, collection: &str, key: &str) -> SimulationResult<()> {
        self.0.delete_private(namespace, collection, key).map_err(refused)
    }

    fn private_range(
        &self,
        namespace: &str,
        collection: &str,
        start: &str,
        end: &str,
    ) -> SimulationResult<Box<dyn Rows<Kv>>> {
        self.0.private_range(namespace, collection, start, end).map(boxed).map_err(refused)
    }
}

/// The ledger's iterators as rows; neither type is this crate's, hence the wrapper.
struct LedgerRows<I>(I);

impl Rows<Kv> for LedgerRows<RangeIterator> {
    fn next(&mut self) -> SimulationResult<Option<Kv>> {
        self.0.next().map_err(refused)
    }
}

impl Rows<KeyModification> for LedgerRows<HistoryIterator> {
    fn next(&mut self) -> SimulationResult<Option<KeyModification>> {
        self.0.next().map_err(refused)
    }
}
