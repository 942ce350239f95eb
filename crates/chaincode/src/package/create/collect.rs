//! The files of a folder that belong in a package.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::package::create::CreateError;

/// A file for the code archive.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Its path in the archive.
    pub(super) name: PathBuf,
    /// Where its content is.
    pub(super) path: PathBuf,
    pub(super) executable: bool,
}

/// Folders that are made from the others, or that belong to a tool.
const SKIPPED: [&str; 9] =
    ["node_modules", ".git", ".hg", ".svn", ".windlass", ".idea", ".vscode", ".DS_Store", ".gradle"];

/// The files below `folder`, sorted by name. Symbolic links to files inside it count as those files.
pub(super) fn collect(folder: &Path) -> Result<Vec<File>, CreateError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let current = folder.join(&below);
        let read = |cause| CreateError::Read { path: current.clone(), cause };
        for entry in fs::read_dir(&current).map_err(read)? {
            let entry = entry.map_err(read)?;
            if is_skipped(&entry.file_name(), &entry.path()) {
                continue;
            }
            let name = below.join(entry.file_name());
            match entry.file_type().map_err(read)? {
                kind if kind.is_dir() => folders.push(name),
                kind if kind.is_file() => files.push(file(name, entry.path())?),
                kind if kind.is_symlink() => files.push(linked(folder, name, entry.path())?),
                _ => return Err(CreateError::Special { path: entry.path() }),
            }
        }
    }
    files.sort_by(|a, b| a.name.as_os_str().cmp(b.name.as_os_str()));
    Ok(files)
}

/// Whether `path` is a file that may be run.
pub(super) fn is_executable(path: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(path)?;
    Ok(metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn is_skipped(name: &OsStr, path: &Path) -> bool {
    let has_beside = |file: &str| path.with_file_name(file).is_file();
    // These names may well be those of Go packages, unless there is a sign of the tool that makes them.
    let is_made = match name.to_str() {
        Some("target") => path.join("CACHEDIR.TAG").exists() || has_beside("pom.xml"),
        Some("build") => {
            ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"].into_iter().any(has_beside)
        }
        _ => false,
    };
    is_made || SKIPPED.iter().any(|skipped| name == *skipped)
}

fn file(name: PathBuf, path: PathBuf) -> Result<File, CreateError> {
    match is_executable(&path) {
        Ok(executable) => Ok(File { name, path, executable }),
        Err(cause) => Err(CreateError::Read { path, cause }),
    }
}

fn linked(folder: &Path, name: PathBuf, path: PathBuf) -> Result<File, CreateError> {
    match fs::canonicalize(&path) {
        Ok(target) if target.starts_with(folder) && target.is_file() => file(name, target),
        _ => Err(CreateError::Link { path }),
    }
}
