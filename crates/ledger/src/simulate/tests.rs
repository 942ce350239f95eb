//! Byte-exact read-write sets, and what a simulation refuses.

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    hash::sha256,
    kvrwset::{KvRead, QueryReads, Version, range_query_info::ReadsInfo},
    rwset::TxReadWriteSet,
};

use super::*;
use crate::{
    rwset::decode,
    testing::{Chain, value},
};

type Step = fn(&Simulator) -> Result<(), LedgerError>;

/// A protobuf field of length-delimited content, written by hand.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128);
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn version(block: u64, transaction: u64) -> Option<Version> {
    Some(Version { block_num: block, tx_num: transaction })
}

fn simulator(chain: &Chain) -> Simulator {
    chain.ledger.simulator("tx").expect("a simulator")
}

fn drain(mut rows: RangeIterator) -> Vec<String> {
    let mut keys = Vec::new();
    while let Some(kv) = rows.next().expect("a row") {
        keys.push(kv.key);
    }
    keys
}

fn with_keys(keys: impl IntoIterator<Item = String>) -> Chain {
    let chain = Chain::new();
    chain.run("setup", |simulator| keys.into_iter().try_for_each(|key| simulator.put_state("cc", &key, value("v"))));
    chain
}

#[test]
fn the_public_set_is_byte_exact() {
    let chain = with_keys(["b".to_owned()]);
    let simulator = simulator(&chain);
    simulator.put_state("cc", "z", value("new")).expect("a write");
    simulator.put_state("cc", "a", Bytes::new()).expect("a write");
    simulator.get_state("cc", "none").expect("a read");
    simulator.get_state("cc", "b").expect("a read");
    simulator.get_state("_lifecycle", "seq").expect("a read");
    let entries = [("two", "2"), ("one", "1")].map(|(name, text)| (name.to_owned(), value(text)));
    simulator.put_metadata("cc", "m", BTreeMap::from(entries)).expect("a write");
    let results = simulator.results().expect("results");

    let read_b = [field(1, b"b"), field(2, &[8, 1])].concat();
    let delete_a = [field(1, b"a"), vec![0x10, 1]].concat();
    let write_z = [field(1, b"z"), field(3, b"new")].concat();
    let entry = |name: &str, value: &str| field(2, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat());
    let metadata = [field(1, b"m"), entry("one", "1"), entry("two", "2")].concat();
    let cc =
        [field(1, &read_b), field(1, &field(1, b"none")), field(3, &delete_a), field(3, &write_z), field(4, &metadata)]
            .concat();
    let namespaces = [
        field(2, &[field(1, b"_lifecycle"), field(2, &field(1, &field(1, b"seq")))].concat()),
        field(2, &[field(1, b"cc"), field(2, &cc)].concat()),
    ];
    assert_eq!(results.public, namespaces.concat());
    assert_eq!((results.reads, results.writes), (3, 3));
    assert!(results.private.is_none());
}

#[test]
fn no_access_makes_an_empty_set() {
    let chain = Chain::new();
    let results = simulator(&chain).results().expect("results");
    assert_eq!((results.public, results.reads, results.writes), (Bytes::new(), 0, 0));
    assert!(results.interest.is_empty());
}

#[test]
fn hashed_sets_follow_the_order_of_plain_keys() {
    let chain = Chain::new();
    let simulator = simulator(&chain);
    let keys = ["k1", "k2", "k3", "k4", "k5"];
    for key in keys.iter().rev() {
        simulator.put_private("cc", "coll", key, value(key)).expect("a write");
        simulator.get_private_hash("cc", "coll", key).expect("a read");
    }
    simulator.delete_private("cc", "coll", "k2").expect("a delete");
    simulator.purge_private("cc", "coll", "k3").expect("a purge");
    let results = simulator.results().expect("results");
    let private = results.private.expect("private writes");
    let private = &private.ns_pvt_rwset[0].collection_pvt_rwset[0];
    let write = |key: &str, text: &str| match text {
        "" => [field(1, key.as_bytes()), vec![0x10, 1]].concat(),
        text => [field(1, key.as_bytes()), field(3, text.as_bytes())].concat(),
    };
    let writes = [("k1", "k1"), ("k2", ""), ("k3", ""), ("k4", "k4"), ("k5", "k5")];
    let expected: Vec<u8> = writes.iter().flat_map(|(key, text)| field(3, &write(key, text))).collect();
    assert_eq!(private.rwset, expected);

    let set = decode(&results.public).expect("a set");
    let collection = &set.namespaces[0].collections[0];
    assert_eq!(collection.private_hash, sha256(&expected)[..]);
    let hashes: Vec<_> = collection.hashed.hashed_writes.iter().map(|write| write.key_hash.to_vec()).collect();
    let expected: Vec<_> = keys.iter().map(|key| sha256(key.as_bytes()).to_vec()).collect();
    assert_eq!(hashes, expected);
    assert!(!expected.is_sorted(), "the order of hashes is another one");
    let reads: Vec<_> = collection.hashed.hashed_reads.iter().map(|read| read.key_hash.to_vec()).collect();
    assert_eq!(reads, expected);
    let flags: Vec<_> = collection.hashed.hashed_writes.iter().map(|write| (write.is_delete, write.is_purge)).collect();
    assert_eq!(flags, [(false, false), (true, false), (true, true), (false, false), (false, false)]);
    assert_eq!(collection.hashed.hashed_writes[0].value_hash, sha256(b"k1")[..]);
    assert!(collection.hashed.hashed_writes[1].value_hash.is_empty());
}

