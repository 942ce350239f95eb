//! Deliver: blocks of the peer's channels, whole, filtered, or with private data.
//!
//! Where to begin, when to wait and how to end is the same as on an orderer and lives there
//! ([`windlass_orderer::deliver`]); here is what a peer sends, and to whom.
// Fabric: endorsement-and-gateway §8

mod filter;

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};
use windlass_chaincode::lifecycle::implicit_collection_owner;
use windlass_identity::ChannelConfig;
use windlass_ledger::{LedgerError, PrivateWrites};
use windlass_orderer::deliver::{
    BlockSource, DeliverOptions, DeliverRequest, DeliverService, Refusal, SourceError, TlsBinding, serve,
};
use windlass_proto::{
    common::{self, Block, Envelope},
    hash::sha256,
    protos::{BlockAndPrivateData, DeliverResponse, deliver_response::Type, deliver_server},
};
use windlass_transport::ConnectionInfo;

use super::Limit;
use crate::{
    acl::Acl,
    channel::{Channel, PeerChannels},
    telemetry::{Delivery, Metrics},
};

/// The Deliver services of a peer. Clones share everything.
#[derive(Clone, Debug)]
pub struct Deliver {
    channels: PeerChannels,
    acl: Acl,
    metrics: Metrics,
    limit: Limit,
    binds_to_tls: bool,
}

type Responses = Pin<Box<dyn Stream<Item = Result<DeliverResponse, Status>> + Send>>;

impl Deliver {
    /// Delivers from these channels. With `client_auth_required`, requests must be bound to the TLS
    /// certificate of their connection.
    pub fn new(channels: PeerChannels, acl: Acl, metrics: Metrics, limit: Limit, client_auth_required: bool) -> Self {
        Self { channels, acl, metrics, limit, binds_to_tls: client_auth_required }
    }

    #[allow(clippy::result_large_err)]
    fn open(&self, delivery: Delivery, request: Request<Streaming<Envelope>>) -> Result<Response<Responses>, Status> {
        let place = self.limit.enter()?;
        let certificate = request.extensions().get::<ConnectionInfo>().and_then(|info| info.certificate.clone());
        let responses = self.serve(delivery, certificate.map(|der| sha256(&der)), request.into_inner());
        let responses = responses.map(move |response| {
            // The place is taken for as long as the stream lives.
            let _ = &place;
            response
        });
        Ok(Response::new(Box::pin(responses)))
    }

    fn serve<R>(
        &self,
        delivery: Delivery,
        certificate: Option<[u8; 32]>,
        requests: R,
    ) -> impl Stream<Item = Result<DeliverResponse, Status>> + Send + 'static + use<R>
    where
        R: Stream<Item = Result<Envelope, Status>> + Send + 'static,
    {
        let binding = if self.binds_to_tls { TlsBinding::Certificate(certificate) } else { TlsBinding::Unchecked };
        let session = Session { deliver: self.clone(), delivery, channel: Mutex::new(None) };
        let open = self.metrics.deliver_stream_opened();
        serve(Arc::new(session), requests, DeliverOptions { binding, ..Default::default() }).map(move |response| {
            let _ = &open;
            response
        })
    }
}

#[tonic::async_trait]
impl deliver_server::Deliver for Deliver {
    type DeliverStream = Responses;
    type DeliverFilteredStream = Responses;
    type DeliverWithPrivateDataStream = Responses;

    async fn deliver(&self, request: Request<Streaming<Envelope>>) -> Result<Response<Responses>, Status> {
        self.open(Delivery::Block, request)
    }

    async fn deliver_filtered(&self, request: Request<Streaming<Envelope>>) -> Result<Response<Responses>, Status> {
        self.open(Delivery::FilteredBlock, request)
    }

    async fn deliver_with_private_data(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Responses>, Status> {
        self.open(Delivery::BlockAndPrivateData, request)
    }
}

/// One stream of requests and what it is answered with.
struct Session {
    deliver: Deliver,
    delivery: Delivery,
    /// The channel of the request being served, for the metrics.
    channel: Mutex<Option<String>>,
}

impl Drop for Session {
    /// A client that goes away ends its request, too.
    fn drop(&mut self) {
        if let Some(channel) = self.channel.lock().take() {
            self.deliver.metrics.deliver_request_completed(&channel, self.delivery, false);
        }
    }
}

impl DeliverService for Session {
    type Source = ChannelBlocks;
    type Response = DeliverResponse;

