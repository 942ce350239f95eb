//! Up to where blocks are applied. Written in the same batch as what it speaks of.

use bytes::Bytes;
use prost::Message;
use windlass_proto::common::BlockchainInfo;

use crate::{LedgerError, blocks::Location, keys, store::Store};

/// The layout of everything else in the store. Another number means: make it again from the blocks.
const FORMAT: u32 = 1;

/// The last block applied.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Savepoint {
    #[prost(uint32, tag = "1")]
    format: u32,
    /// One more than the last block's number.
    #[prost(uint64, tag = "2")]
    pub(crate) height: u64,
    /// Its header hash.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) hash: Bytes,
    /// The header hash of the block before it.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) previous_hash: Bytes,
    #[prost(uint32, tag = "5")]
    file: u32,
    #[prost(uint64, tag = "6")]
    offset: u64,
    /// The commit hash, once the chain has one.
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub(crate) commit_hash: Option<Bytes>,
    /// The number of the last block with a channel configuration.
    #[prost(uint64, tag = "8")]
    pub(crate) last_config: u64,
    /// Whether histories were written from the first block on.
    #[prost(bool, tag = "9")]
    pub(crate) history: bool,
}

impl Savepoint {
    /// Before the first block.
    pub(crate) fn empty(history: bool) -> Self {
        Self { format: FORMAT, history, ..Default::default() }
    }

    /// What the store says; `None` if it has none or one of another layout.
    pub(crate) fn read(store: &dyn Store) -> Result<Option<Self>, LedgerError> {
        let Some(bytes) = store.get(keys::SAVEPOINT)? else { return Ok(None) };
        Ok(Self::decode(bytes).ok().filter(|savepoint| savepoint.format == FORMAT && savepoint.height > 0))
    }

    pub(crate) fn location(&self) -> Location {
        Location { file: self.file, offset: self.offset }
    }

    pub(crate) fn set_location(&mut self, location: Location) {
        self.file = location.file;
        self.offset = location.offset;
    }

    pub(crate) fn info(&self) -> BlockchainInfo {
        BlockchainInfo {
            height: self.height,
            current_block_hash: self.hash.clone(),
            previous_block_hash: self.previous_hash.clone(),
            bootstrapping_snapshot_info: None,
        }
    }
}
