//! Which transactions hold: reads, ranges, hashes, metadata, before the block and inside it.

use std::collections::BTreeMap;

use bytes::Bytes;
use windlass_proto::protos::TxValidationCode::{self, *};

use crate::{
    LedgerError, Simulator, Version,
    testing::{Chain, value},
};

type Step = fn(&Simulator) -> Result<(), LedgerError>;
/// A change to a range of so many keys.
type Change = fn(&Simulator, usize) -> Result<(), LedgerError>;

fn rows(simulator: &Simulator, start: &str, end: &str, count: usize) -> Result<(), LedgerError> {
    let mut rows = simulator.range("cc", start, end)?;
    for _ in 0..count {
        if rows.next()?.is_none() {
            break;
        }
    }
    Ok(())
}

fn policy(text: &str) -> BTreeMap<String, Bytes> {
    BTreeMap::from([("policy".to_owned(), value(text))])
}

/// Keys a, c, e with value 1, private key p and metadata on m.
fn prepared() -> Chain {
    let chain = Chain::new();
    let code = chain.run("setup", |simulator| {
        for key in ["a", "c", "e", "m"] {
            simulator.put_state("cc", key, value("1"))?;
        }
        simulator.put_metadata("cc", "m", policy("first"))?;
        simulator.put_private("cc", "coll", "p", value("1"))
    });
    assert_eq!(code, Valid);
    chain
}

/// The code of `second`, endorsed before `first` is committed: in the next block and in the same one.
fn codes(first: Step, second: Step) -> [TxValidationCode; 2] {
    let chain = prepared();
    let late = chain.endorse("second", second);
    assert_eq!(chain.run("first", first), Valid);
    let next = chain.commit(vec![late]).codes[0];
    let chain = prepared();
    let entries = vec![chain.endorse("first", first), chain.endorse("second", second)];
    let codes = chain.commit(entries).codes;
    assert_eq!(codes[0], Valid);
    [next, codes[1]]
}

#[test]
fn reads_and_ranges_conflict_with_what_changed_them() {
    let put_a: Step = |simulator| simulator.put_state("cc", "a", value("2"));
    let put_b: Step = |simulator| simulator.put_state("cc", "b", value("2"));
    let put_f: Step = |simulator| simulator.put_state("cc", "f", value("2"));
    let delete_a: Step = |simulator| simulator.delete_state("cc", "a");
    let delete_c: Step = |simulator| simulator.delete_state("cc", "c");
    let delete_none: Step = |simulator| simulator.delete_state("cc", "b");
    let metadata_a: Step = |simulator| simulator.put_metadata("cc", "a", policy("new"));
    let metadata_none: Step = |simulator| simulator.put_metadata("cc", "b", policy("new"));
    let put_private: Step = |simulator| simulator.put_private("cc", "coll", "p", value("2"));
    let private_metadata: Step = |simulator| simulator.put_private_metadata("cc", "coll", "p", policy("new"));

    let get_a: Step = |simulator| simulator.get_state("cc", "a").map(|_| ());
    let get_b: Step = |simulator| simulator.get_state("cc", "b").map(|_| ());
    let other_namespace: Step = |simulator| simulator.get_state("cc2", "a").map(|_| ());
    let all: Step = |simulator| rows(simulator, "", "", 10);
    let until_c: Step = |simulator| rows(simulator, "", "c", 10);
    let first_two: Step = |simulator| rows(simulator, "", "", 2);
    let private: Step = |simulator| simulator.get_private("cc", "coll", "p").map(|_| ());
    let private_hash: Step = |simulator| simulator.get_private_hash("cc", "coll", "p").map(|_| ());

    let mvcc = [MvccReadConflict; 2];
    let phantom = [PhantomReadConflict; 2];
    let valid = [Valid; 2];
    for (name, first, second, expected) in [
        ("a key read and written", put_a, get_a, mvcc),
        ("a key read and deleted", delete_a, get_a, mvcc),
        ("an absent key read and created", put_b, get_b, mvcc),
        ("another key", put_b, get_a, valid),
        ("the same key of another namespace", put_a, other_namespace, valid),
        ("blind writes", put_a, put_a, valid),
        ("a write after a delete", delete_a, put_a, valid),
        ("metadata bumps the version", metadata_a, get_a, mvcc),
        ("metadata of an absent key is ignored", metadata_none, get_b, valid),
        ("a key inserted into a range", put_b, all, phantom),
        ("a key of a range changed", put_a, all, phantom),
        ("a key of a range deleted", delete_c, all, phantom),
        ("metadata of a key of a range", metadata_a, all, phantom),
        ("a key inserted behind a bounded range", put_f, until_c, valid),
        ("the excluded end changed", delete_c, until_c, valid),
        ("a key inserted behind what was seen", put_f, first_two, valid),
        ("a key inserted among what was seen", put_b, first_two, phantom),
        ("the last key seen deleted", delete_c, first_two, phantom),
        ("a private value", put_private, private, mvcc),
        ("a private hash", put_private, private_hash, mvcc),
        ("private metadata bumps the version", private_metadata, private, mvcc),
    ] {
        assert_eq!(codes(first, second), expected, "{name}");
    }
    // A delete of what was never there leaves the version as it was, but is an update of the block.
    assert_eq!(codes(delete_none, get_b), [Valid, MvccReadConflict]);
    assert_eq!(codes(delete_none, all), valid);
}

