//! What can go wrong inside a transaction.

use prost::DecodeError;

/// Why a call on the stub failed, or why the chaincode refuses.
///
/// Returned from [`Chaincode::invoke`](crate::Chaincode::invoke), it becomes a response with [`Error::status`] and the
/// error's text. Texts convert into it, so `Err("no such asset".into())` and `?` both work.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The chaincode's own refusal.
    #[error("{message}")]
    Refused {
        /// The response's status.
        status: i32,
        /// The response's message.
        message: String,
    },
    /// The peer's answer to a request, word for word.
    #[error("{0}")]
    Peer(String),
    /// The stream ended before the peer answered.
    #[error("the stream to the peer has ended")]
    StreamEnded,
    /// A transaction with the same channel and ID is already waiting for an answer.
    #[error("[{}] another request of this transaction is waiting for its answer", short(.tx_id))]
    Busy {
        /// The transaction.
        tx_id: String,
    },
    /// The peer sent something that is not the message it should be.
    #[error("the peer's answer is not a {part}: {source}")]
    Malformed {
        /// The message expected.
        part: &'static str,
        /// What protobuf says.
        source: DecodeError,
    },
    /// Keys of state are not empty.
    #[error("key must not be an empty string")]
    EmptyKey,
    /// A range over simple keys starts or ends among the composite keys.
    // Fabric: chaincode-protocol §16
    #[error("the key {0:?} begins with a null character, which only composite keys do")]
    CompositeKeyInRange(String),
    /// A part of a composite key holds one of the two characters that delimit keys.
    #[error("{0:?} holds U+0000 or U+10FFFF, which no part of a composite key may")]
    CompositeKeyPart(String),
    /// The text is not a composite key.
    #[error("{0:?} is not a composite key")]
    NotCompositeKey(String),
    /// Events have a name.
    #[error("event name can not be empty string")]
    EmptyEventName,
    /// Private data belongs to a collection.
    #[error("collection must not be an empty string")]
    EmptyCollection,
    /// The caller gave fewer parameters than the function takes.
    #[error("parameter {index} is missing")]
    MissingParameter {
        /// Counted from 0, after the function's name.
        index: usize,
    },
    /// A parameter is not UTF-8.
    #[error("parameter {index} is not UTF-8 text")]
    NotText {
        /// Counted from 0, after the function's name.
        index: usize,
    },
}

impl Error {
    /// A refusal with status 500.
    pub fn new(message: impl Into<String>) -> Self {
        Self::with_status(crate::Response::ERROR, message)
    }

    /// A refusal with a status of its own; 400 to 499 reach the client as "not endorsed", 500 as an endorsement failure.
    pub fn with_status(status: i32, message: impl Into<String>) -> Self {
        Self::Refused { status, message: message.into() }
    }

    /// The status that a response made of this error has.
    pub fn status(&self) -> i32 {
        match self {
            Self::Refused { status, .. } => *status,
            _ => crate::Response::ERROR,
        }
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// The first 8 characters of a transaction ID, as logs show it.
pub(crate) fn short(tx_id: &str) -> &str {
    tx_id.char_indices().nth(8).map_or(tx_id, |(end, _)| &tx_id[..end])
}
