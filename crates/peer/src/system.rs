//! The system chaincodes of the peer itself. `_lifecycle` is the chaincode engine's.
//!
//! - [`Cscc`]: channels and their configuration
//! - [`Qscc`]: blocks and transactions

mod cscc;
mod qscc;

pub use cscc::{Cscc, Join};
pub use qscc::Qscc;

use bytes::Bytes;
use windlass_chaincode::system::{SystemCall, failure};
use windlass_proto::protos::{Response, SignedProposal};

/// A call with what both chaincodes need of it.
struct Call<'a> {
    function: String,
    proposal: &'a SignedProposal,
}

/// Checks what both chaincodes check before anything else.
fn accept<'a>(call: &'a SystemCall, least: usize, called_by_another: &str) -> Result<Call<'a>, String> {
    let Some(function) = call.args.first().filter(|_| call.args.len() >= least) else {
        return Err(format!("Incorrect number of arguments, {}", call.args.len()));
    };
    let Some(proposal) = &call.transaction.proposal else {
        return Err("Failed retrieving signed proposal on executing a system chaincode".to_owned());
    };
    if call.caller.is_some() {
        return Err(format!("{called_by_another}, original invocation for '{}'", call.transaction.called));
    }
    Ok(Call { function: text(function), proposal })
}

/// An argument as text.
fn text(argument: &Bytes) -> String {
    String::from_utf8_lossy(argument).into_owned()
}

/// Runs what may read files where that holds up nobody.
async fn answer(work: impl FnOnce() -> Result<Response, String> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(response)) => response,
        Ok(Err(message)) => failure(message),
        Err(error) => failure(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
