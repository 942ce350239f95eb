//! What each transaction does.

use std::{
    collections::HashMap,
    path::PathBuf,
    process::exit,
    sync::{Arc, Mutex},
    time::Duration,
};

use prost::Message;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use windlass_proto::{
    Bytes,
    protos::{
        ChaincodeEvent, ChaincodeId, ChaincodeInput, ChaincodeMessage, ChaincodeSpec, GetState, GetStateByRange,
        PutState, QueryResponse, QueryStateNext, Response, chaincode_message::Type,
    },
};
use windlass_shim::client::ClientConfig;
use windlass_transport::ClientTls;

use super::wire::{Inbound, Wire, saved_identity};

/// So many messages are a flood.
const FLOOD: usize = 4_000;
/// Long enough to believe that a stream is left in silence.
const SILENCE: Duration = Duration::from_millis(300);

/// What all streams of this chaincode share.
pub(super) struct Acts {
    folder: PathBuf,
    /// Where the peer is, unless it dialed us.
    config: Option<ClientConfig>,
    /// Who waits for an answer to a request, by transaction.
    waiting: Mutex<HashMap<String, oneshot::Sender<ChaincodeMessage>>>,
    /// Answers to what should not have been asked.
    heard: Mutex<Vec<String>>,
    release: Notify,
    released: Notify,
    /// Makes a server say goodbye.
    goodbye: CancellationToken,
}

/// One transaction on its stream.
struct Act {
    acts: Arc<Acts>,
    wire: Wire,
    call: ChaincodeMessage,
    args: Vec<String>,
}