    fn channel(&self, channel: &str) -> Option<ChannelBlocks> {
        let found = self.deliver.channels.get(channel)?;
        *self.channel.lock() = Some(channel.to_owned());
        self.deliver.metrics.deliver_request_received(channel, self.delivery);
        Some(ChannelBlocks { channel: found, with_private_data: self.delivery == Delivery::BlockAndPrivateData })
    }

    fn authorize(&self, config: &ChannelConfig, request: &DeliverRequest) -> Result<(), Refusal> {
        let resource = match self.delivery {
            Delivery::FilteredBlock => "event/FilteredBlock",
            Delivery::Block | Delivery::BlockAndPrivateData => "event/Block",
        };
        let checked = self.deliver.acl.check_signed(resource, Some(config), &request.signed);
        checked.map_err(|error| Refusal(error.to_string()))
    }

    fn status(&self, status: common::Status) -> DeliverResponse {
        if let Some(channel) = self.channel.lock().take() {
            let success = status == common::Status::Success;
            self.deliver.metrics.deliver_request_completed(&channel, self.delivery, success);
        }
        DeliverResponse { r#type: Some(Type::Status(status as i32)) }
    }

    fn block(
        &self,
        ChannelBlocks { channel, .. }: &ChannelBlocks,
        block: Arc<Block>,
        private_data_map: PrivateWrites,
        _: &DeliverRequest,
    ) -> DeliverResponse {
        let content = match self.delivery {
            Delivery::Block => Type::Block(Arc::unwrap_or_clone(block)),
            Delivery::FilteredBlock => Type::FilteredBlock(filter::filtered(channel.id(), &block)),
            Delivery::BlockAndPrivateData => Type::BlockAndPrivateData(BlockAndPrivateData {
                private_data_map,
                block: Some(Arc::unwrap_or_clone(block)),
            }),
        };
        self.deliver.metrics.deliver_block_sent(channel.id(), self.delivery);
        DeliverResponse { r#type: Some(content) }
    }
}

/// Leaves of the private writes of a block what everyone may see who may see the block.
// Fabric: endorsement-and-gateway §8, and lifecycle §6.4: implicit collections are not for members only
fn visible(mut writes: PrivateWrites) -> PrivateWrites {
    for set in writes.values_mut() {
        for namespace in &mut set.ns_pvt_rwset {
            namespace.collection_pvt_rwset.retain(|one| implicit_collection_owner(&one.collection_name).is_some());
        }
        set.ns_pvt_rwset.retain(|namespace| !namespace.collection_pvt_rwset.is_empty());
    }
    writes.retain(|_, set| !set.ns_pvt_rwset.is_empty());
    writes
}

/// The blocks of a joined channel.
#[derive(Clone, Debug)]
struct ChannelBlocks {
    channel: Arc<Channel>,
    with_private_data: bool,
}

impl BlockSource for ChannelBlocks {
    type Beside = PrivateWrites;

    fn config(&self) -> Arc<ChannelConfig> {
        self.channel.config()
    }

    fn heights(&self) -> watch::Receiver<u64> {
        self.channel.heights()
    }

    async fn block(&self, number: u64) -> Result<Option<(Arc<Block>, PrivateWrites)>, SourceError> {
        let (ledger, with_private_data) = (self.channel.ledger().clone(), self.with_private_data);
        let read = tokio::task::spawn_blocking(move || {
            if with_private_data {
                let read = ledger.block_with_private_writes(number)?;
                return Ok(read.map(|(block, writes)| (block, visible(writes))));
            }
            Ok::<_, LedgerError>(ledger.block(number)?.map(|block| (block, PrivateWrites::new())))
        });
        let read = read.await.map_err(|error| SourceError(error.to_string()))?;
        let read = read.map_err(|error| SourceError(error.to_string()))?;
        Ok(read.map(|(block, writes)| (Arc::new(block), writes)))
    }
}

#[cfg(test)]
mod tests;
