//! The Gateway: one service through which a client evaluates, endorses, submits and follows.
//!
//! - [`Gateway`]: the five methods, one file each
//! - `endorsers`: whom to ask
//! - `plan`: the progress towards enough endorsements
//! - `errors`: statuses with details

mod commit_status;
mod endorse;
mod endorsers;
mod errors;
mod evaluate;
mod events;
mod plan;
mod submit;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::Stream;
use tonic::{Request, Response, Status};
use windlass_chaincode::lifecycle::Lifecycle;
use windlass_proto::{
    envelope::{UnpackedProposal, unpack_proposal},
    gateway::{
        ChaincodeEventsResponse, CommitStatusResponse, EndorseRequest, EndorseResponse, EvaluateRequest,
        EvaluateResponse, SignedChaincodeEventsRequest, SignedCommitStatusRequest, SubmitRequest, SubmitResponse,
        gateway_server,
    },
    protos::SignedProposal,
};

use super::{Limit, endorser::Endorser};
use crate::{acl::Acl, channel::PeerChannels, events::Events, network::Network, ordering::Ordering};

/// The Gateway of a peer. Clones share everything.
#[derive(Clone)]
pub struct Gateway {
    parts: Arc<Parts>,
}

/// What a Gateway works with.
#[derive(Debug)]
pub struct Parts {
    /// This peer's own endorser, called in process.
    pub endorser: Endorser,
    /// The joined channels.
    pub channels: PeerChannels,
    /// Whose endorsements a chaincode needs.
    pub lifecycle: Lifecycle,
    /// Where transactions go.
    pub ordering: Ordering,
    /// Who may wait for what.
    pub acl: Acl,
    /// Told of evaluations.
    pub events: Events,
    /// The peers that can be asked, this one among them.
    pub network: Network,
    /// How long endorsement and evaluation may take.
    pub endorsement_timeout: Duration,
    /// How long ordering may take, or one orderer of several.
    pub broadcast_timeout: Duration,
    /// How many requests at once.
    pub limit: Limit,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("network", &self.parts.network).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A Gateway of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }
}

/// Takes a client's proposal apart, with the Gateway's own words for what is missing.
// Fabric: endorsement-and-gateway §7 "Evaluate"
fn unpack(signed: Option<&SignedProposal>) -> Result<UnpackedProposal, String> {
    use windlass_proto::envelope::UnpackError;
    let signed = signed.ok_or("a signed proposal is required")?;
    let channel = channel_of(signed);
    match (unpack_proposal(signed), channel) {
        (_, Some(channel)) if channel.is_empty() => Err("no channel id provided".to_owned()),
        (Ok(proposal), _) => Ok(proposal),
        (Err(UnpackError::NoChaincodeSpec), Some(channel)) => {
            Err(format!("no chaincode spec is provided, channel id [{channel}]"))
        }
        (Err(UnpackError::NoChaincodeId), Some(channel)) => {
            Err(format!("no chaincode id is provided, channel id [{channel}]"))
        }
        (Err(UnpackError::NoChaincodeName), Some(channel)) => {
            Err(format!("no chaincode name is provided, channel id [{channel}]"))
        }
        (Err(error), _) => Err(error.to_string()),
    }
}

fn channel_of(signed: &SignedProposal) -> Option<String> {
    use windlass_proto::{
        common::{ChannelHeader, Header},
        envelope::decode,
        protos::Proposal,
    };
    let proposal: Proposal = decode("", &signed.proposal_bytes).ok()?;
    let header: Header = decode("", &proposal.header).ok()?;
    decode::<ChannelHeader>("", &header.channel_header).ok().map(|header| header.channel_id)
}

#[tonic::async_trait]
impl gateway_server::Gateway for Gateway {
    async fn evaluate(&self, request: Request<EvaluateRequest>) -> Result<Response<EvaluateResponse>, Status> {
        let _place = self.parts.limit.enter()?;
        self.evaluate_proposal(request.into_inner()).await.map(Response::new)
    }

    async fn endorse(&self, request: Request<EndorseRequest>) -> Result<Response<EndorseResponse>, Status> {
        let _place = self.parts.limit.enter()?;
        self.endorse_proposal(request.into_inner()).await.map(Response::new)
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitResponse>, Status> {
        let _place = self.parts.limit.enter()?;
        self.submit_transaction(request.into_inner()).await.map(Response::new)
    }

    async fn commit_status(
        &self,
        request: Request<SignedCommitStatusRequest>,
    ) -> Result<Response<CommitStatusResponse>, Status> {
        let _place = self.parts.limit.enter()?;
        self.wait_for_commit(request.into_inner()).await.map(Response::new)
    }

    type ChaincodeEventsStream = Pin<Box<dyn Stream<Item = Result<ChaincodeEventsResponse, Status>> + Send>>;

    async fn chaincode_events(
        &self,
        request: Request<SignedChaincodeEventsRequest>,
    ) -> Result<Response<Self::ChaincodeEventsStream>, Status> {
        let place = self.parts.limit.enter()?;
        self.follow_chaincode_events(request.into_inner(), place).map(Response::new)
    }
}
