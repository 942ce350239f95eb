//! Submit: hands a signed transaction to the ordering service.

use tonic::Status;
use windlass_proto::{
    common,
    envelope::unpack_envelope,
    gateway::{SubmitRequest, SubmitResponse},
};

use super::Gateway;

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
        if self.parts.channels.get(&channel).is_none() {
            return Err(Status::failed_precondition(format!(
                "failed to get config for channel [{channel}]: channel does not exist"
            )));
        }
        let answer =
            tokio::time::timeout(self.parts.broadcast_timeout, self.parts.orderer.broadcast(envelope)).await.map_err(
                |_| Status::deadline_exceeded("submit timeout expired while broadcasting to ordering service"),
            )?;
        match answer.status {
            status if status == common::Status::Success as i32 => Ok(SubmitResponse {}),
            // The only orderer there is cannot take it: trying the next one ends here.
            500.. => Err(Status::unavailable("no orderers could successfully process transaction")),
            status => {
                let name = common::Status::try_from(status).map_or("UNKNOWN", |status| status.as_str_name());
                Err(Status::aborted(format!(
                    "received unsuccessful response from orderer: status={name}, info={}",
                    answer.info
                )))
            }
        }
    }
}