#[test]
fn a_range_never_advanced_holds_only_while_nothing_follows() {
    let open: Step = |simulator| simulator.range("cc", "x", "").map(|_| ());
    assert_eq!(codes(|simulator| simulator.put_state("cc", "y", value("1")), open), [PhantomReadConflict; 2]);
    assert_eq!(codes(|simulator| simulator.put_state("cc", "w", value("1")), open), [Valid; 2]);
}

#[test]
fn an_invalid_transaction_changes_nothing_for_later_ones() {
    let chain = prepared();
    let stale = chain.endorse("stale", |simulator| {
        simulator.get_state("cc", "a")?;
        simulator.put_state("cc", "c", value("stale"))
    });
    chain.run("change", |simulator| simulator.put_state("cc", "a", value("2")));
    let reader = chain.endorse("reader", |simulator| simulator.get_state("cc", "c").map(|_| ()));
    assert_eq!(chain.commit(vec![stale, reader]).codes, [MvccReadConflict, Valid]);
}

#[test]
fn the_first_conflict_found_gives_the_code() {
    let both: Step = |simulator| {
        rows(simulator, "", "", 10)?;
        simulator.get_state("cc", "a").map(|_| ())
    };
    assert_eq!(codes(|simulator| simulator.put_state("cc", "a", value("2")), both), [MvccReadConflict; 2]);
    let private_and_range: Step = |simulator| {
        simulator.get_private_hash("cc", "coll", "p")?;
        rows(simulator, "", "", 10)
    };
    let change_both: Step = |simulator| {
        simulator.put_private("cc", "coll", "p", value("2"))?;
        simulator.put_state("cc", "a", value("2"))
    };
    assert_eq!(codes(change_both, private_and_range), [PhantomReadConflict; 2]);
}

#[test]
fn hashed_ranges_are_compared_leaf_by_leaf() {
    let keys = |count: usize| (0..count).map(|number| format!("k{number:05}"));
    // One leaf; some; a full level and more.
    for count in [51, 52, 102, 151, 51 * 51 + 60] {
        let changes: [(&str, Change, TxValidationCode); 6] = [
            ("nothing", |simulator, _| simulator.put_state("cc", "a", value("1")), Valid),
            ("the first", |simulator, _| simulator.put_state("cc", "k00000", value("2")), PhantomReadConflict),
            (
                "the last",
                |simulator, count| simulator.put_state("cc", &format!("k{:05}", count - 1), value("2")),
                PhantomReadConflict,
            ),
            ("one less", |simulator, _| simulator.delete_state("cc", "k00007"), PhantomReadConflict),
            (
                "one more",
                |simulator, count| simulator.put_state("cc", &format!("k{count:05}"), value("2")),
                PhantomReadConflict,
            ),
            ("one between", |simulator, _| simulator.put_state("cc", "k00030x", value("2")), PhantomReadConflict),
        ];
        let chain = Chain::new();
        chain.run("setup", |simulator| keys(count).try_for_each(|key| simulator.put_state("cc", &key, value("1"))));
        for (name, change, expected) in changes {
            let read: Step = |simulator| rows(simulator, "k", "l", usize::MAX);
            let entries = [
                chain.endorse(&format!("change {name}"), |simulator| change(simulator, count)),
                chain.endorse(&format!("read {name}"), read),
            ];
            let codes = chain.commit(entries.to_vec()).codes;
            assert_eq!(codes, [Valid, expected], "{name} of {count}");
            // Back to where it was, for the next change.
            chain.run(&format!("undo {name}"), |simulator| {
                simulator.delete_state("cc", &format!("k{count:05}"))?;
                simulator.delete_state("cc", "k00030x")?;
                simulator.put_state("cc", "k00007", value("1"))
            });
            let late = chain.endorse(&format!("late read {name}"), read);
            assert_eq!(chain.commit(vec![late]).codes, [Valid], "after {name} of {count}");
        }
    }
}