impl Acts {
    pub(super) fn new(folder: PathBuf, config: Option<ClientConfig>, goodbye: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            folder,
            config,
            waiting: Mutex::default(),
            heard: Mutex::default(),
            release: Notify::new(),
            released: Notify::new(),
            goodbye,
        })
    }

    /// Reads a stream to its end.
    pub(super) async fn follow(self: Arc<Self>, wire: Wire, mut inbound: Inbound) {
        while let Ok(Some(message)) = inbound.message().await {
            match Type::try_from(message.r#type) {
                Ok(Type::Transaction | Type::Init) => {
                    let input = ChaincodeInput::decode(message.payload.clone()).expect("an input");
                    let args = input.args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
                    let act = Act { acts: self.clone(), wire: wire.clone(), call: message, args };
                    if act.arg(0) == "deaf" {
                        return act.deaf().await;
                    }
                    tokio::spawn(act.run());
                }
                Ok(Type::Response | Type::Error) => {
                    if let Some(asked) = self.waiting.lock().expect("no panics").remove(&message.txid) {
                        let _ = asked.send(message);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Act {
    fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    async fn run(self) {
        match self.arg(0) {
            "ok" => self.complete("ok").await,
            "get" => {
                let value = self.ask(Type::GetState, get(self.arg(1)), &self.call).await.payload;
                self.complete(value).await;
            }
            "put" => {
                self.put(self.arg(1), self.arg(2)).await;
                self.complete("").await;
            }
            "fill" => {
                for number in 0..self.arg(1).parse().expect("a number") {
                    self.put(&format!("row{number:04}"), "x").await;
                }
                self.complete("").await;
            }
            "put much" => {
                let value = "x".repeat(self.arg(2).parse().expect("a number"));
                self.put(self.arg(1), &value).await;
                self.complete("").await;
            }
            "put with event" => {
                self.put(self.arg(1), self.arg(2)).await;
                let event = ChaincodeEvent { event_name: "put".to_owned(), ..Default::default() };
                let response = Response { status: 200, ..Default::default() };
                self.wire.say_with(Some(event), Type::Completed as i32, encode(&response), &self.call).await;
            }
            "range" => {
                let rows = self.range().await;
                self.complete(rows.to_string()).await;
            }
            "pause" => {
                let length = self.arg(1).parse().expect("milliseconds");
                tokio::time::sleep(Duration::from_millis(length)).await;
                self.complete("paused").await;
            }
            "heard" => {
                let heard = std::mem::take(&mut *self.acts.heard.lock().expect("no panics"));
                self.complete(heard.join("\n")).await;
            }
            "die" => {
                self.ask(Type::GetState, get("row0000"), &self.call).await;
                exit(9);
            }
            "hang" => {
                self.open_query().await;
                std::future::pending().await
            }
            "iterate" => {
                for _ in 0..5 {
                    self.open_query().await;
                }
                self.complete("left open").await;
            }
            "twice" => {
                self.complete("first").await;
                self.complete("second").await;
                self.overhear(Type::GetState, get("row0000"), &self.call).await;
            }
            "late" => {
                self.acts.release.notified().await;
                self.overhear(Type::GetState, get("row0000"), &self.call).await;
                self.complete("late").await;
                self.acts.released.notify_one();
            }
            "release" => {
                self.acts.release.notify_one();
                self.acts.released.notified().await;
                self.complete("").await;
            }
            "made up" => {
                for kind in [Type::GetState, Type::PutState, Type::InvokeChaincode] {
                    self.overhear(kind, get("row0000"), &made_up(0)).await;
                }
                self.complete("ok").await;
            }
            "garbage" => {
                let answer = self.expect_answer(&self.call);
                self.wire.say(Type::PutState as i32, vec![0xff; 100].into(), &self.call).await;
                self.complete(answer_of(answer).await.payload).await;
            }
            "register again" => self.wire.register("again:1").await,
            "no kind" => self.wire.say(99, Bytes::new(), &self.call).await,
            "end" => self.wire.close(),
            "big" => {
                let value = Bytes::from(vec![7; 101 << 20]);
                let put = PutState { key: "big".to_owned(), value, ..Default::default() };
                self.wire.say(Type::PutState as i32, encode(&put), &self.call).await;
            }
            "flood" => self.flood().await,
            "hold" => {
                if self.acts.folder.join("hold").exists() {
                    std::future::pending::<()>().await;
                }
                self.complete("held").await;
            }
            "call" => {
                let args = self.args[2..].iter().map(|arg| arg.clone().into()).collect();
                let spec = ChaincodeSpec {
                    chaincode_id: Some(ChaincodeId { name: self.arg(1).to_owned(), ..Default::default() }),
                    input: Some(ChaincodeInput { args, ..Default::default() }),
                    ..Default::default()
                };
                let answer = self.ask(Type::InvokeChaincode, encode(&spec), &self.call).await;
                self.complete(answer.payload).await;
            }
            "goodbye" => {
                self.acts.goodbye.cancel();
                // After the goodbye is on its way.
                let value = self.ask(Type::GetState, get("row0000"), &self.call).await.payload;
                self.complete(value).await;
            }
            "second stream" => {
                let heard = self.second_stream().await;
                self.complete(heard).await;
            }
            other => panic!("no act is called {other}"),
        }
    }

    /// Opens another stream to the peer, registers on it in some wrong way, and says what came of it.
    async fn second_stream(&self) -> String {
        let config = self.acts.config.clone().expect("launched by the peer");
        let (other_id, other) = saved_identity(&self.acts.folder, "other");
        let own = config.tls.clone().expect("TLS");
        let with = |identity| Some(ClientTls { identity, ..own.clone() });
        let (tls, id) = match self.arg(1) {
            "own" | "early" => (with(own.identity.clone()), config.chaincode_id.clone()),
            "certificate of the other" => (with(Some(other)), config.chaincode_id.clone()),
            "ID of the other" => (with(own.identity.clone()), other_id),
            "no certificate" => (with(None), config.chaincode_id.clone()),
            other => panic!("no stream is called {other}"),
        };
        // The compiler cannot see that this future is fit for another thread.
        let runtime = tokio::runtime::Handle::current();
        let dialing = tokio::task::spawn_blocking(move || runtime.block_on(Wire::dial(config.peer_address, tls)));
        let (wire, mut inbound) = match dialing.await.expect("no panic") {
            Ok(opened) => opened,
            Err(error) => return format!("no stream: {error}"),
        };
        if self.arg(1) == "early" {
            wire.say(Type::GetState as i32, get("row0000"), &self.call).await;
        }
        wire.register(&id).await;
        match tokio::time::timeout(SILENCE, inbound.message()).await {
            Err(_) => "silence".to_owned(),
            Ok(Err(status)) => format!("ended: {}", status.message()),
            Ok(Ok(message)) => format!("answered: {message:?}"),
        }
    }

    async fn flood(&self) {
        for number in 0..FLOOD {
            self.wire.say(Type::GetState as i32, get("row0000"), &made_up(number)).await;
            self.wire.say(Type::Keepalive as i32, Bytes::new(), &ChaincodeMessage::default()).await;
            self.wire.say(Type::Completed as i32, Bytes::new(), &made_up(number)).await;
        }
        self.complete("flooded").await;
    }

    /// Asks and asks, and reads no answer.
    async fn deaf(&self) {
        for number in 0.. {
            self.wire.say(Type::GetState as i32, get("row0000"), &made_up(number)).await;
        }
    }

    async fn put(&self, key: &str, value: &str) {
        let put =
            PutState { key: key.to_owned(), value: Bytes::copy_from_slice(value.as_bytes()), ..Default::default() };
        self.ask(Type::PutState, encode(&put), &self.call).await;
    }

    /// Opens a query with more than one page, and leaves it at the first.
    async fn open_query(&self) {
        self.ask(Type::GetStateByRange, encode(&GetStateByRange::default()), &self.call).await;
    }

    /// Reads all rows, page by page, and counts them.
    async fn range(&self) -> usize {
        let mut answer = self.ask(Type::GetStateByRange, encode(&GetStateByRange::default()), &self.call).await;
        let mut rows = 0;
        loop {
            let page = QueryResponse::decode(answer.payload).expect("a page");
            rows += page.results.len();
            if !page.has_more {
                return rows;
            }
            answer = self.ask(Type::QueryStateNext, encode(&QueryStateNext { id: page.id }), &self.call).await;
        }
    }

    async fn complete(&self, payload: impl Into<Bytes>) {
        let response = Response { status: 200, payload: payload.into(), ..Default::default() };
        self.wire.say(Type::Completed as i32, encode(&response), &self.call).await;
    }

    /// Asks, and keeps what is answered for a later transaction.
    async fn overhear(&self, kind: Type, request: Bytes, call: &ChaincodeMessage) {
        let answer = self.ask(kind, request, call).await;
        let text = String::from_utf8_lossy(&answer.payload).into_owned();
        self.acts.heard.lock().expect("no panics").push(text);
    }

    async fn ask(&self, kind: Type, request: Bytes, call: &ChaincodeMessage) -> ChaincodeMessage {
        let answer = self.expect_answer(call);
        self.wire.say(kind as i32, request, call).await;
        answer_of(answer).await
    }

    /// Where the next answer to a transaction will arrive.
    fn expect_answer(&self, call: &ChaincodeMessage) -> oneshot::Receiver<ChaincodeMessage> {
        let (asked, answer) = oneshot::channel();
        self.acts.waiting.lock().expect("no panics").insert(call.txid.clone(), asked);
        answer
    }
}

async fn answer_of(answer: oneshot::Receiver<ChaincodeMessage>) -> ChaincodeMessage {
    match answer.await {
        Ok(answer) => answer,
        // The stream has ended.
        Err(_) => std::future::pending().await,
    }
}

/// A request for a key.
fn get(key: &str) -> Bytes {
    encode(&GetState { key: key.to_owned(), ..Default::default() })
}

fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

/// The addresses of a transaction that never was.
fn made_up(number: usize) -> ChaincodeMessage {
    ChaincodeMessage {
        txid: format!("made-up-{number}"),
        channel_id: format!("nowhere-{number}"),
        ..Default::default()
    }
}
