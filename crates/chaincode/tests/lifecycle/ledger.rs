//! A channel's ledger in memory, and simulations that record what is read and written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use windlass_chaincode::simulation::{Rows, Simulation, SimulationError, SimulationResult};
use windlass_proto::{
    hash::sha256,
    queryresult::{KeyModification, Kv},
};

const IMPLICIT: &str = "_implicit_org_";

/// What is committed. Private values are kept for all organizations; a simulation sees those of its own.
#[derive(Clone, Debug, Default)]
struct Content {
    public: BTreeMap<(String, String), Bytes>,
    private: BTreeMap<(String, String), Bytes>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    content: Arc<Mutex<Content>>,
    broken: Arc<Mutex<BTreeSet<String>>>,
    hashes_only: Arc<AtomicBool>,
}

impl Ledger {
    pub(crate) fn simulate(&self, msp_id: &str) -> Arc<Recorder> {
        Arc::new(Recorder {
            own: format!("{IMPLICIT}{msp_id}"),
            content: self.content.lock().clone(),
            broken: self.broken.lock().clone(),
            hashes_only: self.hashes_only.load(Ordering::Relaxed),
            record: Mutex::default(),
        })
    }

    /// Applies what a simulation wrote.
    pub(crate) fn commit(&self, simulation: &Recorder) {
        let mut content = self.content.lock();
        let record = simulation.record.lock();
        for (key, value) in &record.writes {
            match value {
                Some(value) => content.public.insert(key.clone(), value.clone()),
                None => content.public.remove(key),
            };
        }
        for (key, value) in &record.private_writes {
            match value {
                Some(value) => content.private.insert(key.clone(), value.clone()),
                None => content.private.remove(key),
            };
        }
    }

    /// Writes a public key of `namespace` without any transaction.
    pub(crate) fn set(&self, namespace: &str, key: &str, value: impl Into<Bytes>) {
        self.content.lock().public.insert((namespace.to_owned(), key.to_owned()), value.into());
    }

    pub(crate) fn get(&self, namespace: &str, key: &str) -> Option<Bytes> {
        self.content.lock().public.get(&(namespace.to_owned(), key.to_owned())).cloned()
    }

    /// From now on the peers have the hashes of private values, but not the values.
    pub(crate) fn lose_private_values(&self) {
        self.hashes_only.store(true, Ordering::Relaxed);
    }

    /// Every access to `key` fails from now on.
    pub(crate) fn break_key(&self, key: &str) {
        self.broken.lock().insert(key.to_owned());
    }
}

/// What one transaction did. Keys are `namespace` and key, or collection and key; a read is true if it found
/// something.
#[derive(Clone, Debug, Default)]
struct Record {
    reads: BTreeMap<(String, String), bool>,
    hashed_reads: BTreeMap<(String, String), bool>,
    writes: BTreeMap<(String, String), Option<Bytes>>,
    private_writes: BTreeMap<(String, String), Option<Bytes>>,
    ranges: Vec<(String, String, String)>,
}

pub(crate) struct Recorder {
    own: String,
    content: Content,
    broken: BTreeSet<String>,
    hashes_only: bool,
    record: Mutex<Record>,
}

/// `+` marks what was found.
fn lines<'a>(reads: impl IntoIterator<Item = (&'a (String, String), &'a bool)>) -> Vec<String> {
    reads.into_iter().map(|((space, key), found)| format!("{space} {key}{}", if *found { " +" } else { "" })).collect()
}

impl Recorder {
    /// `namespace key`, with ` +` where the key had a version.
    pub(crate) fn reads(&self) -> Vec<String> {
        lines(&self.record.lock().reads)
    }

    /// `collection key`, likewise.
    pub(crate) fn hashed_reads(&self) -> Vec<String> {
        lines(&self.record.lock().hashed_reads)
    }

    /// Keys of `_lifecycle` written, with the values in hex.
    pub(crate) fn writes(&self) -> Vec<(String, String)> {
        hex_writes(&self.record.lock().writes)
    }

    /// Keys of the organization's implicit collection written, with the values in hex.
    pub(crate) fn private_writes(&self) -> Vec<(String, String)> {
        hex_writes(&self.record.lock().private_writes)
    }

    /// Ranges read, as namespace or collection, start and end.
    pub(crate) fn ranges(&self) -> Vec<(String, String, String)> {
        self.record.lock().ranges.clone()
    }

    fn check(&self, key: &str) -> SimulationResult<()> {
        if self.broken.contains(key) {
            return Err(SimulationError("the disk is on fire".to_owned()));
        }
        Ok(())
    }

    fn scan(content: &BTreeMap<(String, String), Bytes>, space: &str, start: &str, end: &str) -> Box<dyn Rows<Kv>> {
        let found: Vec<Kv> = content
            .iter()
            .filter(|((in_space, key), _)| in_space == space && key.as_str() >= start && key.as_str() < end)
            .map(|((_, key), value)| Kv { namespace: space.to_owned(), key: key.clone(), value: value.clone() })
            .collect();
        Box::new(Found(found.into_iter()))
    }
}

