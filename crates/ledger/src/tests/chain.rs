//! Blocks in and out: linking, indexes, metadata, configuration.

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    common::{Block, BlockMetadataIndex, HeaderType, Metadata},
    hash::sha256,
    protos::TxValidationCode::{self, *},
};

use crate::{
    BlockFault, Ledger, LedgerError, Query,
    testing::{self, CHANNEL, Chain, block, config, endorsed, envelope, genesis, header_hash, value},
};

fn slot(block: &Block, slot: BlockMetadataIndex) -> Bytes {
    block.metadata.as_ref().expect("metadata").metadata[slot as usize].clone()
}

fn commit_hash(block: &Block) -> Bytes {
    Metadata::decode(slot(block, BlockMetadataIndex::CommitHash)).expect("metadata").value
}

fn state(ledger: &Ledger) -> Query {
    ledger.query().expect("a query")
}

#[test]
fn a_new_ledger_has_the_genesis_block() {
    for options in testing::options() {
        let chain = Chain::with(options);
        let ledger = &chain.ledger;
        assert_eq!((ledger.channel_id(), ledger.height()), (CHANNEL, 1));
        let info = ledger.info();
        assert_eq!(info.current_block_hash, header_hash(&genesis()));
        assert_eq!(info.previous_block_hash, Bytes::new());
        let stored = ledger.block(0).expect("a read").expect("genesis");
        assert_eq!(stored.data, genesis().data);
        assert_eq!(slot(&stored, BlockMetadataIndex::TransactionsFilter), [0u8][..]);
        assert_eq!(slot(&stored, BlockMetadataIndex::CommitHash), Bytes::new(), "block 0 has no commit hash");
        assert_eq!(ledger.last_config_block().expect("a block"), stored);
        assert_eq!(ledger.config().expect("a config").config.expect("a config").sequence, 0);
    }
}

#[test]
fn refuses_to_create_over_a_ledger() {
    for options in testing::options() {
        let chain = Chain::with(options.clone());
        let create = || Ledger::create(chain.folder.path(), &genesis(), options.clone()).expect_err("it is there");
        assert_eq!(create().to_string(), "ledger [ch] already exists with state [ACTIVE]", "while it is open");
        drop(chain.ledger);
        let again = Ledger::create(chain.folder.path(), &genesis(), options.clone()).expect_err("it is there");
        assert_eq!(again.to_string(), "ledger [ch] already exists with state [ACTIVE]");
    }
}

#[test]
fn refuses_what_is_no_genesis_block() {
    let folder = tempfile::tempdir().expect("a folder");
    let [options, _] = testing::options();
    let broken = [
        (block(0, Bytes::new(), vec![config(0), config(1)]), "it has not exactly one transaction"),
        (block(0, Bytes::new(), vec![Bytes::from_static(b"x")]), "its transaction cannot be read"),
        (block(0, Bytes::new(), vec![endorsed("tx", Bytes::new())]), "its transaction is no channel configuration"),
    ];
    for (genesis, reason) in broken {
        let error = Ledger::create(folder.path(), &genesis, options.clone()).expect_err(reason);
        assert_eq!(error.to_string(), format!("block 0 refused: it is no genesis block: {reason}"));
    }
    let late = block(1, Bytes::new(), vec![config(0)]);
    let error = Ledger::create(folder.path(), &late, options.clone()).expect_err("not block 0");
    assert_eq!(error.to_string(), "block 1 refused: expected block number 0");
    Ledger::create(folder.path(), &genesis(), options).expect("nothing was left behind");
}

#[test]
fn refuses_to_open_what_is_not_there_or_another_channels() {
    let folder = tempfile::tempdir().expect("a folder");
    let [options, _] = testing::options();
    assert!(matches!(Ledger::open(folder.path(), CHANNEL, options.clone()), Err(LedgerError::NotFound(_))));
    drop(Ledger::create(folder.path(), &genesis(), options.clone()).expect("a ledger"));
    let error = Ledger::open(folder.path(), "other", options).expect_err("another channel");
    assert_eq!(error.to_string(), "the ledger is of channel ch, expected other");
}

