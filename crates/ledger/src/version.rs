//! When a key was written: block number and index of the transaction in the block.

use std::fmt;

use windlass_proto::kvrwset;

/// The position of the transaction that wrote a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The block's number.
    pub block: u64,
    /// The transaction's index in the block.
    pub transaction: u64,
}

impl Version {
    /// The version of what transaction `transaction` of block `block` writes.
    pub const fn new(block: u64, transaction: u64) -> Self {
        Self { block, transaction }
    }

    /// As the commit hash has it: for each number the count of its significant big-endian bytes, then those.
    // Fabric: ledger §5
    pub fn to_order_preserving_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(6);
        for number in [self.block, self.transaction] {
            let bytes = number.to_be_bytes();
            let first = number.leading_zeros() as usize / 8;
            out.push((bytes.len() - first) as u8);
            out.extend_from_slice(&bytes[first..]);
        }
        out
    }

    /// How Fabric prints a version that may be absent.
    pub(crate) fn display(version: &Option<Self>) -> String {
        version.map_or_else(|| "<nil>".to_owned(), |version| version.to_string())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{BlockNum: {}, TxNum: {}}}", self.block, self.transaction)
    }
}

impl From<Version> for kvrwset::Version {
    fn from(version: Version) -> Self {
        Self { block_num: version.block, tx_num: version.transaction }
    }
}

impl From<kvrwset::Version> for Version {
    fn from(version: kvrwset::Version) -> Self {
        Self { block: version.block_num, transaction: version.tx_num }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_significant_bytes() {
        for (version, bytes) in [
            (Version::new(0, 0), vec![0, 0]),
            (Version::new(1, 0), vec![1, 1, 0]),
            (Version::new(256, 3), vec![2, 1, 0, 1, 3]),
            (Version::new(u64::MAX, 255), vec![8, 255, 255, 255, 255, 255, 255, 255, 255, 1, 255]),
        ] {
            assert_eq!(version.to_order_preserving_bytes(), bytes);
        }
    }
}