#[test]
fn private_metadata_leaves_only_its_key_in_the_private_set() {
    let chain = Chain::new();
    let simulator = simulator(&chain);
    let entries = BTreeMap::from([("name".to_owned(), value("v"))]);
    simulator.put_private_metadata("cc", "coll", "k", entries).expect("a write");
    let results = simulator.results().expect("results");
    let private = results.private.expect("a private set");
    assert_eq!(private.ns_pvt_rwset[0].collection_pvt_rwset[0].rwset, field(4, &field(1, b"k")));
    let set = decode(&results.public).expect("a set");
    assert_eq!(set.namespaces[0].collections[0].hashed.metadata_writes[0].entries[0].value, "v");
}

#[test]
fn reading_private_hashes_leaves_no_private_set() {
    let chain = Chain::new();
    let simulator = simulator(&chain);
    assert_eq!(simulator.get_private("cc", "coll", "k").expect("a read"), None);
    assert_eq!(simulator.get_private_hash("cc", "other", "k").expect("a read"), None);
    let results = simulator.results().expect("results");
    assert!(results.private.is_none());
    let set = decode(&results.public).expect("a set");
    let names: Vec<_> = set.namespaces[0].collections.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["coll", "other"]);
    assert!(set.namespaces[0].collections.iter().all(|set| set.private_hash.is_empty()));
    assert_eq!(set.namespaces[0].collections[0].hashed.hashed_reads[0].version, None);
    let interest = &results.interest["cc"].collections;
    assert!(interest["coll"].read && !interest["other"].read);
}

#[test]
fn own_writes_are_invisible_and_reads_after_them_recorded() {
    let chain = with_keys(["a".to_owned()]);
    let simulator = simulator(&chain);
    simulator.put_state("cc", "a", value("new")).expect("a write");
    simulator.put_state("cc", "b", value("new")).expect("a write");
    assert_eq!(simulator.get_state("cc", "a").expect("a read"), Some(value("v")));
    let many = simulator.get_state_multiple("cc", &["b".into(), "a".into()]).expect("a read");
    assert_eq!(many, [None, Some(value("v"))]);
    assert_eq!(drain(simulator.range("cc", "", "").expect("a range")), ["a"]);
    let set = decode(&simulator.results().expect("results").public).expect("a set");
    let reads: Vec<_> = set.namespaces[0].public.reads.iter().map(|read| (read.key.as_str(), read.version)).collect();
    assert_eq!(reads, [("a", version(1, 0)), ("b", None)]);
}

#[test]
fn ranges_record_what_was_seen() {
    let chain = with_keys((0..5).map(|number| format!("k{number}")));
    let simulator = simulator(&chain);
    let mut partly = simulator.range("cc", "k1", "k4").expect("a range");
    partly.next().expect("a row");
    partly.next().expect("a row");
    assert_eq!(drain(simulator.range("cc", "k1", "k3").expect("a range")), ["k1", "k2"]);
    simulator.range("cc", "k9", "").expect("a range").close();
    assert_eq!(drain(simulator.range("cc", "k9", "").expect("a range")), Vec::<String>::new());
    assert_eq!(drain(simulator.range("cc", "k1", "k3").expect("a range")), ["k1", "k2"]);
    let set = decode(&simulator.results().expect("results").public).expect("a set");
    let reads = |keys: &[&str]| {
        let read = |key: &&str| KvRead { key: (*key).to_owned(), version: version(1, 0) };
        Some(ReadsInfo::RawReads(QueryReads { kv_reads: keys.iter().map(read).collect() }))
    };
    let ranges: Vec<_> = set.namespaces[0]
        .public
        .range_queries_info
        .iter()
        .map(|range| (range.start_key.as_str(), range.end_key.as_str(), range.itr_exhausted, range.reads_info.clone()))
        .collect();
    // The same query twice is there once; one never advanced ends nowhere.
    assert_eq!(
        ranges,
        [
            ("k1", "k2", false, reads(&["k1", "k2"])),
            ("k1", "k3", true, reads(&["k1", "k2"])),
            ("k9", "", false, None),
            ("k9", "", true, None),
        ]
    );
}

