//! Who is whose child, as `/proc` tells.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A process; its start time tells it from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    start_time: u64,
    name: String,
}

impl Process {
    fn read(pid: u32) -> Option<(Self, u32)> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold anything.
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_whitespace().collect();
        if fields.first() == Some(&"Z") {
            return None;
        }
        let parent = fields.get(1)?.parse().ok()?;
        let start_time = fields.get(19)?.parse().ok()?;
        Some((Self { pid, start_time, name: name.to_owned() }, parent))
    }

    /// Whether it is the binary under test, which also watches over confined programs.
    pub(crate) fn is_windlass(&self) -> bool {
        self.name == "windlass"
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        Self::read(self.pid).is_some_and(|(now, _)| now.start_time == self.start_time)
    }
}

/// The children of a process, and theirs.
pub(crate) fn descendants(of: u32) -> Vec<Process> {
    let all: Vec<(Process, u32)> = fs::read_dir("/proc")
        .expect("a system with /proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::read)
        .collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for (process, _) in all.iter().filter(|(_, its)| *its == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// The processes of `these` that run after `limit`; those that end meanwhile are waited for. The others are ended, so
/// that a failed test leaves nothing.
pub(crate) fn survivors(these: &[Process], limit: Duration) -> Vec<Process> {
    let deadline = Instant::now() + limit;
    loop {
        let alive: Vec<_> = these.iter().filter(|process| process.is_alive()).cloned().collect();
        if alive.is_empty() || Instant::now() >= deadline {
            alive.iter().for_each(|process| signal(process.pid, Signal::KILL));
            return alive;
        }
        // The system has no event for the end of a process that is not one's child.
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal; a process that has ended is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
