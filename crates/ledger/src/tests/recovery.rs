//! After a crash: nothing acknowledged is missing, nothing half-written is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use windlass_proto::{common::Block, protos::TxValidationCode::*};

use crate::{
    Ledger, LedgerError, offline,
    testing::{self, CHANNEL, Chain, config, value},
};

/// Everything that a ledger answers.
#[derive(Debug, PartialEq)]
struct Picture {
    height: u64,
    blocks: Vec<Block>,
    state: Vec<(String, Bytes)>,
    history: Vec<(String, Bytes)>,
    secret: Option<Bytes>,
    statuses: Vec<Option<(windlass_proto::protos::TxValidationCode, u64)>>,
    config: u64,
}

fn picture(ledger: &Ledger) -> Picture {
    let query = ledger.query().expect("a query");
    let mut state = Vec::new();
    let mut rows = query.range("cc", "", "").expect("a range");
    while let Some(kv) = rows.next().expect("a row") {
        state.push((kv.key, kv.value));
    }
    let mut history = Vec::new();
    let mut modifications = query.history("cc", "k").expect("a history");
    while let Some(modification) = modifications.next().expect("a modification") {
        history.push((modification.tx_id, modification.value));
    }
    Picture {
        height: ledger.height(),
        blocks: (0..ledger.height()).map(|number| ledger.block(number).expect("a read").expect("a block")).collect(),
        state,
        history,
        secret: query.get_private("cc", "coll", "k").expect("a read"),
        statuses: (0..5).map(|number| ledger.transaction_status(&format!("tx{number}")).expect("a read")).collect(),
        config: ledger.config().expect("a config").config.expect("a config").sequence,
    }
}

/// Blocks 1 to 4: writes, private writes, a conflict, a configuration.
fn commit_one(chain: &Chain, number: u64) {
    let text = format!("v{number}");
    match number {
        3 => {
            chain.commit(vec![config(1)]);
        }
        _ => {
            let write = |simulator: &crate::Simulator| {
                simulator.get_state("cc", "k")?;
                simulator.put_state("cc", "k", value(&text))?;
                simulator.put_private("cc", "coll", "k", value(&text))
            };
            let entries =
                vec![chain.endorse(&format!("tx{number}"), write), chain.endorse(&format!("c{number}"), write)];
            assert_eq!(chain.commit(entries).codes, [Valid, MvccReadConflict]);
        }
    }
}

/// The blocks that the ledger lacks, from the ordering service: their private data was kept.
fn come_again(chain: &Chain, latest: &Picture) {
    for block in &latest.blocks[chain.ledger.height() as usize..] {
        let codes = block.metadata.as_ref().expect("metadata").metadata[2].iter();
        let codes = codes.map(|code| i32::from(*code).try_into().expect("a code")).collect();
        chain.ledger.commit(block.clone(), codes).expect("committed again");
    }
}

