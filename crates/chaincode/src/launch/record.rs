//! What a chaincode was up to, for people to look at.

use std::{collections::BTreeMap, fmt};

use parking_lot::Mutex;

use crate::{
    engine::status::{InstanceState, InstanceStatus},
    launch::source::Output,
};

/// How many lines of output are shown.
const LINES: usize = 20;

/// The history of one chaincode, kept as long as the engine.
#[derive(Default)]
pub(crate) struct Record(Mutex<History>);

#[derive(Default)]
struct History {
    builder: String,
    restarts: u64,
    last_error: Option<String>,
    output: Option<Output>,
    instances: BTreeMap<u32, InstanceStatus>,
    retired: bool,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("instances", &self.0.lock().instances).finish_non_exhaustive()
    }
}

impl Record {
    pub(crate) fn built_by(&self, builder: String) {
        self.0.lock().builder = builder;
    }

    /// One more instance; its number is the lowest that is free.
    pub(crate) fn join(&self, place: &str) -> u32 {
        let mut history = self.0.lock();
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
        if let Some(instance) = self.0.lock().instances.get_mut(&number) {
            instance.state = InstanceState::Starting;
        }
    }

    /// A process runs, and prints.
    pub(crate) fn runs(&self, number: u32, place: String, output: Output) {
        let mut history = self.0.lock();
        history.output = Some(output);
        if let Some(instance) = history.instances.get_mut(&number) {
            instance.place = place;
        }
    }

    pub(crate) fn serving(&self, number: u32) {
        if let Some(instance) = self.0.lock().instances.get_mut(&number) {
            instance.state = InstanceState::Serving;
        }
    }

    pub(crate) fn draining(&self, number: u32) {
        if let Some(instance) = self.0.lock().instances.get_mut(&number) {
            instance.state = InstanceState::Draining;
        }
    }

    /// An instance does not serve, for this reason.
    pub(crate) fn down(&self, number: u32, error: String) {
        let mut history = self.0.lock();
        history.last_error = Some(error.clone());
        if let Some(instance) = history.instances.get_mut(&number) {
            instance.state = InstanceState::Down;
            instance.last_error = Some(error);
        }
    }

    /// An instance is started again by itself, or the whole chaincode by a call.
    pub(crate) fn restarted(&self, number: Option<u32>) {
        let mut history = self.0.lock();
        history.restarts += 1;
        if let Some(instance) = number.and_then(|number| history.instances.get_mut(&number)) {
            instance.restarts += 1;
        }
    }

    pub(crate) fn gone(&self, number: u32) {
        self.0.lock().instances.remove(&number);
    }

    /// No channel runs it any more; or one does again.
    pub(crate) fn retire(&self, retired: bool) {
        self.0.lock().retired = retired;
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.0.lock().retired
    }

    pub(crate) fn builder(&self) -> String {
        self.0.lock().builder.clone()
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.0.lock().restarts
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.0.lock().last_error.clone()
    }

    pub(crate) fn instances(&self) -> Vec<InstanceStatus> {
        self.0.lock().instances.values().cloned().collect()
    }

    /// The last lines that the chaincode printed.
    pub(crate) fn output(&self) -> Vec<String> {
        let output = self.0.lock().output.clone();
        let mut lines = output.map(|output: Output| output.lines()).unwrap_or_default();
        lines.split_off(lines.len().saturating_sub(LINES))
    }
}
