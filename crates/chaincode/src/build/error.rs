//! Why there is no build.

use std::{fmt, sync::Arc, time::Duration};

use crate::build::{OutputLine, Step, sandbox::Excess};

/// Why a chaincode could not be built.
///
/// The first line of the text is what Fabric prints after `could not build chaincode: `; the lines after it say
/// which builders were asked, and end with what the failed program printed last.
#[derive(Clone, Debug)]
pub struct BuildError {
    /// What failed.
    pub failure: Failure,
    /// The builders that were asked before, and why each did not want the package.
    pub declined: Arc<[Declined]>,
    /// The last lines that the failed program printed.
    pub output: Arc<[Arc<OutputLine>]>,
}

/// A builder that did not want the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declined {
    /// Its name.
    pub builder: String,
    /// The last line that it printed, or how it ended.
    pub reason: String,
}

/// What failed.
// Fabric: external-builders §4, §6, §10
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No builder wants the package.
    #[error("docker build failed: docker build is disabled")]
    NoBuilder,
    /// The package cannot be had.
    #[error("failed to get chaincode package for external build: {0}")]
    Package(String),
    /// What an earlier run built cannot be used.
    #[error("external builder failed: existing build could not be restored: {0}")]
    Restore(String),
    /// The package cannot be unpacked.
    #[error("external builder failed: could not create build context: {0}")]
    Context(String),
    /// The program `build` failed.
    #[error("external builder failed: external builder failed to build: external builder '{builder}' failed: {error}")]
    Build {
        /// Whose.
        builder: String,
        /// How it ended.
        error: StepError,
    },
    /// The program `release` failed.
    #[error("external builder failed: external builder failed to release: builder '{builder}' release failed: {error}")]
    Release {
        /// Whose.
        builder: String,
        /// How it ended.
        error: StepError,
    },
    /// The result could not be kept.
    #[error("external builder failed: {0}")]
    Persist(String),
    /// The peer stops.
    #[error("the build was abandoned because the peer is stopping")]
    Abandoned,
}

/// How a program of a builder failed.
// Fabric: external-builders §6
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// It ended by itself.
    #[error("exit status {0}")]
    Exited(i32),
    /// A signal ended it.
    #[error("signal: {0}")]
    Signalled(String),
    /// It could not be started.
    #[error("fork/exec {program}: {cause}")]
    NotStarted {
        /// Its path.
        program: String,
        /// What the system said.
        cause: String,
    },
    /// It may not be started without being confined, and cannot be confined.
    #[error("it cannot be confined as windlass.sandbox.mode demands: {reason}")]
    NotConfined {
        /// Why not.
        reason: String,
    },
    /// It, or what it started, went beyond a limit and was killed.
    #[error("{step} {excess} and was killed")]
    Exceeded {
        /// Which program.
        step: Step,
        /// Which limit.
        excess: Excess,
    },
    /// It took too long and was killed.
    #[error("{step} took longer than {limit:?} and was killed")]
    TimedOut {
        /// Which program.
        step: Step,
        /// What was allowed.
        limit: Duration,
    },
}

impl BuildError {
    /// How many lines of output the text ends with; [`Self::output`] has more.
    const SHOWN: usize = 40;

    /// The program at which it failed.
    pub(super) fn step(&self) -> Step {
        match self.failure {
            Failure::NoBuilder | Failure::Package(_) | Failure::Restore(_) | Failure::Context(_) => Step::Detect,
            Failure::Build { .. } | Failure::Abandoned => Step::Build,
            Failure::Release { .. } | Failure::Persist(_) => Step::Release,
        }
    }

    /// A failure without anything around it.
    pub(super) fn plain(failure: Failure) -> Self {
        Self { failure, declined: Arc::default(), output: Arc::default() }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.failure)?;
        for Declined { builder, reason } in self.declined.iter() {
            write!(f, "\nbuilder '{builder}' declined: {reason}")?;
        }
        for line in &self.output[self.output.len().saturating_sub(Self::SHOWN)..] {
            write!(f, "\n{}: {}", line.step, line.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Stream;

    #[test]
    fn puts_fabrics_text_first() {
        let builder = || "x".to_owned();
        for (failure, text) in [
            (Failure::NoBuilder, "docker build failed: docker build is disabled"),
            (
                Failure::Build { builder: builder(), error: StepError::Exited(1) },
                "external builder failed: external builder failed to build: external builder 'x' failed: exit status 1",
            ),
            (
                Failure::Build { builder: builder(), error: StepError::Signalled("killed".into()) },
                "external builder failed: external builder failed to build: external builder 'x' failed: signal: killed",
            ),
            (
                Failure::Release { builder: builder(), error: StepError::Exited(2) },
                "external builder failed: external builder failed to release: builder 'x' release failed: exit status 2",
            ),
            (
                Failure::Context("could not untar source package: oh".into()),
                "external builder failed: could not create build context: could not untar source package: oh",
            ),
            (Failure::Restore("oh".into()), "external builder failed: existing build could not be restored: oh"),
        ] {
            let output = [Arc::new(OutputLine::new(Step::Build, Stream::Error, "last words".into()))];
            let error = BuildError { output: output.into(), ..BuildError::plain(failure) };
            assert_eq!(error.to_string(), format!("{text}\nbuild: last words"));
        }
    }
}
