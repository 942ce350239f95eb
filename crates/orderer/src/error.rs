//! Why the orderer cannot open, create or follow a channel.

use std::path::PathBuf;

use windlass_identity::ChannelConfigError;
use windlass_ledger::blocks::BlockError;

/// Why the orderer cannot open, create or follow a channel.
#[derive(Debug, thiserror::Error)]
pub enum OrdererError {
    /// A folder of the orderer cannot be made or read.
    #[error("cannot use {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The orderer was opened outside a Tokio runtime, which its channels need to run on.
    #[error("the orderer needs a running Tokio runtime")]
    NoRuntime,
    /// The channel's log cannot be read or written.
    #[error("cannot use the log of channel {channel}: {source}")]
    Log {
        /// The channel.
        channel: String,
        /// What the log says.
        source: BlockError,
    },
    /// The log lacks a block that it should have.
    #[error("the log of channel {channel} has no block {number}")]
    MissingBlock {
        /// The channel.
        channel: String,
        /// The number of the block.
        number: u64,
    },
    /// A block is not what it should be.
    #[error("block {number} is malformed: {reason}")]
    MalformedBlock {
        /// The number of the block.
        number: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A configuration block holds no usable configuration.
    #[error("unusable channel configuration: {0}")]
    Config(#[from] ChannelConfigError),
    /// The genesis block has no Orderer group, without which nothing can be ordered.
    #[error("the configuration of channel {channel} has no Orderer group")]
    NoOrdererGroup {
        /// The channel.
        channel: String,
    },
    /// The channel exists with another genesis block.
    #[error("channel {channel} already exists with another genesis block")]
    ChannelExists {
        /// The channel.
        channel: String,
    },
    /// The log's folder belongs to another channel.
    #[error("the folder of channel {folder} holds the log of channel {channel}")]
    WrongFolder {
        /// The folder's name.
        folder: String,
        /// The channel in its blocks.
        channel: String,
    },
    /// There is no such channel.
    // Fabric: ledger §6
    #[error("channel does not exist")]
    UnknownChannel,
    /// The orderer has been shut down, or the channel's log has failed.
    #[error("channel {channel} is no longer being ordered")]
    Stopped {
        /// The channel.
        channel: String,
    },
}
