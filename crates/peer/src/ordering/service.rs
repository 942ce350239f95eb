//! A client of a real ordering service: Deliver to pull blocks, Broadcast to hand transactions over.
// Fabric: ledger §11, endorsement-and-gateway §7 "Submit"

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::{
    StreamExt,
    stream::{self, FuturesUnordered},
};
use rand::seq::SliceRandom;
use tonic::transport::Channel;
use windlass_identity::{ChannelConfig, SigningIdentity};
use windlass_proto::{
    common::{Envelope, Status},
    envelope::build_seek,
    gateway::ErrorDetail,
    orderer::{
        BroadcastResponse, DeliverResponse, SeekInfo, SeekPosition, SeekSpecified,
        atomic_broadcast_client::AtomicBroadcastClient, deliver_response::Type, seek_position,
    },
};
use windlass_transport::MAX_MESSAGE_SIZE;

use super::{Blocks, BroadcastError, OrderingError, unsuccessful, verdict, within};
use crate::network::{Connections, is_loss, tls_trust};

/// What an orderer of a BFT channel says of a transaction that it has already.
const KNOWN: &str = "failed to submit request: request already exists";

/// What is told of an orderer that does not answer.
const TIMED_OUT: &str = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";

/// A client of the orderers that channels name in their configuration. Clones share its connections.
#[derive(Clone, Debug)]
pub struct OrderingService {
    signer: SigningIdentity,
    connections: Connections,
}

/// An orderer of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    endpoint: String,
    msp_id: String,
    /// Under which its TLS certificate verifies, PEM.
    roots: Vec<String>,
}

impl OrderingService {
    /// A client that signs as `signer`.
    pub fn new(signer: SigningIdentity, connections: Connections) -> Self {
        Self { signer, connections }
    }

    pub(super) async fn blocks(&self, config: &ChannelConfig, from: u64) -> Result<Blocks, OrderingError> {
        let channel = config.channel_id().to_owned();
        let nodes = shuffled(config);
        if nodes.is_empty() {
            return Err(OrderingError::NoOrderers(channel));
        }
        let mut causes = Vec::with_capacity(nodes.len());
        for node in nodes {
            match self.connections.open(&node.endpoint, || node.roots.clone()).await {
                Ok(connection) => return Ok(self.deliver(node.endpoint, connection, &channel, from)),
                Err(error) => causes.push(format!("{}: {error}", node.endpoint)),
            }
        }
        Err(OrderingError::Unreachable { channel, causes })
    }

