//! The peer's hold on a program that is confined.

use std::{
    fmt,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    process::ChildStdin,
    task::{AbortHandle, spawn_blocking},
    time,
};

use super::{
    limits::{Limits, Size},
    tree,
};
use crate::build::{Step, StepError, disk};

/// Which limit a program and what it started went beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// More bytes of memory.
    Memory(u64),
    /// More processes.
    Processes(u64),
    /// More threads.
    Threads(u64),
    /// More bytes on disk.
    Disk(u64),
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(limit) => write!(f, "used more than {} of memory", Size(*limit)),
            Self::Processes(limit) => write!(f, "had more than {limit} processes"),
            Self::Threads(limit) => write!(f, "had more than {limit} threads"),
            Self::Disk(limit) => write!(f, "used more than {} of disk", Size(*limit)),
        }
    }
}

/// Holds a supervisor, and watches what runs below it. Dropping it ends all of that.
#[derive(Debug)]
pub(in crate::build) struct Leash {
    hold: Hold,
    excess: Arc<Mutex<Option<Excess>>>,
    step: Step,
    watch: AbortHandle,
}

/// The supervisor's input: closed, it ends everything.
#[derive(Clone, Debug)]
struct Hold(Arc<Mutex<Option<OwnedFd>>>);

/// What is watched.
#[derive(Debug)]
pub(in crate::build) struct Watched {
    pub(super) limits: Limits,
    /// Folders that only this program writes to.
    pub(super) own: PathBuf,
    /// Folders that others write to as well: what they grow by counts.
    pub(super) shared: Vec<PathBuf>,
}

/// What the peer writes to a supervisor to have the program asked to end.
pub(super) const TERMINATE: u8 = b't';

/// How often processes and memory are looked at: a build may do anything, a chaincode does the same all day.
const OFTEN: Duration = Duration::from_millis(100);
const SELDOM: Duration = Duration::from_millis(500);
/// How long after memory was too much it must still be so.
const AGAIN: Duration = Duration::from_millis(50);
/// How much of the time may go into measuring folders.
const SHARE: u32 = 20;

impl Leash {
    /// Takes the supervisor with this process ID and input. To be called inside a Tokio runtime.
    pub(in crate::build) fn new(pid: u32, input: ChildStdin, step: Step, watched: Watched) -> std::io::Result<Self> {
        let hold = Hold(Arc::new(Mutex::new(Some(input.into_owned_fd()?))));
        let excess = Arc::default();
        let watch = tokio::spawn(watch(pid, step, watched, hold.clone(), Arc::clone(&excess))).abort_handle();
        Ok(Self { hold, excess, step, watch })
    }

    /// Has the program asked to end.
    pub(in crate::build) fn terminate(&self) {
        if let Some(input) = &*self.hold.0.lock() {
            // It may have ended.
            let _ = rustix::io::write(input, &[TERMINATE]);
        }
    }

    /// Has the program ended, with all that it started.
    pub(in crate::build) fn end(&self) {
        self.hold.end();
    }

    /// To be called when the program has ended: why it was, if it went beyond a limit.
    pub(in crate::build) fn cause(&self) -> Option<StepError> {
        self.watch.abort();
        let excess = *self.excess.lock();
        excess.map(|excess| StepError::Exceeded { step: self.step, excess })
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.watch.abort();
        self.hold.end();
    }
}

impl Hold {
    fn end(&self) {
        drop(self.0.lock().take());
    }
}

async fn watch(pid: u32, step: Step, watched: Watched, hold: Hold, found: Arc<Mutex<Option<Excess>>>) {
    let Watched { limits, own, shared } = watched;
    let pace = if step == Step::Run { SELDOM } else { OFTEN };
    let folders = async {
        let Some(limit) = limits.disk else { return std::future::pending().await };
        let own = Arc::new(own);
        let shared = Arc::new(shared);
        let mut before = None;
        loop {
            let started = Instant::now();
            let (own, shared) = (own.clone(), shared.clone());
            let measured = spawn_blocking(move || {
                let shared: u64 = shared.iter().map(|folder| disk::size_of(folder)).sum();
                (disk::size_of(&own) + tree::size_of_deleted(&tree::below(pid)), shared)
            });
            let Ok((own, shared)) = measured.await else { return std::future::pending().await };
            let grown = shared.saturating_sub(*before.get_or_insert(shared));
            if own + grown > limit {
                return Excess::Disk(limit);
            }
            time::sleep((started.elapsed() * SHARE).max(pace)).await;
        }
    };
    let processes = async {
        let look = || async move {
            match spawn_blocking(move || tree::usage_below(pid)).await {
                Ok(usage) => usage,
                // The runtime ends.
                Err(_) => std::future::pending().await,
            }
        };
        loop {
            let usage = look().await;
            if let Some(limit) = limits.processes.filter(|limit| usage.processes > *limit) {
                return Excess::Processes(limit);
            }
            if let Some(limit) = limits.threads().filter(|limit| usage.threads > *limit) {
                return Excess::Threads(limit);
            }
            if let Some(limit) = limits.memory.filter(|limit| usage.memory > *limit) {
                // What has just been forked shows the memory of its parent until it becomes a program.
                time::sleep(AGAIN).await;
                if look().await.memory > limit {
                    return Excess::Memory(limit);
                }
            }
            time::sleep(pace).await;
        }
    };
    let excess = tokio::select! {
        excess = folders => excess,
        excess = processes => excess,
    };
    tracing::warn!(%step, pid, "a program {excess}: it is ended");
    *found.lock() = Some(excess);
    hold.end();
}
