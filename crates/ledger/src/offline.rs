//! Work on a ledger that nobody has open: going back to an earlier block, and having state made again.
//!
//! Going back is written down before it begins, so that the next opening finishes what a crash interrupted.

use std::{fs, io, path::Path};

use crate::{
    LedgerError, LedgerOptions,
    blocks::{BlockFiles, Location, StoredBlock, WalkFrom, sync_folder},
    keys, private, rebuild,
    store::Batch,
    transaction::Transaction,
};

/// Holds the number of the block that is to be the last one.
const INTENT: &str = "rollback";
/// The same before it is whole.
const DRAFT: &str = "rollback.new";

/// The number of the last block of the ledger in `dir`.
///
/// # Errors
/// When there is none, and when the block files cannot be read or are in use.
pub fn last_block(dir: &Path) -> Result<u64, LedgerError> {
    if !rebuild::exists(dir) {
        return Err(LedgerError::NotFound(dir.to_owned()));
    }
    let mut last = None;
    BlockFiles::open_walking(&rebuild::blocks(dir), WalkFrom::default(), |number, _| last = Some(number))?;
    last.ok_or_else(|| LedgerError::NotFound(dir.to_owned()))
}

/// Makes block `number` the last one of the ledger in `dir`. State follows at the next opening. Private data of the
/// blocks that go is kept, for when they come again.
///
/// # Errors
/// When there is no such ledger, it is in use, or the file system fails. What was begun is finished by the next
/// opening, or by another call.
pub fn roll_back(dir: &Path, number: u64, options: &LedgerOptions) -> Result<(), LedgerError> {
    finish(dir, options)?;
    // Nobody must have it open, and it must be whole, before anything is written down.
    if number >= last_block(dir)? {
        return Ok(());
    }
    let (draft, intent) = (dir.join(DRAFT), dir.join(INTENT));
    let written = fs::write(&draft, number.to_string())
        .and_then(|()| fs::File::open(&draft)?.sync_all())
        .and_then(|()| fs::rename(&draft, &intent));
    written.map_err(|source| LedgerError::Io { path: intent, source })?;
    sync_folder(dir)?;
    finish(dir, options)
}

/// Has everything but the blocks of the ledger in `dir` made again at the next opening.
///
/// # Errors
/// When it is in use, or the store fails.
pub fn drop_state(dir: &Path, options: &LedgerOptions) -> Result<(), LedgerError> {
    let Some(store) = rebuild::open_existing(dir, options)? else { return Ok(()) };
    let mut batch = Batch::new();
    batch.delete(keys::SAVEPOINT.to_vec());
    store.apply(batch)?;
    Ok(store.flush()?)
}

/// Finishes going back, if that was begun.
pub(crate) fn finish(dir: &Path, options: &LedgerOptions) -> Result<(), LedgerError> {
    let intent = dir.join(INTENT);
    let at = |source| LedgerError::Io { path: intent.clone(), source };
    let number = match fs::read_to_string(&intent) {
        Ok(text) => text.trim().parse().map_err(|_| LedgerError::Damaged("where to go back to cannot be read"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(at(source)),
    };
    cut_after(dir, number, options)?;
    fs::remove_file(&intent).map_err(at)?;
    Ok(sync_folder(dir)?)
}

fn cut_after(dir: &Path, number: u64, options: &LedgerOptions) -> Result<(), LedgerError> {
    let mut first: Option<Location> = None;
    let beyond = |found, location| {
        if found > number {
            first.get_or_insert(location);
        }
    };
    let (blocks, _) = BlockFiles::open_walking(&rebuild::blocks(dir), WalkFrom::default(), beyond)?;
    let Some(first) = first else { return Ok(()) };
    if let Some(store) = rebuild::open_existing(dir, options)? {
        for stored in blocks.iterate(first) {
            store.apply(kept_of(&stored?)?)?;
        }
        // Once for all of them: until the cut, which is next, the blocks have it too.
        store.flush()?;
    }
    Ok(blocks.cut_at(first)?)
}

/// The private data of a block as that of endorsements made when it was due: kept until long after it comes again.
fn kept_of(stored: &StoredBlock) -> Result<Batch, LedgerError> {
    let height = stored.block.header.as_ref().map_or(0, |header| header.number);
    let entries = stored.block.data.as_ref().map(|data| data.data.as_slice()).unwrap_or_default();
    let mut kept = Batch::new();
    for (index, set) in private::of_block(stored.private.clone())? {
        let entry = usize::try_from(index).ok().and_then(|index| entries.get(index));
        if let Some(header) = entry.and_then(Transaction::header) {
            private::keep_in(&mut kept, height, &header.tx_id, &set)?;
        }
    }
    Ok(kept)
}
