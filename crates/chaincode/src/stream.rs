//! The protocol between peer and chaincode, and executing transactions over it.
//!
//! A session is one live stream of one registered chaincode, whoever dialed. One task reads it
//! (`driver`) and one bounded queue writes it. Every transaction in flight is an `execution`: a future
//! owned by whoever asked for the transaction, so that dropping it ends everything that belongs to it. The
//! reading task only hands messages to executions; they answer, exactly once for each request.
//!
//! - `register`: streams that chaincode opens, and who may
//! - `connect`: streams that the peer opens to chaincode that serves
//! - `driver`: reading a stream, and the handshake
//! - `session`: what the rest of the engine holds of a stream
//! - `execution`: one transaction on a session
//! - `requests`: what chaincode may ask for, one function a message type
//! - `cursor`: open queries, with the look-ahead that shims need
//! - `message`: making messages
//! - `errors`: every exact text

pub(crate) mod connect;
pub(crate) mod cursor;
pub(crate) mod driver;
pub(crate) mod errors;
pub(crate) mod execution;
pub(crate) mod message;
pub(crate) mod register;
pub(crate) mod requests;
pub(crate) mod session;

pub use register::SupportService;
