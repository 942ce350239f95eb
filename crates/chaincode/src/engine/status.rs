//! What runs, for people to look at.

use serde::Serialize;

/// One chaincode, as the engine sees it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChaincodeStatus {
    /// The ID under which it registers: its package ID.
    pub id: String,
    /// What it is doing.
    #[serde(flatten)]
    pub state: ChaincodeState,
    /// What built it; empty before it was built.
    pub builder: String,
    /// The version of the toolchain that built it, if that is known.
    pub toolchain: Option<String>,
    /// The streams that have registered.
    pub streams: usize,
    /// The transactions in flight.
    pub executions: usize,
    /// The queries that those have open.
    pub iterators: usize,
    /// How often an instance, or all of it, was started again.
    pub restarts: u64,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
    /// The last lines that it printed, if the peer runs it.
    pub output: Vec<String>,
    /// Its processes, or the servers that are dialed.
    pub instances: Vec<InstanceStatus>,
}

impl ChaincodeStatus {
    /// A chaincode that was never launched.
    pub(crate) fn idle(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: ChaincodeState::Idle,
            builder: String::new(),
            toolchain: None,
            streams: 0,
            executions: 0,
            iterators: 0,
            restarts: 0,
            last_error: None,
            output: Vec::new(),
            instances: Vec::new(),
        }
    }
}

/// What a chaincode is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "lowercase")]
pub enum ChaincodeState {
    /// A launch is under way.
    Starting,
    /// Registered, with a live stream.
    Serving,
    /// The last launch failed, for this reason. The next call tries again.
    Failed(String),
    /// Neither running nor wanted.
    Idle,
}

/// One process of a chaincode, or one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceStatus {
    /// Its number, from 1.
    pub number: u32,
    /// Which it is: `process 4711`, or where it was dialed.
    pub place: String,
    /// What it is doing.
    pub state: InstanceState,
    /// Its streams that have registered.
    pub streams: usize,
    /// The transactions in flight.
    pub executions: usize,
    /// How often it was started or dialed again.
    pub restarts: u64,
    /// What went wrong last, if anything did.
    pub last_error: Option<String>,
}

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceState {
    /// It is being started or dialed.
    Starting,
    /// It has a stream.
    Serving,
    /// It finishes its transactions and gets no more.
    Draining,
    /// It failed, or its stream was lost.
    Down,
}
