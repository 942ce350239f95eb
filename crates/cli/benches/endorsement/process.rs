//! What the system knows of a process.

use std::{fs, time::Duration};

/// The unit of times under `/proc`: a hundredth of a second on every Linux, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that a process has used, all its threads, user and system.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    // The name stands in parentheses and may hold anything.
    let fields: Vec<_> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u32 = [11, 12].iter().map(|field| fields[*field].parse::<u32>().expect("a number")).sum();
    TICK * ticks
}

/// Resident memory in bytes: now, and at most so far.
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of /proc/PID/status");
        let kib: u64 = line.trim_end_matches("kB").trim().parse().expect("a number");
        kib * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}
