//! External builders, and the built-in buildpacks that obey the same contract.
//!
//! A builder is four programs: `detect`, `build`, `release` and `run`. [`Builds`] asks each in turn whether a
//! package is for it, lets the first that says so build, and keeps what came out. The built-in
//! [`buildpacks`] are such builders too; there is one mechanism.
//!
//! - [`Builds`]: the router and the memory of what was built; start reading here
//! - [`Build`]: what came out: where to connect, or what to run
//! - [`Process`]: a chaincode that runs
//! - [`children`]: ending what a killed process left running
//! - [`sandbox`]: keeping what packages bring away from everything that is not theirs

use std::{path::PathBuf, time::Duration};

pub mod buildpacks;
pub mod children;
pub mod sandbox;

pub(crate) mod disk;

mod artifact;
mod connection;
mod copy;
mod environment;
mod error;
mod failures;
mod journal;
mod output;
mod persist;
mod process;
mod progress;
mod registry;
mod router;
mod running;
mod scratch;
mod spawner;

pub use artifact::Build;
pub use connection::{Connection, ConnectionError, ConnectionTls};
pub use disk::remove as remove_folder;
pub use error::{BuildError, Declined, Failure, StepError};
pub use journal::Journal;
pub use output::{OutputLine, Stream};
pub use process::{ExitOutcome, Process, RunError, RunMetadata};
pub use progress::{BuildProgress, StepEvent};
pub use registry::Builds;

/// One builder, as `chaincode.externalBuilders` of `core.yaml` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderConfig {
    /// Its name; kept with what it builds, and looked up again after a restart.
    pub name: String,
    /// Its programs.
    pub program: Program,
    /// The variables of our environment that its programs get, beside `LD_LIBRARY_PATH`, `LIBPATH`, `PATH`
    /// and `TMPDIR`. A name that ends in `*` stands for every variable that begins so.
    pub propagate_environment: Vec<String>,
}

/// The programs of a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A folder with `bin/detect`, `bin/build`, `bin/release` and `bin/run`.
    Folder(PathBuf),
    /// A built-in buildpack: `EXECUTABLE buildpack NAME STEP ARGS…`.
    Buildpack {
        /// The Windlass binary.
        executable: PathBuf,
        /// Which of [`buildpacks::NAMES`].
        name: String,
    },
}

/// How builds are made.
#[derive(Clone, Debug)]
pub struct BuildsConfig {
    /// Where builds are kept: `<fs>/externalbuilder/builds`.
    pub folder: PathBuf,
    /// Where the output of builds that failed is kept for a while: `<fs>/externalbuilder/failed`.
    pub failed: PathBuf,
    /// Where running children are noted, for [`children::clean_up`]: `<fs>/run`.
    pub children: PathBuf,
    /// The builders, asked in this order.
    pub builders: Vec<BuilderConfig>,
    /// Where packages are unpacked and built; `None`: the system's folder for temporary files.
    pub scratch: Option<PathBuf>,
    /// How long each program may take.
    pub time: StepTimes,
    /// Whether programs are confined; by default they are not.
    pub sandbox: sandbox::SandboxConfig,
    /// How long a failure answers for further attempts before the build is tried again.
    pub keep_failures: Duration,
}

impl BuildsConfig {
    /// The configuration for a peer's file system path, with the usual times.
    pub fn below(file_system: &std::path::Path, builders: Vec<BuilderConfig>) -> Self {
        Self {
            folder: file_system.join("externalbuilder").join("builds"),
            failed: file_system.join("externalbuilder").join("failed"),
            children: file_system.join("run"),
            builders,
            scratch: None,
            time: StepTimes::default(),
            sandbox: sandbox::SandboxConfig::default(),
            keep_failures: Duration::from_secs(10),
        }
    }
}

/// How long the programs of a builder may take before they are killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTimes {
    /// `detect`: a minute.
    pub detect: Duration,
    /// `build`: half an hour; toolchains download.
    pub build: Duration,
    /// `release`: five minutes.
    pub release: Duration,
    /// What a program started and left running may go on printing before it is killed: ten seconds.
    pub aftermath: Duration,
}

impl StepTimes {
    fn of(&self, step: Step) -> Duration {
        match step {
            Step::Detect => self.detect,
            Step::Build => self.build,
            Step::Release => self.release,
            Step::Run => Duration::MAX,
        }
    }
}

impl Default for StepTimes {
    fn default() -> Self {
        Self {
            detect: Duration::from_secs(60),
            build: Duration::from_secs(30 * 60),
            release: Duration::from_secs(5 * 60),
            aftermath: Duration::from_secs(10),
        }
    }
}

/// The four programs of a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Is this package for you?
    Detect,
    /// Make something that runs.
    Build,
    /// Hand out what the peer itself needs.
    Release,
    /// Run it.
    Run,
}

impl Step {
    pub(crate) const ALL: [Self; 4] = [Self::Detect, Self::Build, Self::Release, Self::Run];

    /// The program's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Build => "build",
            Self::Release => "release",
            Self::Run => "run",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
