//! Whose transaction is it, and which chaincodes does it write?
// Fabric: ledger §4 "Dispatcher, in order"

use std::collections::HashSet;

use windlass_ledger::rwset::{self, TransactionWrites};
use windlass_proto::{
    common::ChannelHeader,
    protos::{ChaincodeAction, ChaincodeEvent, ChaincodeHeaderExtension, TxValidationCode},
};

use super::{
    Fault, invalid,
    message::{EndorsedAction, part},
};

/// What a transaction touches.
pub(super) struct Dispatched {
    /// The chaincode called, which counts even if it wrote nothing; then every other one written.
    pub(super) namespaces: Vec<String>,
    /// The read-write set.
    pub(super) writes: TransactionWrites,
}

pub(super) fn dispatch(channel_header: &ChannelHeader, endorsed: &EndorsedAction) -> Result<Dispatched, Fault> {
    let extension: ChaincodeHeaderExtension =
        part(TxValidationCode::BadHeaderExtension, "ChaincodeHeaderExtension", &channel_header.extension)?;
    if endorsed.response.extension.is_empty() {
        return invalid(TxValidationCode::BadResponsePayload, "response payload is missing extension");
    }
    let action: ChaincodeAction =
        part(TxValidationCode::BadResponsePayload, "ChaincodeAction", &endorsed.response.extension)?;
    let writes = rwset::decode(&action.results)
        .map_err(|error| Fault::Invalid(TxValidationCode::BadRwset, error.to_string()))?;
    let name = called(extension, &action)?;
    check_event(&name, &action)?;
    let namespaces = written(name, &writes)?;
    Ok(Dispatched { namespaces, writes })
}

/// The chaincode called, on which header and action must agree.
fn called(extension: ChaincodeHeaderExtension, action: &ChaincodeAction) -> Result<String, Fault> {
    let (Some(id), Some(endorsed)) = (extension.chaincode_id, &action.chaincode_id) else {
        return invalid(TxValidationCode::InvalidOtherReason, "nil ChaincodeId");
    };
    if id.name.is_empty() {
        return invalid(TxValidationCode::InvalidChaincode, "invalid chaincode ID");
    }
    if id.name != endorsed.name {
        let reason = format!("inconsistent chaincode ID ({}/{})", id.name, endorsed.name);
        return invalid(TxValidationCode::InvalidChaincode, reason);
    }
    if endorsed.version.is_empty() {
        return invalid(TxValidationCode::InvalidChaincode, "invalid chaincode version");
    }
    Ok(id.name)
}

/// An event may only be the called chaincode's own.
fn check_event(name: &str, action: &ChaincodeAction) -> Result<(), Fault> {
    if action.events.is_empty() {
        return Ok(());
    }
    let event: ChaincodeEvent = part(TxValidationCode::InvalidOtherReason, "ChaincodeEvent", &action.events)?;
    if event.chaincode_id != name {
        let reason = format!("chaincode event chaincode ID {} does not match {name}", event.chaincode_id);
        return invalid(TxValidationCode::InvalidOtherReason, reason);
    }
    Ok(())
}

fn written(called: String, writes: &TransactionWrites) -> Result<Vec<String>, Fault> {
    let mut seen = HashSet::with_capacity(writes.namespaces.len());
    for set in &writes.namespaces {
        if !seen.insert(set.name.as_str()) {
            let reason = format!("duplicate namespace '{}' in txRWSet", set.name);
            return invalid(TxValidationCode::IllegalWriteset, reason);
        }
    }
    let others = writes.namespaces.iter().filter(|set| set.name != called && set.is_written());
    let others: Vec<_> = others.map(|set| set.name.clone()).collect();
    Ok([called].into_iter().chain(others).collect())
}