#[test]
fn finds_blocks_and_transactions() {
    for options in testing::options() {
        let chain = Chain::with(options);
        let ledger = &chain.ledger;
        chain.run("tx1", |simulator| simulator.put_state("cc", "k", value("1")));
        let entry = chain.endorse("tx2", |simulator| simulator.put_state("cc", "k", value("2")));
        let bad = endorsed("tx3", Bytes::new());
        let codes = vec![Valid, EndorsementPolicyFailure];
        let committed = ledger.commit(chain.next(vec![entry.clone(), bad]), codes.clone()).expect("a block");
        assert_eq!(committed.codes, codes);
        let last = ledger.block(2).expect("a read").expect("block 2");
        assert_eq!(last, *committed.block);
        assert_eq!(ledger.block(u64::MAX).expect("a read").as_ref(), Some(&last));
        assert_eq!(ledger.block(3).expect("a read"), None);
        assert_eq!(ledger.block_by_hash(&header_hash(&last)).expect("a read").as_ref(), Some(&last));
        assert_eq!(ledger.block_by_hash(b"nothing").expect("a read"), None);
        assert_eq!(ledger.block_by_transaction("tx3").expect("a read").as_ref(), Some(&last));
        assert_eq!(ledger.block_by_transaction("none").expect("a read"), None);
        assert_eq!(ledger.transaction_status("tx1").expect("a read"), Some((Valid, 1)));
        assert_eq!(ledger.transaction_status("tx3").expect("a read"), Some((EndorsementPolicyFailure, 2)));
        assert_eq!(ledger.transaction_status("none").expect("a read"), None);
        assert!(ledger.has_transaction("tx3").expect("a read"), "invalid ones count");
        let processed = ledger.transaction("tx2").expect("a read").expect("tx2");
        assert_eq!(processed.validation_code, 0);
        assert_eq!(processed.transaction_envelope.expect("an envelope").encode_to_vec(), entry);
        assert_eq!(ledger.transaction("none").expect("a read"), None);
    }
}

#[test]
fn the_first_of_an_id_keeps_its_place() {
    let chain = Chain::new();
    let put = |text: &'static str| chain.endorse("tx", |simulator| simulator.put_state("cc", "k", value(text)));
    let committed = chain.commit(vec![put("first"), put("second")]);
    assert_eq!(committed.codes, [Valid, DuplicateTxid]);
    assert_eq!(state(&chain.ledger).get_state("cc", "k").expect("a read"), Some(value("first")));
    let late = chain.next(vec![put("late")]);
    chain.ledger.commit(late, vec![DuplicateTxid]).expect("a block");
    assert_eq!(chain.ledger.transaction_status("tx").expect("a read"), Some((Valid, 1)));
    // A refused one with the same ID in front does not take the place of the valid one.
    let block = chain.next(vec![endorsed("b", Bytes::new()), endorsed("b", Bytes::new())]);
    let committed = chain.ledger.commit(block, vec![EndorsementPolicyFailure, Valid]).expect("a block");
    assert_eq!(committed.codes, [EndorsementPolicyFailure, Valid]);
}

#[test]
fn refuses_blocks_that_do_not_extend_the_chain() {
    let chain = Chain::new();
    let entries = || vec![endorsed("tx", Bytes::new())];
    let hash = chain.ledger.info().current_block_hash;
    let mut other_data = chain.next(entries());
    other_data.data.as_mut().expect("data").data.push(Bytes::from_static(b"more"));
    let mut no_header = chain.next(entries());
    no_header.header = None;
    for (block, codes, reason) in [
        (block(2, hash.clone(), entries()), 1, BlockFault::Number(1)),
        (block(0, Bytes::new(), entries()), 1, BlockFault::Number(1)),
        (block(1, Bytes::new(), entries()), 1, BlockFault::PreviousHash),
        (other_data, 2, BlockFault::DataHash),
        (no_header, 1, BlockFault::NoHeader),
        (block(1, hash.clone(), Vec::new()), 0, BlockFault::Empty),
        (block(1, hash, entries()), 2, BlockFault::Codes { codes: 2, transactions: 1 }),
    ] {
        let error = chain.ledger.commit(block, vec![Valid; codes]).expect_err("a refused block");
        assert!(matches!(&error, LedgerError::BadBlock { reason: found, .. } if *found == reason), "{error}");
    }
    assert_eq!(chain.ledger.height(), 1);
    assert_eq!(chain.commit(entries()).codes, [Valid], "nothing stays behind");
}

#[test]
fn a_key_too_long_for_the_store_refuses_the_block_before_it_is_durable() {
    let chain = Chain::new();
    let set = windlass_proto::kvrwset::KvrwSet {
        writes: vec![windlass_proto::kvrwset::KvWrite {
            key: "k".repeat(1 << 16),
            value: value("v"),
            ..Default::default()
        }],
        ..Default::default()
    };
    let namespace = windlass_proto::rwset::NsReadWriteSet {
        namespace: "cc".into(),
        rwset: set.encode_to_vec().into(),
        ..Default::default()
    };
    let results = windlass_proto::rwset::TxReadWriteSet { ns_rwset: vec![namespace], ..Default::default() };
    let block = chain.next(vec![endorsed("tx", results.encode_to_vec().into())]);
    let error = chain.ledger.commit(block, vec![Valid]).expect_err("a key too long");
    assert!(error.to_string().ends_with("is too long for the store: the limit is 65535"), "{error}");
    let chain = chain.reopen(|_| {});
    assert_eq!(chain.ledger.height(), 1);
    assert_eq!(chain.run("next", |simulator| simulator.put_state("cc", "k", value("v"))), Valid);
}

