//! What an author of chaincode implements and returns.

use std::future::Future;

use bytes::Bytes;
use windlass_proto::protos;

use crate::{Error, Stub};

/// A chaincode: a value that answers transactions.
///
/// Transactions arrive at the same time and share the value, so whatever it keeps needs its own
/// synchronization. State belongs in the ledger, through the [`Stub`].
pub trait Chaincode: Send + Sync + 'static {
    /// Answers the call of Init, which happens once per definition that requires it. As contract libraries do,
    /// it treats the arguments as an ordinary call unless overridden.
    fn init(&self, stub: &Stub) -> impl Future<Output = Outcome> + Send {
        self.invoke(stub)
    }

    /// Answers a transaction.
    fn invoke(&self, stub: &Stub) -> impl Future<Output = Outcome> + Send;
}

/// What a call comes to: a response, or an error, which the client sees as one with status 500 unless the error says
/// otherwise.
pub type Outcome = Result<Response, Error>;

/// What chaincode answers to its caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Below 400 the peer endorses; from 400 on it does not. 200 is usual.
    pub status: i32,
    /// Text for people, usually empty on success.
    pub message: String,
    /// The result.
    pub payload: Bytes,
}

impl Response {
    /// The status of success.
    pub const OK: i32 = 200;
    /// The status of failure.
    pub const ERROR: i32 = 500;
    /// The lowest status that is not endorsed.
    // Fabric: chaincode-protocol §13
    pub const ERROR_THRESHOLD: i32 = 400;

    /// Success with this result.
    pub fn ok(payload: impl Into<Bytes>) -> Self {
        Self { status: Self::OK, message: String::new(), payload: payload.into() }
    }

    /// Failure with status 500 and this message.
    pub fn error(message: impl Into<String>) -> Self {
        Self { status: Self::ERROR, message: message.into(), payload: Bytes::new() }
    }

    /// Whether the peer would endorse this.
    pub fn is_ok(&self) -> bool {
        self.status < Self::ERROR_THRESHOLD
    }
}

impl From<Outcome> for Response {
    fn from(outcome: Outcome) -> Self {
        outcome.unwrap_or_else(|error| Self { status: error.status(), ..Self::error(error.to_string()) })
    }
}

impl From<protos::Response> for Response {
    fn from(response: protos::Response) -> Self {
        Self { status: response.status, message: response.message, payload: response.payload }
    }
}

impl From<Response> for protos::Response {
    fn from(response: Response) -> Self {
        Self { status: response.status, message: response.message, payload: response.payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_an_error_into_a_response_with_its_status() {
        let response = Response::from(Err(Error::from("broken")));
        assert_eq!(response, Response::error("broken"));
        let response = Response::from(Err(Error::with_status(404, "no such thing")));
        assert_eq!((response.status, response.message.as_str()), (404, "no such thing"));
        assert!(!response.is_ok());
    }
}
