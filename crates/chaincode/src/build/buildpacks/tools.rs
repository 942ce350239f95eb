//! Finding toolchains, and giving them what they cannot do without.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{Access, access};
use tempfile::TempDir;

use crate::build::{
    artifact::TOOLCHAIN,
    buildpacks::{PARENT, say},
    scratch::private,
};

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

/// Says which toolchain is used, and notes it beside what it makes, where [`TOOLCHAIN`] is found.
pub(super) fn record(output: &Path, version: &str) -> Result<(), String> {
    say(&format!("using {version}"));
    let path = output.join(TOOLCHAIN);
    fs::write(&path, version).map_err(|error| format!("cannot write '{}': {error}", path.display()))
}

/// What a command says, its first line; `None` if it fails or says nothing.
pub(super) fn first_line(mut command: Command) -> Option<String> {
    let output = command.env_remove(PARENT).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// `[18, 1, 0]` of `18.1`; `None` of what is no plain version.
pub(super) fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut numbers = [0; 3];
    let parts: Vec<_> = version.trim().split('.').collect();
    for (number, part) in numbers.iter_mut().zip(&parts) {
        *number = part.parse().ok()?;
    }
    (parts.len() <= 3).then_some(numbers)
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
