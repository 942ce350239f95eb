//! The queries for peers.

use std::collections::BTreeMap;

use windlass_identity::ChannelConfig;
use windlass_proto::{
    discovery::{Peer, PeerMembershipResult, Peers},
    protos::ChaincodeInterest,
};

use super::{Discovery, QueryError};
use crate::network::Member;

impl Discovery {
    /// Every peer that is alive, whatever its channels.
    pub(super) fn local_peers(&self) -> PeerMembershipResult {
        let mut peers_by_org: BTreeMap<String, Peers> = BTreeMap::new();
        let network = &self.parts.network;
        for member in network.peers().into_iter().filter(|member| network.alive(member).is_some()) {
            let peer = self.peer(&member, None);
            peers_by_org.entry(member.msp_id.clone()).or_default().peers.push(peer);
        }
        PeerMembershipResult { peers_by_org }
    }

    /// The peers of a channel; with a filter, those that have its chaincodes and may read its collections.
    pub(super) fn channel_peers(
        &self,
        config: &ChannelConfig,
        filter: &ChaincodeInterest,
    ) -> Result<PeerMembershipResult, QueryError> {
        let interest = self.interest(config, filter)?;
        let mut peers_by_org: BTreeMap<String, Peers> = BTreeMap::new();
        for peer in self.parts.network.introduced_on_channel(config) {
            let member = &peer.member;
            let peers = peers_by_org.entry(member.msp_id.clone()).or_default();
            let admitted = || config.msps().deserialize(&member.identity).is_ok_and(|id| interest.admits(config, &id));
            if self.has_all(&peer, &interest) && admitted() {
                peers.peers.push(self.peer(member, Some(config.channel_id())));
            }
        }
        Ok(PeerMembershipResult { peers_by_org })
    }

    /// A peer as clients are told of it, with its state on a channel.
    pub(super) fn peer(&self, member: &Member, channel: Option<&str>) -> Peer {
        Peer {
            state_info: channel.and_then(|channel| self.parts.network.state_info(member, channel)),
            membership_info: self.parts.network.alive(member),
            identity: member.identity.clone(),
        }
    }
}
