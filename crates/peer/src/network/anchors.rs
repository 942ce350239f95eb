//! The anchor peers of the channels: what a peer knows of others without gossip.
//!
//! Each is asked from time to time, as any reader of the channel may, how many blocks it has. It signs the answer, and
//! that tells who it is. What chaincode it runs it does not tell; it is taken to run what is defined on the channel,
//! and whoever asks it for an endorsement finds out.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use futures::future::join_all;
use parking_lot::RwLock;
use prost::Message;
use windlass_chaincode::lifecycle::Lifecycle;
use windlass_identity::{ChannelConfig, SigningIdentity};
use windlass_proto::{
    Bytes,
    common::BlockchainInfo,
    envelope::{Call, build_proposal, proposal_hash, unpack_proposal, unpack_response_payload},
    gossip,
    protos::{ProposalResponse, SignedProposal},
};

use super::{ChannelMember, Connections, Member, Membership};
use crate::channel::PeerChannels;

/// How often anchor peers are asked.
const INTERVAL: Duration = Duration::from_secs(10);

/// The anchor peers of all channels that this peer has joined. Clones are the same.
#[derive(Clone)]
pub struct AnchorPeers(Arc<Shared>);

/// Those that answered last time, by channel and endpoint, with their heights.
type Known = BTreeMap<(String, String), (Arc<Member>, u64)>;

struct Shared {
    signer: SigningIdentity,
    /// Where this peer itself is.
    own: String,
    channels: PeerChannels,
    lifecycle: Lifecycle,
    connections: Connections,
    known: RwLock<Known>,
}

impl fmt::Debug for AnchorPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnchorPeers").field("known", &self.0.known.read()).finish_non_exhaustive()
    }
}

impl AnchorPeers {
    /// Nobody is known before [`AnchorPeers::watch`] has asked. `own` is this peer's address.
    pub fn new(
        signer: SigningIdentity,
        own: String,
        channels: PeerChannels,
        lifecycle: Lifecycle,
        connections: Connections,
    ) -> Self {
        Self(Arc::new(Shared { signer, own, channels, lifecycle, connections, known: RwLock::default() }))
    }

