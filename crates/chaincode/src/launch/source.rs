//! The seam to builds: what a launch needs of them.

use std::{collections::BTreeMap, sync::Arc};

use futures::{FutureExt, future::BoxFuture};

use crate::build::{Build, Builds, Connection, ExitOutcome, Journal, Process, RunMetadata, sandbox::Limits};

/// Where built chaincode comes from. Errors are the texts of external builders.
pub(crate) trait Source: Send + Sync {
    /// Builds a package, or finds what was built.
    fn build<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Arc<dyn Artifact>, String>>;
}

/// What came out of a build.
pub(crate) trait Artifact: Send + Sync {
    /// Where the chaincode serves, if it does.
    fn connection(&self) -> Result<Option<Connection>, String>;

    /// Runs it, with these variables beside the usual ones, and these limits over the usual ones. What it prints
    /// goes to `output`.
    fn run(
        &self,
        metadata: &RunMetadata,
        environment: &BTreeMap<String, String>,
        limits: Limits,
        output: &Journal,
    ) -> Result<Box<dyn Running>, String>;

    /// Who built it.
    fn builder(&self) -> String;

    /// With which toolchain, if that is known.
    fn toolchain(&self) -> Option<String>;
}

/// A chaincode that runs. Dropping it kills it.
pub(crate) trait Running: Send {
    /// Resolves when it has ended.
    fn wait(&mut self) -> BoxFuture<'_, ExitOutcome>;

    /// Ends it, politely first.
    fn stop(&mut self) -> BoxFuture<'_, ()>;

    /// Which it is, such as `process 4711`.
    fn place(&self) -> String;
}

impl Source for Builds {
    fn build<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Arc<dyn Artifact>, String>> {
        async move {
            let build = Builds::build(self, id).await.map_err(|error| error.to_string())?;
            Ok(Arc::new(Built(build)) as Arc<dyn Artifact>)
        }
        .boxed()
    }
}

struct Built(Arc<Build>);

impl Artifact for Built {
    fn connection(&self) -> Result<Option<Connection>, String> {
        self.0.connection().map_err(|error| error.to_string())
    }

    fn run(
        &self,
        metadata: &RunMetadata,
        environment: &BTreeMap<String, String>,
        limits: Limits,
        output: &Journal,
    ) -> Result<Box<dyn Running>, String> {
        match self.0.run_with(metadata, environment, limits, output) {
            Ok(process) => Ok(Box::new(process)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn builder(&self) -> String {
        self.0.builder.clone()
    }

    fn toolchain(&self) -> Option<String> {
        self.0.toolchain()
    }
}

impl Running for Process {
    fn wait(&mut self) -> BoxFuture<'_, ExitOutcome> {
        Process::wait(self).boxed()
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        Process::stop(self).boxed()
    }

    fn place(&self) -> String {
        format!("process {}", self.pid())
    }
}
