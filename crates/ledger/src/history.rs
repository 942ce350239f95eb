//! How a key came to be: its modifications by valid transactions. The store knows which blocks to look into;
//! the values come from the block files.

use std::sync::Arc;

use windlass_proto::{common::Block, queryresult::KeyModification};

use crate::{
    LedgerError,
    blocks::BlockFiles,
    keys,
    ledger::read_block,
    rwset::is_delete,
    store::{Rows, Snapshot},
    transaction::{Content, Transaction},
};

/// Where histories are read: one snapshot, and the blocks.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) snapshot: Arc<dyn Snapshot>,
    pub(crate) blocks: BlockFiles,
    pub(crate) enabled: bool,
}

impl History {
    pub(crate) fn of(&self, namespace: &str, key: &str) -> Result<HistoryIterator, LedgerError> {
        if !self.enabled {
            return Err(LedgerError::HistoryDisabled);
        }
        keys::check(namespace, "", key)?;
        let (from, to) = keys::with_prefix(keys::history_prefix(namespace, key));
        Ok(HistoryIterator {
            rows: Some(self.snapshot.range(&from, &to)),
            source: self.clone(),
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            block: None,
        })
    }
}

/// The modifications of a key, newest first. Owns its snapshot.
pub struct HistoryIterator {
    rows: Option<Rows>,
    source: History,
    namespace: String,
    key: String,
    // The block last looked into: modifications often come several to a block.
    block: Option<(u64, Block)>,
}

impl HistoryIterator {
    /// The next older modification. A deletion has no value.
    #[expect(clippy::should_implement_trait, reason = "an error and the end are different things to the caller")]
    pub fn next(&mut self) -> Result<Option<KeyModification>, LedgerError> {
        let Some(row) = self.rows.as_mut().and_then(Iterator::next) else { return Ok(None) };
        let (key, _) = row?;
        let damaged = LedgerError::Damaged("the history does not match the blocks");
        let (number, index) = keys::parse_history(&key).ok_or(LedgerError::Damaged("a history key cannot be read"))?;
        if self.block.as_ref().is_none_or(|(current, _)| *current != number) {
            let block = read_block(&*self.source.snapshot, &self.source.blocks, number)?;
            self.block = block.map(|block| (number, block));
        }
        let data = self.block.as_ref().and_then(|(_, block)| block.data.as_ref());
        let entry = data.and_then(|data| data.data.get(index as usize));
        let Some(Ok(transaction)) = entry.map(Transaction::parse) else { return Err(damaged) };
        let Content::Endorsed(writes) = transaction.content else { return Err(damaged) };
        let sets = writes.namespaces.into_iter().filter(|set| set.name == self.namespace);
        // A key written twice: the last write is the one applied.
        let write = sets.flat_map(|set| set.public.writes).rfind(|write| write.key == self.key);
        let write = write.ok_or(damaged)?;
        Ok(Some(KeyModification {
            tx_id: transaction.tx_id,
            timestamp: transaction.timestamp,
            is_delete: is_delete(&write),
            value: write.value,
        }))
    }

    /// Lets go of the snapshot.
    pub fn close(&mut self) {
        self.rows = None;
        self.block = None;
    }
}

impl std::fmt::Debug for HistoryIterator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryIterator")
            .field("namespace", &self.namespace)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
