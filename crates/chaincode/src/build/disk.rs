//! Folders that programs of others have filled: how much they hold, and removing them.
//!
//! Such a program can nest folders without end, and take its own rights to them away. So nothing here calls itself, keeps
//! a file open for each level, or names a file by its whole path; and a folder that we own is always entered.

use std::{
    ffi::{CStr, CString},
    io, mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    thread,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, fchmod, fstat, openat, renameat, statat, unlinkat},
    io::Errno,
    path::Arg,
};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use tempfile::TempDir;
use tokio::{runtime::Handle, task::spawn_blocking};

/// The bytes that a folder takes on disk. What is moved meanwhile may be missed.
pub(crate) fn size_of(folder: &Path) -> u64 {
    let Ok(mut here) = openat(CWD, folder, FOLDER, Mode::empty()) else { return 0 };
    let mut bytes = 0;
    // From the folder itself to where we are: which folder it is, and what is still to be entered in it.
    let mut way = vec![look(&here, &mut bytes)];
    while let Some((_, rest)) = way.last_mut() {
        if let Some(name) = rest.pop() {
            // It may be gone by now.
            if let Ok(below) = enter(&here, name.as_c_str()) {
                way.push(look(&below, &mut bytes));
                here = below;
            }
            continue;
        }
        way.pop();
        let Some((above, _)) = way.last() else { break };
        match enter(&here, c"..") {
            Ok(up) if identity(&up) == *above => here = up,
            _ => break,
        }
    }
    bytes
}

/// What tells a folder from all others.
type Identity = Option<(u64, u64)>;

fn identity(folder: &OwnedFd) -> Identity {
    // Their types differ between systems.
    #[allow(clippy::unnecessary_cast)]
    fstat(folder).ok().map(|found| (found.st_dev as u64, found.st_ino as u64))
}

/// Adds what lies directly in a folder; returns the folders among it.
fn look(folder: &OwnedFd, bytes: &mut u64) -> (Identity, Vec<CString>) {
    let mut folders = Vec::new();
    for name in names(folder).into_iter().flatten().flatten() {
        let Ok(found) = statat(folder, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
        *bytes += u64::try_from(found.st_blocks).unwrap_or(0) * 512;
        if FileType::from_raw_mode(found.st_mode as RawMode) == FileType::Directory {
            folders.push(name);
        }
    }
    (identity(folder), folders)
}

/// Removes a folder with all that is in it, or a file; it is no error if there is neither.
///
/// Folders move up until all are directly below this one: so each is emptied once, none lies deep, and several are emptied
/// at once.
///
/// # Errors
/// When something cannot be removed. What can be is gone then.
pub fn remove(path: &Path) -> io::Result<()> {
    let root = match enter_to_change(CWD, path) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(gone(unlinkat(CWD, path, AtFlags::empty()))?),
        Err(error) => return Err(error.into()),
    };
    let removal = Removal { root, moved: AtomicU64::new(0), tried: AtomicU64::new(0) };
    loop {
        let before = removal.moved.load(Relaxed);
        let mut passed = Passed::default();
        let mut found = names(&removal.root)?;
        loop {
            let some: Vec<_> = found.by_ref().take(AT_ONCE).collect::<Result<_, _>>()?;
            if some.is_empty() {
                break;
            }
            passed = passed.and(removal.remove_all(&some));
        }
        match passed.failed {
            // What moved up may not have been seen yet.
            _ if passed.removed || removal.moved.load(Relaxed) > before => {}
            Some(error) => return Err(error.into()),
            None => return Ok(gone(unlinkat(CWD, path, AtFlags::REMOVEDIR))?),
        }
    }
}

/// How many names are read before what they name is removed.
const AT_ONCE: usize = 256;
/// How many threads remove. It is the disk that they wait for: 24,000 files of Node packages took one thread 41 to 48 s,
/// and eight 8 to 14 s.
const THREADS: usize = 8;
/// One more thread for each so many names.
const WORTH_A_THREAD: usize = 8;

/// A folder that is being removed.
struct Removal {
    root: OwnedFd,
    /// How many folders moved up into it.
    moved: AtomicU64,
    /// How many names for them were tried.
    tried: AtomicU64,
}

/// What became of some names.
#[derive(Default)]
struct Passed {
    /// Whether anything was removed.
    removed: bool,
    /// Why something was not.
    failed: Option<Errno>,
}

impl Passed {
    fn and(self, other: Self) -> Self {
        Self { removed: self.removed || other.removed, failed: other.failed.or(self.failed) }
    }
}

