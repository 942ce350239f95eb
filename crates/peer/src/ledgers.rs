//! The folder of a peer's ledgers: who holds it, which channels are in it, and what operators do to them while no
//! peer runs.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use windlass_ledger::{LedgerError, LedgerOptions, offline};

/// The file that whoever works on the ledgers holds locked.
const LOCK: &str = "fileLock";
/// In the folder of a channel that is paused.
const PAUSED: &str = "paused";
/// Before the name of a channel's folder that is being deleted.
const LEAVING: &str = ".unjoined-";

/// The ledgers of a peer, held until this value is dropped: one channel in each sub-folder.
#[derive(Debug)]
pub struct Ledgers {
    folder: PathBuf,
    _lock: File,
}

/// Why something cannot be done to the ledgers. The texts are those of Fabric's `peer node` where it has one.
#[derive(Debug, thiserror::Error)]
pub enum LedgersError {
    /// A peer runs, or another command works.
    #[error(
        "as another peer node command is executing, wait for that command to complete its execution or terminate it \
         before retrying: lock is already acquired on file {}", .0.display()
    )]
    Locked(PathBuf),
    /// The file system fails.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such channel, and its state was to change.
    #[error("cannot update ledger status, ledger [{0}] does not exist")]
    NoStatus(String),
    /// There is no such channel to leave.
    #[error("unjoin channel [{0}]: cannot update ledger status, ledger [{0}] does not exist")]
    NotJoined(String),
    /// There is no such channel to go back on.
    #[error("ledgerID [{0}] does not exist")]
    NoLedger(String),
    /// There is no way back to what is not there yet.
    #[error("target block number [{target}] should be less than the biggest block number [{last}]")]
    NotBack {
        /// Where to go.
        target: u64,
        /// Where the channel is.
        last: u64,
    },
    /// State of this layout needs no upgrade; older state is made again from the blocks when the peer starts.
    #[error("the data format is already up to date. No upgrade is required")]
    UpToDate,
    /// A ledger fails.
    #[error("channel {channel}: {source}")]
    Ledger {
        /// The channel.
        channel: String,
        /// Why.
        source: LedgerError,
    },
}

