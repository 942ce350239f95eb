//! What a chaincode was up to, for people to look at.

use std::{collections::BTreeMap, fmt};

use parking_lot::Mutex;

use crate::{
    build::{Journal, Step},
    engine::status::{InstanceState, InstanceStatus},
};

/// How many lines of output are shown.
const LINES: usize = 20;

/// The history of one chaincode, kept as long as the engine.
#[derive(Default)]
pub(crate) struct Record {
    history: Mutex<History>,
    /// What all instances printed, those that have ended included.
    output: Journal,
}

#[derive(Default)]
struct History {
    builder: String,
    toolchain: Option<String>,
    restarts: u64,
    last_error: Option<String>,
    instances: BTreeMap<u32, InstanceStatus>,
    retired: bool,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("instances", &self.history.lock().instances).finish_non_exhaustive()
    }
}

impl Record {
    pub(crate) fn built_by(&self, builder: String, toolchain: Option<String>) {
        let mut history = self.history.lock();
        (history.builder, history.toolchain) = (builder, toolchain);
    }

    /// One more instance; its number is the lowest that is free.
    pub(crate) fn join(&self, place: &str) -> u32 {
        let mut history = self.history.lock();
        let free = (1..).find(|number| !history.instances.contains_key(number));
        let number = free.unwrap_or(u32::MAX);
        let status = InstanceStatus {
            number,
            place: place.to_owned(),
            state: InstanceState::Starting,
            streams: 0,
            executions: 0,
            restarts: 0,
            last_error: None,
        };
        history.instances.insert(number, status);
        number
    }

    /// An instance comes up, again or for the first time.
    pub(crate) fn starting(&self, number: u32) {
        if let Some(instance) = self.history.lock().instances.get_mut(&number) {
            instance.state = InstanceState::Starting;
        }
    }

    /// A process runs.
    pub(crate) fn runs(&self, number: u32, place: String) {
        self.note(number, format!("{place} started"));
        if let Some(instance) = self.history.lock().instances.get_mut(&number) {
            instance.place = place;
        }
    }

    /// Notes something about an instance beside what it prints.
    pub(crate) fn note(&self, number: u32, text: impl Into<String>) {
        self.output.instance(number).note(Step::Run, text);
    }

    pub(crate) fn serving(&self, number: u32) {
        if let Some(instance) = self.history.lock().instances.get_mut(&number) {
            instance.state = InstanceState::Serving;
        }
    }

    pub(crate) fn draining(&self, number: u32) {
        if let Some(instance) = self.history.lock().instances.get_mut(&number) {
            instance.state = InstanceState::Draining;
        }
    }

    /// An instance does not serve, for this reason.
    pub(crate) fn down(&self, number: u32, error: String) {
        let mut history = self.history.lock();
        history.last_error = Some(error.clone());
        if let Some(instance) = history.instances.get_mut(&number) {
            instance.state = InstanceState::Down;
            instance.last_error = Some(error);
        }
    }

    /// An instance is started again by itself, or the whole chaincode by a call.
    pub(crate) fn restarted(&self, number: Option<u32>) {
        let mut history = self.history.lock();
        history.restarts += 1;
        if let Some(instance) = number.and_then(|number| history.instances.get_mut(&number)) {
            instance.restarts += 1;
        }
    }

    pub(crate) fn gone(&self, number: u32) {
        self.history.lock().instances.remove(&number);
    }

    /// No channel runs it any more; or one does again.
    pub(crate) fn retire(&self, retired: bool) {
        self.history.lock().retired = retired;
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.history.lock().retired
    }

    pub(crate) fn builder(&self) -> String {
        self.history.lock().builder.clone()
    }

    pub(crate) fn toolchain(&self) -> Option<String> {
        self.history.lock().toolchain.clone()
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.history.lock().restarts
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.history.lock().last_error.clone()
    }

    pub(crate) fn instances(&self) -> Vec<InstanceStatus> {
        self.history.lock().instances.values().cloned().collect()
    }

    /// The last lines that the chaincode printed.
    pub(crate) fn output(&self) -> Vec<String> {
        let mut lines = self.output.texts();
        lines.split_off(lines.len().saturating_sub(LINES))
    }

    /// All that is kept of what the chaincode printed, and more as it comes.
    pub(crate) fn journal(&self) -> &Journal {
        &self.output
    }
}
