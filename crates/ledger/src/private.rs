//! Private writes: kept at endorsement, stored with their block at commit when their hash is the one agreed on.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use prost::Message;
use windlass_proto::{
    hash::sha256,
    rwset::{NsPvtReadWriteSet, TxPvtReadWriteSet},
};

use crate::{
    LedgerError, keys,
    rwset::TransactionWrites,
    store::{Batch, Snapshot, Store},
};

/// The private writes of a block, by the index of their transaction.
pub type PrivateWrites = BTreeMap<u64, TxPvtReadWriteSet>;

/// Private writes that nobody committed within so many blocks are forgotten.
// Fabric: ledger §8, transientstoreMaxBlockRetention
pub(crate) const RETENTION: u64 = 20_000;
/// Old ones are looked for once in so many blocks.
pub(crate) const PURGE_INTERVAL: u64 = 1_000;

/// The private writes that belong to a block; what its frame holds beside it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BlockPrivate {
    #[prost(message, repeated, tag = "1")]
    pub(crate) transactions: Vec<TransactionPrivate>,
}

/// Those of one transaction.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TransactionPrivate {
    /// The transaction's index in the block.
    #[prost(uint64, tag = "1")]
    pub(crate) index: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) set: Option<TxPvtReadWriteSet>,
}

/// The private writes in the part of a block's frame that is for them, by the index of their transaction.
pub(crate) fn of_block(frame: Bytes) -> Result<PrivateWrites, LedgerError> {
    let private =
        BlockPrivate::decode(frame).map_err(|_| LedgerError::Damaged("the private data of a block cannot be read"))?;
    let sets = private.transactions.into_iter();
    Ok(sets.filter_map(|transaction| Some((transaction.index, transaction.set?))).collect())
}

/// Keeps the private writes of an endorsement made at `height`; durable on return.
pub(crate) fn keep(store: &dyn Store, height: u64, tx_id: &str, set: &TxPvtReadWriteSet) -> Result<(), LedgerError> {
    let mut batch = Batch::new();
    keep_in(&mut batch, height, tx_id, set)?;
    store.apply(batch)?;
    // The endorsement vouches for having the data.
    Ok(store.flush()?)
}

/// Adds to `batch` what [`keep`] writes.
pub(crate) fn keep_in(batch: &mut Batch, height: u64, tx_id: &str, set: &TxPvtReadWriteSet) -> Result<(), LedgerError> {
    keys::check("", "", tx_id)?;
    let bytes = set.encode_to_vec();
    let key = keys::transient(tx_id, &sha256(&bytes));
    let mut value = Vec::with_capacity(8 + bytes.len());
    value.extend_from_slice(&height.to_be_bytes());
    value.extend_from_slice(&bytes);
    batch.put(keys::transient_by_height(height, &key), Bytes::new());
    batch.put(key, value);
    Ok(())
}

/// The private writes that were kept for a transaction and whose hashes its results name, collection by
/// collection, and how many collections are missing here.
pub(crate) fn matching(
    snapshot: &dyn Snapshot,
    tx_id: &str,
    writes: &TransactionWrites,
) -> Result<(TxPvtReadWriteSet, usize), LedgerError> {
    let mut found = TxPvtReadWriteSet::default();
    let mut missing = 0;
    let mut kept = None;
    for namespace in &writes.namespaces {
        let mut collections = Vec::new();
        for collection in namespace.collections.iter().filter(|collection| !collection.private_hash.is_empty()) {
            if kept.is_none() {
                kept = Some(kept_for(snapshot, tx_id)?);
            }
            let candidates = kept.iter().flatten().flat_map(|set| &set.ns_pvt_rwset);
            let candidates = candidates
                .filter(|candidate| candidate.namespace == namespace.name)
                .flat_map(|candidate| &candidate.collection_pvt_rwset)
                .filter(|candidate| candidate.collection_name == collection.name);
            let matched = { candidates }.find(|candidate| collection.private_hash == sha256(&candidate.rwset)[..]);
            match matched {
                Some(set) => collections.push(set.clone()),
                None => missing += 1,
            }
        }
        if !collections.is_empty() {
            let namespace = namespace.name.clone();
            found.ns_pvt_rwset.push(NsPvtReadWriteSet { namespace, collection_pvt_rwset: collections });
        }
    }
    Ok((found, missing))
}

/// Adds to `batch` the removal of what was kept for a transaction.
pub(crate) fn forget(snapshot: &dyn Snapshot, tx_id: &str, batch: &mut Batch) -> Result<(), LedgerError> {
    let (from, to) = keys::with_prefix(keys::transient_prefix(tx_id));
    for row in snapshot.range(&from, &to) {
        let (key, value) = row?;
        let height = value.first_chunk().map(|height| u64::from_be_bytes(*height)).unwrap_or_default();
        batch.delete(keys::transient_by_height(height, &key));
        batch.delete(key);
    }
    Ok(())
}

/// Adds to `batch` the removal of what was kept too long ago to be committed at `height`.
pub(crate) fn forget_old(snapshot: &dyn Snapshot, height: u64, batch: &mut Batch) -> Result<(), LedgerError> {
    let Some(oldest) = height.checked_sub(RETENTION) else { return Ok(()) };
    let (from, to) = keys::transient_below(oldest);
    for row in snapshot.range(&from, &to) {
        let (key, _) = row?;
        if let Some((_, transient)) = keys::parse_transient_by_height(&key) {
            batch.delete(transient.to_vec());
        }
        batch.delete(key);
    }
    Ok(())
}

/// All sets kept for a transaction: endorsements of different results may wait side by side.
fn kept_for(snapshot: &dyn Snapshot, tx_id: &str) -> Result<Vec<TxPvtReadWriteSet>, LedgerError> {
    let (from, to) = keys::with_prefix(keys::transient_prefix(tx_id));
    let rows = snapshot.range(&from, &to).map(|row| {
        let (_, mut value) = row?;
        if value.remaining() >= 8 {
            value.advance(8);
        }
        TxPvtReadWriteSet::decode(value).map_err(|_| LedgerError::Damaged("kept private data cannot be read"))
    });
    rows.collect()
}
