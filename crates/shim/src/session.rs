//! One stream between chaincode and peer: registration, then transactions.
//!
//! The same in both directions: whoever dialed, the chaincode speaks first.
// Fabric: chaincode-protocol §1, §16

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};
use prost::Message;
use tokio::{sync::mpsc, task::JoinSet};
use tonic::Status;
use windlass_proto::protos::{ChaincodeAdditionalParams, ChaincodeId, ChaincodeMessage, chaincode_message::Type};

use crate::{
    Chaincode, Response, Stub,
    error::short,
    exchange::{Caller, Exchange, TransactionKey},
};

/// How many messages wait for the connection before whoever sends must wait as well.
const QUEUE: usize = 64;

/// Why a stream ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The connection or the peer ended it.
    #[error("the stream failed: {0}")]
    Stream(#[from] Box<Status>),
    /// The peer sent what it may not send now.
    #[error("[{}] cannot handle message {kind} in state {state}", short(.tx_id))]
    Unexpected {
        /// The message's type.
        kind: &'static str,
        /// The transaction it names, if any.
        tx_id: String,
        /// The stream's state.
        state: &'static str,
    },
    /// The peer answered where nothing was asked.
    #[error("[{}] received {kind}, but no request is waiting for an answer", short(.tx_id))]
    Unasked {
        /// The message's type.
        kind: &'static str,
        /// The transaction it names.
        tx_id: String,
    },
    /// READY holds something that is not its payload.
    #[error("cannot read the payload of READY: {0}")]
    Ready(prost::DecodeError),
}

/// How far registration has come.
#[derive(Debug)]
enum State {
    Created,
    Established,
    Ready(Arc<Exchange>),
}

/// The chaincode's side of a stream.
#[derive(Debug)]
pub(crate) struct Session<C> {
    chaincode: Arc<C>,
    outgoing: mpsc::Sender<ChaincodeMessage>,
    state: State,
    // Transactions under way; they end with the session.
    transactions: JoinSet<()>,
}

impl<C: Chaincode> Session<C> {
    /// A session, and what it sends: the first message is there already.
    pub(crate) fn new(chaincode: Arc<C>, chaincode_id: &str) -> (Self, mpsc::Receiver<ChaincodeMessage>) {
        let (outgoing, messages) = mpsc::channel(QUEUE);
        let id = ChaincodeId { name: chaincode_id.to_owned(), ..Default::default() };
        let register = message(Type::Register, id.encode_to_vec().into());
        outgoing.try_send(register).expect("the queue is empty and its receiver at hand");
        (Self { chaincode, outgoing, state: State::Created, transactions: JoinSet::new() }, messages)
    }

    /// Serves until the peer ends the stream or breaks the protocol.
    pub(crate) async fn run(
        mut self,
        incoming: &mut (impl Stream<Item = Result<ChaincodeMessage, Status>> + Unpin),
    ) -> Result<(), SessionError> {
        loop {
            tokio::select! {
                next = incoming.next() => match next {
                    None => return Ok(()),
                    Some(Err(status)) => return Err(Box::new(status).into()),
                    Some(Ok(message)) => self.receive(message).await?,
                },
                Some(_) = self.transactions.join_next() => {}
            }
        }
    }

    async fn receive(&mut self, message: ChaincodeMessage) -> Result<(), SessionError> {
        match (&self.state, message.r#type()) {
            (_, Type::Keepalive) => {
                // A full queue shows that the stream lives; waiting for room would stop us from reading.
                let _ = self.outgoing.try_send(message);
            }
            (State::Created, Type::Registered) => self.state = State::Established,
            (State::Established, Type::Ready) => {
                let abilities = ChaincodeAdditionalParams::decode(message.payload).map_err(SessionError::Ready)?;
                self.state = State::Ready(Arc::new(Exchange::new(self.outgoing.clone(), abilities)));
                tracing::info!("chaincode is registered with the peer");
            }
            (State::Ready(exchange), kind @ (Type::Response | Type::Error)) => {
                let tx_id = message.txid.clone();
                exchange.answer(message).map_err(|_| SessionError::Unasked { kind: kind.as_str_name(), tx_id })?;
            }
            (State::Ready(exchange), Type::Init | Type::Transaction) => {
                let (chaincode, exchange) = (Arc::clone(&self.chaincode), Arc::clone(exchange));
                self.transactions.spawn(async move {
                    let answer = execute(&*chaincode, Arc::clone(&exchange), message).await;
                    // The stream is gone: so is whoever waits for this.
                    let _ = exchange.send(answer).await;
                });
            }
            (state, kind) => {
                let (kind, state) = (kind.as_str_name(), state.name());
                let error = SessionError::Unexpected { kind, tx_id: message.txid.clone(), state };
                // As other shims do: with the transaction, without the channel.
                let refusal =
                    ChaincodeMessage { txid: message.txid, ..self::message(Type::Error, error.to_string().into()) };
                let _ = self.outgoing.try_send(refusal);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Established => "established",
            Self::Ready(_) => "ready",
        }
    }
}

/// Runs one INIT or TRANSACTION; the result is its last message.
async fn execute(chaincode: &impl Chaincode, exchange: Arc<Exchange>, message: ChaincodeMessage) -> ChaincodeMessage {
    let is_init = message.r#type() == Type::Init;
    let key = TransactionKey { channel: message.channel_id.clone(), tx_id: message.txid.clone() };
    let failure = |text: String| ChaincodeMessage {
        txid: key.tx_id.clone(),
        channel_id: key.channel.clone(),
        ..self::message(Type::Error, text.into())
    };
    let stub = match Stub::new(Caller::new(exchange, key.clone()), message) {
        Ok(stub) => stub,
        Err(error) => return failure(error.to_string()),
    };
    let called = async { if is_init { chaincode.init(&stub).await } else { chaincode.invoke(&stub).await } };
    let response: Response = match AssertUnwindSafe(called).catch_unwind().await {
        Ok(outcome) => outcome.into(),
        Err(panic) => return failure(format!("chaincode panicked: {}", panic_text(&*panic))),
    };
    // Fabric: chaincode-protocol §16: flushed before COMPLETED, whatever the response says
    if let Err(error) = stub.finish_write_batch().await {
        return failure(format!("failed send batch: {error}"));
    }
    if is_init && response.status >= Response::ERROR {
        return failure(response.message);
    }
    stub.response(response)
}

fn message(kind: Type, payload: Bytes) -> ChaincodeMessage {
    ChaincodeMessage { r#type: kind as i32, payload, ..Default::default() }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

impl From<SessionError> for Status {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Stream(status) => *status,
            other => Self::unknown(other.to_string()),
        }
    }
}
