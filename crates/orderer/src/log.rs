//! A channel's blocks on disk. The log is the truth: whatever else the orderer knows of a channel is found
//! from its last block when it is opened.

use std::{collections::VecDeque, path::Path, sync::Arc};

use parking_lot::Mutex;
use prost::Message;
use windlass_identity::ChannelConfig;
use windlass_ledger::blocks::{BlockError, BlockLog};
use windlass_proto::{
    common::{Block, BlockHeader},
    hash::block_data_hash,
};

use crate::{
    OrdererError,
    blocks::{is_config_block, last_config_index},
};

/// How many of the newest blocks stay in memory for those who follow the chain's end, and how large they
/// may be together.
const RECENT_BLOCKS: usize = 32;
const RECENT_BYTES: usize = 8 << 20;

/// The log of one channel. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ChannelLog {
    channel: Arc<str>,
    blocks: BlockLog,
    recent: Arc<Mutex<Recent>>,
}

/// What the last block says of the chain.
#[derive(Debug)]
pub(crate) struct Tip {
    /// The header of the last block.
    pub(crate) header: BlockHeader,
    /// The number of the newest configuration block.
    pub(crate) last_config: u64,
    /// The configuration in it.
    pub(crate) config: ChannelConfig,
}

impl ChannelLog {
    /// Opens the log in `folder`, making it when missing. What a crash left half-written is cut off.
    pub(crate) fn open(channel: &str, folder: &Path) -> Result<Self, OrdererError> {
        let blocks =
            BlockLog::open(folder).map_err(|source| OrdererError::Log { channel: channel.to_owned(), source })?;
        Ok(Self { channel: channel.into(), blocks, recent: Arc::default() })
    }

    /// The channel's name.
    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// The number of blocks.
    pub(crate) fn height(&self) -> u64 {
        self.blocks.height()
    }

    /// Writes block zero of an empty log. Durable on return.
    pub(crate) fn append_genesis(&self, genesis: &Block) -> Result<(), OrdererError> {
        check_genesis_form(genesis)?;
        self.append(&Arc::new(genesis.clone()))
    }

    /// Checks that block zero is this one.
    pub(crate) fn check_genesis(&self, genesis: &Block) -> Result<(), OrdererError> {
        let existing = self.read_existing(0)?;
        // The metadata is not compared: signatures may have been added to a copy.
        if (&existing.header, &existing.data) == (&genesis.header, &genesis.data) {
            return Ok(());
        }
        Err(OrdererError::ChannelExists { channel: self.channel().to_owned() })
    }

    /// Appends the next block. Durable on return; blocks the thread while writing.
    pub(crate) fn append(&self, block: &Arc<Block>) -> Result<(), OrdererError> {
        self.blocks.append(block).map_err(|source| self.fault(source))?;
        self.recent.lock().push(block.clone());
        Ok(())
    }

    /// Block `number`, if there is one. Does not block the executor.
    pub(crate) async fn block(&self, number: u64) -> Result<Option<Arc<Block>>, OrdererError> {
        if let Some(block) = self.recent.lock().get(number) {
            return Ok(Some(block));
        }
        let log = self.clone();
        let read = tokio::task::spawn_blocking(move || log.read(number)).await;
        // The task cannot be cancelled once it runs; before that only the end of the runtime cancels it.
        read.unwrap_or_else(|_| Err(OrdererError::Stopped { channel: self.channel().to_owned() }))
    }

    /// What the last block says. The log must not be empty.
    pub(crate) fn tip(&self) -> Result<Tip, OrdererError> {
        let last = self.read_existing(self.height().saturating_sub(1))?;
        let last_config = last_config_index(&last)?;
        let config = ChannelConfig::from_block(&*self.read_existing(last_config)?)?;
        if config.channel_id() != self.channel() {
            let (folder, channel) = (self.channel().to_owned(), config.channel_id().to_owned());
            return Err(OrdererError::WrongFolder { folder, channel });
        }
        let number = self.height().saturating_sub(1);
        let header = last.header.clone().ok_or(OrdererError::MalformedBlock { number, reason: "it has no header" })?;
        Ok(Tip { header, last_config, config })
    }

    fn read_existing(&self, number: u64) -> Result<Arc<Block>, OrdererError> {
        let missing = || OrdererError::MissingBlock { channel: self.channel().to_owned(), number };
        self.read(number)?.ok_or_else(missing)
    }

    fn read(&self, number: u64) -> Result<Option<Arc<Block>>, OrdererError> {
        Ok(self.blocks.block(number).map_err(|source| self.fault(source))?.map(Arc::new))
    }

    fn fault(&self, source: BlockError) -> OrdererError {
        OrdererError::Log { channel: self.channel().to_owned(), source }
    }
}

/// The newest blocks, oldest first.
#[derive(Debug, Default)]
struct Recent {
    blocks: VecDeque<(u64, usize, Arc<Block>)>,
    bytes: usize,
}

impl Recent {
    fn push(&mut self, block: Arc<Block>) {
        let number = block.header.as_ref().map_or(0, |header| header.number);
        let size = block.encoded_len();
        self.blocks.push_back((number, size, block));
        self.bytes += size;
        while self.blocks.len() > RECENT_BLOCKS || self.bytes > RECENT_BYTES {
            let Some((_, size, _)) = self.blocks.pop_front() else { break };
            self.bytes -= size;
        }
    }

    fn get(&self, number: u64) -> Option<Arc<Block>> {
        let first = self.blocks.front()?.0;
        let index = usize::try_from(number.checked_sub(first)?).ok()?;
        self.blocks.get(index).map(|(_, _, block)| block.clone())
    }
}

/// Checks what later blocks and readers rely on.
// Fabric: ledger §5, §6
fn check_genesis_form(genesis: &Block) -> Result<(), OrdererError> {
    let header = genesis.header.as_ref();
    let number = header.map_or(0, |header| header.number);
    let malformed = |reason| Err(OrdererError::MalformedBlock { number, reason });
    let Some(header) = header else { return malformed("it has no header") };
    if number != 0 {
        return malformed("a genesis block has number 0");
    }
    if !header.previous_hash.is_empty() {
        return malformed("a genesis block has no previous hash");
    }
    if !is_config_block(genesis) {
        return malformed("a genesis block holds a single configuration");
    }
    if genesis.data.as_ref().is_none_or(|data| block_data_hash(data).as_slice() != header.data_hash) {
        return malformed("the data hash does not match the data");
    }
    if last_config_index(genesis)? != 0 {
        return malformed("a genesis block is its own last configuration");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64, size: usize) -> Arc<Block> {
        let header = BlockHeader { number, data_hash: vec![1; size].into(), ..Default::default() };
        Arc::new(Block { header: Some(header), ..Default::default() })
    }

    #[test]
    fn remembers_the_newest_blocks_by_number() {
        let mut recent = Recent::default();
        assert_eq!(recent.get(0), None);
        for number in 7..100 {
            recent.push(block(number, 10));
        }
        assert_eq!(recent.get(99), Some(block(99, 10)));
        assert_eq!(recent.get(68), Some(block(68, 10)));
        assert_eq!(recent.get(67), None);
        assert_eq!(recent.get(100), None);
    }

    #[test]
    fn forgets_old_blocks_when_they_are_large() {
        let mut recent = Recent::default();
        recent.push(block(0, 5 << 20));
        recent.push(block(1, 5 << 20));
        assert_eq!(recent.get(0), None);
        assert!(recent.get(1).is_some());
        recent.push(block(2, 9 << 20));
        assert_eq!((recent.get(1), recent.get(2), recent.bytes), (None, None, 0));
    }
}
