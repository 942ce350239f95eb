//! Blocks, and waiting for a transaction to be committed.

use std::time::SystemTime;

use tonic::{Status, Streaming};
use windlass_identity::sign::SigningIdentity;
use windlass_proto::{
    Bytes,
    common::{self, Block, Envelope},
    envelope::build_seek,
    orderer::{
        SeekInfo, SeekNewest, SeekOldest, SeekPosition, SeekSpecified, seek_info::SeekErrorResponse, seek_position,
    },
    protos::{DeliverResponse, TxValidationCode, deliver_client::DeliverClient, deliver_response::Type},
};
use windlass_transport::MAX_MESSAGE_SIZE;

use super::Client;

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Oldest,
    Newest,
    Number(u64),
}

/// What is asked of a deliver service.
#[derive(Clone, Debug)]
pub(crate) struct Seek {
    pub(crate) channel: String,
    pub(crate) start: Position,
    pub(crate) stop: Position,
    /// Blocks are wanted even when the channel is in trouble.
    pub(crate) best_effort: bool,
    /// The hash of our TLS certificate under mutual TLS; empty otherwise.
    pub(crate) tls_hash: Bytes,
}

/// What a deliver service sends.
#[derive(Clone, Debug)]
pub(crate) enum Delivered {
    Block(Block),
    Status(common::Status),
    /// Something that was not asked for, by its name on the wire.
    Other(&'static str),
}

/// Why there is no block.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The stream broke, or never began.
    #[error("the stream of blocks broke: {0}")]
    Stream(Box<Status>),
    /// The stream ended.
    #[error("the stream of blocks ended")]
    Ended,
    /// A status came instead.
    #[error("no block but status {0:?}")]
    Status(common::Status),
    /// Something else came instead.
    #[error("no block but {0}")]
    Other(&'static str),
}

/// The fate of one transaction.
#[derive(Debug)]
pub(crate) enum Fate {
    Committed(TxValidationCode),
    /// The service ended with this status first.
    Status(common::Status),
    /// Something that was not asked for, by its name on the wire.
    Other(&'static str),
    /// The stream ended first.
    Ended,
}

/// Filtered blocks of a channel, from the newest on.
#[derive(Debug)]
pub(crate) struct Commits(Streaming<DeliverResponse>);

impl Seek {
    /// One block.
    pub(crate) fn one(channel: &str, position: Position, best_effort: bool, tls_hash: Bytes) -> Self {
        Self { channel: channel.to_owned(), start: position, stop: position, best_effort, tls_hash }
    }

    /// The signed request.
    pub(super) fn envelope(&self, identity: &SigningIdentity) -> Envelope {
        let error_response = if self.best_effort { SeekErrorResponse::BestEffort } else { SeekErrorResponse::Strict };
        let info = SeekInfo {
            start: Some(self.start.into()),
            stop: Some(self.stop.into()),
            error_response: error_response as i32,
            ..Default::default()
        };
        let (creator, nonce) = (identity.serialized(), rand::random::<[u8; 24]>());
        let now = SystemTime::now().into();
        let payload = build_seek(&self.channel, &info, creator, &nonce, now, self.tls_hash.clone());
        let signature = identity.sign(&payload).into();
        Envelope { payload, signature }
    }
}

impl From<Position> for SeekPosition {
    fn from(position: Position) -> Self {
        let position = match position {
            Position::Oldest => seek_position::Type::Oldest(SeekOldest {}),
            Position::Newest => seek_position::Type::Newest(SeekNewest {}),
            Position::Number(number) => seek_position::Type::Specified(SeekSpecified { number }),
        };
        Self { r#type: Some(position) }
    }
}

impl Client {
    /// One block of the peer's.
    pub(crate) async fn block(&self, seek: &Seek) -> Result<Block, FetchError> {
        let mut deliver = self.deliver_client();
        let requests = tokio_stream::iter([seek.envelope(&self.identity)]);
        let broken = |status| FetchError::Stream(Box::new(status));
        let mut answers = deliver.deliver(requests).await.map_err(broken)?.into_inner();
        let answer = answers.message().await.map_err(broken)?.ok_or(FetchError::Ended)?;
        one_block(match answer.r#type {
            Some(Type::Block(block)) => Delivered::Block(block),
            Some(Type::Status(status)) => Delivered::Status(status_of(status)),
            Some(Type::FilteredBlock(_)) => Delivered::Other("*peer.DeliverResponse_FilteredBlock"),
            Some(Type::BlockAndPrivateData(_)) => Delivered::Other("*peer.DeliverResponse_BlockAndPrivateData"),
            None => Delivered::Other("<nil>"),
        })
    }

    /// Begins to watch a channel's commits. Whatever is committed from now on is seen.
    #[allow(clippy::result_large_err)]
    pub(crate) async fn commits(&self, channel: &str, tls_hash: Bytes) -> Result<Commits, Status> {
        let seek = Seek {
            channel: channel.to_owned(),
            start: Position::Newest,
            stop: Position::Number(u64::MAX),
            best_effort: false,
            tls_hash,
        };
        let requests = tokio_stream::iter([seek.envelope(&self.identity)]);
        Ok(Commits(self.deliver_client().deliver_filtered(requests).await?.into_inner()))
    }

    /// Asks for nothing, to see whether anybody answers.
    #[allow(clippy::result_large_err)]
    pub(crate) async fn probe(&self) -> Result<(), Status> {
        self.deliver_client().deliver(tokio_stream::empty()).await.map(|_| ())
    }

    fn deliver_client(&self) -> DeliverClient<tonic::transport::Channel> {
        DeliverClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE)
    }
}

impl Commits {
    /// Waits for a transaction.
    #[allow(clippy::result_large_err)]
    pub(crate) async fn fate_of(&mut self, transaction_id: &str) -> Result<Fate, Status> {
        loop {
            let Some(response) = self.0.message().await? else { return Ok(Fate::Ended) };
            match response.r#type {
                Some(Type::FilteredBlock(block)) => {
                    let found = block.filtered_transactions.iter().find(|one| one.txid == transaction_id);
                    if let Some(transaction) = found {
                        let code = TxValidationCode::try_from(transaction.tx_validation_code);
                        return Ok(Fate::Committed(code.unwrap_or(TxValidationCode::InvalidOtherReason)));
                    }
                }
                Some(Type::Status(status)) => return Ok(Fate::Status(status_of(status))),
                Some(Type::Block(_)) => return Ok(Fate::Other("*peer.DeliverResponse_Block")),
                Some(Type::BlockAndPrivateData(_)) => {
                    return Ok(Fate::Other("*peer.DeliverResponse_BlockAndPrivateData"));
                }
                None => return Ok(Fate::Other("<nil>")),
            }
        }
    }
}

pub(super) fn one_block(delivered: Delivered) -> Result<Block, FetchError> {
    match delivered {
        Delivered::Block(block) => Ok(block),
        Delivered::Status(status) => Err(FetchError::Status(status)),
        Delivered::Other(name) => Err(FetchError::Other(name)),
    }
}

pub(super) fn status_of(code: i32) -> common::Status {
    common::Status::try_from(code).unwrap_or(common::Status::Unknown)
}
