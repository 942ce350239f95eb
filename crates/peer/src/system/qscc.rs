//! `qscc`: blocks and transactions of a channel. The channel is an argument; the access rules are that
//! channel's, whatever the proposal's header says.
// Fabric: endorsement-and-gateway §6.2

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use windlass_chaincode::system::{SystemCall, SystemChaincode, success};
use windlass_ledger::{Ledger, LedgerError};
use windlass_proto::protos::Response;

use super::{accept, answer, text};
use crate::{acl::Acl, channel::PeerChannels};

const CHAIN_INFO: &str = "GetChainInfo";
const BLOCK_BY_NUMBER: &str = "GetBlockByNumber";
const BLOCK_BY_HASH: &str = "GetBlockByHash";
const TRANSACTION: &str = "GetTransactionByID";
const BLOCK_BY_TRANSACTION: &str = "GetBlockByTxID";

/// The system chaincode `qscc`. Clones share everything.
#[derive(Clone, Debug)]
pub struct Qscc {
    channels: PeerChannels,
    acl: Acl,
}

impl Qscc {
    /// Answers for these channels.
    pub fn new(channels: PeerChannels, acl: Acl) -> Self {
        Self { channels, acl }
    }

    fn run(&self, call: &SystemCall) -> Result<Response, String> {
        const FROM_CHAINCODE: &str =
            "Rejecting invoke of QSCC from another chaincode because of potential for deadlocks";
        let accepted = accept(call, 2, FROM_CHAINCODE)?;
        let function = accepted.function.as_str();
        let name = text(&call.args[1]);
        let channel = self.channels.get(&name).ok_or_else(|| format!("Invalid chain ID, {name}"))?;
        let argument = match (call.args.get(2), function) {
            (Some(argument), _) => argument.clone(),
            (None, CHAIN_INFO) => Bytes::new(),
            (None, _) => return Err(format!("missing 3rd argument for {function}")),
        };
        self.acl
            .check_proposal(&format!("qscc/{function}"), Some(&channel.config()), accepted.proposal)
            .map_err(|error| format!("access denied for [{function}][{name}]: [{error}]"))?;
        let ledger = channel.ledger();
        let payload = match function {
            CHAIN_INFO => ledger.info().encode_to_vec(),
            BLOCK_BY_NUMBER => block_by_number(ledger, &argument)?,
            BLOCK_BY_HASH => block_by_hash(ledger, &argument)?,
            TRANSACTION => transaction(ledger, &text(&argument))?,
            BLOCK_BY_TRANSACTION => block_by_transaction(ledger, &text(&argument))?,
            // The access rules know no other function, unless a channel's configuration does.
            _ => return Err(format!("Requested function {function} not found.")),
        };
        Ok(success(payload))
    }
}

#[async_trait]
impl SystemChaincode for Qscc {
    fn name(&self) -> &str {
        "qscc"
    }

    async fn invoke(&self, call: SystemCall) -> Response {
        let this = self.clone();
        answer(move || this.run(&call)).await
    }
}

fn block_by_number(ledger: &Ledger, argument: &Bytes) -> Result<Vec<u8>, String> {
    let number =
        parse_number(&text(argument)).map_err(|error| format!("Failed to parse block number with error {error}"))?;
    let failed = |error: LedgerError| format!("Failed to get block number {number}, error {error}");
    let block = ledger.block(number).map_err(failed)?;
    Ok(block.ok_or_else(|| failed(LedgerError::NoSuchBlock(number)))?.encode_to_vec())
}

fn block_by_hash(ledger: &Ledger, hash: &Bytes) -> Result<Vec<u8>, String> {
    let failed = |error: LedgerError| format!("Failed to get block hash {}, error {error}", text(hash));
    let block = ledger.block_by_hash(hash).map_err(failed)?;
    Ok(block.ok_or_else(|| failed(LedgerError::NoSuchBlockHash(hash.to_vec())))?.encode_to_vec())
}

fn transaction(ledger: &Ledger, tx_id: &str) -> Result<Vec<u8>, String> {
    let failed = |error: LedgerError| format!("Failed to get transaction with id {tx_id}, error {error}");
    let transaction = ledger.transaction(tx_id).map_err(failed)?;
    Ok(transaction.ok_or_else(|| failed(LedgerError::NoSuchTransaction(tx_id.to_owned())))?.encode_to_vec())
}

fn block_by_transaction(ledger: &Ledger, tx_id: &str) -> Result<Vec<u8>, String> {
    let failed = |error: LedgerError| format!("Failed to get block for txID {tx_id}, error {error}");
    let block = ledger.block_by_transaction(tx_id).map_err(failed)?;
    Ok(block.ok_or_else(|| failed(LedgerError::NoSuchTransaction(tx_id.to_owned())))?.encode_to_vec())
}

/// A decimal number, with the errors that Go's parser has for others.
fn parse_number(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fault = if digits { "value out of range" } else { "invalid syntax" };
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| format!("strconv.ParseUint: parsing {text:?}: {fault}"))
}
