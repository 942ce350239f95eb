//! A block's way into the ledger: validate, make durable, apply.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    common::{Block, BlockHeader, BlockMetadata, BlockMetadataIndex, Metadata},
    hash::{block_data_hash, block_header_hash},
    protos::TxValidationCode,
    rwset::TxPvtReadWriteSet,
};

use crate::{
    BlockFault, LedgerError,
    apply::Updates,
    blocks::Location,
    commit_hash::commit_hash,
    keys, mvcc,
    private::{self, BlockPrivate, TransactionPrivate},
    rwset::TransactionWrites,
    savepoint::Savepoint,
    state::StateView,
    store::{Batch, Store},
    transaction::{Content, Transaction},
    version::Version,
};

// SIGNATURES, LAST_CONFIG, TRANSACTIONS_FILTER, ORDERER, COMMIT_HASH. Fabric: ledger §5
const METADATA_SLOTS: usize = 5;

/// A block that is decided but not yet durable: the codes and hashes are filled in, the changes are known.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) block: Block,
    pub(crate) codes: Vec<TxValidationCode>,
    /// What its frame holds beside it.
    pub(crate) private: Option<Vec<u8>>,
    batch: Batch,
    savepoint: Savepoint,
}

/// Checks that `block` is the next one after `tip`, with `codes` for its transactions.
pub(crate) fn check(tip: &Savepoint, block: &Block, codes: &[TxValidationCode]) -> Result<BlockHeader, LedgerError> {
    let number = block.header.as_ref().map(|header| header.number).unwrap_or_default();
    let fault = |reason| LedgerError::BadBlock { number, reason };
    let header = block.header.as_ref().ok_or_else(|| fault(BlockFault::NoHeader))?;
    let data = block.data.as_ref().filter(|data| !data.data.is_empty()).ok_or_else(|| fault(BlockFault::Empty))?;
    if header.number != tip.height {
        return Err(fault(BlockFault::Number(tip.height)));
    }
    if header.previous_hash != tip.hash {
        return Err(fault(BlockFault::PreviousHash));
    }
    if header.data_hash != block_data_hash(data)[..] {
        return Err(fault(BlockFault::DataHash));
    }
    if codes.len() != data.data.len() {
        return Err(fault(BlockFault::Codes { codes: codes.len(), transactions: data.data.len() }));
    }
    Ok(header.clone())
}

/// Decides which transactions of the next block are valid, and what that changes.
pub(crate) fn decide(
    store: &Arc<dyn Store>,
    tip: &Savepoint,
    mut block: Block,
    mut codes: Vec<TxValidationCode>,
) -> Result<Decided, LedgerError> {
    let header = check(tip, &block, &codes)?;
    let state = StateView::new(store.snapshot());
    let entries = block.data.as_ref().map(|data| data.data.as_slice()).unwrap_or_default();
    let mut changes = BlockChanges::new(state.clone(), header.number, tip.history);
    let mut kept = BlockPrivate::default();
    let mut seen = HashSet::new();
    for (index, (entry, code)) in entries.iter().zip(&mut codes).enumerate() {
        let transaction = match *code {
            TxValidationCode::Valid => Transaction::parse(entry),
            refused => Err(refused),
        };
        let transaction = transaction.and_then(|transaction| match &transaction.content {
            // The first of the same ID wins among those still valid.
            Content::Endorsed(_) if !seen.insert(transaction.tx_id.clone()) => Err(TxValidationCode::DuplicateTxid),
            _ => Ok(transaction),
        });
        let mut set = None;
        *code = match &transaction {
            Err(code) => *code,
            Ok(Transaction { content: Content::Endorsed(writes), tx_id, .. }) => {
                let verdict = mvcc::validate(&changes.updates, writes)?;
                if verdict == TxValidationCode::Valid {
                    let (found, missing) = private::matching(&*state.snapshot, tx_id, writes)?;
                    if missing > 0 {
                        tracing::warn!(tx_id, missing, "private data of a committed transaction is not here");
                    }
                    set = (!found.ns_pvt_rwset.is_empty()).then_some(found);
                }
                verdict
            }
            Ok(_) => TxValidationCode::Valid,
        };
        if let Some(set) = &set {
            kept.transactions.push(TransactionPrivate { index: index as u64, set: Some(set.clone()) });
        }
        changes.add(index, entry, *code, transaction.ok(), set)?;
    }
    let filter: Vec<u8> = codes.iter().map(|code| *code as i32 as u8).collect();
    // From block 1 on, and only in chains that had one from there. Fabric: ledger §5
    let with_hash = header.number == 1 || tip.commit_hash.is_some();
    let previous = tip.commit_hash.as_deref().unwrap_or_default();
    let commit_hash = with_hash.then(|| commit_hash(&filter, &changes.updates, previous));
    fill_metadata(&mut block, filter, commit_hash.clone());
    let private = (!kept.transactions.is_empty()).then(|| kept.encode_to_vec());
    let (batch, savepoint) = changes.finish(tip, &header, commit_hash);
    // Nothing may be found too long for the store once the block is durable.
    batch.check()?;
    Ok(Decided { block, codes, private, batch, savepoint })
}

