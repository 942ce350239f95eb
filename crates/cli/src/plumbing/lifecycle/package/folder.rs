//! Node and Java: everything in a folder, except what a build makes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Code, Source, index};
use crate::plumbing::{failure::Failure, golang::system_error};

/// A Node package.
pub(super) fn node(path: &str) -> Result<Code, Failure> {
    let files = collect(path, &["node_modules", ".git"], None).map_err(|error| {
        Failure::failed(format!("error getting chaincode bytes: Error writing Chaincode package contents: {error}"))
    })?;
    Ok(Code { path: path.to_owned(), folders: Vec::new(), files })
}

/// A Java project.
pub(super) fn java(path: &str) -> Result<Code, Failure> {
    let files = collect(path, &["target", "build", "out", ".git"], Some("class")).map_err(|error| {
        Failure::failed(format!("error getting chaincode bytes: failed to create chaincode package: {error}"))
    })?;
    Ok(Code { path: path.to_owned(), folders: Vec::new(), files })
}

fn collect(path: &str, left_out: &[&str], without: Option<&str>) -> Result<Vec<Source>, String> {
    let root = Path::new(path);
    let mut files = Vec::new();
    walk(root, &mut |entry| {
        if entry.is_folder {
            return Ok(!left_out.contains(&entry.name));
        }
        if without.is_some_and(|ending| entry.path.extension().is_some_and(|extension| extension == ending)) {
            return Ok(false);
        }
        let below = entry.path.strip_prefix(root).unwrap_or(entry.path).display().to_string();
        let name = if below.starts_with("META-INF") {
            if entry.name.starts_with('.') {
                return Ok(false);
            }
            index::check(&below, entry.path)?;
            below
        } else {
            format!("src/{below}")
        };
        files.push(Source { name, path: entry.path.to_owned() });
        Ok(false)
    })?;
    if files.is_empty() {
        return Err(format!("no source files found in '{path}'"));
    }
    Ok(files)
}

/// What a walk meets.
pub(super) struct Met<'a> {
    pub(super) path: &'a Path,
    pub(super) name: &'a str,
    /// A symbolic link is none, wherever it leads.
    pub(super) is_folder: bool,
}

/// Visits a folder and everything below it, each folder's entries by name. A visit of a folder says whether to go in.
pub(super) fn walk(path: &Path, visit: &mut impl FnMut(Met<'_>) -> Result<bool, String>) -> Result<(), String> {
    let failed = |verb: &str, error: std::io::Error| format!("{verb} {}: {}", path.display(), system_error(&error));
    let is_folder = fs::symlink_metadata(path).map_err(|error| failed("lstat", error))?.is_dir();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !visit(Met { path, name: &name, is_folder })? || !is_folder {
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| failed("open", error))?;
    entries.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    entries.iter().try_for_each(|entry| walk(entry, visit))
}
