//! Evaluate: a query, answered by one peer and never ordered.

use std::time::Instant;

use tonic::{Code, Status};
use windlass_proto::{
    envelope::unpack_response_payload,
    gateway::{ErrorDetail, EvaluateRequest, EvaluateResponse},
    protos,
};

use super::{
    Gateway,
    errors::{classify, with_details},
    unpack,
};
use crate::events::{Event, Invocation};

impl Gateway {
    // Fabric: endorsement-and-gateway §7 "Evaluate"
    pub(super) async fn evaluate_proposal(&self, request: EvaluateRequest) -> Result<EvaluateResponse, Status> {
        let started = Instant::now();
        let proposal = unpack(request.proposed_transaction.as_ref())
            .map_err(|cause| Status::invalid_argument(format!("failed to unpack transaction proposal: {cause}")))?;
        let channel = &proposal.channel_header.channel_id;
        if self.parts.channels.get(channel).is_none() {
            return Err(Status::unavailable(format!("failed to get config for channel [{channel}]: channel does not exist")));
        }
        if !request.target_organizations.is_empty()
            && !request.target_organizations.iter().any(|org| org == self.msp_id())
        {
            return Err(Status::failed_precondition(format!(
                "no peers available to evaluate chaincode {} in channel {channel}",
                proposal.chaincode_id.name
            )));
        }

        let signed = request.proposed_transaction.unwrap_or_default();
        let call = self.parts.endorser.process(signed);
        let outcome = tokio::time::timeout(self.parts.endorsement_timeout, call)
            .await
            .map_err(|_| Status::deadline_exceeded("evaluate timeout expired"))?;
        let answer = classify(outcome).map_err(|error| {
            let detail = self.detail(&error.message);
            if error.retry {
                // There is no other peer to ask.
                let text = "failed to evaluate transaction, see attached details for more info";
                return with_details(error.code, text, &[detail]);
            }
            let text = format!("evaluate call to endorser returned error: {}", error.message);
            with_details(error.code, text, &[detail])
        })?;

        let mut result = answer.response.unwrap_or_default();
        // The payload that counts is the endorsed one.
        result.payload = unpack_response_payload(&answer.payload)
            .map_err(|error| Status::new(Code::Unknown, error.to_string()))?
            .1
            .response
            .map(|response: protos::Response| response.payload)
            .unwrap_or_default();
        self.parts.events.publish(Event::Evaluated {
            invocation: Invocation {
                channel: channel.clone(),
                chaincode: proposal.chaincode_id.name,
                args: proposal.input.args,
                tx_id: proposal.channel_header.tx_id,
            },
            status: result.status,
            elapsed: started.elapsed(),
        });
        Ok(EvaluateResponse { result: Some(result) })
    }

    /// This peer's organization.
    pub(super) fn msp_id(&self) -> &str {
        self.parts.endorser.signer().msp_id()
    }

    /// This peer as an endpoint that said `message`.
    pub(super) fn detail(&self, message: &str) -> ErrorDetail {
        ErrorDetail {
            address: self.parts.address.clone(),
            msp_id: self.msp_id().to_owned(),
            message: message.to_owned(),
        }
    }
}