/// What a stored block changes: its codes and hashes are already filled in. For making state again.
pub(crate) fn redo(
    store: &Arc<dyn Store>,
    tip: &Savepoint,
    block: Block,
    private: Bytes,
) -> Result<Decided, LedgerError> {
    let filter = slot(&block, BlockMetadataIndex::TransactionsFilter);
    let codes: Vec<_> = filter
        .iter()
        .map(|code| TxValidationCode::try_from(i32::from(*code)).unwrap_or(TxValidationCode::InvalidOtherReason))
        .collect();
    let header = check(tip, &block, &codes)?;
    let mut private = private::of_block(private)?;
    let entries = block.data.as_ref().map(|data| data.data.as_slice()).unwrap_or_default();
    let mut changes = BlockChanges::new(StateView::new(store.snapshot()), header.number, tip.history);
    for (index, (entry, code)) in entries.iter().zip(&codes).enumerate() {
        let transaction = is_decided(*code).then(|| Transaction::parse(entry)).transpose();
        let transaction = transaction.map_err(|_| LedgerError::Damaged("a valid transaction cannot be read"))?;
        changes.add(index, entry, *code, transaction, private.remove(&(index as u64)))?;
    }
    let commit_hash = Metadata::decode(slot(&block, BlockMetadataIndex::CommitHash)).unwrap_or_default().value;
    let (batch, savepoint) = changes.finish(tip, &header, (!commit_hash.is_empty()).then_some(commit_hash));
    Ok(Decided { block, codes, private: None, batch, savepoint })
}

impl Decided {
    /// Applies the changes of the block, which is durable at `location`. Returns the new tip.
    pub(crate) fn apply(&mut self, store: &dyn Store, location: Location) -> Result<Savepoint, LedgerError> {
        let mut batch = std::mem::take(&mut self.batch);
        let mut savepoint = self.savepoint.clone();
        savepoint.set_location(location);
        batch.put(keys::block_by_number(savepoint.height - 1), encode_location(location));
        batch.put(keys::SAVEPOINT, savepoint.encode_to_vec());
        store.apply(batch)?;
        Ok(savepoint)
    }
}

/// Where a block is, as the index has it.
pub(crate) fn decode_location(bytes: &[u8]) -> Option<Location> {
    let (file, offset) = bytes.split_first_chunk()?;
    Some(Location { file: u32::from_be_bytes(*file), offset: u64::from_be_bytes(offset.try_into().ok()?) })
}

fn encode_location(location: Location) -> Vec<u8> {
    [&location.file.to_be_bytes()[..], &location.offset.to_be_bytes()].concat()
}

/// Where a transaction is and what became of it, as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransactionEntry {
    pub(crate) block: u64,
    pub(crate) index: u32,
    pub(crate) code: TxValidationCode,
}

impl TransactionEntry {
    fn encode(self) -> Vec<u8> {
        [&self.block.to_be_bytes()[..], &self.index.to_be_bytes(), &[self.code as i32 as u8]].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (block, rest) = bytes.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let [code] = rest else { return None };
        Some(Self {
            block: u64::from_be_bytes(*block),
            index: u32::from_be_bytes(*index),
            code: TxValidationCode::try_from(i32::from(*code)).unwrap_or(TxValidationCode::InvalidOtherReason),
        })
    }
}

/// What a block changes, gathered transaction by transaction.
struct BlockChanges {
    number: u64,
    state: StateView,
    updates: Updates,
    batch: Batch,
    // Transaction IDs that this block has put into the index.
    indexed: HashSet<String>,
    history: bool,
    config: bool,
}

impl BlockChanges {
    fn new(state: StateView, number: u64, history: bool) -> Self {
        let updates = Updates::new(state.clone());
        Self { number, state, updates, batch: Batch::new(), indexed: HashSet::new(), history, config: false }
    }

