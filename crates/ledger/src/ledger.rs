//! One channel's ledger.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use prost::Message;
use tokio::sync::watch;
use windlass_proto::{
    common::{Block, BlockchainInfo, ConfigEnvelope, Envelope, HeaderType},
    protos::{ProcessedTransaction, TxValidationCode},
    rwset::TxPvtReadWriteSet,
};

use crate::{
    BlockFault, LedgerError, Query, Simulator,
    apply::{CONFIG_KEY, CONFIG_NAMESPACE},
    blocks::{BlockFiles, StoredBlock},
    commit::{self, TransactionEntry},
    history::History,
    keys::{self, Space},
    private::{self, PrivateWrites},
    rebuild::{self, Parts},
    savepoint::Savepoint,
    state::{Reader, StateView},
    store::{Snapshot, Store},
    transaction::Transaction,
};

/// How a ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOptions {
    /// Where state, history and indexes live.
    pub store: StoreKind,
    /// Whether the history of keys is kept.
    pub history: bool,
}

/// Where state, history and indexes live. Blocks are always in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In a folder, with so many bytes of cache.
    Fjall {
        /// The cache's size in bytes.
        cache: u64,
    },
    /// In memory; made again from the blocks whenever the ledger is opened.
    Memory,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self { store: StoreKind::Fjall { cache: 64 << 20 }, history: true }
    }
}

/// One channel's ledger. Clones share it; the folder is free again when the last clone, simulator, query and
/// iterator is gone.
#[derive(Clone, Debug)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    channel: String,
    store: Arc<dyn Store>,
    blocks: BlockFiles,
    history: bool,
    tip: RwLock<Savepoint>,
    // One commit at a time; holds the number of a block that is durable but could not be applied.
    committing: Mutex<Option<u64>>,
    heights: watch::Sender<u64>,
    // Cloned by what reads snapshots.
    reader: Reader,
}

/// A block as it was committed.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The block with its validation codes and commit hash filled in.
    pub block: Arc<Block>,
    /// What became of each transaction.
    pub codes: Vec<TxValidationCode>,
    /// How long it took to make the block and its private data durable.
    pub stored: Duration,
    /// How long it took to apply it to state, history and indexes.
    pub applied: Duration,
}

impl Ledger {
    /// Creates the ledger of the channel that `genesis` (block 0, one channel configuration) names.
    pub fn create(dir: &Path, genesis: &Block, options: LedgerOptions) -> Result<Self, LedgerError> {
        let channel = genesis_channel(genesis)?;
        let parts = match rebuild::open(dir, &options) {
            // Someone has it open, so it is there.
            Err(error) if error.is_in_use() => return Err(LedgerError::AlreadyExists(channel)),
            parts => parts?,
        };
        if parts.tip.height > 0 {
            return Err(LedgerError::AlreadyExists(channel));
        }
        let ledger = Self::assemble(channel, parts);
        ledger.commit(genesis.clone(), vec![TxValidationCode::Valid])?;
        Ok(ledger)
    }

    /// Opens the ledger in `dir`, which must be that of `channel`. Whatever a crash left undone is done first.
    pub fn open(dir: &Path, channel: &str, options: LedgerOptions) -> Result<Self, LedgerError> {
        if !rebuild::exists(dir) {
            return Err(LedgerError::NotFound(dir.to_owned()));
        }
        let parts = rebuild::open(dir, &options)?;
        if parts.tip.height == 0 {
            return Err(LedgerError::NotFound(dir.to_owned()));
        }
        let genesis = read_block(&*parts.store.snapshot(), &parts.blocks, 0)?;
        let found = genesis_channel(&genesis.ok_or(LedgerError::NoSuchBlock(0))?)?;
        if found != channel {
            return Err(LedgerError::WrongChannel { expected: channel.to_owned(), found });
        }
        Ok(Self::assemble(found, parts))
    }

    fn assemble(channel: String, parts: Parts) -> Self {
        let Parts { store, blocks, tip } = parts;
        let heights = watch::Sender::new(tip.height);
        let history = tip.history;
        let (tip, committing) = (RwLock::new(tip), Mutex::new(None));
        let reader = Reader::default();
        Self { inner: Arc::new(Inner { channel, store, blocks, history, tip, committing, heights, reader }) }
    }

    /// The channel's name.
    pub fn channel_id(&self) -> &str {
        &self.inner.channel
    }

    /// How many blocks there are: the number of the next one.
    pub fn height(&self) -> u64 {
        self.inner.tip.read().height
    }

