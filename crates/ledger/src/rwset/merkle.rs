//! The results of a range query as they go into a read-write set: the reads themselves while they are few,
//! hashes of them once they are many.

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    hash::{sha256, sha256_of},
    kvrwset::{KvRead, QueryReads, QueryReadsMerkleSummary, range_query_info::ReadsInfo},
};

/// The most reads that stay as they are, and the most hashes that a level holds.
// Fabric: ledger §2.2
pub(crate) const MAX_DEGREE: u32 = 50;

/// Takes reads in order and keeps of them what validation needs.
#[derive(Clone, Debug)]
pub(crate) struct RangeReads {
    degree: usize,
    pending: Vec<KvRead>,
    // Index 0 is level 1, the leaves.
    levels: Vec<Vec<Bytes>>,
}

impl RangeReads {
    /// `degree` is [`MAX_DEGREE`] when recording, and what the record says when validating.
    pub(crate) fn new(degree: u32) -> Self {
        Self { degree: degree as usize, pending: Vec::new(), levels: Vec::new() }
    }

    pub(crate) fn push(&mut self, read: KvRead) {
        self.pending.push(read);
        // On exceeding, not on reaching: a leaf covers one more than the degree.
        if self.pending.len() > self.degree {
            self.push_leaf();
        }
    }

    /// The hashes as they stand: highest level and that level's hashes. Level 1 without hashes before the
    /// first leaf.
    pub(crate) fn top(&self) -> (u32, &[Bytes]) {
        match self.levels.last() {
            Some(hashes) => (self.levels.len() as u32, hashes),
            None => (1, &[]),
        }
    }

    /// What goes into the set. `None` if there was no read at all.
    pub(crate) fn finish(mut self) -> Option<ReadsInfo> {
        if self.levels.is_empty() {
            let reads = QueryReads { kv_reads: self.pending };
            return (!reads.kv_reads.is_empty()).then_some(ReadsInfo::RawReads(reads));
        }
        if !self.pending.is_empty() {
            self.push_leaf();
        }
        for level in 0..self.levels.len() - 1 {
            match std::mem::take(&mut self.levels[level]).as_slice() {
                [] => {}
                [single] => self.levels[level + 1].push(single.clone()),
                several => self.levels[level + 1].push(join(several)),
            }
        }
        let mut max_level_hashes = self.levels.pop().unwrap_or_default();
        let mut max_level = self.levels.len() as u32 + 1;
        if max_level_hashes.len() > self.degree {
            max_level_hashes = vec![join(&max_level_hashes)];
            max_level += 1;
        }
        let max_degree = self.degree as u32;
        Some(ReadsInfo::ReadsMerkleHashes(QueryReadsMerkleSummary { max_degree, max_level, max_level_hashes }))
    }

    fn push_leaf(&mut self) {
        let leaf = QueryReads { kv_reads: std::mem::take(&mut self.pending) };
        let mut hash = Bytes::copy_from_slice(&sha256(&leaf.encode_to_vec()));
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(hash);
            if self.levels[level].len() <= self.degree {
                return;
            }
            hash = join(&std::mem::take(&mut self.levels[level]));
        }
    }
}

fn join(hashes: &[Bytes]) -> Bytes {
    Bytes::copy_from_slice(&sha256_of(hashes.iter().map(|hash| hash.as_ref())))
}

#[cfg(test)]
mod tests {
    use windlass_proto::kvrwset::Version;

    use super::*;

    fn read(number: usize) -> KvRead {
        KvRead { key: format!("key{number:06}"), version: Some(Version { block_num: 1, tx_num: number as u64 }) }
    }

    fn record(count: usize, degree: u32) -> Option<ReadsInfo> {
        let mut reads = RangeReads::new(degree);
        (0..count).for_each(|number| reads.push(read(number)));
        reads.finish()
    }

    fn leaf(numbers: std::ops::Range<usize>) -> Vec<u8> {
        // Field 1 of QueryReads is each read, length-delimited; written out here by hand.
        let mut out = Vec::new();
        for number in numbers {
            let read = read(number).encode_to_vec();
            out.push(0x0a);
            out.push(read.len() as u8);
            out.extend(read);
        }
        sha256(&out).to_vec()
    }

    fn joined(hashes: &[Vec<u8>]) -> Vec<u8> {
        sha256(&hashes.concat()).to_vec()
    }

    fn leaves(count: usize, per_leaf: usize) -> Vec<Vec<u8>> {
        (0..count).step_by(per_leaf).map(|start| leaf(start..count.min(start + per_leaf))).collect()
    }

    fn summary(count: usize, degree: u32) -> (u32, Vec<Vec<u8>>) {
        match record(count, degree) {
            Some(ReadsInfo::ReadsMerkleHashes(summary)) => {
                assert_eq!(summary.max_degree, degree);
                (summary.max_level, summary.max_level_hashes.iter().map(|hash| hash.to_vec()).collect())
            }
            other => panic!("expected hashes for {count} reads, got {other:?}"),
        }
    }

    #[test]
    fn keeps_up_to_fifty_reads_as_they_are() {
        assert_eq!(record(0, MAX_DEGREE), None);
        for count in [1, 49, 50] {
            let expected = QueryReads { kv_reads: (0..count).map(read).collect() };
            assert_eq!(record(count, MAX_DEGREE), Some(ReadsInfo::RawReads(expected)));
        }
    }

    #[test]
    fn hashes_leaves_of_fifty_one_reads() {
        assert_eq!(summary(51, MAX_DEGREE), (1, vec![leaf(0..51)]));
        assert_eq!(summary(52, MAX_DEGREE), (1, vec![leaf(0..51), leaf(51..52)]));
        assert_eq!(summary(101, MAX_DEGREE), (1, vec![leaf(0..51), leaf(51..101)]));
        assert_eq!(summary(50 * 51, MAX_DEGREE), (1, leaves(50 * 51, 51)));
    }

    #[test]
    fn joins_fifty_one_leaves_into_the_next_level() {
        assert_eq!(summary(51 * 51, MAX_DEGREE), (2, vec![joined(&leaves(51 * 51, 51))]));
        // A single leftover leaf goes up unchanged, several are joined.
        let one_more = summary(51 * 51 + 1, MAX_DEGREE);
        assert_eq!(one_more, (2, vec![joined(&leaves(51 * 51, 51)), leaf(51 * 51..51 * 51 + 1)]));
        let two_more = summary(51 * 52 + 3, MAX_DEGREE);
        let rest = joined(&[leaf(51 * 51..51 * 52), leaf(51 * 52..51 * 52 + 3)]);
        assert_eq!(two_more, (2, vec![joined(&leaves(51 * 51, 51)), rest]));
    }

    #[test]
    fn joins_a_top_level_that_overflows_at_the_end() {
        // Degree 2: leaves of 3, joined by 3. 8 reads: leaves abc, def, gh; the last leaf overflows level 1.
        let three = [leaf(0..3), leaf(3..6), leaf(6..8)];
        assert_eq!(summary(8, 2), (2, vec![joined(&three)]));
        // 24 reads: two joined at level 2, two leaves left and none pending: they join and overflow level 2.
        let all = leaves(24, 3);
        let level2 = [joined(&all[0..3]), joined(&all[3..6]), joined(&all[6..8])];
        assert_eq!(summary(24, 2), (3, vec![joined(&level2)]));
    }
}
