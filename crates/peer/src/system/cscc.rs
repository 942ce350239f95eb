//! `cscc`: which channels there are, their configuration, and joining one.
// Fabric: endorsement-and-gateway §6.1

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use windlass_chaincode::system::{SystemCall, SystemChaincode, success};
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::{Block, ChannelHeader, Envelope, Payload},
    envelope::{UnpackError, decode},
    protos::{ChannelInfo, ChannelQueryResponse, JoinBySnapshotStatus, Response, SignedProposal},
};

use super::{accept, answer, text};
use crate::{
    acl::{Acl, AclError},
    channel::{Channel, JoinError, PeerChannels},
};

const JOIN: &str = "JoinChain";
const JOIN_BY_SNAPSHOT: &str = "JoinChainBySnapshot";
const JOIN_BY_SNAPSHOT_STATUS: &str = "JoinBySnapshotStatus";
const CONFIG_BLOCK: &str = "GetConfigBlock";
const CHANNEL_CONFIG: &str = "GetChannelConfig";
const CHANNELS: &str = "GetChannels";

/// What joins the channel of a genesis block.
pub type Join = Arc<dyn Fn(&Block) -> Result<(), JoinError> + Send + Sync>;

/// The system chaincode `cscc`. Clones share everything.
#[derive(Clone)]
pub struct Cscc {
    channels: PeerChannels,
    acl: Acl,
    join: Join,
}

impl fmt::Debug for Cscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cscc").field("channels", &self.channels).finish_non_exhaustive()
    }
}

impl Cscc {
    /// Answers for these channels, and joins others through `join`.
    pub fn new(channels: PeerChannels, acl: Acl, join: Join) -> Self {
        Self { channels, acl, join }
    }

    fn run(&self, call: &SystemCall) -> Result<Response, String> {
        let accepted = accept(call, 1, "Rejecting invoke of CSCC from another chaincode")?;
        let function = accepted.function.as_str();
        let argument = match (call.args.get(1), function) {
            (Some(argument), _) => argument.clone(),
            (None, CHANNELS | JOIN_BY_SNAPSHOT_STATUS) => Bytes::new(),
            (None, _) => return Err(format!("Incorrect number of arguments, {}", call.args.len())),
        };
        let payload = match function {
            JOIN => self.join(&argument, accepted.proposal)?,
            JOIN_BY_SNAPSHOT => self.join_by_snapshot(&argument, accepted.proposal)?,
            JOIN_BY_SNAPSHOT_STATUS => {
                self.check_local(function, accepted.proposal)?;
                JoinBySnapshotStatus::default().encode_to_vec()
            }
            CONFIG_BLOCK => self.config_block(&text(&argument), accepted.proposal)?,
            CHANNEL_CONFIG => self.channel_config(&text(&argument), accepted.proposal)?,
            CHANNELS => {
                self.check_local(function, accepted.proposal)?;
                self.channels()
            }
            _ => return Err(format!("Requested function {function} not found.")),
        };
        Ok(success(payload))
    }

    fn join(&self, bytes: &Bytes, proposal: &SignedProposal) -> Result<Vec<u8>, String> {
        if bytes.is_empty() {
            return Err("Cannot join the channel <nil> configuration block provided".to_owned());
        }
        let block: Block =
            decode("Block", bytes).map_err(|error| format!("Failed to reconstruct the genesis block, {error}"))?;
        let channel = channel_of(&block).map_err(|error| {
            format!("\"{JOIN}\" request failed to extract channel id from the block due to [{error}]")
        })?;
        ChannelConfig::from_join_block(&block).map_err(|error| {
            format!(
                "\"{JOIN}\" for channelID = {channel} failed because of validation of configuration block, because of {error}"
            )
        })?;
        self.acl
            .check_proposal("cscc/JoinChain", None, proposal)
            .map_err(|error| format!("access denied for [{JOIN}][{channel}]: [{error}]"))?;
        (self.join)(&block).map_err(|error| match error {
            JoinError::Ledger(cause) => format!("cannot create ledger from genesis block: {cause}"),
            other => other.to_string(),
        })?;
        Ok(Vec::new())
    }

    fn join_by_snapshot(&self, folder: &Bytes, proposal: &SignedProposal) -> Result<Vec<u8>, String> {
        if folder.is_empty() {
            return Err("Cannot join the channel, no snapshot directory provided".to_owned());
        }
        self.acl
            .check_proposal("cscc/JoinChainBySnapshot", None, proposal)
            .map_err(|error| format!("access denied for [{JOIN_BY_SNAPSHOT}]: [{error}]"))?;
        Err("joining a channel by snapshot is not available on this peer".to_owned())
    }

    fn config_block(&self, name: &str, proposal: &SignedProposal) -> Result<Vec<u8>, String> {
        if name.is_empty() {
            return Err("ChannelID must not be nil.".to_owned());
        }
        let channel = self.channel(CONFIG_BLOCK, name, proposal)?;
        let block = channel.ledger().last_config_block().map_err(|error| error.to_string())?;
        Ok(block.encode_to_vec())
    }

    fn channel_config(&self, name: &str, proposal: &SignedProposal) -> Result<Vec<u8>, String> {
        if name.is_empty() {
            return Err("empty channel name provided".to_owned());
        }
        let channel = self.channel(CHANNEL_CONFIG, name, proposal)?;
        Ok(channel.config().config().encode_to_vec())
    }

    fn channels(&self) -> Vec<u8> {
        let channels = self.channels.names().into_iter().map(|channel_id| ChannelInfo { channel_id });
        ChannelQueryResponse { channels: channels.collect() }.encode_to_vec()
    }

    /// The channel, for who may see it. One that there is not has no policy to let anybody in.
    fn channel(&self, function: &str, name: &str, proposal: &SignedProposal) -> Result<Arc<Channel>, String> {
        let denied = |error: AclError| format!("access denied for [{function}][{name}]: {error}");
        let channel = self.channels.get(name).ok_or_else(|| denied(AclError::NoChannel(name.to_owned())))?;
        let checked = self.acl.check_proposal(&format!("cscc/{function}"), Some(&channel.config()), proposal);
        checked.map_err(denied)?;
        Ok(channel)
    }

    fn check_local(&self, function: &str, proposal: &SignedProposal) -> Result<(), String> {
        self.acl
            .check_proposal(&format!("cscc/{function}"), None, proposal)
            .map_err(|error| format!("access denied for [{function}]: {error}"))
    }
}

#[async_trait]
impl SystemChaincode for Cscc {
    fn name(&self) -> &str {
        "cscc"
    }

    async fn invoke(&self, call: SystemCall) -> Response {
        let this = self.clone();
        answer(move || this.run(&call)).await
    }
}

/// The channel that a block's first transaction names.
fn channel_of(block: &Block) -> Result<String, String> {
    let first = block.data.as_ref().and_then(|data| data.data.first());
    let first = first.ok_or("failed to retrieve channel id - block is empty")?;
    let malformed = |error: UnpackError| error.to_string();
    let envelope: Envelope = decode("Envelope", first).map_err(malformed)?;
    let payload: Payload = decode("Payload", &envelope.payload).map_err(malformed)?;
    let header = payload.header.ok_or("failed to retrieve channel id - payload header is empty")?;
    let channel_header: ChannelHeader = decode("ChannelHeader", &header.channel_header).map_err(malformed)?;
    Ok(channel_header.channel_id)
}
