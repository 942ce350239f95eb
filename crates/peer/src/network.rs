//! The peers of the network, this one among them: who there is, what they have, and how to call them.
//!
//! - [`Membership`]: the seam behind which other peers are found
//! - [`Neighbourhood`]: the peers of one process, which know each other without talking
//! - [`AnchorPeers`]: those that channels name, for a peer in a process of its own
//! - [`Status`]: what this peer says of itself
//! - [`Network`]: all of them together, with connections; what the services use

mod anchors;
mod connections;
mod neighbourhood;
mod status;

use std::{collections::BTreeMap, fmt, sync::Arc};

use windlass_identity::ChannelConfig;
use windlass_proto::{
    Bytes, gossip,
    hash::sha256_of,
    protos::{ProposalResponse, SignedProposal},
};

pub use anchors::AnchorPeers;
pub use connections::Connections;
pub(crate) use connections::{is_loss, tls_trust};
pub use neighbourhood::Neighbourhood;
pub use status::Status;

/// A peer, as the network knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its organization.
    pub msp_id: String,
    /// Where others reach it, `host:port`.
    pub endpoint: String,
    /// Its identity, as `SerializedIdentity`.
    pub identity: Bytes,
    /// The short form of its identity.
    pub pki_id: Bytes,
}

impl Member {
    /// A peer with this identity: MSP ID and certificate.
    pub fn new(msp_id: &str, certificate_pem: &[u8], identity: Bytes, endpoint: String) -> Self {
        let pki_id = Bytes::copy_from_slice(&sha256_of([msp_id.as_bytes(), certificate_pem]));
        Self { msp_id: msp_id.to_owned(), endpoint, identity, pki_id }
    }
}

/// A peer on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelMember {
    /// The peer.
    pub member: Arc<Member>,
    /// How many blocks it has.
    pub height: u64,
    /// What it can endorse: the definitions' sequences, by name.
    pub chaincodes: Arc<BTreeMap<String, i64>>,
}

/// Where other peers are found. What it says may be out of date; calls tell.
pub trait Membership: Send + Sync + fmt::Debug {
    /// The peers that are alive.
    fn peers(&self) -> Vec<Arc<Member>>;

    /// Those of them that have joined `channel`.
    fn on_channel(&self, channel: &str) -> Vec<ChannelMember>;

    /// A peer's signed `AliveMessage`.
    fn alive(&self, pki_id: &[u8]) -> Option<gossip::Envelope>;

    /// A peer's signed `StateInfo` of a channel.
    fn state_info(&self, pki_id: &[u8], channel: &str) -> Option<gossip::Envelope>;
}

/// All peers of the network, as one of them sees it. Clones share everything.
#[derive(Clone, Debug)]
pub struct Network {
    own: Status,
    others: Arc<dyn Membership>,
    connections: Connections,
}

impl Network {
    /// The network of the peer that `own` tells of.
    pub fn new(own: Status, others: Arc<dyn Membership>, connections: Connections) -> Self {
        Self { own, others, connections }
    }

    /// This peer.
    pub fn own(&self) -> &Arc<Member> {
        self.own.member()
    }

    /// Whether this is the peer itself.
    pub fn is_own(&self, member: &Member) -> bool {
        member.pki_id == self.own().pki_id
    }

    /// All peers that are alive, this one first.
    pub fn peers(&self) -> Vec<Arc<Member>> {
        let others = self.others.peers().into_iter().filter(|member| !self.is_own(member));
        std::iter::once(self.own().clone()).chain(others).collect()
    }

    /// The peers of a channel, this one first. The organizations must be members of the channel.
    pub fn on_channel(&self, config: &ChannelConfig) -> Vec<ChannelMember> {
        let Some(own) = self.own.on_channel(config.channel_id()) else { return Vec::new() };
        let others = self.others.on_channel(config.channel_id()).into_iter();
        let others =
            others.filter(|peer| !self.is_own(&peer.member) && config.application_org(&peer.member.msp_id).is_some());
        std::iter::once(own).chain(others).collect()
    }

    /// Those of [`Network::on_channel`] that have introduced themselves: clients are told of peers in their own words.
    pub fn introduced_on_channel(&self, config: &ChannelConfig) -> Vec<ChannelMember> {
        let peers = self.on_channel(config).into_iter();
        peers.filter(|peer| self.alive(&peer.member).is_some()).collect()
    }

    /// A peer's signed `AliveMessage`.
    pub fn alive(&self, member: &Member) -> Option<gossip::Envelope> {
        if self.is_own(member) { Some(self.own.alive()) } else { self.others.alive(&member.pki_id) }
    }

    /// A peer's signed `StateInfo` of a channel.
    pub fn state_info(&self, member: &Member, channel: &str) -> Option<gossip::Envelope> {
        if self.is_own(member) { self.own.state_info(channel) } else { self.others.state_info(&member.pki_id, channel) }
    }

    /// Connects to another peer, unless there is a connection already.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn connect(&self, config: &ChannelConfig, member: &Member) -> Result<(), tonic::Status> {
        self.connections.connect(config, member).await.map(drop)
    }

    /// Has another peer process a proposal.
    ///
    /// # Errors
    /// Its refusal, or why it cannot be reached. The next call dials again.
    pub async fn endorse(
        &self,
        config: &ChannelConfig,
        member: &Member,
        proposal: SignedProposal,
    ) -> Result<ProposalResponse, tonic::Status> {
        self.connections.endorse(config, member, proposal).await
    }

    /// Ends the connection to a peer that is of no use.
    pub fn disconnect(&self, member: &Member) {
        self.connections.disconnect(&member.endpoint);
    }
}
