//! Finding toolchains, and giving them what they cannot do without.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{Access, access};
use tempfile::TempDir;

use crate::build::scratch::private;

/// A program on `PATH`, or an error that says what was looked for, where, and what to do.
pub(super) fn find(program: &str, hint: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file() && access(candidate, Access::EXEC_OK).is_ok())
        .ok_or_else(|| {
            format!("looked for '{program}' on PATH ({}) and did not find it; {hint}", path.to_string_lossy())
        })
}

/// A home for tools that need one when there is none; removed when dropped.
pub(super) struct Home(Option<TempDir>);

impl Home {
    /// The home that the environment names, else a fresh one.
    pub(super) fn find() -> Result<Self, String> {
        if env::var_os("HOME").is_some_and(|home| Path::new(&home).is_absolute()) {
            return Ok(Self(None));
        }
        let folder = private("fabric-home").tempdir();
        folder.map(|folder| Self(Some(folder))).map_err(|error| format!("cannot make a temporary folder: {error}"))
    }

    /// The fresh one, if that it is; it will be removed.
    pub(super) fn temporary(&self) -> Option<&Path> {
        self.0.as_ref().map(TempDir::path)
    }

    /// Gives it to a tool.
    pub(super) fn lend(&self, command: &mut Command) {
        if let Self(Some(folder)) = self {
            command.env("HOME", folder.path());
        }
    }
}
