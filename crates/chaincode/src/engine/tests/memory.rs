//! A ledger in memory, and channels on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::{
    common::{
        BlockDataHashingStructure, Capabilities, Config, ConfigGroup, ConfigValue, HashingAlgorithm, OrdererAddresses,
    },
    orderer::{BatchSize, BatchTimeout, ConsensusType},
    protos::SignedProposal,
    queryresult::{KeyModification, Kv},
};

use crate::{
    channels::{AccessDenied, Channels},
    simulation::{Rows, Simulation, SimulationError, SimulationResult},
};

type Key = (String, String);

fn key(namespace: &str, key: &str) -> Key {
    (namespace.to_owned(), key.to_owned())
}

/// Committed state, and what one transaction writes.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) state: Mutex<BTreeMap<Key, Bytes>>,
    pub(super) metadata: Mutex<BTreeMap<Key, BTreeMap<String, Bytes>>>,
    pub(super) writes: Mutex<Vec<(String, String, Option<Bytes>)>>,
    /// How many queries are open.
    pub(super) open: Arc<Mutex<usize>>,
}

impl Memory {
    pub(super) fn with(entries: impl IntoIterator<Item = (&'static str, &'static str, &'static str)>) -> Arc<Self> {
        let memory = Self::default();
        memory
            .state
            .lock()
            .extend(entries.into_iter().map(|(namespace, name, value)| (key(namespace, name), Bytes::from(value))));
        Arc::new(memory)
    }

    /// `count` keys `k0000`, `k0001`… of `cc`.
    pub(super) fn numbered(count: usize) -> Arc<Self> {
        let memory = Self::default();
        let entries = (0..count).map(|n| (key("cc", &format!("k{n:04}")), Bytes::from(format!("v{n}"))));
        memory.state.lock().extend(entries);
        Arc::new(memory)
    }

    fn select(&self, namespace: &str, start: &str, end: &str) -> Vec<Kv> {
        let state = self.state.lock();
        let rows = state.iter().filter(|((ns, name), _)| {
            ns == namespace && name.as_str() >= start && (end.is_empty() || name.as_str() < end)
        });
        rows.map(|((namespace, key), value)| Kv {
            namespace: namespace.clone(),
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
    }

    fn rows<T: Send + 'static>(&self, rows: Vec<T>) -> Box<dyn Rows<T>> {
        *self.open.lock() += 1;
        Box::new(List { rows: rows.into_iter(), open: self.open.clone() })
    }
}

struct List<T> {
    rows: std::vec::IntoIter<T>,
    open: Arc<Mutex<usize>>,
}

impl<T: Send> Rows<T> for List<T> {
    fn next(&mut self) -> SimulationResult<Option<T>> {
        Ok(self.rows.next())
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        *self.open.lock() -= 1;
    }
}

fn refused<T>(text: &str) -> SimulationResult<T> {
    Err(SimulationError(text.to_owned()))
}

impl Simulation for Memory {
    fn get_state(&self, namespace: &str, name: &str) -> SimulationResult<Option<Bytes>> {
        assert_ne!(name, "panic", "asked to");
        if name == "broken" {
            return refused("the ledger is broken");
        }
        Ok(self.state.lock().get(&key(namespace, name)).cloned())
    }

    fn get_state_multiple(&self, namespace: &str, keys: &[String]) -> SimulationResult<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get_state(namespace, key)).collect()
    }

    fn put_state(&self, namespace: &str, key: &str, value: Bytes) -> SimulationResult<()> {
        let value = Some(value).filter(|value| !value.is_empty());
        self.writes.lock().push((namespace.to_owned(), key.to_owned(), value));
        Ok(())
    }

    fn delete_state(&self, namespace: &str, key: &str) -> SimulationResult<()> {
        self.put_state(namespace, key, Bytes::new())
    }

    fn get_metadata(&self, namespace: &str, name: &str) -> SimulationResult<BTreeMap<String, Bytes>> {
        Ok(self.metadata.lock().get(&key(namespace, name)).cloned().unwrap_or_default())
    }

    fn put_metadata(&self, namespace: &str, name: &str, entries: BTreeMap<String, Bytes>) -> SimulationResult<()> {
        self.metadata.lock().insert(key(namespace, name), entries);
        Ok(())
    }

    fn range(&self, namespace: &str, start: &str, end: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        Ok(self.rows(self.select(namespace, start, end)))
    }

    fn range_page(
        &self,
        namespace: &str,
        start: &str,
        end: &str,
        page_size: u32,
    ) -> SimulationResult<(Vec<Kv>, String)> {
        let mut rows = self.select(namespace, start, end);
        let rest = rows.split_off(rows.len().min(page_size as usize));
        Ok((rows, rest.first().map(|row| row.key.clone()).unwrap_or_default()))
    }

