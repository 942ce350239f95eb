//! Notes about running children, to end what a killed process left.
//!
//! Every program of a builder runs as a process group of its own. While it does, a note about it lies in a
//! folder. The note goes when the group is ended; one that is still there when the next process starts is
//! about children that nobody owns any more.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::build::disk;

/// Ends every child that an earlier process noted in `folder` and could not end itself, and removes what
/// temporary folders they used. Returns how many groups were still alive.
///
/// To be called before anything is started, by the only owner of `folder`. A process that merely got the number
/// of an old child is left alone: start times, session and boot must agree.
pub fn clean_up(folder: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let boot = boot();
    let mut ended = 0;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        if let Some(note) = fs::read(&path).ok().and_then(|json| serde_json::from_slice::<Note>(&json).ok()) {
            if note.boot == boot && note.is_alive() {
                note.signal(Signal::KILL);
                ended += 1;
            }
            if let Some(temporary) = &note.temporary
                && is_ours(temporary)
            {
                let _ = disk::remove(temporary);
            }
        }
        fs::remove_file(&path)?;
    }
    Ok(ended)
}

/// A process group that we started, with its note. Dropping it kills the whole group, or lets a supervisor do so.
#[derive(Debug)]
pub(super) struct Group {
    note: Note,
    file: Option<PathBuf>,
    leader_reaped: bool,
    supervised: bool,
}

impl Group {
    /// Notes in `folder` that `pid` runs, as leader of its own group. Without a note it runs all the same. A leader
    /// that supervises ends everything by itself when it is let go.
    pub(super) fn new(folder: &Path, pid: u32, temporary: Option<&Path>, supervised: bool) -> Self {
        let stat = Stat::of(pid).unwrap_or_default();
        let note = Note {
            pid,
            start: stat.start,
            session: stat.session,
            boot: boot(),
            temporary: temporary.map(Path::to_owned),
        };
        let file = note.write(folder).inspect_err(|error| {
            tracing::warn!(folder = %folder.display(), %error, "cannot note a running child");
        });
        Self { note, file: file.ok(), leader_reaped: false, supervised }
    }

    /// The leader's process ID.
    pub(super) fn pid(&self) -> u32 {
        self.note.pid
    }

    /// The leader was waited for: its number may belong to another process from now on.
    pub(super) fn leader_is_gone(&mut self) {
        self.leader_reaped = true;
    }

    /// Signals the whole group.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.leader_reaped || self.note.is_alive() {
            self.note.signal(signal);
        }
    }

    /// Whether anything of the group still runs.
    pub(super) fn is_alive(&self) -> bool {
        self.note.is_alive()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A supervisor that somebody stopped goes on.
        self.signal(if self.supervised { Signal::CONT } else { Signal::KILL });
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

const EXTENSION: &str = "json";

/// What is written down about a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    /// The leader of the group, which has its number.
    pid: u32,
    /// When the leader started, in ticks since the system did.
    start: u64,
    session: i32,
    /// Which start of the system that was.
    boot: String,
    /// A folder to remove afterwards.
    temporary: Option<PathBuf>,
}

impl Note {
    fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let file = folder.join(format!("{}-{}.{EXTENSION}", self.pid, self.start));
        fs::write(&file, serde_json::to_vec(self)?)?;
        Ok(file)
    }

    /// Whether the group still has a member, as far as `/proc` knows. The leader tells by its start time; if it
    /// is gone, its number cannot be given away while the group lives, but a group of strangers could have come
    /// after: those have another session or are older.
    fn is_alive(&self) -> bool {
        if let Some(leader) = Stat::of(self.pid) {
            return leader.start == self.start && self.has_member();
        }
        self.has_member()
    }

    fn has_member(&self) -> bool {
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        processes.flatten().filter_map(|entry| Stat::of(entry.file_name().to_str()?.parse().ok()?)).any(|stat| {
            stat.group.cast_unsigned() == self.pid
                && stat.session == self.session
                && stat.start >= self.start
                && !stat.is_dead
        })
    }

    fn signal(&self, signal: Signal) {
        // 0 and 1 would be other groups altogether.
        let pid = i32::try_from(self.pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

/// What `/proc/<pid>/stat` says.
#[derive(Debug, Default)]
pub(super) struct Stat {
    pub(super) parent: i32,
    group: i32,
    session: i32,
    start: u64,
    /// A zombie: ended, but not waited for.
    pub(super) is_dead: bool,
}

impl Stat {
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in brackets, and may hold anything; the third is the state.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            is_dead: matches!(*fields.first()?, "Z" | "X"),
        })
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Only folders that we name are removed, whatever a note says.
fn is_ours(folder: &Path) -> bool {
    let named = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fabric-"));
    named && fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, process::Command, time::Duration};

    use super::*;

    fn sleeper() -> std::process::Child {
        Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep is everywhere")
    }

    fn note_of(folder: &Path, pid: u32, temporary: Option<&Path>) -> Note {
        let mut group = Group::new(folder, pid, temporary, false);
        let note = group.note.clone();
        // As if killed: the note stays and nobody ends the group.
        group.file = None;
        std::mem::forget(group);
        note
    }

    #[test]
    fn ends_what_a_killed_process_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let temporary = folder.path().join("fabric-run1");
        fs::create_dir(&temporary).expect("a folder");
        let mut child = sleeper();
        note_of(folder.path(), child.id(), Some(&temporary));
        assert_eq!(clean_up(folder.path()).expect("a folder"), 1);
        assert!(!child.wait().expect("a child").success());
        assert!(!temporary.exists());
        assert_eq!(clean_up(folder.path()).expect("a folder"), 0);
    }

    #[test]
    fn spares_a_process_that_got_an_old_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = sleeper();
        let mut note = note_of(folder.path(), child.id(), None);
        fs::remove_dir_all(folder.path()).expect("a folder");
        note.start -= 1;
        note.write(folder.path()).expect("a folder");
        assert_eq!(clean_up(folder.path()).expect("a folder"), 0);
        assert!(child.try_wait().expect("a child").is_none());
        child.kill().expect("a child");
        child.wait().expect("a child");
    }

    #[test]
    fn ends_the_rest_of_a_group_whose_leader_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 600 & read line"])
            .stdin(std::process::Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell is everywhere");
        let note = note_of(folder.path(), leader.id(), None);
        drop(leader.stdin.take());
        leader.wait().expect("a child");
        assert_eq!(clean_up(folder.path()).expect("a folder"), 1);
        while note.is_alive() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn removes_only_folders_of_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let precious = folder.path().join("precious");
        fs::create_dir(&precious).expect("a folder");
        let mut child = sleeper();
        let note = note_of(folder.path(), child.id(), Some(&precious));
        clean_up(folder.path()).expect("a folder");
        child.wait().expect("a child");
        assert!(precious.exists(), "{note:?}");
    }

    #[test]
    fn reads_names_with_brackets_and_spaces() {
        let text = "42 (a) (b c) S 1 42 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let stat = Stat::parse(text).expect("a line");
        assert_eq!((stat.parent, stat.group, stat.session), (1, 42, 7));
        assert_eq!((stat.start, stat.is_dead), (12345, false));
    }
}
