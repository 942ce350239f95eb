//! What one request of chaincode costs: GET_STATE over and over in one transaction, beside a bare ping-pong of the same
//! messages between two processes over the same kind of connection.

use std::{
    path::Path,
    pin::Pin,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt};
use prost::Message;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};
use windlass_proto::{
    Bytes,
    protos::{
        ChaincodeMessage, GetState,
        chaincode_client::ChaincodeClient,
        chaincode_message::Type,
        chaincode_server::{Chaincode as Service, ChaincodeServer},
    },
};
use windlass_shim::{Chaincode, Outcome, Stub};
use windlass_transport::{ClientTls, DialOptions, dial, incoming};

use crate::{
    floor::{self, Role},
    network::{own_program, script},
    support::{client::Client, place::Place, windlass::Windlass},
};

/// The value that is read.
const VALUE: &str = "a value of some length";
/// Requests of one measurement, and how often it is taken: the best counts, for the others were disturbed.
const REQUESTS: u32 = 5_000;
const ROUNDS: usize = 7;

/// Time for each round trip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrip {
    pub(crate) get_state: Duration,
    pub(crate) floor: Duration,
}

pub(crate) async fn measure(place: &Place) -> RoundTrip {
    let folder = script(place, "reader", &own_program(Role::Reader));
    let windlass = place.dev().ephemeral().chaincode("reader", folder).start();
    let client = Client::user(&windlass.ready).await;
    client.submit("reader", &["put"]).await.expect("a transaction");
    let (mut get_state, mut ping_pong) = (Duration::MAX, Duration::MAX);
    let mut pong = PingPong::start(&windlass).await;
    for _ in 0..ROUNDS {
        // What surrounds the requests is taken off.
        let empty = transaction(&client, 0).await;
        let full = transaction(&client, REQUESTS).await;
        get_state = get_state.min(full.saturating_sub(empty) / REQUESTS);
        ping_pong = ping_pong.min(pong.play(REQUESTS).await / REQUESTS);
    }
    drop(pong);
    windlass.stop();
    RoundTrip { get_state, floor: ping_pong }
}

/// A transaction with so many requests.
async fn transaction(client: &Client, requests: u32) -> Duration {
    let started = Instant::now();
    client.query("reader", &["get", &requests.to_string()]).await.expect("an answer");
    started.elapsed()
}

/// Chaincode that reads one key as often as it is told.
pub(crate) struct Reader;

impl Chaincode for Reader {
    async fn invoke(&self, stub: &Stub) -> Outcome {
        if stub.function() == "put" {
            stub.put("key", VALUE).await?;
        } else {
            let times: u32 = stub.text(0)?.parse().map_err(|_| "expected a number")?;
            for _ in 0..times {
                stub.get("key").await?;
            }
        }
        Ok(windlass_shim::Response::ok(""))
    }
}

/// Two ends of a stream that say the same as peer and chaincode, and nothing else.
struct PingPong {
    outbound: mpsc::Sender<ChaincodeMessage>,
    inbound: Streaming<ChaincodeMessage>,
    _other: floor::Process,
}

impl PingPong {
    async fn start(windlass: &Windlass) -> Self {
        let (other, address) = floor::spawn(Role::PingPong, windlass.ready_file(), "");
        let root = std::fs::read_to_string(&windlass.ready.peer.tls_root_cert).expect("a file of the network");
        let tls = ClientTls { roots: vec![root], ..Default::default() };
        let channel = dial(&address, Some(&tls), &DialOptions::default()).await.expect("a connection");
        let (outbound, queue) = mpsc::channel(64);
        let opened = ChaincodeClient::new(channel).connect(ReceiverStream::new(queue)).await.expect("a stream");
        Self { outbound, inbound: opened.into_inner(), _other: other }
    }

    async fn play(&mut self, times: u32) -> Duration {
        let request = GetState { key: "key".to_owned(), ..Default::default() };
        let ping = message(Type::GetState, request.encode_to_vec());
        let started = Instant::now();
        for _ in 0..times {
            self.outbound.send(ping.clone()).await.expect("an open stream");
            self.inbound.message().await.expect("an open stream").expect("an answer");
        }
        started.elapsed()
    }
}

/// A message as long as that of a transaction.
fn message(kind: Type, payload: impl Into<Bytes>) -> ChaincodeMessage {
    ChaincodeMessage {
        r#type: kind as i32,
        payload: payload.into(),
        txid: "0".repeat(64),
        channel_id: "mychannel".to_owned(),
        ..Default::default()
    }
}

/// Answers every message with the value.
struct Pong;

#[tonic::async_trait]
impl Service for Pong {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<ChaincodeMessage, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let answers = request.into_inner().map(|ping| ping.map(|_| message(Type::Response, VALUE)));
        Ok(Response::new(Box::pin(answers)))
    }
}

/// The other end, in a process of its own.
pub(crate) async fn serve_ping_pong(data: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("localhost:{}", listener.local_addr().expect("an address").port());
    let tls = floor::server_tls(data).config().expect("good certificates");
    let server = Server::builder().tcp_nodelay(true).add_service(ChaincodeServer::new(Pong));
    server.serve_with_incoming(incoming(listener, Some(tls))).await.expect("a server");
}
