//! The ordering service over gRPC: `orderer.AtomicBroadcast`.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming, async_trait};
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::{self, Block, Envelope},
    orderer::{
        BroadcastResponse, DeliverResponse,
        atomic_broadcast_server::{AtomicBroadcast, AtomicBroadcastServer},
        deliver_response,
    },
};

use crate::{
    Orderer, broadcast,
    chain::ChainState,
    deliver::{self, DeliverOptions, DeliverRequest, DeliverService, Refusal, TlsBinding},
};

/// The largest message in either direction.
// Fabric: endorsement-and-gateway §1
const MESSAGE_LIMIT: usize = 100 << 20;

type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service as tonic calls it.
#[derive(Clone, Debug)]
pub struct BroadcastService {
    orderer: Orderer,
}

impl BroadcastService {
    /// The service of `orderer`.
    pub fn new(orderer: Orderer) -> Self {
        Self { orderer }
    }

    /// As a server with Fabric's message limits.
    pub fn into_server(self) -> AtomicBroadcastServer<Self> {
        AtomicBroadcastServer::new(self)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT)
    }
}

#[async_trait]
impl AtomicBroadcast for BroadcastService {
    type BroadcastStream = ResponseStream<BroadcastResponse>;
    type DeliverStream = ResponseStream<DeliverResponse>;

    async fn broadcast(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::BroadcastStream>, Status> {
        Ok(Response::new(broadcast::serve(self.orderer.clone(), request.into_inner()).boxed()))
    }

    async fn deliver(&self, request: Request<Streaming<Envelope>>) -> Result<Response<Self::DeliverStream>, Status> {
        let options = DeliverOptions {
            authentication_window: self.orderer.config().authentication_window,
            binding: TlsBinding::Unchecked,
        };
        Ok(Response::new(deliver::serve(Arc::new(self.clone()), request.into_inner(), options).boxed()))
    }
}

impl DeliverService for BroadcastService {
    type Source = Arc<ChainState>;
    type Response = DeliverResponse;

    fn channel(&self, channel: &str) -> Option<Arc<ChainState>> {
        self.orderer.chain_of(channel).map(|chain| chain.state().clone())
    }

    fn authorize(&self, config: &ChannelConfig, request: &DeliverRequest) -> Result<(), Refusal> {
        broadcast::check_policy(config, broadcast::Access::Read, &request.signed)
            .map_err(|error| Refusal(error.to_string()))
    }

    fn status(&self, status: common::Status) -> DeliverResponse {
        DeliverResponse { r#type: Some(deliver_response::Type::Status(status as i32)) }
    }

    fn block(&self, _: &Arc<ChainState>, block: Arc<Block>, (): (), _: &DeliverRequest) -> DeliverResponse {
        DeliverResponse { r#type: Some(deliver_response::Type::Block(Arc::unwrap_or_clone(block))) }
    }
}
