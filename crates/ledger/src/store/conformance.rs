//! What every store must do, run over each of them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use proptest::prelude::*;

use super::{Batch, MAX_KEY, Row, Snapshot, Store, StoreError, fjall::FjallStore, memory::MemoryStore};

const CACHE: u64 = 4 << 20;

fn over_each_store(check: impl Fn(&dyn Store)) {
    check(&MemoryStore::new());
    let folder = tempfile::tempdir().expect("a folder");
    check(&FjallStore::open(folder.path(), CACHE).expect("a store"));
}

fn put(store: &dyn Store, rows: &[(&str, &str)]) {
    let mut batch = Batch::new();
    for (key, value) in rows {
        batch.put(key.as_bytes().to_vec(), value.as_bytes().to_vec());
    }
    store.apply(batch).expect("an applied batch");
}

fn range(snapshot: &dyn Snapshot, from: &str, to: &str) -> Vec<String> {
    rows(snapshot, from.as_bytes(), to.as_bytes())
        .into_iter()
        .map(|(key, value)| format!("{}={}", String::from_utf8_lossy(&key), String::from_utf8_lossy(&value)))
        .collect()
}

fn rows(snapshot: &dyn Snapshot, from: &[u8], to: &[u8]) -> Vec<Row> {
    snapshot.range(from, to).collect::<Result<_, _>>().expect("readable rows")
}

#[test]
fn reads_what_was_written() {
    over_each_store(|store| {
        put(store, &[("a", "1"), ("b", ""), ("c", "3")]);
        assert_eq!(store.get(b"a").expect("a read"), Some(Bytes::from_static(b"1")));
        assert_eq!(store.get(b"b").expect("a read"), Some(Bytes::new()));
        assert_eq!(store.get(b"d").expect("a read"), None);
        let snapshot = store.snapshot();
        let many = snapshot.get_many(&[b"c".to_vec(), b"x".to_vec(), b"a".to_vec()]).expect("a read");
        assert_eq!(many, [Some(Bytes::from_static(b"3")), None, Some(Bytes::from_static(b"1"))]);
    });
}

#[test]
fn the_last_change_of_a_batch_wins() {
    over_each_store(|store| {
        let mut batch = Batch::new();
        batch.put("a", "1");
        batch.delete("a");
        batch.put("a", "2");
        batch.put("b", "1");
        batch.delete("b");
        store.apply(batch).expect("an applied batch");
        assert_eq!(store.get(b"a").expect("a read"), Some(Bytes::from_static(b"2")));
        assert_eq!(store.get(b"b").expect("a read"), None);
    });
}

#[test]
fn a_snapshot_sees_nothing_of_later_batches() {
    over_each_store(|store| {
        put(store, &[("a", "1"), ("b", "1"), ("c", "1")]);
        let before = store.snapshot();
        let open_rows = before.range(b"a", b"z");
        put(store, &[("a", "2"), ("bb", "2")]);
        let mut batch = Batch::new();
        batch.delete("c");
        store.apply(batch).expect("an applied batch");
        let after = store.snapshot();
        assert_eq!(range(&*before, "a", "z"), ["a=1", "b=1", "c=1"]);
        assert_eq!(range(&*after, "a", "z"), ["a=2", "b=1", "bb=2"]);
        assert_eq!(before.get(b"c").expect("a read"), Some(Bytes::from_static(b"1")));
        drop(before);
        assert_eq!(open_rows.count(), 3, "rows own their snapshot");
    });
}

#[test]
fn ranges_include_the_start_and_exclude_the_end() {
    over_each_store(|store| {
        put(store, &[("a", "1"), ("b", "2"), ("b\0", "3"), ("c", "4")]);
        let snapshot = store.snapshot();
        assert_eq!(range(&*snapshot, "a", "c"), ["a=1", "b=2", "b\0=3"]);
        assert_eq!(range(&*snapshot, "b\0", "d"), ["b\0=3", "c=4"]);
        assert_eq!(range(&*snapshot, "c", "a"), Vec::<String>::new());
        assert_eq!(range(&*snapshot, "b", "b"), Vec::<String>::new());
    });
}

#[test]
fn long_ranges_arrive_whole_and_in_order() {
    over_each_store(|store| {
        let mut batch = Batch::new();
        for number in (0..1000u32).rev() {
            batch.put(number.to_be_bytes().to_vec(), vec![7]);
        }
        store.apply(batch).expect("an applied batch");
        let rows = rows(&*store.snapshot(), &[], &[255]);
        let keys: Vec<_> = rows.iter().map(|(key, _)| key.clone()).collect();
        let expected: Vec<_> = (0..1000u32).map(|number| Bytes::copy_from_slice(&number.to_be_bytes())).collect();
        assert_eq!(keys, expected);
    });
}

