//! `channel …`.
//!
//! - [`create`], [`update`]: configuration transactions
//! - [`fetch`]: a block, written to a file
//! - [`list()`], [`info()`], [`join()`]: calls of `cscc` and `qscc`

pub(crate) mod create;
pub(crate) mod fetch;
pub(crate) mod update;

use prost::Message;
use windlass_proto::{
    Bytes,
    common::BlockchainInfo,
    envelope::Call,
    protos::{ChannelQueryResponse, Response},
};

use super::{
    connect::{Peer, Target},
    failure::{After, Failure},
    golang, json,
    log::Source,
    session::Session,
};
use crate::client::sign_proposal;

/// Where the commands log.
const LOGGER: &str = "channelCmd";

fn connected(session: &Session) {
    session.log.info(Source(LOGGER, "InitCmdFactory"), "Endorser and orderer connections initialized");
}

async fn peer(session: &Session) -> Result<Peer, Failure> {
    let peer = session.connect(&Target::configured(), "endorser").await;
    let peer = peer.map_err(|failure| failure.after("error getting endorser client for channel"))?;
    connected(session);
    Ok(peer)
}

/// Calls a system chaincode without a channel. The error is gRPC's.
async fn call(session: &Session, peer: &Peer, chaincode: &str, args: &[&[u8]]) -> Result<Response, String> {
    let call = Call {
        chaincode: chaincode.to_owned(),
        args: args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect(),
        ..Default::default()
    };
    let (signed, _) = sign_proposal(session.identity(), &call);
    let answer = peer.client.endorse(signed).await.map_err(|status| golang::status(&status))?;
    Ok(answer.response.unwrap_or_default())
}

/// Whether the answer is a good one.
fn is_good(response: &Response) -> bool {
    matches!(response.status, 0 | 200)
}

/// Lists the peer's channels.
pub(crate) async fn list(session: &Session) -> Result<(), Failure> {
    if !session.operands.is_empty() {
        return Err(Failure::usage(format!("trailing args detected: [{}]", session.operands.join(" "))));
    }
    let peer = peer(session).await?;
    let response = call(session, &peer, "cscc", &[b"GetChannels"]).await;
    let response = response.map_err(|error| Failure::failed(format!("Failed sending proposal, got {error}")))?;
    if !is_good(&response) {
        let (status, message) = (response.status, response.message);
        return Err(Failure::failed(format!("Received bad response, status {status}: {message}")));
    }
    let channels = ChannelQueryResponse::decode(response.payload)
        .map_err(golang::message_error)
        .map_err(|error| Failure::failed(format!("Cannot read channels list response, {error}")))?;
    session.print("Channels peers has joined: ");
    for channel in channels.channels {
        session.print(channel.channel_id);
    }
    Ok(())
}

/// Prints height and hashes of a channel.
pub(crate) async fn info(session: &Session) -> Result<(), Failure> {
    let channel = session.values.text("channelID");
    if channel.is_empty() {
        return Err(Failure::usage("Must supply channel ID"));
    }
    let peer = peer(session).await?;
    let response = call(session, &peer, "qscc", &[b"GetChainInfo", channel.as_bytes()]).await;
    let response = response.after("failed sending proposal")?;
    if !is_good(&response) {
        let (status, message) = (response.status, response.message);
        return Err(Failure::failed(format!("received bad response, status {status}: {message}")));
    }
    let info =
        BlockchainInfo::decode(response.payload).map_err(golang::message_error).after("cannot read qscc response")?;
    session.print(format_args!("Blockchain info: {}", json::blockchain_info(&info)));
    Ok(())
}

/// Joins the peer to the channel of a block.
pub(crate) async fn join(session: &Session) -> Result<(), Failure> {
    let path = session.values.text("blockpath");
    if path.is_empty() {
        return Err(Failure::usage("Must supply genesis block path"));
    }
    let peer = peer(session).await?;
    let block = golang::read_file(path.as_ref())
        .map_err(|error| Failure::failed(format!("genesis block file not found {error}")))?;
    let failed = |text: String| Failure::failed(format!("proposal failed (err: {text})"));
    let response = call(session, &peer, "cscc", &[b"JoinChain", &block]).await.map_err(failed)?;
    if !is_good(&response) {
        return Err(failed(format!("bad proposal response {}: {}", response.status, response.message)));
    }
    session.log.info(Source(LOGGER, "executeJoin"), "Successfully submitted proposal to join channel");
    Ok(())
}