impl Removal {
    /// Removes what lies directly below under these names.
    fn remove_all(&self, names: &[CString]) -> Passed {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut passed = Passed::default();
            while let Some(name) = names.get(next.fetch_add(1, Relaxed)) {
                let failed = self.remove(name).err();
                passed = passed.and(Passed { removed: failed.is_none(), failed });
            }
            passed
        };
        thread::scope(|scope| {
            let more = 1..(names.len() / WORTH_A_THREAD).min(THREADS);
            // Where the system has no thread for us, those that there are do it.
            let more: Vec<_> = more.filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
            let own = work();
            more.into_iter().filter_map(|thread| thread.join().ok()).fold(own, Passed::and)
        })
    }

    /// Removes what lies directly below, a folder or not.
    fn remove(&self, name: &CStr) -> Result<(), Errno> {
        let folder = match enter_to_change(&self.root, name) {
            Ok(folder) => folder,
            Err(Errno::NOTDIR | Errno::LOOP) => return gone(unlinkat(&self.root, name, AtFlags::empty())),
            Err(error) => return gone(Err(error)),
        };
        let mut failed = None;
        for name in names(&folder)? {
            let name = name?;
            let removed = match unlinkat(&folder, name.as_c_str(), AtFlags::empty()) {
                // A folder: Linux says the first, other systems the second.
                Err(Errno::ISDIR | Errno::PERM) => self.move_up(&folder, &name),
                result => gone(result),
            };
            failed = removed.err().or(failed);
        }
        match failed {
            Some(error) => Err(error),
            None => gone(unlinkat(&self.root, name, AtFlags::REMOVEDIR)),
        }
    }

    fn move_up(&self, folder: &OwnedFd, name: &CStr) -> Result<(), Errno> {
        loop {
            let to = format!(".removed-{}", self.tried.fetch_add(1, Relaxed));
            let moved = match renameat(folder, name, &self.root, &to) {
                // It must be ours to change as well.
                Err(Errno::ACCESS) => {
                    drop(enter_to_change(folder, name)?);
                    renameat(folder, name, &self.root, &to)
                }
                result => result,
            };
            match moved {
                // That name is taken.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.moved.fetch_add(1, Relaxed);
                    return Ok(());
                }
            }
        }
    }
}

/// What is not there needs no removal.
fn gone(result: Result<(), Errno>) -> Result<(), Errno> {
    if result == Err(Errno::NOENT) { Ok(()) } else { result }
}

/// The names in a folder.
fn names(folder: &OwnedFd) -> Result<impl Iterator<Item = Result<CString, Errno>> + use<>, Errno> {
    let entries = Dir::read_from(folder)?.map(|entry| entry.map(|entry| entry.file_name().to_owned()));
    Ok(entries.filter(|name| !name.as_ref().is_ok_and(|name| [c".", c".."].contains(&name.as_c_str()))))
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Opens a folder, not one behind a link; where we have no right to one of ours, we give it to ourselves.
fn enter(at: impl AsFd, name: impl Arg + Copy) -> Result<OwnedFd, Errno> {
    let open = || openat(&at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
    match open() {
        Err(Errno::ACCESS) => {
            allow(at.as_fd(), name)?;
            open()
        }
        result => result,
    }
}

/// The same, for removing what is in it.
fn enter_to_change(at: impl AsFd, name: impl Arg + Copy) -> Result<OwnedFd, Errno> {
    let folder = enter(at, name)?;
    let mode = Mode::from_raw_mode(fstat(&folder)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // If it is not ours, removing says so.
        let _ = fchmod(&folder, mode | Mode::RWXU);
    }
    Ok(folder)
}

/// Gives us all rights to a folder of ours, and never to what a link in its place leads to.
#[cfg(target_os = "linux")]
fn allow(at: BorrowedFd<'_>, name: impl Arg) -> Result<(), Errno> {
    let folder = openat(at, name, FOLDER | OFlags::NOFOLLOW | OFlags::PATH, Mode::empty())?;
    rustix::fs::chmod(format!("/proc/self/fd/{}", folder.as_raw_fd()), Mode::RWXU)
}

#[cfg(not(target_os = "linux"))]
fn allow(at: BorrowedFd<'_>, name: impl Arg) -> Result<(), Errno> {
    rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
}

/// A folder that is removed when this is dropped: on a thread for such work where there is a runtime, since it may
/// take long.
#[derive(Debug)]
pub(crate) struct Temporary(Option<Doomed>);

/// Removes its folder when dropped, so also when a runtime that ends drops what it should have done.
#[derive(Debug)]
struct Doomed(PathBuf);

impl From<TempDir> for Temporary {
    fn from(folder: TempDir) -> Self {
        Self(Some(Doomed(folder.keep())))
    }
}

impl Temporary {
    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), |doomed| &doomed.0)
    }

    /// Removes it, and waits for that. When this is dropped, it is removed all the same.
    pub(crate) async fn removed(mut self) {
        if let Some(doomed) = self.0.take() {
            // It tells itself what went wrong.
            let _ = spawn_blocking(move || drop(doomed)).await;
        }
    }

    /// Removes it here and now.
    pub(crate) fn remove(mut self) -> io::Result<()> {
        self.0.take().map_or(Ok(()), |doomed| remove(&doomed.defuse()))
    }

    /// Leaves it where it is.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.0.take().map(Doomed::defuse).unwrap_or_default()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let Some(doomed) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(doomed))),
            Err(_) => drop(doomed),
        }
    }
}

