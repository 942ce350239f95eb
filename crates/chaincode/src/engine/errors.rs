//! Why a transaction could not be executed, in Fabric's words.

use prost::DecodeError;

use crate::{
    engine::resolve::InvocationError,
    launch::errors::{LaunchCause, LaunchError},
    stream::errors::SendError,
};

/// Why a transaction has no result. The text is what Fabric prints after `error in simulation: `.
// Fabric: endorsement-and-gateway §2
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The chaincode could not be called, or never answered.
    #[error("failed to execute transaction {tx_id}: {source}")]
    Failed {
        /// The transaction.
        tx_id: String,
        /// Why.
        source: InvokeError,
    },
    /// The chaincode, or rather its shim, answered with an ERROR.
    #[error("transaction returned with failure: {0}")]
    Returned(String),
    /// The chaincode's answer is no response.
    #[error("failed to unmarshal response for transaction {tx_id}: {source}")]
    Malformed {
        /// The transaction.
        tx_id: String,
        /// What protobuf says.
        source: DecodeError,
    },
}

/// What became of the earlier runs of a transaction that is repeated.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    /// How often its stream was lost.
    pub(crate) lost: u32,
    /// When that was the first time.
    pub(crate) since: Option<tokio::time::Instant>,
    /// How often the chaincode was not there since.
    pub(crate) absent: u32,
}

impl ExecuteError {
    /// Whether nothing was there to dial.
    pub(crate) fn is_absence(&self) -> bool {
        let Self::Failed { source: InvokeError::Launch(error), .. } = self else { return false };
        let mut cause = &error.cause;
        while let LaunchCause::Shared(inner) = cause {
            cause = inner;
        }
        matches!(cause, LaunchCause::Connect { .. } | LaunchCause::Vanished(_))
    }

    /// Whether a stream ended before the transaction did. What the chaincode did until then is thrown away with
    /// the simulation; on a fresh one the transaction may be run again.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Failed { source: InvokeError::StreamTerminated(_), .. })
    }
}

/// Why a chaincode could not be called, or never answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// The call contradicts what is defined.
    #[error("invalid invocation: {0}")]
    Invalid(#[from] InvocationError),
    /// The chaincode is not up and does not come up.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The transaction is executing already.
    #[error("error sending: {0}")]
    Exists(String),
    /// The chaincode did not answer in time.
    #[error("error sending: {}", SendError::Timeout)]
    Timeout,
    /// The chaincode's stream ended: the text, which says why if the chaincode is at fault.
    #[error("error sending: {0}")]
    StreamTerminated(String),
    /// A system chaincode broke.
    #[error("error sending: panic during execution")]
    Panic,
}

impl From<SendError> for InvokeError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Exists { .. } => Self::Exists(error.to_string()),
            SendError::Timeout => Self::Timeout,
            SendError::StreamTerminated(_) => Self::StreamTerminated(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_fabric_says() {
        let exists = SendError::Exists { tx_id: "t".into(), channel: "ch".into() };
        let launch = LaunchError::new("a:b", LaunchCause::Exited(0));
        for (error, text) in [
            (
                InvocationError::NotInitialized("cc".into()).into(),
                "invalid invocation: chaincode 'cc' has not been initialized for this version, must call as init first",
            ),
            (launch.into(), "could not launch chaincode a:b: chaincode registration failed: container exited with 0"),
            (exists.into(), "error sending: txid: t(ch) exists"),
            (SendError::Timeout.into(), "error sending: timeout expired while executing transaction"),
            (SendError::StreamTerminated(None).into(), "error sending: chaincode stream terminated"),
        ] {
            let error: InvokeError = error;
            assert_eq!(error.to_string(), text);
            let failed = ExecuteError::Failed { tx_id: "t".into(), source: error };
            assert_eq!(failed.to_string(), format!("failed to execute transaction t: {text}"));
        }
        assert_eq!(ExecuteError::Returned("x".into()).to_string(), "transaction returned with failure: x");
    }
}
