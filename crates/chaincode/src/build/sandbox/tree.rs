//! The processes below one, as `/proc` shows them.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::build::children::Stat;

/// Everything that descends from `root` and has not ended, without `root`.
pub(super) fn below(root: u32) -> Vec<u32> {
    let children = lister(root);
    let mut found = children(root);
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    // A process that moved while we looked is met twice.
    let mut met = HashSet::new();
    found.retain(|pid| met.insert(*pid) && Stat::of(*pid).is_some_and(|stat| !stat.is_dead));
    found
}

/// Kills everything below `root`. First it stops all, again and again until nothing new shows: what is stopped
/// starts nothing, so that a program that keeps forking is caught as well.
pub(super) fn kill_below(root: u32) {
    let mut stopped = HashSet::new();
    loop {
        let fresh: Vec<_> = below(root).into_iter().filter(|pid| stopped.insert(*pid)).collect();
        if fresh.is_empty() {
            break;
        }
        fresh.iter().for_each(|pid| signal(*pid, Signal::STOP));
    }
    stopped.into_iter().for_each(|pid| signal(pid, Signal::KILL));
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended.
        let _ = kill_process(pid, signal);
    }
}

/// How to ask for the children of a process: the kernel tells, or one look at everything does.
fn lister(root: u32) -> Box<dyn Fn(u32) -> Vec<u32>> {
    if fs::exists(format!("/proc/{root}/task/{root}/children")).unwrap_or(false) {
        return Box::new(children);
    }
    let mut all: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, Stat::of(pid)?))) {
            all.entry(stat.parent.cast_unsigned()).or_default().push(pid);
        }
    }
    Box::new(move |pid| all.get(&pid).cloned().unwrap_or_default())
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// What processes use, all together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) processes: u64,
    pub(super) threads: u64,
    /// Bytes that they hold and no file does: what they share with the programs on disk is free.
    pub(super) memory: u64,
}

/// What everything that descends from `root` uses.
pub(super) fn usage_below(root: u32) -> Usage {
    let mut usage = Usage::default();
    for pid in below(root) {
        usage.add(pid);
    }
    usage
}

impl Usage {
    fn add(&mut self, pid: u32) {
        self.processes += 1;
        // It may have ended.
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        for (name, value) in status.lines().filter_map(|line| line.split_once(':')) {
            let number = || value.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            match name {
                "RssAnon" | "RssShmem" | "VmSwap" => self.memory += number() << 10,
                "Threads" => self.threads += number(),
                _ => {}
            }
        }
    }
}

/// The bytes of files that processes hold open and that no folder shows any more.
pub(super) fn size_of_deleted(pids: &[u32]) -> u64 {
    let mut files = HashMap::new();
    for pid in pids {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for metadata in open.filter_map(|entry| fs::metadata(entry.path()).ok()) {
            if metadata.is_file() && metadata.nlink() == 0 {
                files.insert((metadata.dev(), metadata.ino()), metadata.blocks() * 512);
            }
        }
    }
    files.values().sum()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        io::Read,
        process::{Command, Stdio},
    };

    use super::*;
    use crate::build::disk;

    #[test]
    fn sees_and_kills_what_descends_from_a_process() {
        let script = "sh -c 'sleep 600 & sleep 600 & echo up; wait' & wait";
        let mut shell = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("a shell");
        shell.stdout.as_mut().expect("a pipe").read_exact(&mut [0; 3]).expect("a word");
        let all = below(shell.id());
        assert_eq!(all.len(), 3, "{all:?}");
        let usage = usage_below(shell.id());
        assert!((usage.processes, usage.threads) == (3, 3) && usage.memory > 0, "{usage:?}");
        kill_below(shell.id());
        shell.wait().expect("a child");
        // The system has no event for the end of a process that is not one's child.
        while all.iter().any(|pid| Stat::of(*pid).is_some_and(|stat| !stat.is_dead)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[test]
    fn counts_files_without_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = tempfile::tempfile_in(folder.path()).expect("a file");
        std::io::Write::write_all(&mut file, &vec![1; 3 << 20]).expect("a file");
        assert!(disk::size_of(folder.path()) < 1 << 20);
        assert!(size_of_deleted(&[std::process::id()]) >= 3 << 20);
    }
}
