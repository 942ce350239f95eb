//! The ledger against a model simple enough to be seen right: a map of keys, a list of what each transaction saw.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use windlass_proto::protos::TxValidationCode::{self, *};

use crate::{
    Ledger, Version,
    testing::{self, Chain, value},
};

const NAMESPACES: [&str; 2] = ["cc1", "cc2"];

/// A step of a transaction. Keys and namespaces by number.
#[derive(Clone, Debug)]
enum Step {
    Get(usize, u8),
    Put(usize, u8, u8),
    Delete(usize, u8),
    Metadata(usize, u8, Option<u8>),
    // Start, end (0: none), how many rows to take.
    Range(usize, u8, u8, usize),
    PutPrivate(u8, u8),
    DeletePrivate(u8),
    GetPrivate(u8),
}

/// Steps, and in how many blocks' time the transaction is ordered.
type Script = Vec<Vec<(Vec<Step>, usize)>>;

fn step() -> impl Strategy<Value = Step> {
    let (namespace, key) = (0..2usize, 1..7u8);
    prop_oneof![
        3 => (namespace.clone(), key.clone()).prop_map(|(n, k)| Step::Get(n, k)),
        5 => (namespace.clone(), key.clone(), 1..5u8).prop_map(|(n, k, v)| Step::Put(n, k, v)),
        2 => (namespace.clone(), key.clone()).prop_map(|(n, k)| Step::Delete(n, k)),
        2 => (namespace.clone(), key.clone(), proptest::option::of(0..3u8))
            .prop_map(|(n, k, m)| Step::Metadata(n, k, m)),
        2 => (namespace, key.clone(), 0..8u8, 0..8usize).prop_map(|(n, s, e, c)| Step::Range(n, s, e, c)),
        2 => (key.clone(), 1..5u8).prop_map(|(k, v)| Step::PutPrivate(k, v)),
        1 => key.clone().prop_map(Step::DeletePrivate),
        2 => key.prop_map(Step::GetPrivate),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let transaction = (proptest::collection::vec(step(), 1..5), 0..2usize);
    proptest::collection::vec(proptest::collection::vec(transaction, 1..5), 1..8)
}

#[derive(Clone, Debug, PartialEq)]
struct Cell {
    value: u8,
    metadata: Option<u8>,
    version: Version,
}

type Key = (usize, u8);

/// Namespace, start, end (exclusive), rows.
type SeenRange = (usize, u8, u8, Vec<(u8, Version)>);

/// The state as the model has it.
#[derive(Clone, Debug, Default)]
struct Model {
    public: BTreeMap<Key, Cell>,
    private: BTreeMap<u8, (u8, Version)>,
    history: BTreeMap<Key, Vec<(String, u8)>>,
}

/// What a transaction saw and wants.
#[derive(Clone, Debug, Default)]
struct Intent {
    tx_id: String,
    reads: BTreeMap<Key, Option<Version>>,
    private_reads: BTreeMap<u8, Option<Version>>,
    ranges: Vec<SeenRange>,
    writes: BTreeMap<Key, u8>,
    metadata: BTreeMap<Key, Option<u8>>,
    private_writes: BTreeMap<u8, u8>,
}

impl Model {
    fn rows(&self, namespace: usize, start: u8, end: u8) -> Vec<(u8, Version)> {
        let within = |key: &Key| key.0 == namespace && key.1 >= start && key.1 < end;
        self.public.iter().filter(|(key, _)| within(key)).map(|(key, cell)| (key.1, cell.version)).collect()
    }

    fn intend(&self, tx_id: &str, steps: &[Step]) -> Intent {
        let mut intent = Intent { tx_id: tx_id.to_owned(), ..Default::default() };
        for step in steps {
            match *step {
                Step::Get(namespace, key) => {
                    let seen = self.public.get(&(namespace, key)).map(|cell| cell.version);
                    intent.reads.insert((namespace, key), seen);
                }
                Step::Put(namespace, key, value) => {
                    intent.writes.insert((namespace, key), value);
                }
                Step::Delete(namespace, key) => {
                    intent.writes.insert((namespace, key), 0);
                }
                Step::Metadata(namespace, key, metadata) => {
                    intent.metadata.insert((namespace, key), metadata);
                }
                Step::Range(namespace, start, end, count) => {
                    let mut rows = self.rows(namespace, start, limit(end));
                    let exhausted = rows.len() < count;
                    rows.truncate(count);
                    // A range that was left early reaches to its last row; one never begun, to everything.
                    let end = match rows.last() {
                        _ if exhausted => limit(end),
                        Some((last, _)) => last + 1,
                        None => u8::MAX,
                    };
                    intent.ranges.push((namespace, start, end, rows));
                }
                Step::PutPrivate(key, value) => {
                    intent.private_writes.insert(key, value);
                }
                Step::DeletePrivate(key) => {
                    intent.private_writes.insert(key, 0);
                }
                Step::GetPrivate(key) => {
                    intent.private_reads.insert(key, self.private.get(&key).map(|(_, version)| *version));
                }
            }
        }
        intent
    }

    fn commit(&mut self, block: u64, intents: &[Intent]) -> Vec<TxValidationCode> {
        let before = self.clone();
        let mut touched: BTreeSet<Key> = BTreeSet::new();
        let mut touched_private: BTreeSet<u8> = BTreeSet::new();
        let mut codes = Vec::new();
        for (index, intent) in intents.iter().enumerate() {
            let code = self.judge(&before, &touched, &touched_private, intent);
            codes.push(code);
            if code == Valid {
                self.apply(Version::new(block, index as u64), intent, &mut touched);
                touched_private.extend(intent.private_writes.keys());
            }
        }
        codes
    }

    fn judge(
        &self,
        before: &Self,
        touched: &BTreeSet<Key>,
        touched_private: &BTreeSet<u8>,
        intent: &Intent,
    ) -> TxValidationCode {
        for namespace in 0..NAMESPACES.len() {
            for (key, seen) in intent.reads.iter().filter(|(key, _)| key.0 == namespace) {
                let committed = before.public.get(key).map(|cell| cell.version);
                if touched.contains(key) || committed != *seen {
                    return MvccReadConflict;
                }
            }
            for (_, start, end, rows) in intent.ranges.iter().filter(|range| range.0 == namespace) {
                if self.rows(namespace, *start, *end) != *rows {
                    return PhantomReadConflict;
                }
            }
            // The collection belongs to the first namespace.
            if namespace == 0 {
                for (key, seen) in &intent.private_reads {
                    let committed = before.private.get(key).map(|(_, version)| *version);
                    if touched_private.contains(key) || committed != *seen {
                        return MvccReadConflict;
                    }
                }
            }
        }
        Valid
    }

    fn apply(&mut self, version: Version, intent: &Intent, touched: &mut BTreeSet<Key>) {
        for (key, value) in &intent.writes {
            self.history.entry(*key).or_default().insert(0, (intent.tx_id.clone(), *value));
            touched.insert(*key);
            let kept = self.public.get(key).and_then(|cell| cell.metadata);
            let metadata = intent.metadata.get(key).copied().unwrap_or(kept);
            match value {
                0 => self.public.remove(key),
                value => self.public.insert(*key, Cell { value: *value, metadata, version }),
            };
        }
        for (key, metadata) in intent.metadata.iter().filter(|(key, _)| !intent.writes.contains_key(key)) {
            if let Some(cell) = self.public.get_mut(key) {
                touched.insert(*key);
                cell.metadata = *metadata;
                cell.version = version;
            }
        }
        for (key, value) in &intent.private_writes {
            match value {
                0 => self.private.remove(key),
                value => self.private.insert(*key, (*value, version)),
            };
        }
    }
}

fn limit(end: u8) -> u8 {
    if end == 0 { u8::MAX } else { end }
}

fn key(number: u8) -> String {
    format!("k{number}")
}

fn bytes(number: u8) -> Bytes {
    if number == 0 { Bytes::new() } else { value(&number.to_string()) }
}

fn metadata(number: Option<u8>) -> BTreeMap<String, Bytes> {
    number.map(|number| ("m".to_owned(), value(&number.to_string()))).into_iter().collect()
}

fn endorse(chain: &Chain, tx_id: &str, steps: &[Step]) -> Bytes {
    chain.endorse(tx_id, |simulator| {
        for step in steps {
            match *step {
                Step::Get(namespace, number) => {
                    simulator.get_state(NAMESPACES[namespace], &key(number))?;
                }
                Step::Put(namespace, number, value) => {
                    simulator.put_state(NAMESPACES[namespace], &key(number), bytes(value))?;
                }
                Step::Delete(namespace, number) => simulator.delete_state(NAMESPACES[namespace], &key(number))?,
                Step::Metadata(namespace, number, entry) => {
                    simulator.put_metadata(NAMESPACES[namespace], &key(number), metadata(entry))?;
                }
                Step::Range(namespace, start, end, count) => {
                    let end = if end == 0 { String::new() } else { key(end) };
                    let mut rows = simulator.range(NAMESPACES[namespace], &key(start), &end)?;
                    for _ in 0..count {
                        if rows.next()?.is_none() {
                            break;
                        }
                    }
                }
                Step::PutPrivate(number, value) => {
                    simulator.put_private(NAMESPACES[0], "coll", &key(number), bytes(value))?;
                }
                Step::DeletePrivate(number) => simulator.delete_private(NAMESPACES[0], "coll", &key(number))?,
                Step::GetPrivate(number) => {
                    simulator.get_private(NAMESPACES[0], "coll", &key(number))?;
                }
            }
        }
        Ok(())
    })
}

fn compare(ledger: &Ledger, model: &Model) {
    let query = ledger.query().expect("a query");
    for (number, namespace) in NAMESPACES.iter().enumerate() {
        for number_of_key in 0..8 {
            let place = (number, number_of_key);
            let found = query.record(namespace, &key(number_of_key)).expect("a read");
            let expected = model.public.get(&place);
            assert_eq!(found.as_ref().map(|record| record.version), expected.map(|cell| cell.version));
            assert_eq!(found.as_ref().map(|record| record.value.clone()), expected.map(|cell| bytes(cell.value)));
            assert_eq!(found.map(|record| record.metadata), expected.map(|cell| metadata(cell.metadata)));
            let mut history = query.history(namespace, &key(number_of_key)).expect("a history");
            for (tx_id, value) in model.history.get(&place).into_iter().flatten() {
                let found = history.next().expect("a modification").expect("one more");
                assert_eq!((found.tx_id, found.value, found.is_delete), (tx_id.clone(), bytes(*value), *value == 0));
            }
            assert_eq!(history.next().expect("the end"), None);
        }
    }
    for number in 0..8 {
        let found = query.get_private(NAMESPACES[0], "coll", &key(number)).expect("a read");
        assert_eq!(found, model.private.get(&number).map(|(value, _)| bytes(*value)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn validity_and_state_are_the_models(script in script()) {
        let mut chain = Chain::new();
        let mut model = Model::default();
        // By block in which they are ordered.
        let mut ordered: BTreeMap<usize, Vec<(Bytes, Intent)>> = BTreeMap::new();
        for (round, transactions) in script.iter().enumerate() {
            for (index, (steps, delay)) in transactions.iter().enumerate() {
                let tx_id = format!("{round}-{index}");
                let entry = endorse(&chain, &tx_id, steps);
                ordered.entry(round + delay).or_default().push((entry, model.intend(&tx_id, steps)));
            }
            let Some(block) = ordered.remove(&round) else { continue };
            let (entries, intents): (Vec<_>, Vec<_>) = block.into_iter().unzip();
            let number = chain.ledger.height();
            prop_assert_eq!(chain.commit(entries).codes, model.commit(number, &intents));
        }
        compare(&chain.ledger, &model);
        chain = chain.reopen(|_| {});
        compare(&chain.ledger, &model);
    }
}

#[test]
fn the_model_holds_on_disk_too() {
    let [options, _] = testing::options();
    let chain = Chain::with(options);
    let mut model = Model::default();
    for round in 0..20u8 {
        let steps = [
            Step::Get(0, round % 5),
            Step::Put(0, round % 7 + 1, round % 4 + 1),
            Step::Range(0, 1, 0, 4),
            Step::PutPrivate(round % 3 + 1, 2),
            Step::Metadata(1, round % 7, Some(1)),
            Step::Put(1, round % 4, 3),
        ];
        let intents = ["a", "b"].map(|name| model.intend(&format!("{name}{round}"), &steps));
        let entries = ["a", "b"].map(|name| endorse(&chain, &format!("{name}{round}"), &steps));
        let number = chain.ledger.height();
        assert_eq!(chain.commit(entries.to_vec()).codes, model.commit(number, &intents));
    }
    let chain = chain.reopen(|_| {});
    compare(&chain.ledger, &model);
}
