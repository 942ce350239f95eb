use std::{net::SocketAddr, pin::Pin, time::Duration};

use futures::Stream;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Streaming, service::Routes, transport::Server};
use windlass_orderer::{Orderer, OrdererConfig};
use windlass_proto::{
    envelope::decode,
    orderer::atomic_broadcast_server::{AtomicBroadcast, AtomicBroadcastServer},
};

use super::*;
use crate::testing::{CHANNEL, World};

const TIMEOUT: Duration = Duration::from_secs(10);

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("bound");
    (listener, address.to_string())
}

/// An address at which nobody listens.
async fn nowhere() -> String {
    listener().await.1
}

fn serve(listener: TcpListener, routes: Routes) {
    let server = Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
}

fn service(signer: &SigningIdentity) -> OrderingService {
    OrderingService::new(signer.clone(), Connections::plain(TIMEOUT))
}

/// A channel whose orderers are `others` and a real one.
async fn ordered(others: &[String]) -> (World, Orderer, TempDir) {
    let (listener, endpoint) = listener().await;
    let world = World::with_orderers(&[others, &[endpoint]].concat());
    let folder = tempfile::tempdir().expect("a folder");
    let orderer = Orderer::open(OrdererConfig::new(folder.path()), world.orderer.clone()).expect("an orderer");
    orderer.create_channel(&world.genesis).expect("a channel");
    serve(listener, Routes::new(orderer.service()));
    (world, orderer, folder)
}

fn transaction(world: &World) -> Envelope {
    decode("Envelope", &world.draft().build()).expect("an envelope")
}

async fn next(blocks: &mut Blocks) -> Result<u64, String> {
    let block = tokio::time::timeout(TIMEOUT, blocks.next()).await.expect("in time").expect("no silent end");
    block.map(|block| block.header.as_ref().map_or(0, |header| header.number)).map_err(|error| error.to_string())
}

#[tokio::test]
async fn pulls_blocks_and_hands_transactions_over() {
    let (world, orderer, _folder) = ordered(&[]).await;
    let service = service(&world.peer1);
    let mut blocks = service.blocks(&world.config, 0).await.expect("blocks");
    assert_eq!(next(&mut blocks).await, Ok(0));
    assert_eq!(service.broadcast(&world.config, transaction(&world), TIMEOUT).await, Ok(()));
    assert_eq!(next(&mut blocks).await, Ok(1));
    let mut later = service.blocks(&world.config, 1).await.expect("blocks");
    assert_eq!(next(&mut later).await, Ok(1));
    orderer.shutdown().await;
    assert!(next(&mut blocks).await.is_err());
}

#[tokio::test]
async fn goes_to_another_orderer_when_one_is_away() {
    let (world, _orderer, _folder) = ordered(&[nowhere().await, nowhere().await]).await;
    // The order is random, so that one round alone would prove nothing.
    for _ in 0..8 {
        let service = service(&world.peer1);
        let mut blocks = service.blocks(&world.config, 0).await.expect("blocks");
        assert_eq!(next(&mut blocks).await, Ok(0));
        assert_eq!(service.broadcast(&world.config, transaction(&world), TIMEOUT).await, Ok(()));
    }
}

#[tokio::test]
async fn says_what_is_wrong_with_every_orderer() {
    let (one, other) = (nowhere().await, nowhere().await);
    let world = World::with_orderers(&[one.clone(), other.clone()]);
    let service = service(&world.peer1);
    let error = service.blocks(&world.config, 0).await.err().expect("nobody").to_string();
    assert!(error.starts_with("no orderer of channel ch can be reached: "), "{error}");
    assert!(error.contains(&format!("{one}: ")) && error.contains(&format!("{other}: ")), "{error}");
    let Err(BroadcastError::Failed(details)) = service.broadcast(&world.config, transaction(&world), TIMEOUT).await
    else {
        panic!("expected a failure");
    };
    assert_eq!(details.len(), 2);
    assert!(details.iter().all(|detail| detail.msp_id == "OrdererMSP" && detail.message.contains("Unavailable")));
}

#[tokio::test]
async fn tells_a_refusal_to_deliver_with_a_hint() {
    let (world, _orderer, _folder) = ordered(&[]).await;
    let mut blocks = service(&world.stranger).blocks(&world.config, 0).await.expect("a connection");
    let error = next(&mut blocks).await.expect_err("refused");
    assert!(
        error.contains("ended delivery with status FORBIDDEN; hint: this peer's certificate is not one of"),
        "{error}"
    );
}

/// An orderer that gives one answer to every transaction, or none.
struct Says(Option<BroadcastResponse>);

impl Says {
    async fn start(status: Status, info: &str) -> String {
        Self(Some(BroadcastResponse { status: status as i32, info: info.to_owned() })).serve().await
    }

    async fn nothing() -> String {
        Self(None).serve().await
    }

    async fn serve(self) -> String {
        let (listener, endpoint) = listener().await;
        serve(listener, Routes::new(AtomicBroadcastServer::new(self)));
        endpoint
    }
}

#[tonic::async_trait]
impl AtomicBroadcast for Says {
    type BroadcastStream = Pin<Box<dyn Stream<Item = Result<BroadcastResponse, tonic::Status>> + Send>>;
    type DeliverStream = Pin<Box<dyn Stream<Item = Result<DeliverResponse, tonic::Status>> + Send>>;