    /// Height, hash of the last block, hash of the one before it.
    pub fn info(&self) -> BlockchainInfo {
        self.inner.tip.read().info()
    }

    /// The height, changing after a block is durable and applied.
    pub fn heights(&self) -> watch::Receiver<u64> {
        self.inner.heights.subscribe()
    }

    /// Block `number` with its filled metadata; `u64::MAX` is the last one.
    pub fn block(&self, number: u64) -> Result<Option<Block>, LedgerError> {
        // Fabric: endorsement-and-gateway §6.2, GetBlockByNumber
        let number = if number == u64::MAX { self.height().saturating_sub(1) } else { number };
        self.read_block(number)
    }

    /// Block `number`, with the private writes that came with it, as far as they are here, by the index of their
    /// transaction.
    pub fn block_with_private_writes(&self, number: u64) -> Result<Option<(Block, PrivateWrites)>, LedgerError> {
        let stored = stored_block(self.inner.store.get(&keys::block_by_number(number))?, &self.inner.blocks)?;
        stored.map(|StoredBlock { block, private, .. }| Ok((block, private::of_block(private)?))).transpose()
    }

    /// The block with this header hash.
    pub fn block_by_hash(&self, hash: &[u8]) -> Result<Option<Block>, LedgerError> {
        let Some(number) = self.inner.store.get(&keys::block_by_hash(hash))? else { return Ok(None) };
        let number = number.as_ref().try_into().map(u64::from_be_bytes);
        self.read_block(number.map_err(|_| LedgerError::Damaged("an index entry cannot be read"))?)
    }

    /// The block that holds the transaction, valid or not.
    pub fn block_by_transaction(&self, tx_id: &str) -> Result<Option<Block>, LedgerError> {
        match self.entry(tx_id)? {
            Some(entry) => self.read_block(entry.block),
            None => Ok(None),
        }
    }

    /// The transaction's envelope and what became of it.
    pub fn transaction(&self, tx_id: &str) -> Result<Option<ProcessedTransaction>, LedgerError> {
        let Some(entry) = self.entry(tx_id)? else { return Ok(None) };
        let block = self.read_block(entry.block)?;
        let data = block.and_then(|block| block.data).unwrap_or_default().data;
        let envelope = data.into_iter().nth(entry.index as usize);
        let envelope = envelope.ok_or(LedgerError::Damaged("an index entry does not match its block"))?;
        Ok(Some(ProcessedTransaction {
            transaction_envelope: Some(Envelope::decode(envelope).unwrap_or_default()),
            validation_code: entry.code as i32,
        }))
    }

    /// What became of the transaction, and the number of its block.
    pub fn transaction_status(&self, tx_id: &str) -> Result<Option<(TxValidationCode, u64)>, LedgerError> {
        Ok(self.entry(tx_id)?.map(|entry| (entry.code, entry.block)))
    }

    /// Whether any block holds the transaction, valid or not.
    pub fn has_transaction(&self, tx_id: &str) -> Result<bool, LedgerError> {
        Ok(self.entry(tx_id)?.is_some())
    }

    /// The channel's current configuration.
    pub fn config(&self) -> Result<ConfigEnvelope, LedgerError> {
        let state = StateView::new(self.inner.store.snapshot());
        let record = state.get(Space::Public(CONFIG_NAMESPACE), CONFIG_KEY.as_bytes())?;
        let record = record.ok_or(LedgerError::Damaged("the channel has no configuration"))?;
        ConfigEnvelope::decode(record.value).map_err(|_| LedgerError::Damaged("the configuration cannot be read"))
    }

    /// The last block that changed the configuration.
    pub fn last_config_block(&self) -> Result<Block, LedgerError> {
        let number = self.inner.tip.read().last_config;
        self.read_block(number)?.ok_or(LedgerError::NoSuchBlock(number))
    }

    /// How many simulators, queries and ranges hold a snapshot now.
    pub fn open_snapshots(&self) -> usize {
        self.inner.reader.others()
    }

    /// The state as it is now, for endorsing a transaction. Later commits do not change it, and neither waits
    /// for the other.
    pub fn simulator(&self, tx_id: &str) -> Result<Simulator, LedgerError> {
        let (state, history) = self.view();
        Ok(Simulator::new(tx_id, state, history))
    }

    /// The state as it is now, for looking only.
    pub fn query(&self) -> Result<Query, LedgerError> {
        let (state, history) = self.view();
        Ok(Query::new(state, history))
    }

