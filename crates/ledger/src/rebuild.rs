//! Making state agree with the blocks: what it lacks is applied; what it cannot have is thrown away and all of
//! it made again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    LedgerError, LedgerOptions, StoreKind,
    blocks::{BlockFiles, Location, WalkFrom, create_folder},
    commit, keys, offline,
    savepoint::Savepoint,
    store::{Batch, Row, Store, StoreError, fjall::FjallStore, memory::MemoryStore},
};

const STATE: &str = "state";
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

/// The store as it is, if there is one that can be opened; one that cannot is made again with the ledger.
pub(crate) fn open_existing(dir: &Path, options: &LedgerOptions) -> Result<Option<Arc<dyn Store>>, LedgerError> {
    let state = dir.join(STATE);
    if !state.is_dir() {
        return Ok(None);
    }
    match open_store(&state, options) {
        Ok(store) => Ok(Some(store)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens the parts in `dir`, creating what is missing, and brings state to the last block.
pub(crate) fn open(dir: &Path, options: &LedgerOptions) -> Result<Parts, LedgerError> {
    let state = dir.join(STATE);
    create_folder(dir)?;
    offline::finish(dir, options)?;
    let opened = open_store(&state, options);
    let (mut store, mut savepoint) = match opened {
        Ok(store) => {
            let savepoint = Savepoint::read(&*store)?;
            (store, savepoint)
        }
        // A new store would fare no better, and what waits for its block in the old one would be lost.
        Err(error) if !error.is_damage() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the state cannot be opened and is made again from the blocks");
            (replace_store(None, &state, options)?, None)
        }
    };
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
                    state = %state.display(),
                    height,
                    "the state is not one of these blocks, or of another layout, and is made again from them"
                );
                store = replace_store(Some(store), &state, options)?;
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

/// An empty store in place of `old`. Private data that waits for its block lives nowhere else and is kept.
fn replace_store(
    old: Option<Arc<dyn Store>>,
    path: &PathBuf,
    options: &LedgerOptions,
) -> Result<Arc<dyn Store>, LedgerError> {
    let mut waiting: Vec<Row> = Vec::new();
    if let Some(old) = old {
        let (from, to) = keys::all_transient();
        waiting = old.snapshot().range(&from, &to).collect::<Result<_, _>>()?;
    }
    // The old store is closed here: it was the only handle.
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(LedgerError::Io { path: path.clone(), source });
        }
        _ => {}
    }
    let store = open_store(path, options)?;
    let mut batch = Batch::new();
    for (key, value) in waiting {
        batch.put(key, value);
    }
    store.apply(batch)?;
    Ok(store)
}