#[test]
fn nothing_is_recorded_after_an_iterator_is_closed() {
    let chain = with_keys((0..5).map(|number| format!("k{number}")));
    let simulator = simulator(&chain);
    let mut rows = simulator.range("cc", "", "").expect("a range");
    rows.next().expect("a row");
    rows.close();
    assert_eq!(rows.next().expect("the end"), None);
    let set = decode(&simulator.results().expect("results").public).expect("a set");
    let range = &set.namespaces[0].public.range_queries_info[0];
    assert_eq!((range.end_key.as_str(), range.itr_exhausted), ("k0", false));
}

#[test]
fn many_rows_become_hashes() {
    let chain = with_keys((0..120).map(|number| format!("k{number:03}")));
    let simulator = simulator(&chain);
    assert_eq!(drain(simulator.range("cc", "", "").expect("a range")).len(), 120);
    let results = simulator.results().expect("results");
    assert_eq!(results.reads, 120);
    let set = decode(&results.public).expect("a set");
    let leaf = |rows: std::ops::Range<usize>| {
        let reads: Vec<u8> = rows
            .flat_map(|number| {
                let read = [field(1, format!("k{number:03}").as_bytes()), field(2, &[8, 1])].concat();
                field(1, &read)
            })
            .collect();
        Bytes::copy_from_slice(&sha256(&reads))
    };
    let Some(ReadsInfo::ReadsMerkleHashes(summary)) = &set.namespaces[0].public.range_queries_info[0].reads_info else {
        panic!("expected hashes")
    };
    assert_eq!((summary.max_degree, summary.max_level), (50, 1));
    assert_eq!(summary.max_level_hashes, [leaf(0..51), leaf(51..102), leaf(102..120)]);
}

#[test]
fn pages_end_where_the_next_begins() {
    let chain = with_keys((0..5).map(|number| format!("k{number}")));
    let simulator = simulator(&chain);
    let page = |start: &str, size| {
        let (rows, bookmark) = simulator.range_page("cc", start, "", size).expect("a page");
        (rows.into_iter().map(|kv| kv.key).collect::<Vec<_>>(), bookmark)
    };
    assert_eq!(page("", 2), (vec!["k0".into(), "k1".into()], "k2".into()));
    assert_eq!(page("k2", 3), (vec!["k2".into(), "k3".into(), "k4".into()], String::new()));
    assert_eq!(page("k4", 3), (vec!["k4".into()], String::new()));
    let set = decode(&simulator.results().expect("results").public).expect("a set");
    let ranges = &set.namespaces[0].public.range_queries_info;
    let ends: Vec<_> = ranges.iter().map(|range| (range.end_key.as_str(), range.itr_exhausted)).collect();
    assert_eq!(ends, [("k1", false), ("k4", false), ("", true)]);
}

#[test]
fn queries_that_validation_cannot_repeat_are_for_readers_only() {
    let chain = Chain::new();
    let writes: [Step; 6] = [
        |simulator| simulator.put_state("cc", "k", value("v")),
        |simulator| simulator.delete_state("cc", "k"),
        |simulator| simulator.put_metadata("cc", "k", BTreeMap::new()),
        |simulator| simulator.put_private("cc", "coll", "k", value("v")),
        |simulator| simulator.purge_private("cc", "coll", "k"),
        |simulator| simulator.put_private_metadata("cc", "coll", "k", BTreeMap::new()),
    ];
    for write in writes {
        let queried = simulator(&chain);
        queried.private_range("cc", "coll", "", "").expect("a range");
        assert!(matches!(write(&queried), Err(LedgerError::WriteAfterPrivateQuery(tx)) if tx == "tx"));
        let paged = simulator(&chain);
        paged.range_page("cc", "", "", 1).expect("a page");
        assert!(matches!(write(&paged), Err(LedgerError::WriteAfterPage(tx)) if tx == "tx"));
        let written = simulator(&chain);
        write(&written).expect("a write");
        let error = written.private_range("cc", "coll", "", "").expect_err("a reader's query");
        assert!(matches!(error, LedgerError::PrivateQueryAfterWrite(_)));
        assert!(matches!(written.range_page("cc", "", "", 1), Err(LedgerError::PageAfterWrite(_))));
    }
}

