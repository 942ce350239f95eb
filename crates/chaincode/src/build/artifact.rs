//! What came out of a build.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    build::{
        Connection, ConnectionError, Journal, OutputLine, Process, RunError, RunMetadata, Step, connection, persist,
        running::Launcher,
        sandbox::Limits,
        scratch::{temporary, write_private},
    },
    package::errno,
};

/// The file in which a buildpack notes the version of its toolchain, beside what it made.
pub(super) const TOOLCHAIN: &str = "toolchain";

/// What a builder made of a package: kept on disk, found again after a restart.
#[derive(Debug)]
pub struct Build {
    /// The chaincode: its package ID.
    pub id: String,
    /// Which builder made it.
    pub builder: String,
    pub(super) launcher: Launcher,
    pub(super) folder: PathBuf,
    pub(super) scratch: Option<PathBuf>,
}

impl Build {
    /// Where the chaincode serves, if it is a server. Read from disk at every call, since operators edit it.
    pub fn connection(&self) -> Result<Option<Connection>, ConnectionError> {
        connection::read(&self.release_folder().join("chaincode").join("server").join("connection.json"))
    }

    /// Starts the chaincode. To be called inside a Tokio runtime; takes as long as starting a program.
    pub fn run(&self, metadata: &RunMetadata) -> Result<Process, RunError> {
        self.run_with(metadata, &BTreeMap::new(), Limits::default(), &Journal::default())
    }

    /// [`Self::run`], with these variables beside those that the builder's programs always get, and these limits
    /// over those of all chaincode. What it prints goes to `output`.
    pub fn run_with(
        &self,
        metadata: &RunMetadata,
        environment: &BTreeMap<String, String>,
        limits: Limits,
        output: &Journal,
    ) -> Result<Process, RunError> {
        let folder_failed = |error: &std::io::Error| RunError::Folder(errno::text(error));
        let folder = temporary(self.scratch.as_deref(), "fabric-run").map_err(|error| folder_failed(&error))?;
        write_private(&folder.path().join("chaincode.json"), metadata.to_json().as_bytes(), 0o600)
            .map_err(|error| folder_failed(&error))?;
        let built = std::path::absolute(self.folder.join("bld")).map_err(|error| folder_failed(&error))?;
        let launcher = Launcher { variables: environment.clone(), limits, ..self.launcher.clone() };
        let started = launcher.start(Step::Run, &[&built, folder.path()], folder.path(), output);
        let running = started.map_err(|error| RunError::NotStarted { builder: self.builder.clone(), error })?;
        Ok(Process::new(self.launcher.reporter.clone(), running, folder))
    }

    /// The last lines that the programs printed when this was built, and notes about them.
    pub fn output(&self) -> Vec<OutputLine> {
        persist::output(&self.folder).unwrap_or_default()
    }

    /// The version of the toolchain that built it, such as `go1.26.1`, if the builder is a buildpack that noted one.
    pub fn toolchain(&self) -> Option<String> {
        const LONGEST: usize = 100;
        let text = std::fs::read_to_string(self.folder.join("bld").join(TOOLCHAIN)).ok()?;
        let line = text.lines().next()?.trim();
        let is_plain = line.len() <= LONGEST && !line.chars().any(char::is_control);
        (is_plain && !line.is_empty()).then(|| line.to_owned())
    }

    /// What `release` left for the peer. Under `statedb` lie indexes for CouchDB.
    pub fn release_folder(&self) -> PathBuf {
        self.folder.join("release")
    }

    /// Whether it is still on disk.
    pub(super) fn is_there(&self) -> bool {
        self.folder.is_dir()
    }
}