    /// The stream begins when it is polled: an orderer that has nothing to send says nothing at all.
    fn deliver(&self, endpoint: String, connection: Channel, channel: &str, from: u64) -> Blocks {
        let request = self.seek(channel, from);
        tracing::info!(channel, orderer = endpoint, from, "pulling blocks");
        let (client, connections) = (client(connection), self.connections.clone());
        let started = async move {
            let mut client = client;
            // Open until the blocks are dropped: an orderer may take its end for ours.
            client.deliver(stream::once(async { request }).chain(stream::pending())).await
        };
        let answers = stream::once(started).flat_map(|answers| match answers {
            Ok(answers) => answers.into_inner().boxed(),
            Err(status) => stream::once(async { Err(status) }).boxed(),
        });
        let broken = {
            let endpoint = endpoint.clone();
            move |reason: String| OrderingError::Broken { endpoint: endpoint.clone(), reason }
        };
        // An end without a word is a break too.
        let answers = answers.chain(stream::once(async { Err(tonic::Status::unavailable("EOF")) }));
        let blocks = answers.map(move |answer| match answer {
            Ok(DeliverResponse { r#type: Some(Type::Block(block)) }) => Ok(Arc::new(block)),
            Ok(DeliverResponse { r#type: Some(Type::Status(status)) }) => {
                let status = Status::try_from(status).unwrap_or(Status::Unknown);
                Err(OrderingError::Status { endpoint: endpoint.clone(), status })
            }
            Ok(DeliverResponse { r#type: None }) => Err(broken("it sent neither a block nor a status".to_owned())),
            Err(status) => {
                if is_loss(&status) {
                    connections.disconnect(&endpoint);
                }
                Err(broken(status.message().to_owned()))
            }
        });
        blocks.boxed()
    }

    /// The signed request for every block from `from` on.
    fn seek(&self, channel: &str, from: u64) -> Envelope {
        let at = |number| Some(SeekPosition { r#type: Some(seek_position::Type::Specified(SeekSpecified { number })) });
        let info = SeekInfo { start: at(from), stop: at(u64::MAX), ..Default::default() };
        let (creator, nonce) = (self.signer.serialized(), rand::random::<[u8; 24]>());
        let hash = self.connections.certificate_hash().cloned().unwrap_or_default();
        let payload = build_seek(channel, &info, creator, &nonce, SystemTime::now().into(), hash);
        let signature = self.signer.sign(&payload).into();
        Envelope { payload, signature }
    }

    pub(super) async fn broadcast(
        &self,
        config: &ChannelConfig,
        envelope: Envelope,
        limit: Duration,
    ) -> Result<(), BroadcastError> {
        let nodes = shuffled(config);
        if nodes.is_empty() {
            return Err(BroadcastError::NoOrderers);
        }
        if config.consensus_type() == Some("BFT") {
            return within(limit, self.broadcast_to_quorum(config, &nodes, envelope)).await;
        }
        let mut details = Vec::new();
        for node in nodes {
            let answer = tokio::time::timeout(limit, self.hand_over(&node, envelope.clone())).await;
            match answer.unwrap_or_else(|_| Err(TIMED_OUT.to_owned())) {
                Ok(answer) => match verdict(answer)? {
                    Ok(()) => return Ok(()),
                    Err(message) => details.push(node.detail(message)),
                },
                Err(message) => details.push(node.detail(message)),
            }
        }
        Err(BroadcastError::Failed(details))
    }

    /// Where orderers do not trust each other, so many must have the transaction that one honest one has. Nobody is
    /// waited for whose answer changes nothing.
    async fn broadcast_to_quorum(
        &self,
        config: &ChannelConfig,
        nodes: &[Node],
        envelope: Envelope,
    ) -> Result<(), BroadcastError> {
        let consenters = config.consenters().consenter_mapping.len().max(nodes.len());
        let needed = quorum(consenters);
        let (mut taken, mut details) = (0, Vec::new());
        let hand_over = |node| {
            let envelope = envelope.clone();
            async move { (node, self.hand_over(node, envelope).await) }
        };
        let mut answers: FuturesUnordered<_> = nodes.iter().map(hand_over).collect();
        while let Some((node, answer)) = answers.next().await {
            match answer {
                Ok(answer) if has(&answer) => taken += 1,
                Ok(answer) => details.push(node.detail(unsuccessful(answer.status, &answer.info))),
                Err(message) => details.push(node.detail(message)),
            }
            if taken >= needed {
                return Ok(());
            }
            if details.len() + needed > nodes.len() {
                break;
            }
        }
        Err(BroadcastError::NoQuorum(details))
    }

    /// Sends a transaction to one orderer, over a new connection if the old one has ended meanwhile.
    async fn hand_over(&self, node: &Node, envelope: Envelope) -> Result<BroadcastResponse, String> {
        let kept = self.connections.is_open(&node.endpoint);
        match self.hand_over_once(node, envelope.clone()).await {
            Err(status) if kept && is_loss(&status) => self.hand_over_once(node, envelope).await,
            outcome => outcome,
        }
        .map_err(|status| format!("rpc error: code = {:?} desc = {}", status.code(), status.message()))
    }

    async fn hand_over_once(&self, node: &Node, envelope: Envelope) -> Result<BroadcastResponse, tonic::Status> {
        let connection = self.connections.open(&node.endpoint, || node.roots.clone()).await?;
        let answer = async {
            let mut answers = client(connection).broadcast(stream::iter([envelope])).await?.into_inner();
            answers.message().await?.ok_or_else(|| tonic::Status::unavailable("EOF"))
        };
        answer.await.inspect_err(|status| {
            if is_loss(status) {
                self.connections.disconnect(&node.endpoint);
            }
        })
    }
}

impl Node {
    fn detail(&self, message: String) -> ErrorDetail {
        ErrorDetail { address: self.endpoint.clone(), msp_id: self.msp_id.clone(), message }
    }
}

fn client(connection: Channel) -> AtomicBroadcastClient<Channel> {
    AtomicBroadcastClient::new(connection)
        .max_decoding_message_size(MAX_MESSAGE_SIZE)
        .max_encoding_message_size(MAX_MESSAGE_SIZE)
}

/// Whether an orderer of a BFT channel has the transaction.
fn has(answer: &BroadcastResponse) -> bool {
    let known = answer.status == Status::ServiceUnavailable as i32 && answer.info == KNOWN;
    answer.status == Status::Success as i32 || known
}

/// ⌈(N+F+1)/2⌉ with F = ⌊(N-1)/3⌋.
fn quorum(consenters: usize) -> usize {
    let faulty = consenters.saturating_sub(1) / 3;
    (consenters + faulty + 1).div_ceil(2)
}

fn shuffled(config: &ChannelConfig) -> Vec<Node> {
    let mut nodes = nodes(config);
    nodes.shuffle(&mut rand::rng());
    nodes
}

/// The orderers of a channel: those of its organizations, each trusted under its organization's roots; else those
/// of the channel, which may be anybody's.
fn nodes(config: &ChannelConfig) -> Vec<Node> {
    let organizations = config.orderer_orgs();
    let own: Vec<_> = organizations
        .iter()
        .flat_map(|organization| {
            organization.endpoints.iter().map(|endpoint| Node {
                endpoint: endpoint.clone(),
                msp_id: organization.msp_id.clone(),
                roots: tls_trust(config, &organization.msp_id),
            })
        })
        .collect();
    if !own.is_empty() {
        return own;
    }
    let all: Vec<_> = organizations.iter().flat_map(|organization| tls_trust(config, &organization.msp_id)).collect();
    let anybody = config.orderer_endpoints().into_iter();
    anybody.map(|endpoint| Node { endpoint, msp_id: String::new(), roots: all.clone() }).collect()
}

#[cfg(test)]
mod tests;
