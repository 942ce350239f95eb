//! The channels of this peer, as the chaincode engine needs to see them. Implemented by the peer.

use std::sync::Arc;

use windlass_identity::channel::ChannelConfig;
use windlass_proto::protos::SignedProposal;

use crate::simulation::{Simulation, SimulationResult};

/// Why access was refused, in the words that clients see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AccessDenied(pub String);

/// The channels this peer has joined.
pub trait Channels: Send + Sync {
    /// Their names, sorted.
    fn names(&self) -> Vec<String>;

    /// The current configuration of `channel`, or `None` if it is not joined.
    fn config(&self, channel: &str) -> Option<Arc<ChannelConfig>>;

    /// A fresh simulation on the newest committed state of `channel`, or `None` if it is not joined.
    /// Whoever only wants to read throws it away afterwards.
    fn simulate(&self, channel: &str, tx_id: &str) -> Option<SimulationResult<Arc<dyn Simulation>>>;

    /// Whether the creator of `proposal` may use `resource` (such as `peer/ChaincodeToChaincode`) on
    /// `channel`. Resources of the local class ignore the channel.
    fn authorize(&self, resource: &str, channel: &str, proposal: &SignedProposal) -> Result<(), AccessDenied>;
}
