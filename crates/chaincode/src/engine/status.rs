//! What runs, for people to look at.

/// One chaincode, as the engine sees it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChaincodeStatus {
    /// The ID under which it registers.
    pub id: String,
    /// What it is doing.
    pub state: ChaincodeState,
    /// The transactions in flight.
    pub executions: usize,
}

/// What a chaincode is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
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