impl Ledgers {
    /// Takes hold of the ledgers in `folder`, which is made if it is missing. What was being deleted when a process
    /// died is deleted.
    ///
    /// # Errors
    /// When another process holds them.
    pub fn open(folder: &Path) -> Result<Self, LedgersError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| LedgersError::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(at(folder))?;
        let path = folder.join(LOCK);
        let lock = File::options().create(true).append(true).open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgersError::Locked(path)),
            Err(TryLockError::Error(source)) => return Err(at(&path)(source)),
        }
        let ledgers = Self { folder: folder.to_owned(), _lock: lock };
        for name in ledgers.names()?.into_iter().filter(|name| name.starts_with(LEAVING)) {
            let path = folder.join(name);
            fs::remove_dir_all(&path).map_err(at(&path))?;
        }
        Ok(ledgers)
    }

    /// The channels that are followed and served, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn active(&self) -> Result<Vec<String>, LedgersError> {
        Ok(self.names()?.into_iter().filter(|name| !self.of(name).join(PAUSED).exists()).collect())
    }

    /// The folder of a channel.
    pub fn of(&self, channel: &str) -> PathBuf {
        self.folder.join(channel)
    }

    /// Leaves a channel out from the next start on.
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn pause(&self, channel: &str) -> Result<(), LedgersError> {
        self.check(channel, LedgersError::NoStatus)?;
        let mark = self.of(channel).join(PAUSED);
        File::create(&mark)
            .and_then(|file| file.sync_all())
            .map_err(|source| LedgersError::Io { path: mark, source })?;
        sync(&self.of(channel))
    }

    /// Undoes [`Ledgers::pause`].
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn resume(&self, channel: &str) -> Result<(), LedgersError> {
        self.check(channel, LedgersError::NoStatus)?;
        let mark = self.of(channel).join(PAUSED);
        match fs::remove_file(&mark) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LedgersError::Io { path: mark, source }),
            _ => sync(&self.of(channel)),
        }
    }

    /// Deletes all that the peer has of a channel.
    ///
    /// # Errors
    /// When there is no such channel, or it cannot be deleted. What was begun is finished by the next [`Self::open`].
    pub fn unjoin(&self, channel: &str) -> Result<(), LedgersError> {
        self.check(channel, LedgersError::NotJoined)?;
        let (folder, leaving) = (self.of(channel), self.folder.join(format!("{LEAVING}{channel}")));
        fs::rename(&folder, &leaving).map_err(|source| LedgersError::Io { path: folder, source })?;
        sync(&self.folder)?;
        fs::remove_dir_all(&leaving).map_err(|source| LedgersError::Io { path: leaving, source })
    }

    /// Makes block `target` the last one of a channel.
    ///
    /// # Errors
    /// When there is no such channel, or it has no later block.
    pub fn roll_back(&self, channel: &str, target: u64) -> Result<(), LedgersError> {
        self.check(channel, LedgersError::NoLedger)?;
        let last = offline::last_block(&self.of(channel)).map_err(of(channel))?;
        if target >= last {
            return Err(LedgersError::NotBack { target, last });
        }
        offline::roll_back(&self.of(channel), target, &LedgerOptions::default()).map_err(of(channel))
    }

    /// Leaves every channel, paused or not, with nothing but its genesis block.
    ///
    /// # Errors
    /// When a ledger fails.
    pub fn reset(&self) -> Result<Vec<String>, LedgersError> {
        self.each(|folder| offline::roll_back(folder, 0, &LedgerOptions::default()))
    }

    /// Has state, history and indexes of every channel made again from its blocks at the next start.
    ///
    /// # Errors
    /// When a ledger fails.
    pub fn rebuild(&self) -> Result<Vec<String>, LedgersError> {
        self.each(|folder| offline::drop_state(folder, &LedgerOptions::default()))
    }

    fn each(&self, work: impl Fn(&Path) -> Result<(), LedgerError>) -> Result<Vec<String>, LedgersError> {
        let channels = self.names()?;
        for channel in &channels {
            match work(&self.of(channel)) {
                // Its joining was interrupted, and nobody was told of it.
                Err(LedgerError::NotFound(_)) => {}
                done => done.map_err(of(channel))?,
            }
        }
        Ok(channels)
    }

    fn check(&self, channel: &str, missing: impl Fn(String) -> LedgersError) -> Result<(), LedgersError> {
        if self.names()?.iter().any(|name| name == channel) { Ok(()) } else { Err(missing(channel.to_owned())) }
    }

    /// The sub-folders, sorted.
    fn names(&self) -> Result<Vec<String>, LedgersError> {
        let unreadable = |source| LedgersError::Io { path: self.folder.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

fn of(channel: &str) -> impl Fn(LedgerError) -> LedgersError {
    let channel = channel.to_owned();
    move |source| LedgersError::Ledger { channel: channel.clone(), source }
}

/// Makes what was created, renamed or removed in a folder last.
fn sync(folder: &Path) -> Result<(), LedgersError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| LedgersError::Io { path: folder.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use windlass_ledger::{Ledger, StoreKind};
    use windlass_proto::{common::Block, protos::TxValidationCode};

    use super::*;
    use crate::testing::{CHANNEL, World, block_of};

    /// Ledgers with one channel of three blocks.
    fn ledgers() -> (TempDir, Ledgers) {
        let world = World::new();
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::create(&folder.path().join(CHANNEL), &world.genesis, LedgerOptions::default());
        let ledger = ledger.expect("a ledger");
        for number in 0..2 {
            let previous: Option<Block> = ledger.block(number).expect("readable");
            let block = block_of(previous.as_ref(), vec![world.draft().build()]);
            ledger.commit(block, vec![TxValidationCode::BadProposalTxid]).expect("committed");
        }
        drop(ledger);
        let ledgers = Ledgers::open(folder.path()).expect("ledgers");
        (folder, ledgers)
    }

    fn height(ledgers: &Ledgers) -> u64 {
        let options = LedgerOptions { store: StoreKind::Memory, history: true };
        Ledger::open(&ledgers.of(CHANNEL), CHANNEL, options).expect("a ledger").height()
    }

    #[test]
    fn one_process_at_a_time() {
        let (folder, ledgers) = ledgers();
        let error = Ledgers::open(folder.path()).expect_err("held").to_string();
        let file = folder.path().join("fileLock");
        assert_eq!(
            error,
            format!(
                "as another peer node command is executing, wait for that command to complete its execution or terminate \
                 it before retrying: lock is already acquired on file {}",
                file.display()
            )
        );
        drop(ledgers);
        Ledgers::open(folder.path()).expect("free again");
    }

    #[test]
    fn a_paused_channel_is_left_out_until_it_is_resumed() {
        let (_folder, ledgers) = ledgers();
        assert_eq!(ledgers.active().expect("readable"), [CHANNEL]);
        ledgers.pause(CHANNEL).expect("paused");
        ledgers.pause(CHANNEL).expect("paused already");
        assert!(ledgers.active().expect("readable").is_empty());
        ledgers.resume(CHANNEL).expect("resumed");
        ledgers.resume(CHANNEL).expect("resumed already");
        assert_eq!(ledgers.active().expect("readable"), [CHANNEL]);
    }

    #[test]
    fn a_channel_that_is_left_is_gone_whatever_interrupts_it() {
        let (folder, ledgers) = ledgers();
        ledgers.unjoin(CHANNEL).expect("left");
        assert!(ledgers.active().expect("readable").is_empty());
        fs::create_dir_all(folder.path().join(".unjoined-other/blocks")).expect("half deleted");
        drop(ledgers);
        Ledgers::open(folder.path()).expect("ledgers");
        assert!(!folder.path().join(".unjoined-other").exists());
    }

    #[test]
    fn goes_back_to_a_block_and_to_the_first() {
        let (_folder, ledgers) = ledgers();
        let error = ledgers.roll_back(CHANNEL, 2).expect_err("no way back").to_string();
        assert_eq!(error, "target block number [2] should be less than the biggest block number [2]");
        ledgers.roll_back(CHANNEL, 1).expect("rolled back");
        assert_eq!(height(&ledgers), 2);
        assert_eq!(ledgers.reset().expect("reset"), [CHANNEL]);
        assert_eq!(height(&ledgers), 1);
        ledgers.rebuild().expect("dropped");
        assert_eq!(height(&ledgers), 1);
    }

    #[test]
    fn says_which_channel_is_not_there() {
        let (_folder, ledgers) = ledgers();
        let text = |outcome: Result<(), LedgersError>| outcome.expect_err("no channel").to_string();
        assert_eq!(text(ledgers.pause("x")), "cannot update ledger status, ledger [x] does not exist");
        assert_eq!(text(ledgers.resume("x")), "cannot update ledger status, ledger [x] does not exist");
        assert_eq!(
            text(ledgers.unjoin("x")),
            "unjoin channel [x]: cannot update ledger status, ledger [x] does not exist"
        );
        assert_eq!(text(ledgers.roll_back("x", 0)), "ledgerID [x] does not exist");
    }
}