    /// Asks again and again, until it is dropped.
    pub async fn watch(&self) {
        loop {
            join_all(self.0.channels.all().iter().map(|channel| self.ask_all(channel.config()))).await;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn ask_all(&self, config: Arc<ChannelConfig>) {
        let anchors = config.application_orgs().iter().flat_map(|organization| {
            let endpoints = organization.anchor_peers.iter().map(|(host, port)| format!("{host}:{port}"));
            endpoints.map(|endpoint| (organization.msp_id.clone(), endpoint))
        });
        let anchors: Vec<_> = anchors.filter(|(_, endpoint)| *endpoint != self.0.own).collect();
        // The channel may name others by now.
        self.0.known.write().retain(|(channel, endpoint), _| {
            channel != config.channel_id() || anchors.iter().any(|(_, anchor)| anchor == endpoint)
        });
        let asked = anchors.into_iter().map(|(msp_id, endpoint)| {
            let config = config.clone();
            async move {
                let key = (config.channel_id().to_owned(), endpoint.clone());
                let answer = tokio::time::timeout(INTERVAL, self.ask(&config, &msp_id, &endpoint)).await;
                let answer = answer.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not answer within {INTERVAL:?}")));
                let mut known = self.0.known.write();
                match answer {
                    Ok((member, height)) => {
                        if known.insert(key, (Arc::new(member), height)).is_none() {
                            tracing::info!(channel = config.channel_id(), %endpoint, %msp_id, "an anchor peer answers");
                        }
                    }
                    Err(error) => {
                        tracing::debug!(channel = config.channel_id(), %endpoint, %msp_id, "no anchor peer: {error:#}");
                        if known.remove(&key).is_some() {
                            tracing::warn!(
                                channel = config.channel_id(), %endpoint, %msp_id,
                                "an anchor peer answers no more: {error:#}"
                            );
                        }
                    }
                }
            }
        });
        join_all(asked).await;
    }

    /// Who serves at an endpoint, and how many blocks of the channel it has.
    async fn ask(&self, config: &ChannelConfig, msp_id: &str, endpoint: &str) -> anyhow::Result<(Member, u64)> {
        let channel = config.channel_id();
        let call = Call {
            channel: channel.to_owned(),
            chaincode: "qscc".to_owned(),
            args: vec!["GetChainInfo".into(), Bytes::copy_from_slice(channel.as_bytes())],
            ..Default::default()
        };
        let signer = &self.0.signer;
        let (proposal_bytes, _) =
            build_proposal(&call, signer.serialized(), &rand::random::<[u8; 24]>(), SystemTime::now().into());
        let proposal = SignedProposal { signature: signer.sign(&proposal_bytes).into(), proposal_bytes };
        let stranger = Member::new(msp_id, &[], Bytes::new(), endpoint.to_owned());
        let answer = self.0.connections.endorse(config, &stranger, proposal.clone()).await?;

        let height = height(&proposal, &answer)?;
        let endorsement = answer.endorsement.context("its answer is not signed")?;
        let identity = config.msps().deserialize(&endorsement.endorser).context("it is nobody of the channel")?;
        anyhow::ensure!(identity.msp_id() == msp_id, "it is a peer of {}, expected {msp_id}", identity.msp_id());
        config.msps().validate(&identity)?;
        identity.verify(&[answer.payload.as_ref(), &endorsement.endorser].concat(), &endorsement.signature)?;
        let certificate = identity.certificate_pem().as_bytes();
        Ok((Member::new(msp_id, certificate, endorsement.endorser, endpoint.to_owned()), height))
    }
}

/// How many blocks an answer tells of. Only what the peer signs counts, and only if it signs it for this proposal: any
/// block has endorsements for others to copy.
fn height(proposal: &SignedProposal, answer: &ProposalResponse) -> anyhow::Result<u64> {
    let response = answer.response.clone().unwrap_or_default();
    anyhow::ensure!(response.status == 200, "it answers with status {}: {}", response.status, response.message);
    let (signed, action) = unpack_response_payload(&answer.payload)?;
    let asked = unpack_proposal(proposal)?;
    let hash = proposal_hash(&asked.header, &asked.payload);
    anyhow::ensure!(signed.proposal_hash == hash.as_slice(), "it signs the answer to another proposal");
    anyhow::ensure!(action.response == answer.response, "it signs another answer than it gives");
    Ok(BlockchainInfo::decode(response.payload)?.height)
}

impl Membership for AnchorPeers {
    fn peers(&self) -> Vec<Arc<Member>> {
        let known: BTreeMap<_, _> =
            self.0.known.read().values().map(|(member, _)| (member.pki_id.clone(), member.clone())).collect();
        known.into_values().collect()
    }

    fn on_channel(&self, channel: &str) -> Vec<ChannelMember> {
        let definitions = self.0.lifecycle.definitions(channel).into_iter();
        let chaincodes: BTreeMap<_, _> = definitions.map(|definition| (definition.name, definition.sequence)).collect();
        let chaincodes = Arc::new(chaincodes);
        let known = self.0.known.read();
        let here = known.iter().filter(|((at, _), _)| at == channel).map(|(_, (member, height))| ChannelMember {
            member: member.clone(),
            height: *height,
            chaincodes: chaincodes.clone(),
        });
        here.collect()
    }

    // Their own words never get here.
    fn alive(&self, _: &[u8]) -> Option<gossip::Envelope> {
        None
    }

    fn state_info(&self, _: &[u8], _: &str) -> Option<gossip::Envelope> {
        None
    }
}

#[cfg(test)]
mod tests {
    use windlass_proto::protos::{ChaincodeAction, ProposalResponsePayload, Response};

    use super::*;
    use crate::testing::{CHANNEL, World, signed_proposal};

    /// The answer to a proposal: a channel of this height.
    fn answer(proposal: &SignedProposal, height: u64) -> ProposalResponse {
        let info = BlockchainInfo { height, ..Default::default() };
        let response = Some(Response { status: 200, payload: info.encode_to_vec().into(), ..Default::default() });
        let action = ChaincodeAction { response: response.clone(), ..Default::default() };
        let asked = unpack_proposal(proposal).expect("a proposal");
        let payload = ProposalResponsePayload {
            proposal_hash: Bytes::copy_from_slice(&proposal_hash(&asked.header, &asked.payload)),
            extension: action.encode_to_vec().into(),
        };
        ProposalResponse { response, payload: payload.encode_to_vec().into(), ..Default::default() }
    }

    #[test]
    fn believes_only_what_is_signed_for_this_proposal() {
        let world = World::new();
        let (asked, other) =
            (signed_proposal(&world.peer1, CHANNEL, "qscc"), signed_proposal(&world.peer2, CHANNEL, "qscc"));
        let refusal = |answer| height(&asked, &answer).expect_err("refused").to_string();
        assert_eq!(height(&asked, &answer(&asked, 7)).expect("a height"), 7);
        assert_eq!(refusal(answer(&other, 7)), "it signs the answer to another proposal");
        let forged = ProposalResponse { response: answer(&asked, 9).response, ..answer(&asked, 7) };
        assert_eq!(refusal(forged), "it signs another answer than it gives");
        let failed = Response { status: 500, message: "no".into(), ..Default::default() };
        let failed = ProposalResponse { response: Some(failed), ..Default::default() };
        assert_eq!(refusal(failed), "it answers with status 500: no");
    }
}
