//! Block files: the source of truth. Append-only, each block in a checksummed frame with its private data,
//! durable before anyone hears of it. Everything else the ledger keeps can be made again from them.
//!
//! - [`BlockFiles`]: append, read, walk
//! - [`BlockLog`]: block files with every block's number in memory; the orderer's log
//! - `walk`: reading in order, and finding the end after a crash
//! - `frame`: what a block looks like on disk

mod files;
mod frame;
mod log;
mod walk;

use std::{io, path::PathBuf};

pub use files::{BlockFiles, StoredBlock, WalkFrom};
pub(crate) use files::{create_folder, sync_folder};
pub use log::BlockLog;
pub use walk::StoredBlocks;

/// Where a block's frame begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The number of the file.
    pub file: u32,
    /// The offset in the file, in bytes.
    pub offset: u64,
}

/// Why the block files failed.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process, or another handle of this one, has the block files open.
    #[error("the block files in {} are in use by another process", .0.display())]
    InUse(PathBuf),
    /// A frame that is neither whole nor the torn end of the last file.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A block without a header.
    #[error("the block has no header")]
    NoHeader,
    /// A block that is not the next one of a log.
    #[error("expected block number {expected}, found {found}")]
    OutOfOrder {
        /// The log's height.
        expected: u64,
        /// The number in the block's header.
        found: u64,
    },
    /// A block or its private data is larger than a frame can say.
    #[error("a block of {0} bytes is too large to store")]
    TooLarge(usize),
    /// An earlier append failed and could not be undone.
    #[error("the block files in {} failed and have to be reopened", .0.display())]
    Failed(PathBuf),
}
