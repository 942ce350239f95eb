//! Where everything lies: one folder, used by one network at a time.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use windlass_chaincode::build::{children, remove_folder};

use crate::{args::dev::DevArgs, printer::Printer};

/// The file that says "a network's folder", and that a running network holds locked.
const MARK: &str = ".windlass-network";
/// What stands in it where the folder goes with its network. Any other is somebody's data, wherever it lies.
const GOES: &str = "ephemeral\n";
/// The same before it is locked.
const DRAFT: &str = ".windlass-network.new";
/// With this the name begins of a folder that goes with its network.
const EPHEMERAL: &str = "windlass-";
/// With this begins the name of a peer's folder.
const PEER: &str = "peer";

/// A network's folder, locked as long as this value lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
    ephemeral: bool,
}

impl Folder {
    /// Opens or creates the folder that the arguments ask for.
    pub(crate) fn open(args: &DevArgs, printer: &Printer) -> anyhow::Result<Self> {
        if args.ephemeral {
            return Self::temporary(&env::temp_dir(), printer);
        }
        fs::create_dir_all(&args.data).with_context(|| format!("cannot create {}", args.data.display()))?;
        let path = fs::canonicalize(&args.data).with_context(|| format!("cannot use {}", args.data.display()))?;
        let foreign = !path.join(MARK).exists() && fs::read_dir(&path)?.next().is_some();
        if foreign {
            bail!(
                "{} is not empty and was not made by `windlass dev`; hint: choose another folder with --data",
                path.display()
            );
        }
        let lock = lock(&path)?;
        if args.fresh {
            empty(&path)?;
        }
        Ok(Self { path, _lock: lock, ephemeral: false })
    }

    /// A new folder in `parent` that goes with this value. Those that killed networks left there go now.
    fn temporary(parent: &Path, printer: &Printer) -> anyhow::Result<Self> {
        for left in left_in(parent) {
            printer.note(format_args!("removing {}, which a network left that was killed", left.path.display()));
            left.end_children();
        }
        let temporary = tempfile::Builder::new().prefix(EPHEMERAL).tempdir_in(parent).context("no temporary folder")?;
        // Whoever cleans up must not see the mark before it is locked.
        let (draft, mark) = (temporary.path().join(DRAFT), temporary.path().join(MARK));
        let lock = fs::write(&draft, GOES)
            .and_then(|()| File::open(&draft))
            .and_then(|file| file.try_lock().map_err(io::Error::from).map(|()| file))
            .and_then(|file| fs::rename(&draft, &mark).map(|()| file))
            .with_context(|| format!("cannot lock {}", mark.display()))?;
        Ok(Self { path: temporary.keep(), _lock: lock, ephemeral: true })
    }

    /// Ends what a killed network left running.
    fn end_children(&self) {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        for peer in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PEER)) {
            let _ = children::clean_up(&peer.path().join("run"));
        }
    }

    /// Removes what lies in a folder that is to go, which may take long. What that leaves goes with this value.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        if self.ephemeral { empty(&self.path) } else { Ok(()) }
    }

    /// The folder's absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The ledgers, packages and builds of an organization's peer, counted from 0.
    pub(crate) fn peer(&self, organization: usize) -> PathBuf {
        match organization {
            0 => self.path.join(PEER),
            _ => self.path.join(format!("{PEER}-org{}", organization + 1)),
        }
    }

    /// The orderer's logs.
    pub(crate) fn orderer(&self) -> PathBuf {
        self.path.join("orderer")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ephemeral {
            // The mark last: without it, nobody would know what is left for ours.
            let removed = self.clear().and_then(|()| Ok(remove_folder(&self.path)?));
            if let Err(error) = removed {
                tracing::error!("{error:#}");
            }
        }
    }
}