    async fn broadcast(
        &self,
        _: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::BroadcastStream>, tonic::Status> {
        let answer = self.0.clone();
        Ok(Response::new(stream::iter(answer).map(Ok).chain(stream::pending()).boxed()))
    }

    async fn deliver(&self, _: Request<Streaming<Envelope>>) -> Result<Response<Self::DeliverStream>, tonic::Status> {
        Err(tonic::Status::unimplemented("not asked for"))
    }
}

#[tokio::test]
async fn one_orderer_without_a_leader_is_passed_over_and_one_that_refuses_decides() {
    let busy = Says::start(Status::ServiceUnavailable, "no Raft leader").await;
    let (world, _orderer, _folder) = ordered(std::slice::from_ref(&busy)).await;
    for _ in 0..8 {
        assert_eq!(service(&world.peer1).broadcast(&world.config, transaction(&world), TIMEOUT).await, Ok(()));
    }

    let world = World::with_orderers(std::slice::from_ref(&busy));
    let failed = service(&world.peer1).broadcast(&world.config, transaction(&world), TIMEOUT).await.expect_err("busy");
    let message = "received unsuccessful response from orderer: status=SERVICE_UNAVAILABLE, info=no Raft leader";
    let detail = ErrorDetail { address: busy, msp_id: "OrdererMSP".into(), message: message.into() };
    assert_eq!(failed, BroadcastError::Failed(vec![detail]));

    let strict = Says::start(Status::BadRequest, "no").await;
    let world = World::with_orderers(&[strict]);
    let refused =
        service(&world.peer1).broadcast(&world.config, transaction(&world), TIMEOUT).await.expect_err("refused");
    assert_eq!(refused, BroadcastError::Refused { status: Status::BadRequest as i32, info: "no".into() });
}

#[tokio::test]
async fn an_orderer_that_does_not_answer_is_passed_over() {
    let silent = Says::nothing().await;
    let (world, _orderer, _folder) = ordered(std::slice::from_ref(&silent)).await;
    // The order is random. The real one needs a moment, too.
    for _ in 0..4 {
        let limit = Duration::from_secs(2);
        assert_eq!(service(&world.peer1).broadcast(&world.config, transaction(&world), limit).await, Ok(()));
    }

    let world = World::with_orderers(std::slice::from_ref(&silent));
    let failed = service(&world.peer1).broadcast(&world.config, transaction(&world), Duration::from_millis(100)).await;
    let message = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";
    let detail = ErrorDetail { address: silent, msp_id: "OrdererMSP".into(), message: message.into() };
    assert_eq!(failed, Err(BroadcastError::Failed(vec![detail])));
}

/// The outcome with four orderers that do not trust each other, of which three must take a transaction.
async fn to_quorum(orderers: [&str; 4]) -> Result<(), BroadcastError> {
    let world = World::with_orderers(&orderers.map(str::to_owned));
    let (service, nodes) = (service(&world.peer1), nodes(&world.config));
    let outcome = service.broadcast_to_quorum(&world.config, &nodes, transaction(&world));
    tokio::time::timeout(TIMEOUT, outcome).await.expect("no wait for who does not answer")
}

#[tokio::test]
async fn a_quorum_waits_for_nobody_else() {
    let (takes, silent) = (Says::start(Status::Success, "").await, Says::nothing().await);
    let refuses = Says::start(Status::ServiceUnavailable, "no leader").await;
    assert_eq!(to_quorum([&silent, &takes, &takes, &takes]).await, Ok(()));
    assert_eq!(to_quorum([&refuses, &takes, &takes, &takes]).await, Ok(()));

    let outcome = to_quorum([&refuses, &refuses, &silent, &takes]).await;
    let Err(BroadcastError::NoQuorum(details)) = outcome else { panic!("expected no quorum, found {outcome:?}") };
    assert_eq!(details.len(), 2);
    assert!(details.iter().all(|detail| detail.address == refuses), "{details:?}");
}

#[test]
fn asks_for_the_quorum_of_fabric() {
    for (consenters, expected) in [(1, 1), (3, 2), (4, 3), (7, 5), (10, 7)] {
        assert_eq!(quorum(consenters), expected, "{consenters}");
    }
}

#[test]
fn counts_a_transaction_that_an_orderer_has_already() {
    let answer = |status: Status, info: &str| BroadcastResponse { status: status as i32, info: info.to_owned() };
    assert!(has(&answer(Status::Success, "")));
    assert!(has(&answer(Status::ServiceUnavailable, KNOWN)));
    assert!(!has(&answer(Status::ServiceUnavailable, "no leader")));
}

#[test]
fn every_orderer_is_trusted_under_its_organization() {
    let world = World::with_orderers(&["a:1".to_owned(), "b:2".to_owned()]);
    let found: Vec<_> = nodes(&world.config).into_iter().map(|node| (node.endpoint, node.msp_id)).collect();
    assert_eq!(found, [("a:1".into(), "OrdererMSP".into()), ("b:2".into(), "OrdererMSP".into())]);
    assert_eq!(world.config.channel_id(), CHANNEL);
}
