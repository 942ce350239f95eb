//! Somebody at a prompt.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use regex::Regex;
use serde_json::Value;

use crate::e2e::support::place::{Place, SAMPLE};

/// Somebody who works in a folder.
#[derive(Debug)]
pub(crate) struct Person {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// All that a command says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: PathBuf,
}

impl Person {
    /// Works in a place's folder, where `windlass dev` keeps its network too.
    pub(crate) fn at(place: &Place) -> Self {
        Self::within(place.path())
    }

    pub(crate) fn within(folder: &Path) -> Self {
        Self { folder: fs::canonicalize(folder).expect("a folder"), variables: Vec::new() }
    }

    /// Has set a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has not set a variable after all.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(set, _)| set != name);
        self
    }

    /// Has sourced a script of the network.
    pub(crate) fn sourced(self, script: &Path) -> Self {
        let script = fs::read_to_string(script).expect("a script");
        let exported = script.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        exported.fold(self, |person, (name, value)| person.with(name, value.trim_matches('\'')))
    }

    /// `windlass WORDS…`.
    pub(crate) fn types<const N: usize>(&self, words: [&str; N]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(words).current_dir(&self.folder).env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let output = command.envs(self.variables.iter().cloned()).output().expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Said {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            folder: self.folder.clone(),
        }
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

/// Everything, with what differs from run to run under the name of its kind.
impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masks = [
            (r"\b[0-9a-f]{64}\b", "HASH"),
            (r":[0-9a-f]{8}\b", ":HASH"),
            (r"localhost:\d+", "localhost:PORT"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"process \d+", "process ID"),
            (r"block \d+", "block N"),
            (r"\d+ bytes", "N bytes"),
            (r"in \d+\.\d s", "in TIME"),
            (r"\d{4}-\d\d-\d\d", "DATE"),
        ];
        let mask = |text: &str| {
            let text = text.replace(&self.folder.display().to_string(), "DIR");
            masks.iter().fold(text, |text, (pattern, name)| {
                Regex::new(&format!("(?-u){pattern}")).expect("a pattern").replace_all(&text, *name).into_owned()
            })
        };
        let code = self.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        write!(f, "exit code {code}\n--- stdout\n{}--- stderr\n{}", mask(&self.stdout), mask(&self.stderr))
    }
}

/// Chaincode that needs no toolchain: the bundled sample, as an executable. `note` makes other code of it.
pub(crate) fn chaincode(place: &Place, name: &str, note: &str) -> PathBuf {
    place.program(name, &format!("# {note}\n{SAMPLE}"))
}
