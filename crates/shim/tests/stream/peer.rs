//! A peer of a few lines: it reads and writes what a test tells it to, over real gRPC, in either direction.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, future};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};
use windlass_proto::protos::{
    ChaincodeAdditionalParams, ChaincodeId, ChaincodeInput, ChaincodeMessage, SignedProposal,
    chaincode_client::ChaincodeClient,
    chaincode_message::Type,
    chaincode_support_server::{ChaincodeSupport, ChaincodeSupportServer},
};
use windlass_shim::{
    Chaincode, MAX_MESSAGE_SIZE,
    client::{self, ClientConfig, RunError},
    server::{self, ServerConfig},
};
use windlass_transport::{ClientAuthentication, ClientTls, DialOptions, ServerTls, dial, incoming};

pub(crate) const CHAINCODE_ID: &str = "sample_1.0:abc";
const PATIENCE: Duration = Duration::from_secs(10);

/// Who dials whom, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ChaincodeDials,
    ChaincodeDialsWithTls,
    PeerDials,
    PeerDialsWithTls,
}

impl Way {
    pub(crate) const ALL: [Self; 4] =
        [Self::ChaincodeDials, Self::ChaincodeDialsWithTls, Self::PeerDials, Self::PeerDialsWithTls];
}

/// One stream, seen from the peer.
pub(crate) struct Peer {
    outgoing: mpsc::Sender<ChaincodeMessage>,
    incoming: std::pin::Pin<Box<dyn Stream<Item = Result<ChaincodeMessage, Status>> + Send>>,
    chaincode: JoinHandle<Result<(), RunError>>,
}

impl Peer {
    /// A stream to `chaincode` on which nothing has been said yet.
    pub(crate) async fn connect(way: Way, chaincode: impl Chaincode) -> Self {
        match way {
            Way::ChaincodeDials => Self::accept(chaincode, None).await,
            Way::ChaincodeDialsWithTls => Self::accept(chaincode, Some(Material::new())).await,
            Way::PeerDials => Self::dial(chaincode, None).await,
            Way::PeerDialsWithTls => Self::dial(chaincode, Some(Material::new())).await,
        }
    }

    /// A stream on which the chaincode is registered, with a peer that can do all there is.
    pub(crate) async fn ready(way: Way, chaincode: impl Chaincode) -> Self {
        Self::ready_with(way, chaincode, ALL_ABILITIES).await
    }

    pub(crate) async fn ready_with(way: Way, chaincode: impl Chaincode, abilities: ChaincodeAdditionalParams) -> Self {
        let mut peer = Self::connect(way, chaincode).await;
        let register = peer.expect(Type::Register).await;
        let id = ChaincodeId::decode(register.payload).expect("a chaincode ID");
        assert_eq!(id, ChaincodeId { name: CHAINCODE_ID.to_owned(), ..Default::default() });
        peer.send(message(Type::Registered, "", "", Bytes::new())).await;
        peer.send(message(Type::Ready, "", "", abilities.encode_to_vec().into())).await;
        peer
    }

    pub(crate) async fn send(&self, message: ChaincodeMessage) {
        self.outgoing.send(message).await.expect("the stream is open");
    }

    /// Sends TRANSACTION for a transaction on `channel`.
    pub(crate) async fn transact(&self, tx_id: &str, args: &[&str]) {
        self.call(Type::Transaction, tx_id, args, None).await;
    }

    pub(crate) async fn call(&self, kind: Type, tx_id: &str, args: &[&str], proposal: Option<SignedProposal>) {
        let args = args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect();
        let input = ChaincodeInput { args, is_init: kind == Type::Init, ..Default::default() };
        let call = message(kind, "channel", tx_id, input.encode_to_vec().into());
        self.send(ChaincodeMessage { proposal, ..call }).await;
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: &ChaincodeMessage, payload: impl Into<Bytes>) {
        self.send(message(Type::Response, &request.channel_id, &request.txid, payload.into())).await;
    }

    pub(crate) async fn refuse(&self, request: &ChaincodeMessage, text: &'static str) {
        self.send(message(Type::Error, &request.channel_id, &request.txid, text.into())).await;
    }

    /// The next message, whatever it is; nothing when the chaincode has ended the stream.
    pub(crate) async fn next(&mut self) -> Option<Result<ChaincodeMessage, Status>> {
        tokio::time::timeout(PATIENCE, self.incoming.next()).await.expect("the chaincode says something in time")
    }