#[test]
fn results_are_given_once() {
    let chain = Chain::new();
    let simulator = simulator(&chain);
    simulator.results().expect("results");
    assert!(matches!(simulator.clone().results(), Err(LedgerError::ResultsTaken)));
}

#[test]
fn keys_that_cannot_be_stored_are_refused() {
    let chain = Chain::new();
    let simulator = simulator(&chain);
    let key = "k".repeat(1 << 16);
    for result in [
        simulator.put_state("cc", &key, value("v")),
        simulator.delete_state("cc", &key),
        simulator.get_state("cc", &key).map(|_| ()),
        simulator.put_private("cc", "coll", &key, value("v")),
        simulator.get_private_hash("cc", "coll", &key).map(|_| ()),
        simulator.history("cc", &key).map(|_| ()),
    ] {
        assert!(matches!(result, Err(LedgerError::KeyTooLong { length: 65536, .. })));
    }
    assert_eq!(simulator.results().expect("results").public, Bytes::new());
}

#[test]
fn what_holds_a_snapshot_is_counted() {
    let chain = with_keys(["a".to_owned(), "b".to_owned()]);
    assert_eq!(chain.ledger.open_snapshots(), 0);
    let simulator = simulator(&chain);
    let rows = simulator.range("cc", "", "").expect("a range");
    assert_eq!(chain.ledger.open_snapshots(), 2);
    drop(simulator);
    assert_eq!(chain.ledger.open_snapshots(), 1);
    drop(rows);
    assert_eq!(chain.ledger.open_snapshots(), 0);
}

#[test]
fn a_simulation_keeps_the_state_that_it_began_with() {
    let chain = with_keys(["a".to_owned()]);
    let simulator = simulator(&chain);
    let mut rows = simulator.range("cc", "", "").expect("a range");
    chain.run("later", |simulator| {
        simulator.put_state("cc", "a", value("changed"))?;
        simulator.put_state("cc", "b", value("new"))
    });
    assert_eq!(simulator.get_state("cc", "a").expect("a read"), Some(value("v")));
    assert_eq!(simulator.get_state("cc", "b").expect("a read"), None);
    assert_eq!(rows.next().expect("a row").expect("a row").value, "v");
    assert_eq!(rows.next().expect("the end"), None);
}

#[test]
fn interest_names_written_keys_with_their_policies() {
    let chain = Chain::new();
    let policy = || BTreeMap::from([("VALIDATION_PARAMETER".to_owned(), value("policy"))]);
    chain.run("setup", |simulator| {
        simulator.put_state("cc", "guarded", value("v"))?;
        simulator.put_metadata("cc", "guarded", policy())?;
        simulator.put_private("cc", "coll", "secret", value("v"))?;
        simulator.put_private_metadata("cc", "coll", "secret", policy())
    });
    let simulator = simulator(&chain);
    simulator.put_state("cc", "guarded", value("w")).expect("a write");
    simulator.delete_state("cc", "free").expect("a write");
    simulator.put_private("cc", "coll", "secret", value("w")).expect("a write");
    simulator.get_private("cc", "coll", "secret").expect("a read");
    simulator.get_state("other", "k").expect("a read");
    let interest = simulator.results().expect("results").interest;
    let cc = &interest["cc"];
    let written: Vec<_> = cc.written.iter().map(|(key, policy)| (key.as_str(), policy.clone())).collect();
    assert_eq!(written, [("free", None), ("guarded", Some(value("policy")))]);
    let coll = &cc.collections["coll"];
    assert!(coll.read);
    assert_eq!(coll.written["secret"], Some(value("policy")));
    assert_eq!(interest["other"], NamespaceInterest::default());
}

#[test]
fn a_set_decodes_as_the_generated_message() {
    let chain = Chain::new();
    let simulator = simulator(&chain);
    simulator.put_state("cc", "k", value("v")).expect("a write");
    let bytes = simulator.results().expect("results").public;
    let message = TxReadWriteSet::decode(bytes.clone()).expect("a set");
    assert_eq!(message.encode_to_vec(), bytes);
}
