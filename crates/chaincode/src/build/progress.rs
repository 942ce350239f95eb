//! What a build is doing, for those who watch.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast;

use crate::build::{OutputLine, Step, StepError};

/// Something happened while a chaincode was built or ran.
#[derive(Clone, Debug)]
pub struct BuildProgress {
    /// The chaincode: its package ID.
    pub id: Arc<str>,
    /// The builder at work.
    pub builder: Arc<str>,
    /// Its program.
    pub step: Step,
    /// What happened.
    pub event: StepEvent,
}

/// What happened to a step.
#[derive(Clone, Debug)]
pub enum StepEvent {
    /// The program was started.
    Started,
    /// It printed a line.
    Output(Arc<OutputLine>),
    /// It ended.
    Finished {
        /// How long it took.
        took: Duration,
        /// `None` if it succeeded, else why not: `exit status 1`.
        failure: Option<Arc<str>>,
    },
}

/// Tells those who watch, and the log, what one builder does for one chaincode.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    id: Arc<str>,
    builder: Arc<str>,
    watchers: broadcast::Sender<BuildProgress>,
}

impl Reporter {
    pub(super) fn new(id: &str, builder: &str, watchers: broadcast::Sender<BuildProgress>) -> Self {
        Self { id: id.into(), builder: builder.into(), watchers }
    }

    pub(super) fn builder(&self) -> &str {
        &self.builder
    }

    pub(super) fn started(&self, step: Step) {
        self.send(step, StepEvent::Started);
    }

    pub(super) fn output(&self, line: &Arc<OutputLine>) {
        tracing::info!(
            target: "chaincode.externalbuilder", builder = &*self.builder, command = line.step.name(), "{}", line.text
        );
        self.send(line.step, StepEvent::Output(line.clone()));
    }

    pub(super) fn finished(&self, step: Step, took: Duration, error: Option<&StepError>) {
        let failure = error.map(|error| error.to_string().into());
        tracing::debug!(
            target: "chaincode.externalbuilder", builder = &*self.builder, command = step.name(), ?took, ?failure,
            "program ended"
        );
        self.send(step, StepEvent::Finished { took, failure });
    }

    fn send(&self, step: Step, event: StepEvent) {
        // Nobody watching is fine.
        let _ = self.watchers.send(BuildProgress { id: self.id.clone(), builder: self.builder.clone(), step, event });
    }
}
