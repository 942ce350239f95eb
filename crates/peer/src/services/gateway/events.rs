//! ChaincodeEvents: the events of one chaincode, block by block.

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use windlass_identity::policy::SignedData;
use windlass_ledger::LedgerError;
use windlass_proto::{
    Bytes,
    common::{Block, BlockMetadataIndex, Envelope, HeaderType},
    envelope::{decode, unpack_envelope, unpack_response_payload, unpack_transaction},
    gateway::{ChaincodeEventsRequest, ChaincodeEventsResponse, SignedChaincodeEventsRequest},
    orderer::{SeekPosition, seek_position},
    protos::{ChaincodeEvent, TxValidationCode},
};

use super::Gateway;
use crate::channel::Channel;

type EventStream = Pin<Box<dyn Stream<Item = Result<ChaincodeEventsResponse, Status>> + Send>>;

impl Gateway {
    // Fabric: endorsement-and-gateway §7 "ChaincodeEvents"
    #[allow(clippy::result_large_err)]
    pub(super) fn follow_chaincode_events(
        &self,
        signed: SignedChaincodeEventsRequest,
        place: OwnedSemaphorePermit,
    ) -> Result<EventStream, Status> {
        let request: ChaincodeEventsRequest = decode("ChaincodeEventsRequest", &signed.request)
            .map_err(|error| Status::invalid_argument(format!("invalid chaincode events request: {error}")))?;
        let data = SignedData { data: signed.request, identity: request.identity.clone(), signature: signed.signature };
        let channel = self.parts.channels.get(&request.channel_id);
        let config = channel.as_ref().map(|channel| channel.config());
        self.parts
            .acl
            .check_signed("gateway/ChaincodeEvents", config.as_deref(), &data)
            .map_err(|error| Status::permission_denied(error.on_channel(&request.channel_id).to_string()))?;
        let channel =
            channel.ok_or_else(|| Status::not_found(format!("channel does not exist: {}", request.channel_id)))?;

        let mut next = first_block(&channel, &request)?;
        let mut wanted = Wanted { chaincode: request.chaincode_id, after: request.after_transaction_id };
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            let _place = place;
            let mut heights = channel.heights();
            loop {
                let height = tokio::select! {
                    // The client has gone.
                    () = sender.closed() => return,
                    height = heights.wait_for(|height| *height > next) => match height {
                        Ok(height) => *height,
                        Err(_) => return,
                    },
                };
                while next < height {
                    let message = match channel.ledger().block(next) {
                        Ok(Some(block)) => wanted.of(&block).map(Ok),
                        Ok(None) => Some(Err(Status::aborted(format!("block {next} is missing")))),
                        Err(error) => Some(Err(Status::aborted(error.to_string()))),
                    };
                    if let Some(message) = message {
                        let failed = message.is_err();
                        if sender.send(message).await.is_err() || failed {
                            return;
                        }
                    }
                    next += 1;
                }
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }
}

#[allow(clippy::result_large_err)]
fn first_block(channel: &Arc<Channel>, request: &ChaincodeEventsRequest) -> Result<u64, Status> {
    let aborted = |error: LedgerError| Status::aborted(error.to_string());
    if !request.after_transaction_id.is_empty()
        && let Some((_, block)) = channel.ledger().transaction_status(&request.after_transaction_id).map_err(aborted)?
    {
        return Ok(block);
    }
    use seek_position::Type;
    let position = request.start_position.and_then(|SeekPosition { r#type }| r#type);
    match position {
        None | Some(Type::NextCommit(_)) => Ok(channel.ledger().height()),
        Some(Type::Specified(block)) => Ok(block.number),
        Some(Type::Oldest(_)) => {
            Err(Status::invalid_argument("invalid start position type: *orderer.SeekPosition_Oldest"))
        }
        Some(Type::Newest(_)) => {
            Err(Status::invalid_argument("invalid start position type: *orderer.SeekPosition_Newest"))
        }
    }
}

/// Which events a client still wants.
struct Wanted {
    chaincode: String,
    /// Nothing before this transaction's event is sent; empty once it was seen.
    after: String,
}

impl Wanted {
    /// The wanted events of a block, if there are any.
    fn of(&mut self, block: &Block) -> Option<ChaincodeEventsResponse> {
        let mut events = Vec::new();
        for event in valid_events(block) {
            if !self.after.is_empty() {
                if event.tx_id == self.after {
                    self.after.clear();
                }
                continue;
            }
            if event.chaincode_id == self.chaincode {
                events.push(event);
            }
        }
        let block_number = block.header.as_ref().map_or(0, |header| header.number);
        (!events.is_empty()).then_some(ChaincodeEventsResponse { events, block_number })
    }
}

/// The events of a block's valid transactions, in their order.
fn valid_events(block: &Block) -> impl Iterator<Item = ChaincodeEvent> {
    let filter = block
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.metadata.get(BlockMetadataIndex::TransactionsFilter as usize))
        .cloned()
        .unwrap_or_default();
    let entries = block.data.iter().flat_map(|data| &data.data).enumerate();
    entries
        .filter(move |(index, _)| filter.get(*index) == Some(&(TxValidationCode::Valid as u8)))
        .filter_map(|(_, entry)| event_of(entry))
}

fn event_of(entry: &Bytes) -> Option<ChaincodeEvent> {
    let envelope: Envelope = decode("", entry).ok()?;
    let unpacked = unpack_envelope(&envelope).ok()?;
    if unpacked.channel_header.r#type != HeaderType::EndorserTransaction as i32 {
        return None;
    }
    let (_, payload) = unpack_transaction(&unpacked.payload.data).ok()??;
    let (_, action) = unpack_response_payload(&payload.action?.proposal_response_payload).ok()?;
    if action.events.is_empty() {
        return None;
    }
    decode("", &action.events).ok()
}