    /// Keeps the private writes of an endorsement until their transaction is committed, 20000 blocks at most.
    /// Durable on return.
    pub fn keep_private(&self, tx_id: &str, set: &TxPvtReadWriteSet) -> Result<(), LedgerError> {
        private::keep(&*self.inner.store, self.height(), tx_id, set)
    }

    /// Commits the next block. `codes` has one code per transaction, from the checks of signatures and policies;
    /// those still VALID are compared with state here, and may come to conflict. The block and its private data
    /// are durable before state changes; on return both are done.
    ///
    /// An error before that leaves the ledger as it was. [`LedgerError::Failed`]: the block is durable, and
    /// reopening the ledger applies it.
    pub fn commit(&self, block: Block, codes: Vec<TxValidationCode>) -> Result<Committed, LedgerError> {
        let inner = &*self.inner;
        let mut failed = inner.committing.lock();
        if let Some(number) = *failed {
            return Err(LedgerError::Failed(number));
        }
        let tip = inner.tip.read().clone();
        let mut decided = commit::decide(&inner.store, &tip, block, codes)?;
        let started = Instant::now();
        let location = inner.blocks.append(&decided.block, decided.private.as_deref())?;
        let stored = started.elapsed();
        let tip = match decided.apply(&*inner.store, location) {
            Ok(tip) => tip,
            Err(error) => {
                tracing::error!(%error, block = tip.height, "a durable block could not be applied");
                *failed = Some(tip.height);
                return Err(LedgerError::Failed(tip.height));
            }
        };
        let applied = started.elapsed() - stored;
        let height = tip.height;
        *inner.tip.write() = tip;
        inner.heights.send_replace(height);
        Ok(Committed { block: Arc::new(decided.block), codes: decided.codes, stored, applied })
    }

    #[cfg(test)]
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    #[cfg(test)]
    pub(crate) fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.inner.store.snapshot()
    }

    fn view(&self) -> (StateView, History) {
        let snapshot = self.inner.store.snapshot();
        let blocks = self.inner.blocks.clone();
        let history = History { snapshot: snapshot.clone(), blocks, enabled: self.inner.history };
        (StateView::new(snapshot).counted_with(&self.inner.reader), history)
    }

    fn read_block(&self, number: u64) -> Result<Option<Block>, LedgerError> {
        read_block_at(self.inner.store.get(&keys::block_by_number(number))?, &self.inner.blocks)
    }

    fn entry(&self, tx_id: &str) -> Result<Option<TransactionEntry>, LedgerError> {
        let Some(bytes) = self.inner.store.get(&keys::transaction(tx_id))? else { return Ok(None) };
        let entry = TransactionEntry::decode(&bytes);
        Ok(Some(entry.ok_or(LedgerError::Damaged("an index entry cannot be read"))?))
    }
}

/// Block `number` as a snapshot knows it.
pub(crate) fn read_block(
    snapshot: &dyn Snapshot,
    blocks: &BlockFiles,
    number: u64,
) -> Result<Option<Block>, LedgerError> {
    read_block_at(snapshot.get(&keys::block_by_number(number))?, blocks)
}

fn read_block_at(location: Option<Bytes>, blocks: &BlockFiles) -> Result<Option<Block>, LedgerError> {
    Ok(stored_block(location, blocks)?.map(|stored| stored.block))
}

fn stored_block(location: Option<Bytes>, blocks: &BlockFiles) -> Result<Option<StoredBlock>, LedgerError> {
    let Some(bytes) = location else { return Ok(None) };
    let location = commit::decode_location(&bytes).ok_or(LedgerError::Damaged("an index entry cannot be read"))?;
    Ok(Some(blocks.read(location)?))
}

/// The channel that a genesis block makes.
fn genesis_channel(genesis: &Block) -> Result<String, LedgerError> {
    let number = genesis.header.as_ref().map(|header| header.number).unwrap_or_default();
    let fault = |reason| LedgerError::BadBlock { number, reason: BlockFault::Genesis(reason) };
    let entries = genesis.data.as_ref().map(|data| data.data.as_slice()).unwrap_or_default();
    let [entry] = entries else { return Err(fault("it has not exactly one transaction")) };
    let header = Transaction::header(entry).ok_or_else(|| fault("its transaction cannot be read"))?;
    if header.r#type != HeaderType::Config as i32 {
        return Err(fault("its transaction is no channel configuration"));
    }
    if header.channel_id.is_empty() {
        return Err(fault("it names no channel"));
    }
    Ok(header.channel_id)
}
