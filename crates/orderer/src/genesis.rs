//! Block zero of a new channel, as Fabric's own tools would make it.
//!
//! [`genesis_block`] turns a [`NetworkSpec`] into the block; `groups` holds the tree of its configuration.

mod etcdraft;
mod groups;

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    common::{
        Block, BlockData, BlockHeader, BlockMetadata, ChannelHeader, Config, ConfigEnvelope, ConfigGroup, Envelope,
        Header, HeaderType, Payload, SignatureHeader,
    },
    hash::block_data_hash,
    msp::FabricMspConfig,
    txid::transaction_id,
};

pub use etcdraft::Consenter;

use crate::blocks::{self, nonce, whole_seconds_now};

/// A network of one channel: who is in it, and how its blocks are cut.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    /// The channel's name.
    pub channel: String,
    /// The organization that orders.
    pub orderer_org: OrgSpec,
    /// The organizations with peers.
    pub orgs: Vec<PeerOrgSpec>,
    /// How blocks are cut.
    pub batch: BatchSpec,
    /// The capability levels.
    pub capabilities: CapabilitySpec,
    /// The name of the consensus; `etcdraft` is what tools expect.
    pub consensus_type: String,
    /// The nodes that order.
    pub consenters: Vec<Consenter>,
}

impl NetworkSpec {
    /// A network with one consenter, the usual capabilities and batches.
    pub fn new(channel: impl Into<String>, orderer_org: OrgSpec, orgs: Vec<PeerOrgSpec>, consenter: Consenter) -> Self {
        Self {
            channel: channel.into(),
            orderer_org,
            orgs,
            batch: BatchSpec::default(),
            capabilities: CapabilitySpec::default(),
            consensus_type: "etcdraft".into(),
            consenters: vec![consenter],
        }
    }
}

/// An organization of the ordering service.
#[derive(Clone, Debug)]
pub struct OrgSpec {
    /// The name of its group in the configuration, such as `OrdererOrg`.
    pub group: String,
    /// Its MSP's ID, such as `OrdererMSP`.
    pub msp_id: String,
    /// Its MSP.
    pub msp: FabricMspConfig,
    /// Where its orderers listen, as `host:port`.
    pub endpoints: Vec<String>,
}

/// An organization with peers.
#[derive(Clone, Debug)]
pub struct PeerOrgSpec {
    /// The name of its group in the configuration, such as `Org1MSP`.
    pub group: String,
    /// Its MSP's ID, such as `Org1MSP`.
    pub msp_id: String,
    /// Its MSP.
    pub msp: FabricMspConfig,
    /// Host and port of the peers that other organizations may talk to.
    pub anchor_peers: Vec<(String, u16)>,
}

/// How blocks are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSpec {
    /// The most messages in a block.
    pub max_messages: u32,
    /// The largest message that is admitted, in bytes.
    pub absolute_max_bytes: u32,
    /// The size in bytes that a block should not exceed.
    pub preferred_max_bytes: u32,
    /// How long a message may wait for others.
    pub timeout: Duration,
}

impl Default for BatchSpec {
    fn default() -> Self {
        Self {
            max_messages: 500,
            absolute_max_bytes: 99 << 20,
            preferred_max_bytes: 2 << 20,
            timeout: Duration::from_secs(2),
        }
    }
}

/// The capability levels of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilitySpec {
    /// Of the whole channel.
    pub channel: String,
    /// Of its ordering.
    pub orderer: String,
    /// Of its peers.
    pub application: String,
}

impl Default for CapabilitySpec {
    fn default() -> Self {
        Self { channel: "V2_0".into(), orderer: "V2_0".into(), application: "V2_5".into() }
    }
}

/// Makes the genesis block of a channel. Two calls make two different blocks: the nonce is random and the
/// header carries the time.
pub fn genesis_block(spec: &NetworkSpec) -> Block {
    block_of(&spec.channel, groups::channel(spec), nonce(), whole_seconds_now())
}

// Fabric: ledger §6
fn block_of(channel: &str, tree: ConfigGroup, nonce: Bytes, timestamp: prost_types::Timestamp) -> Block {
    let channel_header = ChannelHeader {
        r#type: HeaderType::Config as i32,
        version: 1,
        timestamp: Some(timestamp),
        channel_id: channel.to_owned(),
        // The creator is empty, so that the ID depends on the nonce alone.
        tx_id: transaction_id(&nonce, b""),
        ..Default::default()
    };
    let signature_header = SignatureHeader { creator: Bytes::new(), nonce };
    let config = ConfigEnvelope { config: Some(Config { sequence: 0, channel_group: Some(tree) }), last_update: None };
    let payload = Payload {
        header: Some(Header {
            channel_header: channel_header.encode_to_vec().into(),
            signature_header: signature_header.encode_to_vec().into(),
        }),
        data: config.encode_to_vec().into(),
    };
    let envelope = Envelope { payload: payload.encode_to_vec().into(), signature: Bytes::new() };
    let data = BlockData { data: vec![envelope.encode_to_vec().into()] };
    let header =
        BlockHeader { number: 0, previous_hash: Bytes::new(), data_hash: block_data_hash(&data).to_vec().into() };
    let metadata = BlockMetadata { metadata: blocks::unsigned_metadata(0) };
    Block { header: Some(header), data: Some(data), metadata: Some(metadata) }
}