fn hex_writes(writes: &BTreeMap<(String, String), Option<Bytes>>) -> Vec<(String, String)> {
    let written = |value: &Option<Bytes>| value.as_ref().map_or_else(|| "deleted".to_owned(), hex::encode);
    writes.iter().map(|((_, key), value)| (key.clone(), written(value))).collect()
}

struct Found(std::vec::IntoIter<Kv>);

impl Rows<Kv> for Found {
    fn next(&mut self) -> SimulationResult<Option<Kv>> {
        Ok(self.0.next())
    }
}

fn unused<T>() -> SimulationResult<T> {
    Err(SimulationError("the lifecycle has no use for this".to_owned()))
}

impl Simulation for Recorder {
    fn get_state(&self, namespace: &str, key: &str) -> SimulationResult<Option<Bytes>> {
        self.check(key)?;
        let at = (namespace.to_owned(), key.to_owned());
        let value = self.content.public.get(&at).cloned();
        self.record.lock().reads.insert(at, value.is_some());
        Ok(value)
    }

    fn get_state_multiple(&self, namespace: &str, keys: &[String]) -> SimulationResult<Vec<Option<Bytes>>> {
        keys.iter().map(|key| self.get_state(namespace, key)).collect()
    }

    fn put_state(&self, namespace: &str, key: &str, value: Bytes) -> SimulationResult<()> {
        self.check(key)?;
        assert!(!value.is_empty(), "an empty value deletes {key}");
        self.record.lock().writes.insert((namespace.to_owned(), key.to_owned()), Some(value));
        Ok(())
    }

    fn delete_state(&self, namespace: &str, key: &str) -> SimulationResult<()> {
        self.record.lock().writes.insert((namespace.to_owned(), key.to_owned()), None);
        Ok(())
    }

    fn get_metadata(&self, _: &str, _: &str) -> SimulationResult<BTreeMap<String, Bytes>> {
        unused()
    }

    fn put_metadata(&self, _: &str, _: &str, _: BTreeMap<String, Bytes>) -> SimulationResult<()> {
        unused()
    }

    fn range(&self, namespace: &str, start: &str, end: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        self.record.lock().ranges.push((namespace.to_owned(), start.to_owned(), end.to_owned()));
        Ok(Self::scan(&self.content.public, namespace, start, end))
    }

    fn range_page(&self, _: &str, _: &str, _: &str, _: u32) -> SimulationResult<(Vec<Kv>, String)> {
        unused()
    }

    fn query(&self, _: &str, _: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        unused()
    }

    fn query_page(&self, _: &str, _: &str, _: u32, _: &str) -> SimulationResult<(Vec<Kv>, String)> {
        unused()
    }

    fn history(&self, _: &str, _: &str) -> SimulationResult<Box<dyn Rows<KeyModification>>> {
        unused()
    }

    fn get_private(&self, _: &str, collection: &str, key: &str) -> SimulationResult<Option<Bytes>> {
        assert_eq!(collection, self.own, "a peer has only its own organization's private values");
        self.check(key)?;
        if self.hashes_only {
            return Err(SimulationError("private data matching public hash version is not available".to_owned()));
        }
        let at = (collection.to_owned(), key.to_owned());
        let value = self.content.private.get(&at).cloned();
        self.record.lock().hashed_reads.insert(at, value.is_some());
        Ok(value)
    }

    fn get_private_hash(&self, _: &str, collection: &str, key: &str) -> SimulationResult<Option<Bytes>> {
        self.check(key)?;
        let at = (collection.to_owned(), key.to_owned());
        let value = self.content.private.get(&at);
        self.record.lock().hashed_reads.insert(at, value.is_some());
        Ok(value.map(|value| Bytes::copy_from_slice(&sha256(value))))
    }

    fn put_private(&self, _: &str, collection: &str, key: &str, value: Bytes) -> SimulationResult<()> {
        assert_eq!(collection, self.own, "a peer approves for its own organization");
        assert!(!value.is_empty(), "an empty value deletes {key}");
        self.check(key)?;
        self.record.lock().private_writes.insert((collection.to_owned(), key.to_owned()), Some(value));
        Ok(())
    }

    fn delete_private(&self, _: &str, collection: &str, key: &str) -> SimulationResult<()> {
        self.record.lock().private_writes.insert((collection.to_owned(), key.to_owned()), None);
        Ok(())
    }

    fn private_range(&self, _: &str, collection: &str, start: &str, end: &str) -> SimulationResult<Box<dyn Rows<Kv>>> {
        self.record.lock().ranges.push((collection.to_owned(), start.to_owned(), end.to_owned()));
        Ok(Self::scan(&self.content.private, collection, start, end))
    }
}
