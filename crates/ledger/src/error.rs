//! What can go wrong, and the exact texts that chaincode and clients see.

use std::{io, path::PathBuf};

use crate::{blocks::BlockError, store::StoreError, version::Version};

/// Why the ledger could not do what was asked.
// Texts: Fabric: ledger §2.3, endorsement-and-gateway §6.2
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The folder already holds a ledger.
    #[error("ledger [{0}] already exists with state [ACTIVE]")]
    AlreadyExists(String),
    /// The folder holds no block.
    #[error("no ledger in {}: it has no block", .0.display())]
    NotFound(PathBuf),
    /// The folder holds another channel's ledger.
    #[error("the ledger is of channel {found}, expected {expected}")]
    WrongChannel {
        /// The channel asked for.
        expected: String,
        /// The channel that the genesis block names.
        found: String,
    },
    /// No block has this number.
    #[error("no such block number [{0}] in index")]
    NoSuchBlock(u64),
    /// No block has this header hash.
    #[error("no such block hash [{}] in index", hex::encode(.0))]
    NoSuchBlockHash(Vec<u8>),
    /// No block holds this transaction.
    #[error("no such transaction ID [{0}] in index")]
    NoSuchTransaction(String),
    /// A block that does not extend the chain.
    #[error("block {number} refused: {reason}")]
    BadBlock {
        /// The number in its header.
        number: u64,
        /// What is wrong with it.
        reason: BlockFault,
    },
    /// A write after a range query over private data.
    #[error(
        "txid [{0}]: unsuppored transaction. Transaction has already performed queries on pvt data. Writes are not allowed"
    )]
    WriteAfterPrivateQuery(String),
    /// A range query over private data after a write.
    #[error("txid [{0}]: unsuppored transaction. Queries on pvt data is supported only in a read-only transaction")]
    PrivateQueryAfterWrite(String),
    /// A write after a paginated query.
    #[error(
        "txid [{0}]: unsuppored transaction. Transaction has already performed a paginated query. Writes are not allowed"
    )]
    WriteAfterPage(String),
    /// A paginated query after a write.
    #[error("txid [{0}]: unsuppored transaction. Paginated queries are supported only in a read-only transaction")]
    PageAfterWrite(String),
    /// The private value is missing here or older than its hash.
    #[error(
        "private data matching public hash version is not available. Public hash version = {}, Private data version = {}",
        Version::display(.hash), Version::display(.value)
    )]
    PrivateValueBehind {
        /// The version of the public hash.
        hash: Option<Version>,
        /// The version of the private value.
        value: Option<Version>,
    },
    /// This ledger keeps no history.
    #[error("history database is not enabled")]
    HistoryDisabled,
    /// The results of a simulation were asked for twice.
    #[error("this function should only be called once on a transaction simulator instance")]
    ResultsTaken,
    /// A key that the store cannot hold. Fabric has no such limit.
    #[error(
        "key of {length} bytes in namespace [{namespace}] is too long: \
         namespace, collection and key together may have at most {limit} bytes"
    )]
    KeyTooLong {
        /// The chaincode's namespace.
        namespace: String,
        /// The key's length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A record of ours that cannot be read back.
    #[error("the ledger's store is damaged: {0}")]
    Damaged(&'static str),
    /// A block is durable but could not be applied; reopening the ledger applies it.
    #[error("the ledger failed while applying block {0} and has to be reopened")]
    Failed(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The block files failed.
    #[error(transparent)]
    Blocks(#[from] BlockError),
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl LedgerError {
    /// Whether another process, or another handle of this one, has the ledger open.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Store(StoreError::InUse(_)) | Self::Blocks(BlockError::InUse(_)))
    }
}

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// No header.
    #[error("it has no header")]
    NoHeader,
    /// No transaction.
    #[error("empty block")]
    Empty,
    /// Not the next block.
    #[error("expected block number {0}")]
    Number(u64),
    /// Not linked to the block before it.
    #[error("its previous hash is not the hash of the block before it")]
    PreviousHash,
    /// The header is of other data.
    #[error("its data hash is not the hash of its data")]
    DataHash,
    /// Not one validation code per transaction.
    #[error("{codes} validation codes for {transactions} transactions")]
    Codes {
        /// The number of codes given.
        codes: usize,
        /// The number of transactions in the block.
        transactions: usize,
    },
    /// A genesis block whose single transaction is no channel configuration.
    #[error("it is no genesis block: {0}")]
    Genesis(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_the_texts_of_the_wire() {
        let tx = || "ab12".to_owned();
        for (error, text) in [
            (LedgerError::AlreadyExists("mychannel".into()), "ledger [mychannel] already exists with state [ACTIVE]"),
            (LedgerError::NoSuchBlock(7), "no such block number [7] in index"),
            (LedgerError::NoSuchBlockHash(vec![0xab, 1]), "no such block hash [ab01] in index"),
            (LedgerError::NoSuchTransaction(tx()), "no such transaction ID [ab12] in index"),
            (
                LedgerError::WriteAfterPrivateQuery(tx()),
                "txid [ab12]: unsuppored transaction. Transaction has already performed queries on pvt data. \
                 Writes are not allowed",
            ),
            (
                LedgerError::PrivateQueryAfterWrite(tx()),
                "txid [ab12]: unsuppored transaction. Queries on pvt data is supported only in a read-only transaction",
            ),
            (
                LedgerError::WriteAfterPage(tx()),
                "txid [ab12]: unsuppored transaction. Transaction has already performed a paginated query. \
                 Writes are not allowed",
            ),
            (
                LedgerError::PageAfterWrite(tx()),
                "txid [ab12]: unsuppored transaction. Paginated queries are supported only in a read-only transaction",
            ),
            (
                LedgerError::PrivateValueBehind { hash: Some(Version::new(3, 1)), value: None },
                "private data matching public hash version is not available. \
                 Public hash version = {BlockNum: 3, TxNum: 1}, Private data version = <nil>",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
