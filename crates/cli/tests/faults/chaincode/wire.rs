//! One stream, by hand.

use std::{fs, path::Path, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{BoxStream, TakeUntil},
};
use prost::Message;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use windlass_proto::{
    Bytes,
    protos::{
        ChaincodeEvent, ChaincodeId, ChaincodeMessage, chaincode_message::Type,
        chaincode_support_client::ChaincodeSupportClient,
    },
};
use windlass_shim::client::ClientConfig;
use windlass_transport::{ClientTls, DialOptions, MAX_MESSAGE_SIZE, dial_at};

pub(super) type Inbound = Streaming<ChaincodeMessage>;
/// What is to be sent, until our side is ended.
type Queue = TakeUntil<ReceiverStream<ChaincodeMessage>, BoxFuture<'static, ()>>;
pub(super) type Outbound = BoxStream<'static, Result<ChaincodeMessage, Status>>;

/// Machines may be busy.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// The sending end of a stream. All clones share it.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    outbound: mpsc::Sender<ChaincodeMessage>,
    closed: watch::Sender<bool>,
}

impl Wire {
    /// Opens a stream to the peer. The error is what the peer, or TLS, said.
    pub(super) async fn dial(address: String, tls: Option<ClientTls>) -> Result<(Self, Inbound), String> {
        let options = DialOptions { timeout: DIAL_TIMEOUT, ..Default::default() };
        let dialed = match dial_at(&address, None, tls.as_ref(), &options).await {
            Ok(dialed) => dialed,
            Err(error) => return Err(error.to_string()),
        };
        let mut peer = ChaincodeSupportClient::new(dialed.channel)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(2 * MAX_MESSAGE_SIZE);
        let (wire, outbound) = Self::open();
        match peer.register(outbound).await {
            Ok(inbound) => Ok((wire, inbound.into_inner())),
            Err(status) => Err(status.message().to_owned()),
        }
    }

    /// A stream that the peer opened, and what to answer it with.
    pub(super) fn served() -> (Self, Outbound) {
        let (wire, outbound) = Self::open();
        (wire, outbound.map(Ok).boxed())
    }

    fn open() -> (Self, Queue) {
        let (outbound, queue) = mpsc::channel(16);
        let (closed, mut closing) = watch::channel(false);
        let end = async move {
            let _ = closing.wait_for(|closed| *closed).await;
        };
        (Self { outbound, closed }, ReceiverStream::new(queue).take_until(end.boxed()))
    }

    /// Ends our side of the stream.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(super) async fn register(&self, id: &str) {
        let id = ChaincodeId { name: id.to_owned(), ..Default::default() };
        self.say(Type::Register as i32, id.encode_to_vec().into(), &ChaincodeMessage::default()).await;
    }

    /// Sends a message with the addresses of `call`.
    pub(super) async fn say(&self, kind: i32, payload: Bytes, call: &ChaincodeMessage) {
        self.say_with(None, kind, payload, call).await;
    }

    /// The same with an event.
    pub(super) async fn say_with(
        &self,
        chaincode_event: Option<ChaincodeEvent>,
        kind: i32,
        payload: Bytes,
        call: &ChaincodeMessage,
    ) {
        let message = ChaincodeMessage {
            r#type: kind,
            payload,
            txid: call.txid.clone(),
            channel_id: call.channel_id.clone(),
            chaincode_event,
            ..Default::default()
        };
        // A peer that has ended the stream hears nothing more.
        let _ = self.outbound.send(message).await;
    }
}

/// Lets the other chaincode of the suite take our certificate.
pub(super) fn save_identity(folder: &Path, config: &ClientConfig) {
    let Some((certificate, key)) = config.tls.as_ref().and_then(|tls| tls.identity.clone()) else { return };
    let saved = json!({ "id": config.chaincode_id, "certificate": certificate, "key": key });
    let name = config.chaincode_id.split(':').next().unwrap_or_default();
    fs::write(folder.join(format!("{name}.identity")), saved.to_string()).expect("a file");
}

/// The ID and the certificate with its key of the other chaincode.
pub(super) fn saved_identity(folder: &Path, name: &str) -> (String, (String, String)) {
    let text = fs::read_to_string(folder.join(format!("{name}.identity"))).expect("the other runs already");
    let saved: Value = serde_json::from_str(&text).expect("JSON");
    let field = |name: &str| saved[name].as_str().expect("a text").to_owned();
    (field("id"), (field("certificate"), field("key")))
}