    /// The next message, which must be of this type.
    pub(crate) async fn expect(&mut self, kind: Type) -> ChaincodeMessage {
        let message = self.next().await.expect("the stream is open").expect("a message");
        assert_eq!(message.r#type(), kind, "{:?}", String::from_utf8_lossy(&message.payload));
        message
    }

    /// The next request, which must be of this type, decoded.
    pub(crate) async fn expect_request<M: Message + Default>(&mut self, kind: Type) -> (ChaincodeMessage, M) {
        let message = self.expect(kind).await;
        let request = M::decode(message.payload.clone()).expect("the request's payload");
        (message, request)
    }

    /// The response of the transaction that completes next.
    pub(crate) async fn expect_response(&mut self) -> windlass_shim::Response {
        let message = self.expect(Type::Completed).await;
        windlass_proto::protos::Response::decode(message.payload).expect("a response").into()
    }

    /// Ends the stream from the peer's side and returns what became of the chaincode.
    pub(crate) async fn hang_up(self) -> Result<(), RunError> {
        drop((self.outgoing, self.incoming));
        tokio::time::timeout(PATIENCE, self.chaincode).await.expect("the chaincode ends in time").expect("no panic")
    }

    /// Whether the chaincode still serves.
    pub(crate) fn is_served(&self) -> bool {
        !self.chaincode.is_finished()
    }

    async fn accept(chaincode: impl Chaincode, material: Option<Material>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, mut accepted) = mpsc::channel(1);
        let tls = material.as_ref().map(|material| material.server().config().expect("TLS"));
        let service = ChaincodeSupportServer::new(Listening(sender))
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming(listener, tls)));
        let config = ClientConfig {
            peer_address: format!("localhost:{port}"),
            chaincode_id: CHAINCODE_ID.to_owned(),
            tls: material.as_ref().map(Material::client),
        };
        let chaincode = tokio::spawn(client::run(config, chaincode));
        let (incoming, outgoing) = accepted.recv().await.expect("the chaincode dials");
        Self { outgoing, incoming: Box::pin(incoming), chaincode }
    }

    async fn dial(chaincode: impl Chaincode, material: Option<Material>) -> Self {
        let config = ServerConfig {
            address: "127.0.0.1:0".to_owned(),
            chaincode_id: CHAINCODE_ID.to_owned(),
            tls: material.as_ref().map(Material::server),
        };
        let server = server::Server::bind(config).await.expect("a port");
        let address = format!("localhost:{}", server.address().port());
        let chaincode = tokio::spawn(async move {
            server.serve(chaincode, future::pending()).await.expect("serving");
            Ok(())
        });
        let tls = material.as_ref().map(Material::client);
        let channel = dial(&address, tls.as_ref(), &DialOptions::default()).await.expect("a connection");
        let (outgoing, messages) = mpsc::channel(16);
        let mut client = ChaincodeClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        let incoming = client.connect(ReceiverStream::new(messages)).await.expect("a stream").into_inner();
        Self { outgoing, incoming: Box::pin(incoming), chaincode }
    }
}

pub(crate) const ALL_ABILITIES: ChaincodeAdditionalParams = ChaincodeAdditionalParams {
    use_write_batch: true,
    max_size_write_batch: 1000,
    use_get_multiple_keys: true,
    max_size_get_multiple_keys: 1000,
};

pub(crate) const NO_ABILITIES: ChaincodeAdditionalParams = ChaincodeAdditionalParams {
    use_write_batch: false,
    max_size_write_batch: 1000,
    use_get_multiple_keys: false,
    max_size_get_multiple_keys: 1000,
};

pub(crate) fn message(kind: Type, channel: &str, tx_id: &str, payload: Bytes) -> ChaincodeMessage {
    ChaincodeMessage {
        r#type: kind as i32,
        payload,
        txid: tx_id.to_owned(),
        channel_id: channel.to_owned(),
        ..Default::default()
    }
}

type Accepted = (Streaming<ChaincodeMessage>, mpsc::Sender<ChaincodeMessage>);

struct Listening(mpsc::Sender<Accepted>);

#[tonic::async_trait]
impl ChaincodeSupport for Listening {
    type RegisterStream = std::pin::Pin<Box<dyn Stream<Item = Result<ChaincodeMessage, Status>> + Send>>;

    async fn register(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<Response<Self::RegisterStream>, Status> {
        let (outgoing, messages) = mpsc::channel(16);
        let accepted = self.0.send((request.into_inner(), outgoing)).await;
        accepted.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(messages).map(Ok))))
    }
}

/// An authority, and a certificate of it that serves both sides.
#[derive(Clone)]
pub(crate) struct Material {
    root: String,
    certificate: String,
    key: String,
}

impl Material {
    pub(crate) fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let names = CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
        let certificate = names.signed_by(&key, &authority).expect("a certificate").pem();
        Self { root: authority.pem(), certificate, key: key.serialize_pem() }
    }

    pub(crate) fn server(&self) -> ServerTls {
        let clients = ClientAuthentication::Require(vec![self.root.clone()]);
        ServerTls { certificate: self.certificate.clone(), key: self.key.clone(), clients }
    }

    pub(crate) fn client(&self) -> ClientTls {
        let identity = Some((self.certificate.clone(), self.key.clone()));
        ClientTls { roots: vec![self.root.clone()], identity, server_name: None }
    }
}

/// Shared by tests whose chaincode has to wait for something.
pub(crate) type Gate = Arc<tokio::sync::Notify>;
