//! What a block looks like without its contents: who wants to know what became of a transaction needs no more.
// Fabric: endorsement-and-gateway §8

use bytes::Bytes;
use windlass_proto::{
    common::{Block, BlockMetadataIndex, ChannelHeader, Envelope, HeaderType},
    envelope::{UnpackError, decode, unpack_envelope},
    protos::{
        ChaincodeAction, ChaincodeActionPayload, ChaincodeEvent, FilteredBlock, FilteredChaincodeAction,
        FilteredTransaction, FilteredTransactionActions, ProposalResponsePayload, Transaction, TransactionAction,
        TxValidationCode, filtered_transaction::Data,
    },
};

/// Every transaction of a block with its ID, type, verdict and events, the latter without payload. Invalid
/// transactions show their events as well.
pub(super) fn filtered(channel: &str, block: &Block) -> FilteredBlock {
    let metadata = block.metadata.as_ref().map(|metadata| metadata.metadata.as_slice()).unwrap_or_default();
    let codes = metadata.get(BlockMetadataIndex::TransactionsFilter as usize).cloned().unwrap_or_default();
    let entries = block.data.as_ref().map(|data| data.data.as_slice()).unwrap_or_default();
    let transactions = entries.iter().enumerate().map(|(index, entry)| {
        let code = codes.get(index).map_or(TxValidationCode::NotValidated as i32, |code| i32::from(*code));
        FilteredTransaction { tx_validation_code: code, ..transaction(entry) }
    });
    FilteredBlock {
        channel_id: channel.to_owned(),
        number: block.header.as_ref().map_or(0, |header| header.number),
        filtered_transactions: transactions.collect(),
    }
}

/// What can be told of an entry. One that is not a transaction still has a verdict.
fn transaction(entry: &Bytes) -> FilteredTransaction {
    let unpacked = decode::<Envelope>("Envelope", entry).and_then(|envelope| unpack_envelope(&envelope));
    let Ok(unpacked) = unpacked else { return FilteredTransaction::default() };
    let ChannelHeader { tx_id, r#type, .. } = unpacked.channel_header;
    let data = (r#type == HeaderType::EndorserTransaction as i32).then(|| {
        let transaction: Transaction = decode("Transaction", &unpacked.payload.data).unwrap_or_default();
        let events = transaction.actions.iter().filter_map(|action| event(action).ok().flatten());
        let actions = events.map(|event| FilteredChaincodeAction { chaincode_event: Some(event) });
        Data::TransactionActions(FilteredTransactionActions { chaincode_actions: actions.collect() })
    });
    FilteredTransaction { txid: tx_id, r#type, data, ..Default::default() }
}

/// The event of an action, if it has one.
fn event(action: &TransactionAction) -> Result<Option<ChaincodeEvent>, UnpackError> {
    let payload: ChaincodeActionPayload = decode("ChaincodeActionPayload", &action.payload)?;
    let Some(endorsed) = payload.action else { return Ok(None) };
    let response: ProposalResponsePayload = decode("ProposalResponsePayload", &endorsed.proposal_response_payload)?;
    let action: ChaincodeAction = decode("ChaincodeAction", &response.extension)?;
    let event: ChaincodeEvent = decode("ChaincodeEvent", &action.events)?;
    let named = !event.chaincode_id.is_empty();
    Ok(named.then(|| ChaincodeEvent { payload: Bytes::new(), ..event }))
}
