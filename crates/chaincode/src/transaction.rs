//! What is being executed, and for whom.

use std::{fmt, sync::Arc};

use windlass_proto::protos::SignedProposal;

use crate::simulation::Simulation;

/// One transaction under execution: the proposal and the ledger it runs against. Shared by the chaincode
/// called and, on the same channel, by the chaincodes that it calls.
#[derive(Clone)]
pub struct Transaction {
    /// The channel; empty for calls without one.
    pub channel: String,
    /// The transaction ID.
    pub tx_id: String,
    /// The client's proposal, passed on to the chaincode as it came. Absent only for calls the peer
    /// makes on its own.
    pub proposal: Option<Arc<SignedProposal>>,
    /// The chaincode that the client called, whichever is running now.
    pub called: String,
    /// The ledger; absent without a channel and for system chaincode that must not have one.
    pub simulation: Option<Arc<dyn Simulation>>,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("channel", &self.channel)
            .field("tx_id", &self.tx_id)
            .field("called", &self.called)
            .finish_non_exhaustive()
    }
}
