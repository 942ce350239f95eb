//! Private data from endorsement to state.

use windlass_proto::{hash::sha256, protos::TxValidationCode::*, rwset::TxPvtReadWriteSet};

use crate::{
    LedgerError, keys,
    testing::{self, Chain, endorsed, value},
};

fn secret(chain: &Chain, key: &str) -> Result<Option<bytes::Bytes>, LedgerError> {
    chain.ledger.query().expect("a query").get_private("cc", "coll", key)
}

/// How many entries wait for their block.
fn waiting(chain: &Chain) -> usize {
    let (from, to) = keys::all_transient();
    chain.ledger.snapshot().range(&from, &to).count()
}

#[test]
fn committed_values_can_be_read_and_their_hashes() {
    for options in testing::options() {
        let chain = Chain::with(options);
        assert_eq!(chain.run("tx1", |simulator| simulator.put_private("cc", "coll", "k", value("s1"))), Valid);
        assert_eq!(waiting(&chain), 0, "what was committed waits no more");
        assert_eq!(secret(&chain, "k").expect("a read"), Some(value("s1")));
        let query = chain.ledger.query().expect("a query");
        let hash = query.get_private_hash("cc", "coll", "k").expect("a read").expect("a hash");
        assert_eq!(hash, sha256(b"s1")[..]);
        let record = query.hashed_record("cc", "coll", &sha256(b"k")).expect("a read").expect("a record");
        assert_eq!(record.value, hash);
        let mut rows = query.private_range("cc", "coll", "", "").expect("a range");
        assert_eq!(rows.next().expect("a row").map(|kv| (kv.key, kv.value)), Some(("k".into(), value("s1"))));
        assert_eq!(rows.next().expect("the end"), None);
        drop((rows, query));
        chain.run("tx2", |simulator| simulator.put_private("cc", "coll", "k", value("s2")));
        chain.run("tx3", |simulator| simulator.put_private("cc", "coll", "l", value("s3")));
        chain.run("tx4", |simulator| simulator.purge_private("cc", "coll", "l"));
        let chain = chain.reopen(|_| {});
        let of_block = |number| chain.ledger.block_with_private_writes(number).expect("a read");
        let (block, mut writes) = of_block(2).expect("a block");
        assert_eq!(block.header.expect("a header").number, 2);
        let set = writes.remove(&0).expect("of the only transaction");
        assert_eq!(set.ns_pvt_rwset[0].collection_pvt_rwset[0].collection_name, "coll");
        assert!(of_block(0).expect("a block").1.is_empty() && of_block(99).is_none());
        assert_eq!(secret(&chain, "k").expect("a read"), Some(value("s2")));
        assert_eq!(secret(&chain, "l").expect("a read"), None);
    }
}

#[test]
fn data_that_is_not_what_was_agreed_on_is_not_applied() {
    let chain = Chain::new();
    let simulator = chain.ledger.simulator("tx").expect("a simulator");
    simulator.put_private("cc", "coll", "k", value("agreed")).expect("a write");
    let agreed = simulator.results().expect("results");
    let simulator = chain.ledger.simulator("tx").expect("a simulator");
    simulator.put_private("cc", "coll", "k", value("another")).expect("a write");
    let another = simulator.results().expect("results").private.expect("a private set");
    chain.ledger.keep_private("tx", &another).expect("kept");
    assert_eq!(chain.commit(vec![endorsed("tx", agreed.public)]).codes, [Valid]);
    let error = secret(&chain, "k").expect_err("missing here");
    assert_eq!(
        error.to_string(),
        "private data matching public hash version is not available. \
         Public hash version = {BlockNum: 1, TxNum: 0}, Private data version = <nil>"
    );
    let query = chain.ledger.query().expect("a query");
    assert!(query.get_private_hash("cc", "coll", "k").expect("a read").is_some());
    assert_eq!(waiting(&chain), 0);
}

#[test]
fn of_several_kept_sets_the_agreed_one_is_found() {
    let chain = Chain::new();
    let entries: Vec<_> = ["first", "second", "third"]
        .into_iter()
        .map(|text| chain.endorse("tx", |simulator| simulator.put_private("cc", "coll", "k", value(text))))
        .collect();
    assert_eq!(waiting(&chain), 6);
    assert_eq!(chain.commit(vec![entries[1].clone()]).codes, [Valid]);
    assert_eq!(secret(&chain, "k").expect("a read"), Some(value("second")));
    assert_eq!(waiting(&chain), 0);
}

#[test]
fn a_conflict_forgets_and_a_refusal_keeps() {
    let chain = Chain::new();
    let write = |simulator: &crate::Simulator| {
        simulator.get_state("cc", "k")?;
        simulator.put_private("cc", "coll", "k", value("s"))
    };
    let (conflicting, refused) = (chain.endorse("a", write), chain.endorse("b", write));
    chain.run("c", |simulator| simulator.put_state("cc", "k", value("v")));
    let block = chain.next(vec![conflicting, refused.clone()]);
    let codes = chain.ledger.commit(block, vec![Valid, BadCreatorSignature]).expect("a block").codes;
    assert_eq!(codes, [MvccReadConflict, BadCreatorSignature]);
    assert_eq!(waiting(&chain), 2, "anyone can send a transaction under another's ID");
    assert_eq!(secret(&chain, "k").expect("a read"), None);
}

#[test]
fn what_nobody_commits_is_forgotten_in_time() {
    let chain = Chain::new();
    let store = chain.ledger.store();
    let set = TxPvtReadWriteSet::default();
    crate::private::keep(store, 5, "old", &set).expect("kept");
    crate::private::keep(store, 6, "new", &set).expect("kept");
    let mut batch = crate::store::Batch::new();
    crate::private::forget_old(&*store.snapshot(), 20_006, &mut batch).expect("a batch");
    store.apply(batch).expect("applied");
    assert_eq!(waiting(&chain), 2);
    let mut batch = crate::store::Batch::new();
    crate::private::forget_old(&*store.snapshot(), 19_999, &mut batch).expect("a batch");
    assert!(batch.is_empty());
}