    /// Adds one entry of the block; `transaction` is it, taken apart, if it got as far as being compared with
    /// state.
    fn add(
        &mut self,
        index: usize,
        entry: &Bytes,
        code: TxValidationCode,
        transaction: Option<Transaction>,
        private: Option<TxPvtReadWriteSet>,
    ) -> Result<(), LedgerError> {
        let Some(Transaction { tx_id, content, .. }) = transaction else {
            let tx_id = Transaction::header(entry).map(|header| header.tx_id).unwrap_or_default();
            return self.index_transaction(&tx_id, index as u32, code);
        };
        self.index_transaction(&tx_id, index as u32, code)?;
        let version = Version::new(self.number, index as u64);
        match content {
            Content::Endorsed(writes) => {
                if writes.has_private() {
                    private::forget(&*self.state.snapshot, &tx_id, &mut self.batch)?;
                }
                if code == TxValidationCode::Valid {
                    self.add_writes(&writes, private, version)?;
                }
            }
            Content::Config(config) if code == TxValidationCode::Valid => {
                self.updates.add_config(config, version);
                self.config = true;
            }
            Content::Config(_) | Content::Other => {}
        }
        Ok(())
    }

    fn add_writes(
        &mut self,
        writes: &TransactionWrites,
        private: Option<TxPvtReadWriteSet>,
        version: Version,
    ) -> Result<(), LedgerError> {
        self.updates.add(writes, version)?;
        if let Some(set) = private {
            self.updates.add_private(&set, version)?;
        }
        if self.history {
            for set in &writes.namespaces {
                for write in &set.public.writes {
                    let key = keys::history(&set.name, &write.key, version.block, version.transaction as u32);
                    self.batch.put(key, Bytes::new());
                }
            }
        }
        Ok(())
    }

    /// The first transaction of an ID keeps its place in the index, whatever came of it.
    fn index_transaction(&mut self, tx_id: &str, index: u32, code: TxValidationCode) -> Result<(), LedgerError> {
        if tx_id.is_empty() || tx_id.len() > keys::MAX_TX_ID || self.indexed.contains(tx_id) {
            return Ok(());
        }
        let key = keys::transaction(tx_id);
        if self.state.snapshot.get(&key)?.is_none() {
            self.batch.put(key, TransactionEntry { block: self.number, index, code }.encode());
        }
        self.indexed.insert(tx_id.to_owned());
        Ok(())
    }

    fn finish(mut self, tip: &Savepoint, header: &BlockHeader, commit_hash: Option<Bytes>) -> (Batch, Savepoint) {
        self.updates.write(&mut self.batch);
        let hash = Bytes::copy_from_slice(&block_header_hash(header));
        self.batch.put(keys::block_by_hash(&hash), header.number.to_be_bytes().to_vec());
        if header.number.is_multiple_of(private::PURGE_INTERVAL)
            && let Err(error) = private::forget_old(&*self.state.snapshot, header.number, &mut self.batch)
        {
            // They are forgotten at the next turn.
            tracing::warn!(%error, "old private data could not be forgotten");
        }
        let mut savepoint = tip.clone();
        savepoint.height = header.number + 1;
        savepoint.hash = hash;
        savepoint.previous_hash = header.previous_hash.clone();
        savepoint.commit_hash = commit_hash;
        if self.config {
            savepoint.last_config = header.number;
        }
        (self.batch, savepoint)
    }
}

/// Whether a transaction with this code passed all checks before those of its reads.
fn is_decided(code: TxValidationCode) -> bool {
    matches!(code, TxValidationCode::Valid | TxValidationCode::MvccReadConflict | TxValidationCode::PhantomReadConflict)
}

fn fill_metadata(block: &mut Block, filter: Vec<u8>, commit_hash: Option<Bytes>) {
    let slots = &mut block.metadata.get_or_insert_with(BlockMetadata::default).metadata;
    if slots.len() < METADATA_SLOTS {
        slots.resize(METADATA_SLOTS, Bytes::new());
    }
    slots[BlockMetadataIndex::TransactionsFilter as usize] = filter.into();
    if let Some(value) = commit_hash {
        let metadata = Metadata { value, ..Default::default() };
        slots[BlockMetadataIndex::CommitHash as usize] = metadata.encode_to_vec().into();
    }
}

fn slot(block: &Block, slot: BlockMetadataIndex) -> Bytes {
    let slots = block.metadata.as_ref().map(|metadata| metadata.metadata.as_slice()).unwrap_or_default();
    slots.get(slot as usize).cloned().unwrap_or_default()
}
