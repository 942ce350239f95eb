//! What this peer says of itself.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use prost::Message;
use windlass_chaincode::lifecycle::Lifecycle;
use windlass_identity::SigningIdentity;
use windlass_proto::{
    Bytes,
    gossip::{
        AliveMessage, Chaincode, Envelope, GossipMessage, PeerTime, Properties, StateInfo,
        gossip_message::{Content, Tag},
    },
    hash::sha256_of,
};

use super::{ChannelMember, Member};
use crate::channel::PeerChannels;

/// What others can endorse with every peer of a channel, beside what is defined on it.
const LIFECYCLE: &str = "_lifecycle";

/// What a peer says of itself: where it is, its channels, what it can endorse. Clones say the same.
#[derive(Clone)]
pub struct Status {
    member: Arc<Member>,
    signer: SigningIdentity,
    channels: PeerChannels,
    lifecycle: Lifecycle,
    /// When the peer was started, in nanoseconds.
    incarnation: u64,
    messages: Arc<AtomicU64>,
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status").field("member", &self.member).finish_non_exhaustive()
    }
}

impl Status {
    /// The status of a peer that others reach at `endpoint`.
    pub fn new(signer: SigningIdentity, endpoint: String, channels: PeerChannels, lifecycle: Lifecycle) -> Self {
        let certificate = signer.certificate_pem().as_bytes();
        let member = Member::new(signer.msp_id(), certificate, signer.serialized().clone(), endpoint);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            member: Arc::new(member),
            signer,
            channels,
            lifecycle,
            incarnation: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            messages: Arc::default(),
        }
    }

    /// The peer.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// The peer on a channel, if it has joined it.
    pub fn on_channel(&self, channel: &str) -> Option<ChannelMember> {
        let height = self.channels.get(channel)?.ledger().height();
        let endorsable = self.lifecycle.endorsable(channel).into_iter();
        let chaincodes: BTreeMap<_, _> = endorsable.map(|definition| (definition.name, definition.sequence)).collect();
        Some(ChannelMember { member: self.member.clone(), height, chaincodes: Arc::new(chaincodes) })
    }

    /// The signed `AliveMessage`: where the peer is.
    pub fn alive(&self) -> Envelope {
        let membership = windlass_proto::gossip::Member {
            endpoint: self.member.endpoint.clone(),
            metadata: Bytes::new(),
            pki_id: self.member.pki_id.clone(),
        };
        let alive = AliveMessage { membership: Some(membership), timestamp: Some(self.now()), identity: Bytes::new() };
        self.sign(&GossipMessage {
            tag: Tag::Empty.into(),
            content: Some(Content::AliveMsg(alive)),
            ..Default::default()
        })
    }

    /// The signed `StateInfo` of a channel that the peer has joined.
    pub fn state_info(&self, channel: &str) -> Option<Envelope> {
        let own = self.on_channel(channel)?;
        let lifecycle = (LIFECYCLE.to_owned(), 1);
        let defined = own.chaincodes.iter().map(|(name, sequence)| (name.clone(), *sequence));
        let chaincodes = defined.chain([lifecycle]).map(|(name, sequence)| Chaincode {
            name,
            version: sequence.to_string(),
            metadata: Bytes::new(),
        });
        let properties =
            Properties { ledger_height: own.height, left_channel: false, chaincodes: chaincodes.collect() };
        let state = StateInfo {
            timestamp: Some(self.now()),
            pki_id: self.member.pki_id.clone(),
            // Ties the message to the channel without naming it.
            channel_mac: Bytes::copy_from_slice(&sha256_of([self.member.pki_id.as_ref(), channel.as_bytes()])),
            properties: Some(properties),
        };
        let content = Some(Content::StateInfo(state));
        Some(self.sign(&GossipMessage { tag: Tag::ChanOrOrg.into(), content, ..Default::default() }))
    }

    fn now(&self) -> PeerTime {
        PeerTime { inc_num: self.incarnation, seq_num: self.messages.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    fn sign(&self, message: &GossipMessage) -> Envelope {
        let payload: Bytes = message.encode_to_vec().into();
        let signature = self.signer.sign(&payload).into();
        Envelope { payload, signature, secret_envelope: None }
    }
}