fn state(folder: &Path) -> PathBuf {
    folder.join("state")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[test]
fn reopening_changes_nothing() {
    for options in testing::options() {
        let mut chain = Chain::with(options);
        for number in 1..=4 {
            commit_one(&chain, number);
            let before = picture(&chain.ledger);
            chain = chain.reopen(|_| {});
            assert_eq!(picture(&chain.ledger), before);
        }
    }
}

#[test]
fn a_block_cut_at_any_byte_was_never_committed() {
    for (options, stride) in testing::options().into_iter().zip([97, 1]) {
        let chain = Chain::with(options);
        (1..4).for_each(|number| commit_one(&chain, number));
        let expected = picture(&chain.ledger);
        let file = chain.folder.path().join("blocks/000000.blocks");
        let start = fs::metadata(&file).expect("the file").len();
        commit_one(&chain, 4);
        let mut chain = chain.reopen(|_| {});
        let whole = fs::read(&file).expect("the file");
        for length in (start..whole.len() as u64).step_by(stride) {
            // For a store on disk, the state is then ahead of the blocks.
            chain = chain.reopen(|_| fs::write(&file, &whole[..length as usize]).expect("a torn file"));
            assert_eq!(picture(&chain.ledger), expected, "cut at {length}");
            commit_one(&chain, 4);
            assert_eq!(chain.ledger.height(), 5);
        }
    }
}

#[test]
fn state_is_made_again_from_the_blocks() {
    let [options, _] = testing::options();
    let chain = Chain::with(options);
    (1..=4).for_each(|number| commit_one(&chain, number));
    let expected = picture(&chain.ledger);
    let chain = chain.reopen(|folder| fs::remove_dir_all(state(folder)).expect("removed"));
    assert_eq!(picture(&chain.ledger), expected);
    // Whatever the folder holds instead.
    let chain = chain.reopen(|folder| {
        for entry in fs::read_dir(state(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                fs::write(path, b"garbage").expect("written");
            }
        }
    });
    assert_eq!(picture(&chain.ledger), expected);
}

#[test]
fn blocks_that_state_lacks_are_applied() {
    let [options, _] = testing::options();
    for behind in 1..=4 {
        let mut chain = Chain::with(options.clone());
        let saved = tempfile::tempdir().expect("a folder");
        (1..behind).for_each(|number| commit_one(&chain, number));
        chain = chain.reopen(|folder| copy(&state(folder), saved.path()));
        (behind..=4).for_each(|number| commit_one(&chain, number));
        let expected = picture(&chain.ledger);
        let chain = chain.reopen(|folder| {
            fs::remove_dir_all(state(folder)).expect("removed");
            copy(saved.path(), &state(folder));
        });
        assert_eq!(picture(&chain.ledger), expected, "behind from block {behind}");
    }
}

#[test]
fn the_state_of_another_ledger_is_replaced() {
    let [options, _] = testing::options();
    let other = Chain::with(options.clone());
    other.run("foreign", |simulator| simulator.put_state("cc", "foreign", value("v")));
    (2..=4).for_each(|number| commit_one(&other, number));
    let chain = Chain::with(options);
    (1..=2).for_each(|number| commit_one(&chain, number));
    let expected = picture(&chain.ledger);
    let other = other.reopen(|folder| copy(&state(folder), &folder.join("copy")));
    let chain = chain.reopen(|folder| {
        fs::remove_dir_all(state(folder)).expect("removed");
        copy(&other.folder.path().join("copy"), &state(folder));
    });
    assert_eq!(picture(&chain.ledger), expected);
}

#[test]
fn waiting_private_data_outlives_a_new_state() {
    let [options, _] = testing::options();
    let chain = Chain::with(options);
    commit_one(&chain, 1);
    let file = chain.folder.path().join("blocks/000000.blocks");
    let length = fs::metadata(&file).expect("the file").len();
    let waiting = chain.endorse("later", |simulator| simulator.put_private("cc", "coll", "k", value("late")));
    commit_one(&chain, 2);
    let chain = chain.reopen(|_| {
        let whole = fs::read(&file).expect("the file");
        fs::write(&file, &whole[..length as usize + 10]).expect("a torn file");
    });
    assert_eq!(chain.ledger.height(), 2);
    assert_eq!(chain.commit(vec![waiting]).codes, [Valid]);
    let query = chain.ledger.query().expect("a query");
    assert_eq!(query.get_private("cc", "coll", "k").expect("a read"), Some(value("late")));
}

#[test]
fn a_half_created_ledger_can_be_created_again() {
    for options in testing::options() {
        let chain = Chain::with(options.clone());
        let file = chain.folder.path().join("blocks/000000.blocks");
        drop(chain.ledger);
        let whole = fs::read(&file).expect("the file");
        fs::write(&file, &whole[..whole.len() - 1]).expect("a torn file");
        let error = Ledger::open(chain.folder.path(), CHANNEL, options.clone()).expect_err("no block");
        assert!(matches!(error, LedgerError::NotFound(_)));
        let ledger = Ledger::create(chain.folder.path(), &testing::genesis(), options).expect("a ledger");
        assert_eq!(ledger.height(), 1);
    }
}

#[test]
fn damage_to_older_blocks_is_told_and_not_repaired() {
    let [_, options] = testing::options();
    let chain = Chain::with(options.clone());
    (1..=4).for_each(|number| commit_one(&chain, number));
    let folder = chain.folder;
    drop(chain.ledger);
    let file = folder.path().join("blocks/000000.blocks");
    let mut bytes = fs::read(&file).expect("the file");
    bytes[60] ^= 1;
    fs::write(&file, &bytes).expect("a damaged file");
    let error = Ledger::open(folder.path(), CHANNEL, options).expect_err("damage");
    assert!(error.to_string().ends_with("000000.blocks is damaged at byte 0: the block's checksum does not match"));
    assert_eq!(fs::read(&file).expect("the file"), bytes);
}

#[test]
fn going_back_gives_what_was_there_and_the_blocks_can_come_again() {
    let [options, _] = testing::options();
    for target in 0..4 {
        let mut chain = Chain::with(options.clone());
        (1..=target).for_each(|number| commit_one(&chain, number));
        let earlier = picture(&chain.ledger);
        (target + 1..=4).for_each(|number| commit_one(&chain, number));
        let latest = picture(&chain.ledger);
        assert!(offline::last_block(chain.folder.path()).expect_err("it is open").is_in_use());
        chain = chain.reopen(|folder| {
            assert_eq!(offline::last_block(folder).expect("a block"), 4);
            offline::roll_back(folder, target, &options).expect("rolled back");
            assert_eq!(offline::last_block(folder).expect("a block"), target);
        });
        assert_eq!(picture(&chain.ledger), earlier, "back to {target}");
        come_again(&chain, &latest);
        assert_eq!(picture(&chain.ledger), latest, "forth from {target}");
    }
}

#[test]
fn going_back_is_finished_by_the_next_opening_wherever_a_crash_interrupts_it() {
    let [options, _] = testing::options();
    let chain = Chain::with(options.clone());
    commit_one(&chain, 1);
    let earlier = picture(&chain.ledger);
    (2..=4).for_each(|number| commit_one(&chain, number));
    let latest = picture(&chain.ledger);
    // Written down, and nothing else.
    let chain = chain.reopen(|folder| fs::write(folder.join("rollback"), "1").expect("written"));
    assert_eq!(picture(&chain.ledger), earlier);
    assert!(!chain.folder.path().join("rollback").exists());
    // Cut, and not ticked off.
    let chain = chain.reopen(|folder| fs::write(folder.join("rollback"), "1").expect("written"));
    assert_eq!(picture(&chain.ledger), earlier);
    // Not even written down whole.
    let chain = chain.reopen(|folder| fs::write(folder.join("rollback.new"), "").expect("written"));
    assert_eq!(picture(&chain.ledger), earlier);
    come_again(&chain, &latest);
    assert_eq!(picture(&chain.ledger), latest);
}

#[test]
fn going_back_loses_no_private_data_whether_a_crash_comes_while_it_is_kept_or_before_the_cut() {
    let [options, _] = testing::options();
    let chain = Chain::with(options.clone());
    commit_one(&chain, 1);
    let earlier = picture(&chain.ledger);
    (2..=4).for_each(|number| commit_one(&chain, number));
    let latest = picture(&chain.ledger);
    let saved = tempfile::tempdir().expect("a folder");
    let blocks = |folder: &Path| folder.join("blocks");
    let mut chain = chain.reopen(|folder| copy(&blocks(folder), saved.path()));
    // What going back to each of these blocks has kept is what going back to block 1 had kept by then: nothing of a
    // block, all of the last one, all of every block. The blocks are uncut.
    for kept_after in [4, 3, 1] {
        chain = chain.reopen(|folder| {
            offline::roll_back(folder, kept_after, &options).expect("rolled back");
            fs::remove_dir_all(blocks(folder)).expect("removed");
            copy(saved.path(), &blocks(folder));
            fs::write(folder.join("rollback"), "1").expect("written");
        });
        assert_eq!(picture(&chain.ledger), earlier, "kept after {kept_after}");
        come_again(&chain, &latest);
        assert_eq!(picture(&chain.ledger), latest, "kept after {kept_after}");
    }
}

#[test]
fn state_that_was_dropped_is_made_again() {
    let [options, _] = testing::options();
    let chain = Chain::with(options.clone());
    (1..=4).for_each(|number| commit_one(&chain, number));
    let expected = picture(&chain.ledger);
    let waiting = chain.endorse("later", |simulator| simulator.put_private("cc", "coll", "k", value("late")));
    let chain = chain.reopen(|folder| offline::drop_state(folder, &options).expect("dropped"));
    assert_eq!(picture(&chain.ledger), expected);
    assert_eq!(chain.commit(vec![waiting]).codes, [Valid]);
    let query = chain.ledger.query().expect("a query");
    assert_eq!(query.get_private("cc", "coll", "k").expect("a read"), Some(value("late")));
}

#[test]
fn replacing_the_state_is_finished_or_forgotten_and_loses_no_private_data_wherever_a_crash_interrupts_it() {
    let [options, _] = testing::options();
    let chain = Chain::with(options.clone());
    (1..=4).for_each(|number| commit_one(&chain, number));
    let expected = picture(&chain.ledger);
    let waiting = chain.endorse("later", |simulator| simulator.put_private("cc", "coll", "k", value("late")));
    let (state, next, last) = ("state", "state.new", "state.old");
    let moved = |folder: &Path, from: &str, to: &str| fs::rename(folder.join(from), folder.join(to)).expect("moved");
    // The new one is not whole yet.
    let chain = chain.reopen(|folder| fs::create_dir(folder.join(next)).expect("a folder"));
    assert_eq!(picture(&chain.ledger), expected);
    // It is, and the old one has been moved away. What is in it stands for the new one here.
    let chain = chain.reopen(|folder| moved(folder, state, next));
    assert_eq!(picture(&chain.ledger), expected);
    // It has taken its place.
    let chain = chain.reopen(|folder| fs::create_dir(folder.join(last)).expect("a folder"));
    assert_eq!(picture(&chain.ledger), expected);
    assert!(![next, last].iter().any(|name| chain.folder.path().join(name).exists()));
    assert_eq!(chain.commit(vec![waiting]).codes, [Valid]);
    let query = chain.ledger.query().expect("a query");
    assert_eq!(query.get_private("cc", "coll", "k").expect("a read"), Some(value("late")));
}