impl Doomed {
    fn defuse(mut self) -> PathBuf {
        mem::take(&mut self.0)
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        if self.0.as_os_str().is_empty() {
            return;
        }
        if let Err(error) = remove(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "cannot remove a temporary folder");
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// Nests folders as a program does that goes into each.
    pub(in crate::build) fn nest(folder: &Path, depth: usize) {
        let mut here = enter(CWD, folder).expect("a folder");
        for _ in 0..depth {
            rustix::fs::mkdirat(&here, c"a", Mode::RWXU).expect("a folder");
            here = enter(&here, c"a").expect("a folder");
        }
        let file = openat(&here, c"file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).expect("a file");
        io::Write::write_all(&mut fs::File::from(file), &vec![1; 1 << 20]).expect("a file");
    }

    #[test]
    fn measures_and_removes_what_is_nested_deeper_than_any_path() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("x");
        fs::create_dir(&folder).expect("a folder");
        nest(&folder, 5_000);
        assert!(size_of(&folder) >= 1 << 20);
        remove(&folder).expect("removed");
        assert!(!folder.exists());
    }

    #[test]
    fn removes_more_than_is_read_at_once() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("x");
        for number in 0..3 * AT_ONCE {
            fs::create_dir_all(folder.join(format!("{number}/below"))).expect("a folder");
            fs::write(folder.join(format!("{number}/below/file")), "").expect("a file");
            fs::write(folder.join(format!("file-{number}")), "").expect("a file");
        }
        remove(&folder).expect("removed");
        assert!(!folder.exists());
    }

    #[test]
    fn removes_what_takes_rights_away_and_leaves_what_links_lead_to() {
        let root = tempfile::tempdir().expect("a folder");
        let (folder, other) = (root.path().join("x"), root.path().join("other"));
        for name in ["closed/deep/er", "read-only/deep/er", ".removed-1/full", "empty"] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        fs::create_dir(&other).expect("a folder");
        fs::write(other.join("file"), "precious").expect("a file");
        fs::write(folder.join("read-only/deep/file"), "").expect("a file");
        fs::write(folder.join(".removed-2"), "").expect("a file");
        std::os::unix::fs::symlink(&other, folder.join("closed/deep/link")).expect("a link");
        std::os::unix::fs::symlink(&other, folder.join("link")).expect("a link");
        for (name, mode) in [("closed/deep", 0), ("closed", 0), ("read-only/deep", 0o555), ("read-only", 0o555)] {
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).expect("a folder");
        }
        remove(&folder).expect("removed");
        remove(&folder).expect("nothing to remove");
        assert_eq!(fs::read_dir(root.path()).expect("a folder").count(), 1);
        std::os::unix::fs::symlink(&other, &folder).expect("a link");
        remove(&folder).expect("removed");
        assert!(!fs::exists(&folder).expect("a folder") && other.join("file").exists());
    }

    #[test]
    fn removes_a_temporary_folder_however_it_is_let_go() {
        let temporary = || {
            let temporary = Temporary::from(tempfile::tempdir().expect("a folder"));
            (temporary.path().to_owned(), temporary)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (path, folder) = temporary();
        runtime.block_on(folder.removed());
        assert!(!path.exists());
        let (path, folder) = temporary();
        folder.remove().expect("removed");
        assert!(!path.exists());
        let (path, folder) = temporary();
        folder.keep();
        assert!(path.exists());
        remove(&path).expect("removed");
        let (path, folder) = temporary();
        drop(folder);
        assert!(!path.exists());
        let (path, folder) = temporary();
        let entered = runtime.enter();
        drop(folder);
        drop(entered);
        // A runtime ends when what it does has ended or been let go.
        runtime.shutdown_timeout(std::time::Duration::from_secs(60));
        assert!(!path.exists());
    }

    #[test]
    fn counts_files_on_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("a")).expect("a folder");
        fs::write(folder.path().join("a/b"), vec![1; 1 << 20]).expect("a file");
        assert!((1 << 20..2 << 20).contains(&size_of(folder.path())));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("a"), &link).expect("a link");
        assert!(size_of(&link) >= 1 << 20, "the folder itself may be a link");
    }
}