#[test]
fn unreadable_transactions_get_their_codes() {
    let chain = Chain::new();
    let garbage = Bytes::from_static(&[0xff]);
    let block = chain.next(vec![
        garbage.clone(),
        envelope(HeaderType::EndorserTransaction, "a", Bytes::new()),
        endorsed("b", garbage.clone()),
        envelope(HeaderType::Message, "c", garbage),
    ]);
    let committed = chain.ledger.commit(block, vec![Valid; 4]).expect("a block");
    assert_eq!(committed.codes, [BadPayload, NilTxaction, BadRwset, Valid]);
    assert_eq!(slot(&committed.block, BlockMetadataIndex::TransactionsFilter), [2u8, 16, 22, 0][..]);
    assert_eq!(chain.ledger.transaction_status("b").expect("a read"), Some((BadRwset, 1)));
}

#[test]
fn readers_are_told_when_a_block_is_applied() {
    let chain = Chain::new();
    let mut heights = chain.ledger.heights();
    assert_eq!(*heights.borrow_and_update(), 1);
    chain.commit(vec![endorsed("tx", Bytes::new())]);
    assert!(heights.has_changed().expect("open"));
    assert_eq!(*heights.borrow_and_update(), 2);
}

#[test]
fn a_configuration_block_becomes_the_current_one() {
    let chain = Chain::new();
    chain.commit(vec![config(1)]);
    chain.commit(vec![endorsed("tx", Bytes::new())]);
    chain.ledger.commit(chain.next(vec![config(2)]), vec![InvalidConfigTransaction]).expect("a block");
    assert_eq!(chain.ledger.config().expect("a config").config.expect("a config").sequence, 1);
    let last = chain.ledger.last_config_block().expect("a block");
    assert_eq!(last.header.expect("a header").number, 1);
    let chain = chain.reopen(|_| {});
    assert_eq!(chain.ledger.config().expect("a config").config.expect("a config").sequence, 1);
    assert_eq!(chain.ledger.last_config_block().expect("a block").header.expect("a header").number, 1);
}

/// A protobuf field of length-delimited content, written by hand.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

#[test]
fn the_commit_hash_covers_codes_and_changes() {
    let chain = Chain::new();
    // Block 1: two namespaces, a delete, a collection, and a refused transaction.
    let entry = chain.endorse("tx1", |simulator| {
        simulator.put_state("b", "k2", value("v2"))?;
        simulator.delete_state("b", "k1")?;
        simulator.put_state("a", "k", value("v"))?;
        simulator.put_private("b", "coll", "secret", value("s"))
    });
    let block = chain.next(vec![endorsed("bad", Bytes::new()), entry]);
    let first = chain.ledger.commit(block, vec![BadCreatorSignature, Valid]).expect("a block").block;
    let version = field(6, &[1, 1, 1, 1]);
    let change = |parts: &[Vec<u8>]| field(1, &[parts.concat(), version.clone()].concat());
    let changes = [
        change(&[field(1, b"a"), field(3, b"k"), field(5, b"v")]),
        change(&[field(1, b"b"), field(3, b"k1"), vec![0x20, 1]]),
        change(&[field(3, b"k2"), field(5, b"v2")]),
        change(&[field(2, b"coll"), field(3, &sha256(b"secret")), field(5, &sha256(b"s"))]),
    ]
    .concat();
    let expected = sha256(&[&[2, 4, 0][..], &changes].concat());
    assert_eq!(commit_hash(&first), expected[..]);
    // Block 2: a configuration, which contributes nothing but its code.
    let second = chain.commit(vec![config(1)]).block;
    let expected = sha256(&[&[1, 0][..], &expected].concat());
    assert_eq!(commit_hash(&second), expected[..]);
    // Block 3, after reopening.
    let chain = chain.reopen(|_| {});
    let third = chain.commit(vec![endorsed("tx3", Bytes::new())]).block;
    assert_eq!(commit_hash(&third), sha256(&[&[1, 0][..], &expected].concat())[..]);
}

#[test]
fn every_code_survives_the_filter() {
    for code in 0..=255 {
        let Ok(code) = TxValidationCode::try_from(code) else { continue };
        assert_eq!(TxValidationCode::try_from(i32::from(code as i32 as u8)), Ok(code));
    }
}

#[test]
fn readers_see_whole_blocks_only() {
    for options in testing::options() {
        let chain = Chain::with(options);
        let ledger = &chain.ledger;
        let write = |text: &str| {
            chain.run(text, |simulator| {
                (0..5).try_for_each(|number| simulator.put_state("cc", &format!("k{number}"), value(text)))
            })
        };
        assert_eq!(write("start"), Valid);
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let simulator = ledger.simulator("reader").expect("a simulator");
                        let first = simulator.get_state("cc", "k0").expect("a read").expect("a value");
                        let mut rows = simulator.range("cc", "", "").expect("a range");
                        while let Some(kv) = rows.next().expect("a row") {
                            assert_eq!(kv.value, first);
                        }
                        let mut history = simulator.history("cc", "k0").expect("a history");
                        assert_eq!(history.next().expect("a modification").expect("one").value, first);
                    }
                });
            }
            for round in 0..50 {
                assert_eq!(write(&format!("round {round}")), Valid);
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
