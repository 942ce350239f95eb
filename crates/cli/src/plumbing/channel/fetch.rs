//! `channel fetch`: a block into a file, from an orderer or from the peer.

use std::path::PathBuf;

use prost::Message;
use windlass_proto::{
    Bytes,
    common::{Block, BlockMetadataIndex, LastConfig, Metadata, OrdererBlockMetadata},
};

use super::connected;
use crate::{
    client::{
        deliver::{FetchError, Position, Seek},
        orderer::OrdererClient,
    },
    plumbing::{
        connect::{Peer, Target},
        failure::{After, Failure},
        golang,
        log::Source,
        session::Session,
    },
};

const SOURCE: Source = Source("cli.common", "readBlock");

/// Where blocks come from.
#[derive(Debug)]
enum Origin {
    Peer(Peer),
    Orderer(OrdererClient),
}

/// A deliver service, asked for one channel.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    session: &'a Session,
    channel: &'a str,
    origin: Origin,
    tls_hash: Bytes,
}

/// Writes a block to a file.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let (which, file) = match session.operands.as_slice() {
        [] => return Err(Failure::usage("fetch target required, oldest, newest, config, or a number")),
        [which] => (which.as_str(), None),
        [which, file] => (which.as_str(), Some(PathBuf::from(file))),
        _ => return Err(Failure::usage("trailing args detected")),
    };
    let channel = session.values.text("channelID");
    let blocks = if is_endpoint(session.values.text("orderer")) {
        Blocks::of_orderer(session, channel).await?
    } else {
        Blocks::of_peer(session, channel).await?
    };
    let block = match which {
        "oldest" => blocks.get(Position::Oldest).await?,
        "newest" => blocks.get(Position::Newest).await?,
        "config" => {
            let newest = blocks.get(Position::Newest).await?;
            let last = last_config(&newest).map_err(Failure::failed)?;
            session.log.info(Source(super::LOGGER, "fetch"), format_args!("Retrieving last config block: {last}"));
            blocks.get(Position::Number(last)).await?
        }
        number => {
            let number: i64 = number.parse().map_err(|_| Failure::failed(format!("fetch target illegal: {number}")))?;
            // As Fabric has it, -1 is the highest number there is.
            blocks.get(Position::Number(number.cast_unsigned())).await?
        }
    };
    let file = file.unwrap_or_else(|| format!("{channel}_{which}.block").into());
    write(&file, &block)
}

/// Writes a block.
pub(super) fn write(file: &std::path::Path, block: &Block) -> Result<(), Failure> {
    std::fs::write(file, block.encode_to_vec())
        .map_err(|error| Failure::failed(golang::file_error("open", file, &error)))
}

/// Whether the text has the form of an address.
pub(super) fn is_endpoint(text: &str) -> bool {
    text.split(':').count() == 2
}

impl<'a> Blocks<'a> {
    async fn of_peer(session: &'a Session, channel: &'a str) -> Result<Self, Failure> {
        let peer = session.connect(&Target::configured(), "deliver").await;
        let peer = peer.map_err(|failure| {
            failure.after("error getting deliver client for channel: failed to create deliver client for peer")
        })?;
        connected(session);
        Ok(Self { session, channel, origin: Origin::Peer(peer), tls_hash: session.peer_tls_hash()? })
    }

    pub(super) async fn of_orderer(session: &'a Session, channel: &'a str) -> Result<Self, Failure> {
        let orderers = session.connect_orderers(session.values.text("orderer")).await;
        let mut orderers = orderers.map_err(|failure| failure.after("failed to create deliver client for orderer"))?;
        connected(session);
        // There is no comma in an address with one colon.
        let orderer = orderers.swap_remove(0);
        Ok(Self { session, channel, origin: Origin::Orderer(orderer), tls_hash: session.orderer_tls_hash()? })
    }

    /// One block.
    pub(super) async fn get(&self, position: Position) -> Result<Block, Failure> {
        let best_effort = self.session.values.is("bestEffort");
        let seek = Seek::one(self.channel, position, best_effort, self.tls_hash.clone());
        let (block, from) = match &self.origin {
            Origin::Peer(peer) => {
                (peer.client.block(&seek).await, "error receiving: error receiving from peer deliver service")
            }
            Origin::Orderer(orderer) => (orderer.block(&seek).await, "error receiving"),
        };
        match block {
            Ok(block) => {
                let number = block.header.as_ref().map_or(0, |header| header.number);
                self.session.log.info(SOURCE, format_args!("Received block: {number}"));
                Ok(block)
            }
            Err(FetchError::Status(status)) => {
                let status = status.as_str_name();
                self.session.log.info(SOURCE, format_args!("Expect block, but got status: &{{{status}}}"));
                Err(Failure::failed(format!("can't read the block: &{{{status}}}")))
            }
            Err(FetchError::Stream(status)) => Err(golang::status(&status)).after(from),
            Err(FetchError::Ended) => Err("EOF").after(from),
            Err(FetchError::Other(kind)) => Err(Failure::failed(format!("response error: unknown type {kind}"))),
        }
    }
}

/// The number of the last configuration block, as a block's metadata has it.
// Fabric: ledger §10
fn last_config(block: &Block) -> Result<u64, String> {
    let metadata = block.metadata.as_ref().map_or(&[][..], |metadata| metadata.metadata.as_slice());
    let part = |index: BlockMetadataIndex| {
        let bytes = metadata.get(index as usize).cloned().unwrap_or_default();
        Metadata::decode(bytes)
            .map_err(golang::message_error)
            .map_err(|error| format!("error unmarshalling metadata at index [{}]: {error}", index.as_str_name()))
    };
    let signed = part(BlockMetadataIndex::Signatures)?;
    if !signed.value.is_empty() {
        let signed = OrdererBlockMetadata::decode(signed.value).map_err(golang::message_error)?;
        return Ok(signed.last_config.unwrap_or_default().index);
    }
    let last = LastConfig::decode(part(BlockMetadataIndex::LastConfig)?.value).map_err(golang::message_error)?;
    Ok(last.index)
}
