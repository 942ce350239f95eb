//! The chaincode's end of a stream, by hand.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use prost::Message;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, transport::Server};
use windlass_proto::protos::{
    self, ChaincodeId, ChaincodeMessage,
    chaincode_message::Type,
    chaincode_server::{Chaincode, ChaincodeServer},
    chaincode_support_client::ChaincodeSupportClient,
};
use windlass_transport::{ClientTls, DialOptions, MAX_MESSAGE_SIZE, ServerTls, dial, incoming};

/// Long enough for anything that should happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough to believe that nothing will.
const SILENCE: Duration = Duration::from_millis(150);

/// One stream, whoever opened it.
pub(super) struct Wire {
    outbound: mpsc::Sender<ChaincodeMessage>,
    inbound: Streaming<ChaincodeMessage>,
}

impl Wire {
    /// Opens a stream to a peer.
    pub(super) async fn dial(address: SocketAddr, tls: Option<ClientTls>) -> Self {
        let address = format!("localhost:{}", address.port());
        let channel = dial(&address, tls.as_ref(), &DialOptions::default()).await.expect("the peer listens");
        let (outbound, queue) = mpsc::channel(16);
        let mut client = ChaincodeSupportClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        let inbound = client.register(ReceiverStream::new(queue)).await.expect("the peer accepts streams");
        Self { outbound, inbound: inbound.into_inner() }
    }

