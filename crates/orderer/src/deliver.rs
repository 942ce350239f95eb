//! Seeking and streaming blocks: the rules that Deliver follows on an orderer and on a peer alike.
//!
//! [`serve`] turns a stream of signed requests into a stream of responses. What differs between services is
//! behind two traits: a [`BlockSource`] is one channel's blocks, a [`DeliverService`] knows the channels, who
//! may read them and what a response looks like.
//!
//! - `request`: checks on a request before it is served
//! - `cursor`: from position to position, block by block

mod cursor;
mod request;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use windlass_identity::{ChannelConfig, SignedData};
use windlass_proto::{
    common::{Block, Envelope, Status},
    hash::Digest,
    orderer::SeekInfo,
};

use cursor::{Cursor, Step};

/// A block, and what is kept beside it.
pub type Kept<B> = (Arc<Block>, B);

/// One channel's blocks. Clones are cheap and read the same channel.
pub trait BlockSource: Clone + Send + Sync + 'static {
    /// What is kept beside a block and read with it.
    type Beside: Send;

    /// The channel's configuration as of now.
    fn config(&self) -> Arc<ChannelConfig>;

    /// The height, changing after a block may be delivered. When its sender is gone, no block will follow.
    fn heights(&self) -> watch::Receiver<u64>;

    /// Block `number`, if it is there. Reading from disk must not block the executor.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<Kept<Self::Beside>>, SourceError>> + Send;

    /// Whether the channel is being served; false makes strict requests fail with SERVICE_UNAVAILABLE.
    fn is_available(&self) -> bool {
        true
    }
}

/// What a deliver service knows beyond the common rules.
pub trait DeliverService: Send + Sync + 'static {
    /// One channel's blocks.
    type Source: BlockSource;
    /// What the service sends.
    type Response: Send + 'static;

    /// The channel of this name.
    fn channel(&self, channel: &str) -> Option<Self::Source>;

    /// Whether the signer of the request may read the channel. Asked when the request arrives and again
    /// after every change of the configuration.
    fn authorize(&self, config: &ChannelConfig, request: &DeliverRequest) -> Result<(), Refusal>;

    /// A response that carries a status.
    fn status(&self, status: Status) -> Self::Response;

    /// A response that carries a block, or what the service makes of it.
    fn block(
        &self,
        source: &Self::Source,
        block: Arc<Block>,
        beside: <Self::Source as BlockSource>::Beside,
        request: &DeliverRequest,
    ) -> Self::Response;
}

/// A request whose envelope could be taken apart.
#[derive(Clone, Debug)]
pub struct DeliverRequest {
    /// The channel asked for.
    pub channel: String,
    /// The positions asked for.
    pub seek: SeekInfo,
    /// What was signed, by whom.
    pub signed: SignedData,
}

/// Why a reader is refused. The text is only logged: clients see FORBIDDEN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Why a block cannot be had. The text is only logged: clients see INTERNAL_SERVER_ERROR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// How requests are checked.
#[derive(Clone, Copy, Debug)]
pub struct DeliverOptions {
    /// How far a request's timestamp may be from our clock.
    // Fabric: endorsement-and-gateway §8
    pub authentication_window: Duration,
    /// Whether requests must be bound to the TLS connection.
    pub binding: TlsBinding,
}

impl Default for DeliverOptions {
    fn default() -> Self {
        Self { authentication_window: Duration::from_secs(15 * 60), binding: TlsBinding::Unchecked }
    }
}

/// The binding of requests to the TLS connection that they come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsBinding {
    /// Clients need no certificate, so that there is nothing to be bound to.
    Unchecked,
    /// Clients need a certificate. Its SHA-256, if the connection had one, must be in the channel header.
    Certificate(Option<Digest>),
}

/// Serves `requests`, one after the other. The stream ends with the requests, or after a status other than
/// SUCCESS. Dropping it stops the work.
pub fn serve<S, R>(
    service: Arc<S>,
    requests: R,
    options: DeliverOptions,
) -> impl Stream<Item = Result<S::Response, tonic::Status>> + Send + 'static
where
    S: DeliverService,
    R: Stream<Item = Result<Envelope, tonic::Status>> + Send + 'static,
{
    let server = Server { service, requests: Box::pin(requests), options, cursor: None, ended: false };
    stream::unfold(server, |mut server| async move { server.next().await.map(|response| (response, server)) })
}

struct Server<S: DeliverService> {
    service: Arc<S>,
    requests: Pin<Box<dyn Stream<Item = Result<Envelope, tonic::Status>> + Send>>,
    options: DeliverOptions,
    cursor: Option<Cursor<S::Source>>,
    ended: bool,
}

impl<S: DeliverService> Server<S> {
    async fn next(&mut self) -> Option<Result<S::Response, tonic::Status>> {
        if self.ended {
            return None;
        }
        loop {
            if let Some(cursor) = &mut self.cursor {
                return Some(Ok(match cursor.advance(&*self.service).await {
                    Step::Block(response) => response,
                    Step::End(status) => self.end(status),
                }));
            }
            match self.requests.next().await? {
                Ok(envelope) => match request::open(&*self.service, &envelope, &self.options) {
                    Ok(cursor) => self.cursor = Some(cursor),
                    Err(status) => return Some(Ok(self.end(status))),
                },
                Err(status) => {
                    self.ended = true;
                    return Some(Err(status));
                }
            }
        }
    }

    /// Ends the request. After SUCCESS the stream is open for another one.
    fn end(&mut self, status: Status) -> S::Response {
        self.cursor = None;
        self.ended = status != Status::Success;
        self.service.status(status)
    }
}
