//! The ordering service.

use tonic::{Status, transport::Channel};
use windlass_identity::sign::SigningIdentity;
use windlass_proto::{
    common::{Block, Envelope},
    orderer::{BroadcastResponse, atomic_broadcast_client::AtomicBroadcastClient, deliver_response::Type},
};
use windlass_transport::{ClientTls, DialError, DialOptions, MAX_MESSAGE_SIZE, dial};

use super::deliver::{Delivered, FetchError, Seek, one_block, status_of};

/// One identity's connection to one orderer.
#[derive(Clone, Debug)]
pub(crate) struct OrdererClient {
    identity: SigningIdentity,
    channel: Channel,
}

impl OrdererClient {
    /// Connects as `identity`.
    pub(crate) async fn dial(
        identity: SigningIdentity,
        address: &str,
        tls: Option<&ClientTls>,
        options: &DialOptions,
    ) -> Result<Self, DialError> {
        let channel = dial(address, tls, options).await?;
        Ok(Self { identity, channel })
    }

    /// Sends an envelope to be ordered, and gives the orderer's answer.
    #[allow(clippy::result_large_err)]
    pub(crate) async fn broadcast(&self, envelope: Envelope) -> Result<BroadcastResponse, Status> {
        let mut answers = self.client().broadcast(tokio_stream::iter([envelope])).await?.into_inner();
        answers.message().await?.ok_or_else(|| Status::unavailable("EOF"))
    }

    /// One block.
    pub(crate) async fn block(&self, seek: &Seek) -> Result<Block, FetchError> {
        let requests = tokio_stream::iter([seek.envelope(&self.identity)]);
        let broken = |status| FetchError::Stream(Box::new(status));
        let mut answers = self.client().deliver(requests).await.map_err(broken)?.into_inner();
        let answer = answers.message().await.map_err(broken)?.ok_or(FetchError::Ended)?;
        one_block(match answer.r#type {
            Some(Type::Block(block)) => Delivered::Block(block),
            Some(Type::Status(status)) => Delivered::Status(status_of(status)),
            None => Delivered::Other("<nil>"),
        })
    }

    /// Asks for nothing, to see whether anybody answers.
    #[allow(clippy::result_large_err)]
    pub(crate) async fn probe(&self) -> Result<(), Status> {
        self.client().deliver(tokio_stream::empty()).await.map(|_| ())
    }

    fn client(&self) -> AtomicBroadcastClient<Channel> {
        AtomicBroadcastClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE)
    }
}
