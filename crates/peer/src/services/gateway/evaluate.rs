//! Evaluate: a query, answered by one peer and never ordered.

use std::time::Instant;

use tonic::{Code, Status};
use windlass_identity::ChannelConfig;
use windlass_proto::{
    envelope::{UnpackedProposal, unpack_response_payload},
    gateway::{EvaluateRequest, EvaluateResponse},
    protos::{self, ProposalResponse, SignedProposal},
};

use super::{
    Gateway,
    endorsers::{Endorsers, detail},
    errors::with_details,
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
        let Some(joined) = self.parts.channels.get(channel) else {
            return Err(Status::unavailable(format!(
                "failed to get config for channel [{channel}]: channel does not exist"
            )));
        };
        let config = joined.config();
        let endorsers = Endorsers::of(self, &config);
        let candidates = self.evaluators(&endorsers, &proposal, &request.target_organizations)?;
        let signed = request.proposed_transaction.unwrap_or_default();
        let answer = self.ask(&config, &endorsers, &candidates, signed).await?;

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

    /// The peers that may answer, in the order in which they are asked.
    fn evaluators(
        &self,
        endorsers: &Endorsers,
        proposal: &UnpackedProposal,
        targets: &[String],
    ) -> Result<Vec<usize>, Status> {
        let chaincode = &proposal.chaincode_id.name;
        // Transient data stays within the organization unless the client says otherwise.
        let protect = !proposal.payload.transient_map.is_empty() && targets.is_empty();
        let found: Vec<usize> = if protect {
            endorsers.own_with(self, chaincode)
        } else {
            let wanted = |org: &String| targets.is_empty() || targets.contains(org);
            endorsers.with(self, chaincode).filter(|(_, peer)| wanted(&peer.member.msp_id)).map(|(at, _)| at).collect()
        };
        if !found.is_empty() {
            return Ok(found);
        }
        let channel = &proposal.channel_header.channel_id;
        let cause = format!("no peers available to evaluate chaincode {chaincode} in channel {channel}");
        Err(Status::failed_precondition(if protect {
            format!(
                "no endorsers found in the gateway's organization; retry specifying target organization(s) to protect transient data: {cause}"
            )
        } else {
            cause
        }))
    }

    /// The first answer that one of these peers gives. What another peer would not do better ends it.
    async fn ask(
        &self,
        config: &ChannelConfig,
        endorsers: &Endorsers,
        candidates: &[usize],
        signed: SignedProposal,
    ) -> Result<ProposalResponse, Status> {
        let mut details = Vec::new();
        let mut last = None;
        for peer in candidates {
            let peer = endorsers.get(*peer);
            let error = match self.call(config, peer, signed.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            details.push(detail(peer, &error.message));
            if !error.retry {
                let text = format!("evaluate call to endorser returned error: {}", error.message);
                return Err(with_details(error.code, text, &details));
            }
            last = Some(error);
        }
        match last {
            Some(error) if error.timeout => Err(Status::deadline_exceeded("evaluate timeout expired")),
            last => {
                let text = "failed to evaluate transaction, see attached details for more info";
                Err(with_details(last.map_or(Code::Unavailable, |error| error.code), text, &details))
            }
        }
    }
}