/// The folders in `parent` of ephemeral networks that are no more; they go when they are dropped.
fn left_in(parent: &Path) -> impl Iterator<Item = Folder> {
    let own = rustix::process::geteuid().as_raw();
    fs::read_dir(parent).into_iter().flatten().flatten().filter_map(move |entry| {
        let named = entry.file_name().to_string_lossy().starts_with(EPHEMERAL);
        if !named || entry.metadata().ok().is_none_or(|found| !found.is_dir() || found.uid() != own) {
            return None;
        }
        let mark = entry.path().join(MARK);
        let lock = File::open(&mark).ok()?;
        lock.try_lock().ok()?;
        if fs::read_to_string(mark).ok()? != GOES {
            return None;
        }
        Some(Folder { path: entry.path(), _lock: lock, ephemeral: true })
    })
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(MARK);
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    match file.try_lock() {
        // Whoever names a folder means to keep it, even one that was to go.
        Ok(()) => file.set_len(0).map(|()| file).with_context(|| format!("cannot write {}", path.display())),
        Err(TryLockError::WouldBlock) => bail!(
            "another `windlass dev` is using {}; hint: stop it, or choose another folder with --data",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Whether a network runs in this folder, or whatever else keeps it locked.
pub(crate) fn is_in_use(folder: &Path) -> bool {
    let mark = File::open(folder.join(MARK));
    mark.is_ok_and(|mark| matches!(mark.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Deletes everything but the mark, which is locked.
fn empty(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == MARK) {
            continue;
        }
        remove_folder(&path).with_context(|| format!("cannot delete {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    fn printer() -> Printer {
        Printer::new(Color::Never)
    }

    fn args(data: &Path, fresh: bool) -> DevArgs {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            dev: DevArgs,
        }
        let mut line = vec!["dev".to_owned(), "--data".to_owned(), data.display().to_string()];
        line.extend(fresh.then(|| "--fresh".to_owned()));
        Line::parse_from(line).dev
    }

    #[test]
    fn starts_over_only_when_asked() {
        let parent = tempfile::tempdir().expect("a folder");
        let data = parent.path().join("net");
        let folder = Folder::open(&args(&data, false), &printer()).expect("a new folder");
        fs::create_dir(folder.peer(0)).expect("a sub-folder");
        drop(folder);
        assert!(Folder::open(&args(&data, false), &printer()).expect("the same").peer(0).exists());
        assert!(!Folder::open(&args(&data, true), &printer()).expect("a fresh one").peer(0).exists());
    }

    #[test]
    fn refuses_a_folder_in_use() {
        let parent = tempfile::tempdir().expect("a folder");
        let first = Folder::open(&args(parent.path(), false), &printer()).expect("a folder");
        assert!(is_in_use(parent.path()));
        let error = Folder::open(&args(parent.path(), false), &printer()).expect_err("in use");
        assert!(error.to_string().starts_with("another `windlass dev` is using "), "{error}");
        drop(first);
        assert!(!is_in_use(parent.path()));
    }

    #[test]
    fn never_touches_a_folder_of_somebody_else() {
        let parent = tempfile::tempdir().expect("a folder");
        fs::write(parent.path().join("thesis.txt"), "years of work").expect("a file");
        let error = Folder::open(&args(parent.path(), true), &printer()).expect_err("foreign");
        assert!(error.to_string().contains("is not empty and was not made by `windlass dev`"), "{error}");
        assert!(parent.path().join("thesis.txt").exists());
    }

    #[test]
    fn an_ephemeral_folder_goes_and_so_does_what_a_killed_network_left() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = || Folder::temporary(parent.path(), &printer()).expect("a folder");
        let (killed, other) = (folder(), folder());
        fs::create_dir_all(killed.peer(1).join("a/b")).expect("a sub-folder");
        let stranger = parent.path().join("windlass-notes");
        fs::create_dir(&stranger).expect("a folder");
        // Somebody's network, which lies there and is to stay.
        let kept = parent.path().join("windlass-mine");
        drop(Folder::open(&args(&kept, false), &printer()).expect("a folder"));
        let left = killed.path.clone();
        // A killed process drops nothing, but the system unlocks its files.
        let Folder { _lock, .. } = &killed;
        _lock.unlock().expect("unlocked");
        std::mem::forget(killed);
        let next = folder();
        assert!(!left.exists());
        assert!(other.path.exists() && stranger.exists() && kept.exists() && is_in_use(&next.path));
        // One that was to go and that somebody names is theirs from then on.
        let left = folder();
        let named = left.path.clone();
        left._lock.unlock().expect("unlocked");
        std::mem::forget(left);
        drop(Folder::open(&args(&named, false), &printer()).expect("the folder"));
        drop(folder());
        assert!(named.exists());
        let paths = [next.path.clone(), other.path.clone()];
        drop((next, other));
        assert!(paths.iter().all(|path| !path.exists()) && stranger.exists());
    }
}