    /// Registers and checks the handshake.
    pub(super) async fn register(&mut self, id: &str) {
        self.say_register(id).await;
        let registered = self.next().await;
        assert_eq!(registered, ChaincodeMessage { r#type: Type::Registered as i32, ..Default::default() });
        let ready = self.next().await;
        let payload = Bytes::from(hex::decode("080110e807180120e807").expect("hex"));
        assert_eq!(ready, ChaincodeMessage { r#type: Type::Ready as i32, payload, ..Default::default() });
    }

    /// Sends REGISTER and nothing more.
    pub(super) async fn say_register(&mut self, id: &str) {
        let id = ChaincodeId { name: id.to_owned(), ..Default::default() };
        self.send(Type::Register, &id).await;
    }

    /// Sends a message without addresses.
    pub(super) async fn send(&mut self, kind: Type, payload: &impl Message) {
        let payload = payload.encode_to_vec().into();
        self.send_message(ChaincodeMessage { r#type: kind as i32, payload, ..Default::default() }).await;
    }

    pub(super) async fn send_message(&mut self, message: ChaincodeMessage) {
        self.outbound.send(message).await.expect("the stream is open");
    }

    /// Sends a message that belongs to `call`.
    pub(super) async fn reply(&mut self, call: &ChaincodeMessage, kind: Type, payload: impl Into<Bytes>) {
        self.send_message(ChaincodeMessage {
            r#type: kind as i32,
            payload: payload.into(),
            txid: call.txid.clone(),
            channel_id: call.channel_id.clone(),
            ..Default::default()
        })
        .await;
    }

    /// Asks for something and returns the answer, after checking its addresses.
    pub(super) async fn ask(
        &mut self,
        call: &ChaincodeMessage,
        kind: Type,
        request: &impl Message,
    ) -> ChaincodeMessage {
        self.reply(call, kind, request.encode_to_vec()).await;
        let answer = self.next().await;
        assert_eq!((&answer.txid, &answer.channel_id), (&call.txid, &call.channel_id));
        answer
    }

    /// Asks for something that is granted and returns the payload.
    pub(super) async fn get(&mut self, call: &ChaincodeMessage, kind: Type, request: &impl Message) -> Bytes {
        let answer = self.ask(call, kind, request).await;
        assert_eq!(answer.r#type, Type::Response as i32, "{}", text(&answer));
        answer.payload
    }

    /// Asks for something that is refused and returns what follows the prefix.
    pub(super) async fn refused(&mut self, call: &ChaincodeMessage, kind: Type, request: &impl Message) -> String {
        let answer = self.ask(call, kind, request).await;
        assert_eq!(answer.r#type, Type::Error as i32);
        let prefix = format!("{} failed: transaction ID: {}: ", kind.as_str_name(), call.txid);
        text(&answer).strip_prefix(&prefix).unwrap_or_else(|| panic!("no prefix: {}", text(&answer))).to_owned()
    }

    /// Completes a call.
    pub(super) async fn complete(&mut self, call: &ChaincodeMessage, response: &protos::Response) {
        self.reply(call, Type::Completed, response.encode_to_vec()).await;
    }

    /// The next message from the peer.
    pub(super) async fn next(&mut self) -> ChaincodeMessage {
        let next = timeout(PATIENCE, self.inbound.next()).await.expect("the peer says something");
        next.expect("the stream is open").expect("a message")
    }

    /// The next message, or `None` when the stream has ended.
    pub(super) async fn try_next(&mut self) -> Option<ChaincodeMessage> {
        self.inbound.next().await.and_then(Result::ok)
    }

    /// The next call.
    pub(super) async fn call(&mut self, kind: Type) -> ChaincodeMessage {
        let call = self.next().await;
        assert_eq!(call.r#type, kind as i32, "{}", text(&call));
        call
    }

    /// Checks that the peer says nothing and leaves the stream open.
    pub(super) async fn hears_nothing(&mut self) {
        let heard = timeout(SILENCE, self.inbound.next()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    /// How the peer ended the stream.
    pub(super) async fn end(&mut self) -> Status {
        let next = timeout(PATIENCE, self.inbound.next()).await.expect("the peer ends the stream");
        next.expect("a status").expect_err("no message")
    }

    /// Waits until the stream has ended, however.
    pub(super) async fn ended(&mut self) {
        while let Ok(Some(Ok(_))) = timeout(PATIENCE, self.inbound.next()).await {}
    }
}

/// A connection in the test's hands, between a peer and a chaincode that serves.
pub(super) struct Line {
    pub(super) address: String,
    silence: CancellationToken,
    task: JoinHandle<()>,
}

impl Line {
    /// Forwards the first connection to `to`.
    pub(super) async fn to(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("localhost:{}", listener.local_addr().expect("bound").port());
        let to = to.replace("localhost", "127.0.0.1");
        let silence = CancellationToken::new();
        let silent = silence.clone();
        let task = tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.expect("a connection");
            let mut far = TcpStream::connect(to).await.expect("a server");
            let _ = silent.run_until_cancelled(copy_bidirectional(&mut near, &mut far)).await;
            // Both stay open, and nothing goes through.
            std::future::pending::<()>().await;
        });
        Self { address, silence, task }
    }

    /// Lets nothing through any more, as when a machine has vanished.
    pub(super) fn go_silent(&self) {
        self.silence.cancel();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn text(message: &ChaincodeMessage) -> String {
    String::from_utf8_lossy(&message.payload).into_owned()
}

/// Waits until something is so.
pub(super) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !so() {
            sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// A chaincode that serves: every stream that a peer opens comes out of [`Served::wire`].
pub(super) struct Served {
    pub(super) address: String,
    wires: mpsc::Receiver<Wire>,
    server: JoinHandle<()>,
    closing: CancellationToken,
}

struct Service(mpsc::Sender<Wire>);

#[tonic::async_trait]
impl Chaincode for Service {
    type ConnectStream = futures::stream::BoxStream<'static, Result<ChaincodeMessage, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (outbound, queue) = mpsc::channel(16);
        let wire = Wire { outbound, inbound: request.into_inner() };
        self.0.send(wire).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(queue).map(Ok).boxed()))
    }
}

impl Served {
    pub(super) async fn start(tls: Option<ServerTls>) -> Self {
        Self::at("127.0.0.1:0", tls).await
    }

    pub(super) async fn at(address: &str, tls: Option<ServerTls>) -> Self {
        let address = address.replace("localhost", "127.0.0.1");
        let listener = loop {
            match TcpListener::bind(&address).await {
                Ok(listener) => break listener,
                // Whoever listened before has not let go yet.
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        };
        let address = format!("localhost:{}", listener.local_addr().expect("bound").port());
        let (wires_in, wires) = mpsc::channel(4);
        let closing = CancellationToken::new();
        let closed = closing.clone().cancelled_owned();
        let tls = tls.map(|tls| tls.config().expect("TLS material"));
        let service = ChaincodeServer::new(Service(wires_in)).max_decoding_message_size(MAX_MESSAGE_SIZE);
        let server = tokio::spawn(async move {
            let served =
                Server::builder().add_service(service).serve_with_incoming_shutdown(incoming(listener, tls), closed);
            served.await.expect("serves until it is dropped");
        });
        Self { address, wires, server, closing }
    }

    /// Listens no more, and says goodbye on every connection.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// The next stream that a peer opens, whenever.
    pub(super) async fn next_wire(&mut self) -> Wire {
        self.wires.recv().await.expect("the server runs")
    }

    /// The next stream that a peer opens.
    pub(super) async fn wire(&mut self) -> Wire {
        timeout(PATIENCE, self.wires.recv()).await.expect("a peer connects").expect("the server runs")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}
