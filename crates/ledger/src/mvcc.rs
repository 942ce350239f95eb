//! Which transactions of a block still hold: their reads are compared with committed state and with what
//! earlier valid transactions of the block changed.

use windlass_proto::{
    kvrwset::{KvRead, QueryReadsMerkleSummary, RangeQueryInfo, range_query_info::ReadsInfo},
    protos::TxValidationCode,
};

use crate::{
    LedgerError,
    apply::Updates,
    keys::Space,
    rwset::{CollectionSet, NamespaceSet, TransactionWrites, merkle::RangeReads},
    version::Version,
};

/// VALID, or the conflict found first: per namespace reads, then ranges, then hashed reads.
// Fabric: ledger §3
pub(crate) fn validate(updates: &Updates, writes: &TransactionWrites) -> Result<TxValidationCode, LedgerError> {
    for set in &writes.namespaces {
        if !reads_hold(updates, set)? {
            return Ok(TxValidationCode::MvccReadConflict);
        }
        for range in &set.public.range_queries_info {
            if !range_holds(updates, &set.name, range)? {
                return Ok(TxValidationCode::PhantomReadConflict);
            }
        }
        for collection in &set.collections {
            if !hashed_reads_hold(updates, &set.name, collection)? {
                return Ok(TxValidationCode::MvccReadConflict);
            }
        }
    }
    Ok(TxValidationCode::Valid)
}

fn reads_hold(updates: &Updates, set: &NamespaceSet) -> Result<bool, LedgerError> {
    for read in &set.public.reads {
        // An earlier write in the block is a conflict even if the versions were the same.
        if updates.has_public(&set.name, &read.key) {
            return Ok(false);
        }
        let committed = updates.state().get(Space::Public(&set.name), read.key.as_bytes())?;
        if committed.map(|record| record.version) != read.version.map(Version::from) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn hashed_reads_hold(updates: &Updates, namespace: &str, collection: &CollectionSet) -> Result<bool, LedgerError> {
    for read in &collection.hashed.hashed_reads {
        if updates.has_hashed(namespace, &collection.name, &read.key_hash) {
            return Ok(false);
        }
        let committed = updates.state().get(Space::Hashed(namespace, &collection.name), &read.key_hash)?;
        if committed.map(|record| record.version) != read.version.map(Version::from) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn range_holds(updates: &Updates, namespace: &str, range: &RangeQueryInfo) -> Result<bool, LedgerError> {
    let mut rows = updates.range(namespace, &range.start_key, &range.end_key, !range.itr_exhausted);
    let mut next = || {
        let row = rows.next()?;
        Ok(row.map(|(key, version)| KvRead { key, version: Some(version.into()) }))
    };
    match &range.reads_info {
        Some(ReadsInfo::ReadsMerkleHashes(recorded)) => hashes_hold(next, recorded),
        raw => {
            let reads = match raw {
                Some(ReadsInfo::RawReads(reads)) => reads.kv_reads.as_slice(),
                _ => &[],
            };
            for read in reads {
                if next()?.as_ref() != Some(read) {
                    return Ok(false);
                }
            }
            Ok(next()?.is_none())
        }
    }
}

/// Hashes the rows as they are now and compares; gives up at the first difference.
fn hashes_hold(
    mut next: impl FnMut() -> Result<Option<KvRead>, LedgerError>,
    recorded: &QueryReadsMerkleSummary,
) -> Result<bool, LedgerError> {
    // No simulator records a smaller degree; a tree cannot be built with one.
    if recorded.max_degree < 2 {
        return Ok(false);
    }
    let mut reads = RangeReads::new(recorded.max_degree);
    while let Some(read) = next()? {
        reads.push(read);
        let (level, hashes) = reads.top();
        if level > recorded.max_level {
            return Ok(false);
        }
        if level == recorded.max_level {
            let known = recorded.max_level_hashes.get(..hashes.len());
            let last = hashes.len().saturating_sub(1);
            // All but the last were compared when they came.
            if known.is_none_or(|known| known.get(last) != hashes.get(last)) {
                return Ok(false);
            }
        }
    }
    Ok(reads.finish().as_ref() == Some(&ReadsInfo::ReadsMerkleHashes(recorded.clone())))
}
