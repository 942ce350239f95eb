//! Where everything lies: one folder, used by one network at a time.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::args::dev::DevArgs;

/// The file that says "a network's folder", and that a running network holds locked.
const MARK: &str = ".windlass-network";

/// A network's folder, locked as long as this value lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
    _temporary: Option<TempDir>,
}

impl Folder {
    /// Opens or creates the folder that the arguments ask for.
    pub(crate) fn open(args: &DevArgs) -> anyhow::Result<Self> {
        if args.ephemeral {
            let temporary = tempfile::Builder::new().prefix("windlass-").tempdir().context("no temporary folder")?;
            let path = temporary.path().to_owned();
            return Ok(Self { _lock: lock(&path)?, path, _temporary: Some(temporary) });
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
        Ok(Self { path, _lock: lock, _temporary: None })
    }

    /// The folder's absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The ledgers, packages and builds of an organization's peer, counted from 0.
    pub(crate) fn peer(&self, organization: usize) -> PathBuf {
        match organization {
            0 => self.path.join("peer"),
            _ => self.path.join(format!("peer-org{}", organization + 1)),
        }
    }

    /// The orderer's logs.
    pub(crate) fn orderer(&self) -> PathBuf {
        self.path.join("orderer")
    }
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(MARK);
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
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
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("cannot delete {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let folder = Folder::open(&args(&data, false)).expect("a new folder");
        fs::create_dir(folder.peer(0)).expect("a sub-folder");
        drop(folder);
        assert!(Folder::open(&args(&data, false)).expect("the same").peer(0).exists());
        assert!(!Folder::open(&args(&data, true)).expect("a fresh one").peer(0).exists());
    }

    #[test]
    fn refuses_a_folder_in_use() {
        let parent = tempfile::tempdir().expect("a folder");
        let first = Folder::open(&args(parent.path(), false)).expect("a folder");
        assert!(is_in_use(parent.path()));
        let error = Folder::open(&args(parent.path(), false)).expect_err("in use");
        assert!(error.to_string().starts_with("another `windlass dev` is using "), "{error}");
        drop(first);
        assert!(!is_in_use(parent.path()));
    }

    #[test]
    fn never_touches_a_folder_of_somebody_else() {
        let parent = tempfile::tempdir().expect("a folder");
        fs::write(parent.path().join("thesis.txt"), "years of work").expect("a file");
        let error = Folder::open(&args(parent.path(), true)).expect_err("foreign");
        assert!(error.to_string().contains("is not empty and was not made by `windlass dev`"), "{error}");
        assert!(parent.path().join("thesis.txt").exists());
    }
}
