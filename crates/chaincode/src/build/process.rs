//! A chaincode that runs.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::build::{Step, StepError, disk::Temporary, progress::Reporter, running::Running};
use serde::Serialize;

/// What a chaincode is told when it is started: `chaincode.json`, in this order.
// Fabric: external-builders §7
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunMetadata {
    /// The package ID, by which it must register.
    pub chaincode_id: String,
    /// Where to register: `host:port`.
    pub peer_address: String,
    /// Its certificate, PEM; empty without TLS.
    pub client_cert: String,
    /// The key of its certificate, PEM; empty without TLS.
    pub client_key: String,
    /// Whom to trust, PEM; empty without TLS.
    pub root_cert: String,
    /// The MSP of the peer.
    pub mspid: String,
}

impl RunMetadata {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a struct of texts")
    }
}

impl fmt::Debug for RunMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunMetadata")
            .field("chaincode_id", &self.chaincode_id)
            .field("peer_address", &self.peer_address)
            .field("mspid", &self.mspid)
            .field("tls", &!self.root_cert.is_empty())
            .finish()
    }
}

/// Why a chaincode could not be started.
// Fabric: external-builders §7
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The program cannot be started.
    #[error("could not execute run: builder '{builder}' run failed to start: {error}")]
    NotStarted {
        /// Whose.
        builder: String,
        /// Why.
        error: StepError,
    },
    /// There is no place for `chaincode.json`.
    #[error("could not execute run: could not create temp run dir: {0}")]
    Folder(String),
}

/// How a chaincode ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitOutcome {
    /// The builder that ran it.
    pub builder: String,
    /// `None`: it ended by itself with status 0.
    pub error: Option<StepError>,
}

impl ExitOutcome {
    /// The exit status, -1 if a signal ended it.
    pub fn code(&self) -> i32 {
        match &self.error {
            None => 0,
            Some(StepError::Exited(code)) => *code,
            Some(_) => -1,
        }
    }
}

impl fmt::Display for ExitOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => write!(f, "builder '{}' run ended", self.builder),
            Some(error) => write!(f, "builder '{}' run failed: {error}", self.builder),
        }
    }
}

/// A chaincode that runs, with everything that it started. Dropping it kills all of that.
#[derive(Debug)]
pub struct Process {
    running: Running,
    reporter: Reporter,
    /// Holds `chaincode.json`, and so a private key: goes with the program.
    folder: Option<Temporary>,
    started: Instant,
    outcome: Option<ExitOutcome>,
}

/// How long a chaincode may take to end when asked.
// Fabric: external-builders §7
const PATIENCE: Duration = Duration::from_secs(5);
/// How long its last words may take to arrive after it ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

impl Process {
    pub(super) fn new(reporter: Reporter, running: Running, folder: Temporary) -> Self {
        Self { running, reporter, folder: Some(folder), started: Instant::now(), outcome: None }
    }

    /// Waits until the program ends. May be dropped and called again. What the program started and left running
    /// goes on until this value is dropped.
    pub async fn wait(&mut self) -> ExitOutcome {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        let ended = self.running.wait().await;
        self.running.read_on(LAST_WORDS).await;
        self.running.explain(Step::Run, &ended);
        let error = ended.err();
        if let Some(folder) = self.folder.take() {
            folder.removed().await;
        }
        self.reporter.finished(Step::Run, self.started.elapsed(), error.as_ref());
        let outcome = ExitOutcome { builder: self.reporter.builder().to_owned(), error };
        self.outcome.insert(outcome).clone()
    }

    /// Ends it and everything it started: a polite signal, and after five seconds one that none can refuse.
    pub async fn stop(&mut self) {
        self.running.stop(PATIENCE).await;
        self.wait().await;
    }

    /// The last lines that it printed.
    pub fn output_tail(&self) -> Vec<String> {
        self.running.journal().texts()
    }

    /// Its process ID, which is also that of its group.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_all_six_keys_in_order_even_without_tls() {
        let metadata = RunMetadata { chaincode_id: "a:b".into(), mspid: "Org1MSP".into(), ..RunMetadata::default() };
        assert_eq!(
            metadata.to_json(),
            r#"{"chaincode_id":"a:b","peer_address":"","client_cert":"","client_key":"","root_cert":"","mspid":"Org1MSP"}"#
        );
    }

    #[test]
    fn tells_how_a_chaincode_ended() {
        let outcome = |error| ExitOutcome { builder: "x".into(), error };
        for (error, code, text) in [
            (None, 0, "builder 'x' run ended"),
            (Some(StepError::Exited(3)), 3, "builder 'x' run failed: exit status 3"),
            (Some(StepError::Signalled("killed".into())), -1, "builder 'x' run failed: signal: killed"),
        ] {
            assert_eq!((outcome(error.clone()).code(), outcome(error).to_string()), (code, text.to_owned()));
        }
    }
}