#[test]
fn metadata_follows_its_key() {
    let chain = prepared();
    let record = |key: &str| chain.ledger.query().expect("a query").record("cc", key).expect("a read");
    // A value alone keeps the metadata.
    chain.run("value", |simulator| simulator.put_state("cc", "m", value("2")));
    let kept = record("m").expect("a record");
    assert_eq!((kept.value, kept.metadata, kept.version), (value("2"), policy("first"), Version::new(2, 0)));
    // Metadata alone keeps the value and bumps the version.
    chain.run("metadata", |simulator| simulator.put_metadata("cc", "m", policy("second")));
    let kept = record("m").expect("a record");
    assert_eq!((kept.value, kept.metadata, kept.version), (value("2"), policy("second"), Version::new(3, 0)));
    // Both at once, and for a key that is not there yet.
    chain.run("both", |simulator| {
        simulator.put_metadata("cc", "n", policy("n"))?;
        simulator.put_state("cc", "n", value("n"))
    });
    assert_eq!(record("n").expect("a record").metadata, policy("n"));
    // Metadata for a key that is not there is dropped.
    chain.run("nothing", |simulator| simulator.put_metadata("cc", "none", policy("x")));
    assert_eq!(record("none"), None);
    // Empty metadata removes it; a delete takes value and metadata.
    chain.run("remove", |simulator| simulator.put_metadata("cc", "m", BTreeMap::new()));
    assert_eq!(record("m").expect("a record").metadata, BTreeMap::new());
    chain.run("delete", |simulator| {
        simulator.put_metadata("cc", "n", policy("again"))?;
        simulator.delete_state("cc", "n")
    });
    assert_eq!(record("n"), None);
    chain.run("again", |simulator| simulator.put_state("cc", "n", value("n")));
    assert_eq!(record("n").expect("a record").metadata, BTreeMap::new());
}

#[test]
fn metadata_follows_its_key_inside_a_block() {
    let chain = prepared();
    let entries = vec![
        chain.endorse("1", |simulator| simulator.put_state("cc", "x", value("1"))),
        chain.endorse("2", |simulator| simulator.put_metadata("cc", "x", policy("x"))),
        chain.endorse("3", |simulator| simulator.put_state("cc", "x", value("2"))),
        chain.endorse("4", |simulator| simulator.delete_state("cc", "m")),
        chain.endorse("5", |simulator| simulator.put_metadata("cc", "m", policy("gone"))),
        chain.endorse("6", |simulator| simulator.put_private_metadata("cc", "coll", "p", policy("p"))),
    ];
    assert_eq!(chain.commit(entries).codes, [Valid; 6]);
    let query = chain.ledger.query().expect("a query");
    let record = query.record("cc", "x").expect("a read").expect("a record");
    assert_eq!((record.value, record.metadata, record.version), (value("2"), policy("x"), Version::new(2, 2)));
    assert_eq!(query.record("cc", "m").expect("a read"), None);
    assert_eq!(query.get_private_metadata("cc", "coll", "p").expect("a read"), policy("p"));
    assert_eq!(query.get_private("cc", "coll", "p").expect("the value follows its hash"), Some(value("1")));
}
