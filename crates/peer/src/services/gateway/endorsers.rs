//! The peers that can endorse a chaincode on a channel, and calling one.

use std::{cmp::Reverse, sync::Arc};

use windlass_identity::{ChannelConfig, Identity};
use windlass_proto::{
    gateway::ErrorDetail,
    protos::{ProposalResponse, SignedProposal},
};

use super::{
    Gateway,
    errors::{EndpointError, Failure, classify},
};
use crate::network::{ChannelMember, Member};

/// The peers of a channel in the order in which they are asked: this one's organization first, the higher ledger
/// before the lower, this peer before others of the same height. A peer is known by its place.
#[derive(Debug)]
pub(super) struct Endorsers {
    peers: Vec<ChannelMember>,
    own: Arc<Member>,
}

impl Endorsers {
    /// Every peer of the channel.
    pub(super) fn of(gateway: &Gateway, config: &ChannelConfig) -> Self {
        let own = gateway.parts.network.own().clone();
        let mut peers = gateway.parts.network.on_channel(config);
        peers.sort_by_key(|peer| {
            (peer.member.msp_id != own.msp_id, Reverse(peer.height), peer.member.pki_id != own.pki_id)
        });
        Self { peers, own }
    }

    pub(super) fn get(&self, at: usize) -> &Arc<Member> {
        &self.peers[at].member
    }

    /// The peers, by their places.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &ChannelMember)> {
        self.peers.iter().enumerate()
    }

    /// The peers that have a chaincode.
    pub(super) fn with(&self, gateway: &Gateway, chaincode: &str) -> impl Iterator<Item = (usize, &ChannelMember)> {
        let everywhere = gateway.parts.endorser.is_system(chaincode);
        self.all().filter(move |(_, peer)| everywhere || peer.chaincodes.contains_key(chaincode))
    }

    /// Those of them that are of this peer's organization.
    pub(super) fn own_with(&self, gateway: &Gateway, chaincode: &str) -> Vec<usize> {
        let own = self.with(gateway, chaincode).filter(|(_, peer)| peer.member.msp_id == self.own.msp_id);
        own.map(|(at, _)| at).collect()
    }

    /// The peers' identities.
    pub(super) fn identities(&self, config: &ChannelConfig) -> Vec<Option<Arc<Identity>>> {
        self.peers.iter().map(|peer| config.msps().deserialize(&peer.member.identity).ok()).collect()
    }
}

impl Gateway {
    /// Has a peer process a proposal, in time.
    pub(super) async fn call(
        &self,
        config: &ChannelConfig,
        peer: &Member,
        proposal: SignedProposal,
    ) -> Result<ProposalResponse, EndpointError> {
        let call = async {
            if self.parts.network.is_own(peer) {
                return self.parts.endorser.process(proposal).await.map_err(Failure::from);
            }
            let answer = self.parts.network.endorse(config, peer, proposal).await;
            answer.map_err(|status| Failure::Status(Box::new(status)))
        };
        let outcome = tokio::time::timeout(self.parts.endorsement_timeout, call).await;
        let outcome = classify(outcome.unwrap_or(Err(Failure::Timeout)));
        if let Err(error) = &outcome {
            tracing::debug!(peer = peer.endpoint, msp = peer.msp_id, error = error.message, "not endorsed");
            if error.drop {
                self.parts.network.disconnect(peer);
            }
        }
        outcome
    }
}

/// A peer as an endpoint that said `message`.
pub(super) fn detail(peer: &Member, message: &str) -> ErrorDetail {
    ErrorDetail { address: peer.endpoint.clone(), msp_id: peer.msp_id.clone(), message: message.to_owned() }
}
