//! What must not grow.

use std::{fmt, fs, time::Duration};

use crate::{
    network::metric,
    support::{http, windlass::Windlass},
};

/// What one process holds.
#[derive(Clone, Debug)]
pub(super) struct Gauges {
    /// Bytes.
    memory: u64,
    tasks: u64,
    /// Open files, without those of the ledgers, which grow with the chain.
    files: u64,
    streams: u64,
    executions: u64,
    iterators: u64,
    snapshots: u64,
}

impl Gauges {
    pub(super) fn read(windlass: &Windlass) -> Self {
        let text = http::get(&windlass.ready, "/metrics").body;
        let process = format!("/proc/{}", windlass.pid());
        let status = fs::read_to_string(format!("{process}/status")).expect("a process");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
        let kib: u64 = memory.trim().trim_end_matches("kB").trim().parse().expect("a number");
        Self {
            memory: kib << 10,
            tasks: metric(&text, "windlass_tasks"),
            files: fs::read_dir(format!("{process}/fd"))
                .expect("a process")
                .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
                .filter(|file| !file.starts_with(&windlass.ready.data))
                .count() as u64,
            streams: metric(&text, "windlass_chaincode_streams"),
            executions: metric(&text, "windlass_chaincode_executions"),
            iterators: metric(&text, "windlass_chaincode_iterators"),
            snapshots: metric(&text, "windlass_ledger_snapshots"),
        }
    }

    /// The gauges when nothing runs any more, or when it has taken too long.
    pub(super) async fn comes_back(&self, windlass: &Windlass) -> Self {
        let mut now = Self::read(windlass);
        for _ in 0..100 {
            if now.is_within(self) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            now = Self::read(windlass);
        }
        now
    }

    /// Whether nothing is left of all the transactions. Memory is for people to judge: caches fill.
    pub(super) fn is_within(&self, before: &Self) -> bool {
        (self.executions, self.iterators, self.snapshots) == (0, 0, 0)
            && self.streams <= before.streams
            && self.tasks <= before.tasks
            && self.files <= before.files
    }
}

impl fmt::Display for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "memory {:>4} MiB, tasks {:>3}, files {:>3}, streams {:>2}, executions {:>2}, iterators {:>2}, snapshots {:>2}",
            self.memory >> 20,
            self.tasks,
            self.files,
            self.streams,
            self.executions,
            self.iterators,
            self.snapshots
        )
    }
}
