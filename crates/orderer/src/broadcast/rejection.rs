//! Why a message is refused, with the status and text that clients see.
// Fabric: ledger §6

use windlass_identity::PolicyError;
use windlass_proto::{common::Status, orderer::BroadcastResponse};

use crate::configtx::ProposeError;

/// Why a message is refused.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The message does not say which channel it is for.
    #[error("could not determine channel ID: {0}")]
    NoChannel(String),
    /// There is no such channel.
    #[error("channel does not exist")]
    UnknownChannel,
    /// Configurations are made by the orderer; clients send updates.
    #[error("message is of type that cannot be processed directly")]
    Direct,
    /// The channel is being maintained.
    #[error("normal transactions are rejected: maintenance mode")]
    Maintenance,
    /// The payload is empty.
    #[error("message payload is empty")]
    Empty,
    /// Payload and signature are larger than the channel admits.
    #[error("message payload is {size} bytes and exceeds maximum allowed {limit} bytes")]
    TooLarge {
        /// Their size in bytes.
        size: usize,
        /// What the channel admits, in bytes.
        limit: u32,
    },
    /// The creator's certificate has expired.
    #[error("broadcast client identity expired")]
    Expired,
    /// The message does not say who signed it.
    #[error("could not convert message to signedData: {0}")]
    NoSigner(String),
    /// The configuration lacks the policy that would decide.
    #[error("could not find policy {0}")]
    NoPolicy(&'static str),
    /// The signature does not satisfy the channel's policy.
    #[error("{0}: permission denied")]
    Denied(PolicyError),
    /// A configuration update fails the checks that every message has to pass.
    #[error("config update for existing channel did not pass initial checks: {0}")]
    Initial(Box<Rejection>),
    /// The configuration that an update leads to fails these checks, once the orderer has signed it.
    #[error("config update for existing channel did not pass final checks: {0}")]
    Final(Box<Rejection>),
    /// A configuration update that cannot be applied.
    #[error("error applying config update to existing channel '{channel}': {source}")]
    Update {
        /// The channel.
        channel: String,
        /// Why.
        source: Box<ProposeError>,
    },
    /// The orderer is shutting down, or the channel's log has failed.
    #[error("the channel is no longer being ordered")]
    Stopped,
}

impl Rejection {
    /// The status that goes with the text.
    pub fn status(&self) -> Status {
        match self {
            Self::Denied(_) => Status::Forbidden,
            Self::Maintenance | Self::Stopped => Status::ServiceUnavailable,
            Self::Initial(cause) | Self::Final(cause) => cause.status(),
            _ => Status::BadRequest,
        }
    }

    /// The response to send.
    pub fn response(&self) -> BroadcastResponse {
        BroadcastResponse { status: self.status() as i32, info: self.to_string() }
    }
}