    fn query(&self, _: &str, _: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        refused("ExecuteQuery not supported for leveldb")
    }

    fn query_page(&self, _: &str, _: &str, _: u32, _: &str) -> SimulationResult<(Vec<Kv>, String)> {
        refused("ExecuteQueryWithMetadata not supported for leveldb")
    }

    fn history(&self, namespace: &str, name: &str) -> SimulationResult<Box<dyn Rows<KeyModification>>> {
        let value = self.get_state(namespace, name)?.unwrap_or_default();
        let change = |tx_id: &str| KeyModification {
            tx_id: tx_id.to_owned(),
            value: value.clone(),
            timestamp: Some(prost_types::Timestamp { seconds: 7, nanos: 0 }),
            is_delete: false,
        };
        Ok(self.rows(vec![change("newest"), change("oldest")]))
    }

    fn get_private(&self, _: &str, _: &str, _: &str) -> SimulationResult<Option<Bytes>> {
        refused("not asked for")
    }

    fn get_private_hash(&self, _: &str, _: &str, _: &str) -> SimulationResult<Option<Bytes>> {
        refused("not asked for")
    }

    fn put_private(&self, _: &str, _: &str, _: &str, _: Bytes) -> SimulationResult<()> {
        refused("not asked for")
    }

    fn delete_private(&self, _: &str, _: &str, _: &str) -> SimulationResult<()> {
        refused("not asked for")
    }

    fn private_range(&self, _: &str, _: &str, _: &str, _: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        refused("not asked for")
    }
}

/// Channels of a peer, each with one ledger.
#[derive(Default)]
pub(super) struct TestChannels {
    pub(super) ledgers: Mutex<BTreeMap<String, Arc<Memory>>>,
    pub(super) configs: Mutex<BTreeMap<String, Arc<ChannelConfig>>>,
    /// Where nobody may call chaincode from chaincode.
    pub(super) closed: Mutex<BTreeSet<String>>,
}

impl Channels for TestChannels {
    fn names(&self) -> Vec<String> {
        self.ledgers.lock().keys().cloned().collect()
    }

    fn config(&self, channel: &str) -> Option<Arc<ChannelConfig>> {
        self.configs.lock().get(channel).cloned()
    }

    fn simulate(&self, channel: &str, _: &str) -> Option<SimulationResult<Arc<dyn Simulation>>> {
        let ledger = self.ledgers.lock().get(channel).cloned()?;
        Some(Ok(ledger as Arc<dyn Simulation>))
    }

    fn authorize(&self, resource: &str, channel: &str, _: &SignedProposal) -> Result<(), AccessDenied> {
        if self.closed.lock().contains(channel) {
            return Err(AccessDenied(format!("{resource} is refused on {channel}")));
        }
        Ok(())
    }
}

/// The configuration of a channel with these application capabilities.
pub(super) fn channel_config(channel: &str, application: &[&str]) -> Arc<ChannelConfig> {
    fn put(group: &mut ConfigGroup, key: &str, value: &impl Message) {
        let value = ConfigValue { value: value.encode_to_vec().into(), ..Default::default() };
        group.values.insert(key.to_owned(), value);
    }
    let capabilities = |names: &[&str]| Capabilities {
        capabilities: names.iter().map(|name| ((*name).to_owned(), Default::default())).collect(),
    };
    let mut ordering = ConfigGroup::default();
    put(&mut ordering, "ConsensusType", &ConsensusType { r#type: "etcdraft".into(), ..Default::default() });
    put(&mut ordering, "Capabilities", &capabilities(&["V2_0"]));
    put(&mut ordering, "BatchTimeout", &BatchTimeout { timeout: "2s".into() });
    let size = BatchSize { max_message_count: 10, absolute_max_bytes: 1000, preferred_max_bytes: 500 };
    put(&mut ordering, "BatchSize", &size);
    let mut members = ConfigGroup::default();
    put(&mut members, "Capabilities", &capabilities(application));
    let mut group = ConfigGroup::default();
    put(&mut group, "HashingAlgorithm", &HashingAlgorithm { name: "SHA256".into() });
    put(&mut group, "BlockDataHashingStructure", &BlockDataHashingStructure { width: u32::MAX });
    put(&mut group, "OrdererAddresses", &OrdererAddresses { addresses: vec!["localhost:7050".into()] });
    put(&mut group, "Capabilities", &capabilities(&["V2_0"]));
    group.groups.insert("Orderer".into(), ordering);
    group.groups.insert("Application".into(), members);
    let config = Config { sequence: 1, channel_group: Some(group) };
    Arc::new(ChannelConfig::from_config(channel, &config).expect("a channel configuration"))
}
