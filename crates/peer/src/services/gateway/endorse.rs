//! Endorse: collects the endorsements that a transaction needs and assembles it for the client to sign.

use tonic::{Code, Status};
use windlass_proto::{
    common::Envelope,
    envelope::{UnpackedProposal, assemble_transaction},
    gateway::{EndorseRequest, EndorseResponse},
    protos::ProposalResponse,
};

use super::{
    Gateway,
    errors::{classify, with_details},
    unpack,
};

impl Gateway {
    // Fabric: endorsement-and-gateway §7 "Endorse"
    pub(super) async fn endorse_proposal(&self, request: EndorseRequest) -> Result<EndorseResponse, Status> {
        if request.proposed_transaction.as_ref().is_none_or(|signed| signed.proposal_bytes.is_empty()) {
            return Err(Status::invalid_argument("the proposed transaction must contain a signed proposal"));
        }
        let proposal = unpack(request.proposed_transaction.as_ref()).map_err(Status::invalid_argument)?;
        let channel = &proposal.channel_header.channel_id;
        let Some(channel) = self.parts.channels.get(channel) else {
            return Err(Status::unavailable(format!("failed to get config for channel [{channel}]: channel does not exist")));
        };
        let named = request.endorsing_organizations;
        let absent: Vec<_> = named.iter().filter(|org| *org != self.msp_id()).map(String::as_str).collect();
        if !absent.is_empty() {
            return Err(Status::unavailable(format!(
                "failed to find any endorsing peers for org(s): {}",
                absent.join(", ")
            )));
        }

        let signed = request.proposed_transaction.unwrap_or_default();
        let call = self.parts.endorser.process(signed);
        let outcome = tokio::time::timeout(self.parts.endorsement_timeout, call)
            .await
            .map_err(|_| Status::deadline_exceeded("endorsement timeout expired while collecting first endorsement"))?;
        let answer = classify(outcome).map_err(|error| {
            let text = "failed to endorse transaction, see attached details for more info";
            with_details(Code::Aborted, text, &[self.detail(&error.message)])
        })?;
        if named.is_empty() {
            self.check_plan(&channel, &proposal, &answer)?;
        }
        Ok(EndorseResponse { prepared_transaction: Some(assemble(&proposal, answer)?) })
    }

    /// Whether the one endorsement that can be had satisfies every policy the transaction is under.
    fn check_plan(
        &self,
        channel: &crate::channel::Channel,
        proposal: &UnpackedProposal,
        answer: &ProposalResponse,
    ) -> Result<(), Status> {
        let calls = answer.interest.clone().unwrap_or_default().chaincodes;
        self.enough(channel, &proposal.chaincode_id.name, &calls).map_err(|cause| {
            Status::failed_precondition(format!(
                "no combination of peers can be derived which satisfy the endorsement policy: {cause}"
            ))
        })
    }
}

fn assemble(proposal: &UnpackedProposal, answer: ProposalResponse) -> Result<Envelope, Status> {
    let endorsement = answer.endorsement.ok_or_else(|| {
        Status::aborted("failed to assemble transaction: the proposal response carries no endorsement")
    })?;
    let payload = assemble_transaction(&proposal.header, &proposal.payload, answer.payload, vec![endorsement]);
    Ok(Envelope { payload, signature: Default::default() })
}
