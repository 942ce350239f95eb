//! When a batch becomes a block: pure rules over counts and sizes.
//!
//! The cutter knows no clock and no queue. Its owner cuts by hand when a timer runs out (classic) or when
//! nothing more is waiting (eager).

use windlass_identity::Batch;

/// The limits of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most messages in a batch; zero counts as one.
    pub max_messages: u32,
    /// The size in bytes that a batch should not exceed. A larger message gets a batch of its own.
    pub preferred_max_bytes: u32,
}

impl From<&Batch> for Limits {
    fn from(batch: &Batch) -> Self {
        Self { max_messages: batch.max_messages, preferred_max_bytes: batch.preferred_max_bytes }
    }
}

/// Collects messages into batches, in the order in which they arrive.
#[derive(Debug)]
pub struct Cutter<T> {
    pending: Vec<T>,
    pending_bytes: u64,
}

impl<T> Default for Cutter<T> {
    fn default() -> Self {
        Self { pending: Vec::new(), pending_bytes: 0 }
    }
}

impl<T> Cutter<T> {
    /// A cutter with nothing pending.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a message of `size` bytes (payload and signature) and returns the batches that are now
    /// complete: none, one or two, never an empty one.
    // Fabric: ledger §6
    pub fn take(&mut self, limits: Limits, message: T, size: usize) -> Vec<Vec<T>> {
        let mut batches = Vec::new();
        let size = size as u64;
        let preferred = u64::from(limits.preferred_max_bytes);
        if size > preferred {
            batches.extend(self.cut());
            batches.push(vec![message]);
            return batches;
        }
        if self.pending_bytes + size > preferred {
            batches.extend(self.cut());
        }
        self.pending.push(message);
        self.pending_bytes += size;
        if self.pending.len() >= limits.max_messages as usize {
            batches.extend(self.cut());
        }
        batches
    }

    /// Ends the pending batch, if there is one.
    pub fn cut(&mut self) -> Option<Vec<T>> {
        self.pending_bytes = 0;
        (!self.pending.is_empty()).then(|| std::mem::take(&mut self.pending))
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds messages, each of them its own size, and returns the batches with what stays pending.
    fn run(max_messages: u32, preferred_max_bytes: u32, sizes: &[usize]) -> (Vec<Vec<usize>>, Vec<usize>) {
        let mut cutter = Cutter::new();
        let limits = Limits { max_messages, preferred_max_bytes };
        let batches = sizes.iter().flat_map(|size| cutter.take(limits, *size, *size)).collect();
        (batches, cutter.cut().unwrap_or_default())
    }

    #[test]
    fn cuts_by_count_and_by_size() {
        type Case = (&'static str, u32, u32, &'static [usize], &'static [&'static [usize]], &'static [usize]);
        let cases: &[Case] = &[
            ("a lone message waits", 10, 100, &[5], &[], &[5]),
            ("the count is reached", 2, 100, &[1, 2, 3], &[&[1, 2]], &[3]),
            ("one message a block", 1, 100, &[1, 2], &[&[1], &[2]], &[]),
            ("zero messages means one", 0, 100, &[1, 2], &[&[1], &[2]], &[]),
            ("exactly the preferred size stays", 10, 10, &[4, 6], &[], &[4, 6]),
            ("one byte above cuts what came before", 10, 10, &[4, 7], &[&[4]], &[7]),
            ("a message of the preferred size is ordinary", 10, 10, &[10], &[], &[10]),
            ("an oversized message is alone", 10, 10, &[11], &[&[11]], &[]),
            ("an oversized message cuts what came before", 10, 10, &[3, 11, 4], &[&[3], &[11]], &[4]),
            ("size and count at once", 1, 10, &[10, 10], &[&[10], &[10]], &[]),
        ];
        for (name, max, preferred, sizes, batches, pending) in cases {
            let expected: Vec<Vec<usize>> = batches.iter().map(|batch| batch.to_vec()).collect();
            assert_eq!(run(*max, *preferred, sizes), (expected, pending.to_vec()), "{name}");
        }
    }

    #[test]
    fn cutting_by_hand_starts_afresh() {
        let mut cutter = Cutter::new();
        let limits = Limits { max_messages: 10, preferred_max_bytes: 10 };
        assert!(cutter.take(limits, 'a', 9).is_empty());
        assert_eq!(cutter.cut(), Some(vec!['a']));
        assert!(cutter.is_empty());
        assert_eq!(cutter.cut(), None);
        assert!(cutter.take(limits, 'b', 9).is_empty(), "the size of the last batch must be forgotten");
    }

    proptest! {
        #[test]
        fn loses_and_reorders_nothing_and_keeps_the_limits(
            max in 1u32..6,
            preferred in 1u32..50,
            sizes in proptest::collection::vec(0usize..80, 0..60),
        ) {
            let (batches, pending) = run(max, preferred, &sizes);
            let all: Vec<usize> = batches.iter().flatten().chain(&pending).copied().collect();
            prop_assert_eq!(&all, &sizes);
            for batch in &batches {
                prop_assert!(!batch.is_empty());
                prop_assert!(batch.len() <= max as usize);
                prop_assert!(batch.len() == 1 || batch.iter().sum::<usize>() <= preferred as usize);
            }
            prop_assert!(pending.len() < max as usize);
            prop_assert!(pending.iter().sum::<usize>() <= preferred as usize);
        }
    }
}
