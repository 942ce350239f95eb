//! Making state agree with the blocks: what it lacks is applied; what it cannot have is thrown away and all of
//! it made again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    LedgerError, LedgerOptions, StoreKind,
    blocks::{BlockFiles, Location, WalkFrom, create_folder, sync_folder},
    commit, keys, offline,
    savepoint::Savepoint,
    store::{Batch, Store, StoreError, fjall::FjallStore, memory::MemoryStore},
};

const STATE: &str = "state";
/// The store that is to take the place of [`STATE`], and the one whose place was taken.
const NEXT_STATE: &str = "state.new";
const LAST_STATE: &str = "state.old";
const BLOCKS: &str = "blocks";

/// A ledger's parts, in agreement.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blocks: BlockFiles,
    /// The last block, or [`Savepoint::empty`] if there is none.
    pub(crate) tip: Savepoint,
}

/// Where the block files are.
pub(crate) fn blocks(dir: &Path) -> PathBuf {
    dir.join(BLOCKS)
}

/// Whether the folder holds block files.
pub(crate) fn exists(dir: &Path) -> bool {
    blocks(dir).is_dir()
}

/// The store as it is, if there is one; one that is damaged is replaced.
pub(crate) fn open_existing(dir: &Path, options: &LedgerOptions) -> Result<Option<Arc<dyn Store>>, LedgerError> {
    settle(dir)?;
    if dir.join(STATE).is_dir() { open_or_replace(dir, options).map(Some) } else { Ok(None) }
}

fn open_or_replace(dir: &Path, options: &LedgerOptions) -> Result<Arc<dyn Store>, LedgerError> {
    match open_store(&dir.join(STATE), options) {
        // A new store would fare no better, and what waits for its block in the old one would be lost.
        Err(error) if !error.is_damage() => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the state cannot be opened and is made again from the blocks");
            replace_store(None, dir, options)
        }
        Ok(store) => Ok(store),
    }
}

/// Opens the parts in `dir`, creating what is missing, and brings state to the last block.
pub(crate) fn open(dir: &Path, options: &LedgerOptions) -> Result<Parts, LedgerError> {
    create_folder(dir)?;
    settle(dir)?;
    offline::finish(dir, options)?;
    let mut store = open_or_replace(dir, options)?;
    let mut savepoint = Savepoint::read(&*store)?;
    // Histories cannot be added halfway.
    if options.history && savepoint.as_ref().is_some_and(|savepoint| !savepoint.history) {
        savepoint = None;
    }
    let known = savepoint.as_ref().map(|savepoint| (savepoint.height - 1, savepoint.location()));
    let (files, found) = BlockFiles::open_walking(&blocks(dir), WalkFrom { known }, |_, _| {})?;
    let from = match savepoint {
        Some(savepoint) if found && is_tip(&files, &savepoint)? => Some(savepoint),
        savepoint => {
            // A store that was never written needs no replacing.
            if savepoint.is_some() || !is_fresh(&*store)? {
                let height = savepoint.map(|savepoint| savepoint.height);
                tracing::warn!(
                    state = %dir.join(STATE).display(),
                    height,
                    "the state is not one of these blocks, or of another layout, and is made again from them"
                );
                store = replace_store(Some(store), dir, options)?;
            }
            None
        }
    };
    let tip = catch_up(&store, &files, from, options)?;
    Ok(Parts { store, blocks: files, tip })
}

/// Whether the block that the savepoint speaks of is in the files, the very same.
fn is_tip(blocks: &BlockFiles, savepoint: &Savepoint) -> Result<bool, LedgerError> {
    let stored = blocks.read(savepoint.location())?;
    let header = stored.block.header.unwrap_or_default();
    Ok(savepoint.hash == windlass_proto::hash::block_header_hash(&header)[..])
}

fn is_fresh(store: &dyn Store) -> Result<bool, LedgerError> {
    Ok(store.snapshot().range(&[], &[u8::MAX]).next().transpose()?.is_none())
}

/// Applies the blocks after `from`, or all of them.
fn catch_up(
    store: &Arc<dyn Store>,
    blocks: &BlockFiles,
    from: Option<Savepoint>,
    options: &LedgerOptions,
) -> Result<Savepoint, LedgerError> {
    let (mut tip, location, skip) = match from {
        Some(savepoint) => {
            let location = savepoint.location();
            (savepoint, location, 1)
        }
        None => (Savepoint::empty(options.history), Location::default(), 0),
    };
    let before = tip.height;
    for stored in blocks.iterate(location).skip(skip) {
        let stored = stored?;
        let mut decided = commit::redo(store, &tip, stored.block, stored.private)?;
        tip = decided.apply(&**store, stored.location)?;
    }
    if tip.height > before {
        tracing::info!(from = before, to = tip.height, "applied blocks that the state lacked");
    }
    Ok(tip)
}

fn open_store(path: &Path, options: &LedgerOptions) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match options.store {
        StoreKind::Memory => Arc::new(MemoryStore::new()),
        StoreKind::Fjall { cache } => Arc::new(FjallStore::open(path, cache)?),
    })
}

/// An empty store in place of `old`. Private data that waits for its block lives nowhere else: it is in the new store,
/// and durable, before the old one goes.
fn replace_store(
    old: Option<Arc<dyn Store>>,
    dir: &Path,
    options: &LedgerOptions,
) -> Result<Arc<dyn Store>, LedgerError> {
    let mut waiting = Batch::new();
    if let Some(old) = old {
        let (from, to) = keys::all_transient();
        for row in old.snapshot().range(&from, &to) {
            let (key, value) = row?;
            waiting.put(key, value);
        }
        // It is closed here: this was the only handle.
    }
    let (state, next, last) = (dir.join(STATE), dir.join(NEXT_STATE), dir.join(LAST_STATE));
    let store = open_store(&next, options)?;
    store.apply(waiting)?;
    store.flush()?;
    if matches!(options.store, StoreKind::Memory) {
        return Ok(store);
    }
    drop(store);
    rename(&state, &last)?;
    rename(&next, &state)?;
    sync_folder(dir)?;
    remove(&last)?;
    Ok(open_store(&state, options)?)
}

/// Finishes a replacement of the store that was interrupted, or forgets it. The old one is moved away only when the new
/// one is whole.
fn settle(dir: &Path) -> Result<(), LedgerError> {
    let (state, next) = (dir.join(STATE), dir.join(NEXT_STATE));
    if next.is_dir() && !state.is_dir() {
        rename(&next, &state)?;
        sync_folder(dir)?;
    }
    remove(&next)?;
    remove(&dir.join(LAST_STATE))
}

fn rename(from: &Path, to: &Path) -> Result<(), LedgerError> {
    fs::rename(from, to).map_err(|source| LedgerError::Io { path: from.to_owned(), source })
}

fn remove(folder: &Path) -> Result<(), LedgerError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(LedgerError::Io { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}
