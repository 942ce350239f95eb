//! CommitStatus: waits until a transaction is on the ledger and says how it was judged.

use tonic::Status;
use windlass_identity::policy::SignedData;
use windlass_proto::{
    envelope::decode,
    gateway::{CommitStatusRequest, CommitStatusResponse, SignedCommitStatusRequest},
};

use super::Gateway;

impl Gateway {
    // Fabric: endorsement-and-gateway §7 "CommitStatus"
    pub(super) async fn wait_for_commit(
        &self,
        signed: SignedCommitStatusRequest,
    ) -> Result<CommitStatusResponse, Status> {
        let request: CommitStatusRequest = decode("CommitStatusRequest", &signed.request)
            .map_err(|error| Status::invalid_argument(format!("invalid status request: {error}")))?;
        for (missing, text) in [
            (request.identity.is_empty(), "no identity provided"),
            (request.channel_id.is_empty(), "no channel ID provided"),
            (request.transaction_id.is_empty(), "transaction ID should not be empty"),
        ] {
            if missing {
                return Err(Status::invalid_argument(text));
            }
        }
        let data = SignedData { data: signed.request, identity: request.identity, signature: signed.signature };
        let channel = self.parts.channels.get(&request.channel_id);
        let config = channel.as_ref().map(|channel| channel.config());
        self.parts
            .acl
            .check_signed("gateway/CommitStatus", config.as_deref(), &data)
            .map_err(|error| Status::permission_denied(error.on_channel(&request.channel_id).to_string()))?;
        let channel =
            channel.ok_or_else(|| Status::aborted(format!("channel does not exist: {}", request.channel_id)))?;
        // Only the client's own deadline, or its hanging up, ends the wait.
        let (code, block_number) =
            channel.wait_for(&request.transaction_id).await.map_err(|error| Status::aborted(error.to_string()))?;
        Ok(CommitStatusResponse { result: code as i32, block_number })
    }
}
