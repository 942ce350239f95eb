//! A chain of blocks with nothing beside it: what an ordering service keeps.

use std::{path::Path, sync::Arc};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use windlass_proto::common::Block;

use super::{BlockError, BlockFiles, Location, WalkFrom};

/// Block files and, in memory, where every block is. Clones share it.
#[derive(Clone, Debug)]
pub struct BlockLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: BlockFiles,
    // Appends follow one another; readers do not wait for them.
    appending: Mutex<()>,
    // Index: number.
    locations: RwLock<Vec<Location>>,
    heights: watch::Sender<u64>,
}

impl BlockLog {
    /// Opens the log in `folder`, creating it if missing; cuts what a crash left unfinished at its end.
    pub fn open(folder: &Path) -> Result<Self, BlockError> {
        let mut locations = Vec::new();
        let mut gap = None;
        let (files, _) = BlockFiles::open_walking(folder, WalkFrom::default(), |number, location| {
            let expected = locations.len() as u64;
            if number != expected {
                gap.get_or_insert(BlockError::OutOfOrder { expected, found: number });
            }
            locations.push(location);
        })?;
        if let Some(gap) = gap {
            return Err(gap);
        }
        let heights = watch::Sender::new(locations.len() as u64);
        Ok(Self {
            inner: Arc::new(Inner { files, appending: Mutex::new(()), locations: RwLock::new(locations), heights }),
        })
    }

    /// How many blocks it has: the number of the next one.
    pub fn height(&self) -> u64 {
        *self.inner.heights.borrow()
    }

    /// The height, changing after a block is durable.
    pub fn heights(&self) -> watch::Receiver<u64> {
        self.inner.heights.subscribe()
    }

    /// Appends the next block; it is durable on return. Refuses any other number.
    pub fn append(&self, block: &Block) -> Result<(), BlockError> {
        let found = block.header.as_ref().ok_or(BlockError::NoHeader)?.number;
        let _appending = self.inner.appending.lock();
        let expected = self.inner.locations.read().len() as u64;
        if found != expected {
            return Err(BlockError::OutOfOrder { expected, found });
        }
        let location = self.inner.files.append(block, None)?;
        self.inner.locations.write().push(location);
        self.inner.heights.send_replace(expected + 1);
        Ok(())
    }

    /// Block `number`, if the log has it.
    pub fn block(&self, number: u64) -> Result<Option<Block>, BlockError> {
        let location = usize::try_from(number).ok().and_then(|number| self.inner.locations.read().get(number).copied());
        location.map(|location| Ok(self.inner.files.read(location)?.block)).transpose()
    }

    /// The last block, if there is any.
    pub fn last(&self) -> Result<Option<Block>, BlockError> {
        match self.height().checked_sub(1) {
            Some(number) => self.block(number),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_proto::common::BlockHeader;

    use super::*;

    fn block(number: u64) -> Block {
        Block { header: Some(BlockHeader { number, ..Default::default() }), ..Default::default() }
    }

    #[test]
    fn keeps_a_chain_over_reopening() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = BlockLog::open(folder.path()).expect("a log");
        assert_eq!((log.height(), log.last().expect("a read")), (0, None));
        let mut heights = log.heights();
        for number in 0..5 {
            log.append(&block(number)).expect("an append");
        }
        assert!(heights.has_changed().expect("open"));
        assert_eq!(*heights.borrow_and_update(), 5);
        drop(log);
        let log = BlockLog::open(folder.path()).expect("a log");
        assert_eq!(log.height(), 5);
        assert_eq!(log.block(3).expect("a read"), Some(block(3)));
        assert_eq!(log.block(5).expect("a read"), None);
        assert_eq!(log.block(u64::MAX).expect("a read"), None);
        assert_eq!(log.last().expect("a read"), Some(block(4)));
    }

    #[test]
    fn refuses_blocks_out_of_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = BlockLog::open(folder.path()).expect("a log");
        log.append(&block(0)).expect("an append");
        for number in [0, 2] {
            let error = log.append(&block(number)).expect_err("out of order");
            assert_eq!(error.to_string(), format!("expected block number 1, found {number}"));
        }
        assert!(matches!(log.append(&Block::default()), Err(BlockError::NoHeader)));
        assert_eq!(log.height(), 1);
    }
}
