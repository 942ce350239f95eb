//! Submit: hands a signed transaction to the ordering service.

use tonic::{Code, Status};
use windlass_proto::{
    envelope::unpack_envelope,
    gateway::{SubmitRequest, SubmitResponse},
};

use super::{Gateway, errors::with_details};
use crate::ordering::{BroadcastError, unsuccessful};

impl Gateway {
    // Fabric: endorsement-and-gateway §7 "Submit"
    pub(super) async fn submit_transaction(&self, request: SubmitRequest) -> Result<SubmitResponse, Status> {
        let envelope = request
            .prepared_transaction
            .ok_or_else(|| Status::invalid_argument("a prepared transaction is required"))?;
        if envelope.signature.is_empty() {
            return Err(Status::invalid_argument("prepared transaction must be signed"));
        }
        let channel = match unpack_envelope(&envelope) {
            Ok(unpacked) => unpacked.channel_header.channel_id,
            Err(_) => request.channel_id,
        };
        let config = self.parts.channels.get(&channel).map(|channel| channel.config()).ok_or_else(|| {
            Status::failed_precondition(format!("failed to get config for channel [{channel}]: channel does not exist"))
        })?;
        let ordered = self.parts.ordering.broadcast(&config, envelope, self.parts.broadcast_timeout).await;
        ordered.map(|()| SubmitResponse {}).map_err(refusal)
    }
}

fn refusal(error: BroadcastError) -> Status {
    match error {
        BroadcastError::NoOrderers => Status::unavailable("no orderer nodes available"),
        BroadcastError::Refused { status, info } => Status::aborted(unsuccessful(status, &info)),
        BroadcastError::Failed(details) => {
            with_details(Code::Unavailable, "no orderers could successfully process transaction", &details)
        }
        BroadcastError::NoQuorum(details) => with_details(
            Code::Unavailable,
            "insufficient number of orderers could successfully process transaction to satisfy quorum requirement",
            &details,
        ),
        BroadcastError::TimedOut => {
            Status::deadline_exceeded("submit timeout expired while broadcasting to ordering service")
        }
    }
}
