//! Chaincode that is part of the peer: `_lifecycle`, `cscc`, `qscc`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use windlass_proto::protos::Response;

use crate::transaction::Transaction;

/// The version under which system chaincode appears in transactions.
// Fabric: endorsement-and-gateway §3
pub const SYSTEM_VERSION: &str = "syscc";

/// One call of a system chaincode.
#[derive(Debug)]
pub struct SystemCall {
    /// The transaction that the call belongs to.
    pub transaction: Arc<Transaction>,
    /// The arguments, the function's name first.
    pub args: Vec<Bytes>,
    /// The chaincode that calls; `None` when the client calls directly.
    pub caller: Option<String>,
}

/// A chaincode that runs inside the peer.
#[async_trait]
pub trait SystemChaincode: Send + Sync {
    /// The name by which it is called.
    fn name(&self) -> &str;

    /// Answers one call.
    async fn invoke(&self, call: SystemCall) -> Response;
}

/// A response with status 200.
pub fn success(payload: impl Into<Bytes>) -> Response {
    Response { status: 200, message: String::new(), payload: payload.into() }
}

/// A response with status 500.
pub fn failure(message: impl Into<String>) -> Response {
    Response { status: 500, message: message.into(), payload: Bytes::new() }
}