#[test]
fn refuses_a_batch_with_a_key_that_is_too_long() {
    over_each_store(|store| {
        let mut batch = Batch::new();
        batch.put("a", "1");
        batch.put(vec![b'k'; MAX_KEY + 1], "1");
        let error = store.apply(batch).expect_err("too long");
        assert!(matches!(error, StoreError::KeyTooLong(65536)));
        assert_eq!(error.to_string(), "a key of 65536 bytes is too long for the store: the limit is 65535");
        assert_eq!(store.get(b"a").expect("a read"), None, "nothing of the batch is applied");
        let mut batch = Batch::new();
        batch.put(vec![b'k'; MAX_KEY], "longest");
        store.apply(batch).expect("an applied batch");
        assert_eq!(store.get(&[b'k'; MAX_KEY]).expect("a read"), Some(Bytes::from_static(b"longest")));
    });
}

#[test]
fn keys_too_long_are_absent_and_still_bound_ranges() {
    over_each_store(|store| {
        let longest = vec![b'k'; MAX_KEY];
        let longer = vec![b'k'; MAX_KEY + 10];
        let mut batch = Batch::new();
        batch.put(longest.clone(), "1");
        batch.put("l", "2");
        store.apply(batch).expect("an applied batch");
        let snapshot = store.snapshot();
        assert_eq!(store.get(&longer).expect("a read"), None);
        assert_eq!(snapshot.get(&longer).expect("a read"), None);
        assert_eq!(rows(&*snapshot, b"a", &longer).len(), 1);
        assert_eq!(rows(&*snapshot, &longer, b"z").len(), 1);
        assert_eq!(rows(&*snapshot, &longest, b"z").len(), 2);
    });
}

#[test]
fn a_store_on_disk_is_there_when_reopened() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FjallStore::open(folder.path(), CACHE).expect("a store");
    put(&store, &[("a", "1")]);
    store.flush().expect("a flush");
    assert!(matches!(FjallStore::open(folder.path(), CACHE), Err(StoreError::InUse(_))));
    drop(store);
    let store = FjallStore::open(folder.path(), CACHE).expect("a store");
    assert_eq!(store.get(b"a").expect("a read"), Some(Bytes::from_static(b"1")));
}

#[test]
fn the_memory_store_forgets_what_no_snapshot_needs() {
    let store = MemoryStore::new();
    for round in 0..100 {
        let held = (round % 7 == 0).then(|| store.snapshot());
        put(&store, &[("a", "1"), ("b", "2")]);
        drop(held);
        let mut batch = Batch::new();
        batch.delete("a");
        batch.delete("b");
        store.apply(batch).expect("an applied batch");
    }
    put(&store, &[("z", "1")]);
    assert_eq!(store.retained(), (1, 1));
}

type Script = Vec<(Vec<(u8, Option<u8>)>, bool)>;

fn script() -> impl Strategy<Value = Script> {
    let change = (0..12u8, proptest::option::of(any::<u8>()));
    proptest::collection::vec((proptest::collection::vec(change, 0..6), any::<bool>()), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_snapshot_equals_a_copy_of_a_map(script in script()) {
        over_each_store(|store| {
            let mut model = BTreeMap::new();
            let mut held: Vec<(Arc<dyn Snapshot>, BTreeMap<u8, u8>)> = Vec::new();
            for (changes, hold) in &script {
                let mut batch = Batch::new();
                for (key, value) in changes {
                    match value {
                        Some(value) => {
                            batch.put(vec![*key], vec![*value]);
                            model.insert(*key, *value);
                        }
                        None => {
                            batch.delete(vec![*key]);
                            model.remove(key);
                        }
                    }
                }
                store.apply(batch).expect("an applied batch");
                if *hold {
                    held.push((store.snapshot(), model.clone()));
                } else if held.len() > 2 {
                    held.remove(0);
                }
                for (snapshot, model) in &held {
                    let expected: Vec<Row> = model
                        .iter()
                        .map(|(key, value)| (Bytes::copy_from_slice(&[*key]), Bytes::copy_from_slice(&[*value])))
                        .collect();
                    assert_eq!(rows(&**snapshot, &[], &[255]), expected);
                    for key in 0..12 {
                        let expected = model.get(&key).map(|value| Bytes::copy_from_slice(&[*value]));
                        assert_eq!(snapshot.get(&[key]).expect("a read"), expected);
                    }
                }
            }
        });
    }
}
