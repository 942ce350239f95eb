//! Requests of chaincode and the peer's answers to them.
//!
//! The peer matches by channel and transaction alone, so a transaction has one request under way at a time.
// Fabric: chaincode-protocol §5

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use windlass_proto::protos::{ChaincodeAdditionalParams, ChaincodeMessage, chaincode_message::Type};

use crate::Error;

/// The line to the peer that all transactions of a stream share.
#[derive(Debug)]
pub(crate) struct Exchange {
    outgoing: mpsc::Sender<ChaincodeMessage>,
    abilities: ChaincodeAdditionalParams,
    waiting: Mutex<HashMap<TransactionKey, Waiting>>,
}

/// What a transaction is known by on its stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TransactionKey {
    pub(crate) channel: String,
    pub(crate) tx_id: String,
}

/// A transaction's end of the line: requests take turns on it.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) key: TransactionKey,
    exchange: Arc<Exchange>,
    turn: Arc<Semaphore>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Result<Bytes, Error>>,
    // The turn ends with the answer, not with the caller's patience: a caller that gives up must not let a second
    // request out while the first is still under way.
    _turn: OwnedSemaphorePermit,
}

/// An answer came for which nothing is waiting.
#[derive(Debug)]
pub(crate) struct Unasked;

impl Exchange {
    pub(crate) fn new(outgoing: mpsc::Sender<ChaincodeMessage>, abilities: ChaincodeAdditionalParams) -> Self {
        Self { outgoing, abilities, waiting: Mutex::default() }
    }

    /// What the peer said it can do beyond the first protocol.
    pub(crate) fn abilities(&self) -> &ChaincodeAdditionalParams {
        &self.abilities
    }

    /// Sends a message that has no answer.
    pub(crate) async fn send(&self, message: ChaincodeMessage) -> Result<(), Error> {
        self.outgoing.send(message).await.map_err(|_| Error::StreamEnded)
    }

    /// Hands an answer of the peer to the request waiting for it.
    pub(crate) fn answer(&self, message: ChaincodeMessage) -> Result<(), Unasked> {
        let is_error = message.r#type() == Type::Error;
        let key = TransactionKey { channel: message.channel_id, tx_id: message.txid };
        let waiting = self.waiting.lock().remove(&key).ok_or(Unasked)?;
        let answer = match is_error {
            true => Err(Error::Peer(String::from_utf8_lossy(&message.payload).into_owned())),
            false => Ok(message.payload),
        };
        // Nobody there: the chaincode dropped its request, and the answer with it.
        let _ = waiting.answer.send(answer);
        Ok(())
    }
}

impl Caller {
    pub(crate) fn new(exchange: Arc<Exchange>, key: TransactionKey) -> Self {
        Self { key, exchange, turn: Arc::new(Semaphore::new(1)) }
    }

    pub(crate) fn abilities(&self) -> &ChaincodeAdditionalParams {
        self.exchange.abilities()
    }

    /// Asks the peer and waits for its answer; requests made at the same time queue.
    pub(crate) async fn ask(&self, kind: Type, request: &impl Message) -> Result<Bytes, Error> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Error::StreamEnded)?;
        let message = ChaincodeMessage {
            r#type: kind as i32,
            payload: request.encode_to_vec().into(),
            txid: self.key.tx_id.clone(),
            channel_id: self.key.channel.clone(),
            ..Default::default()
        };
        // Room in the queue comes first, so that from registering to sending nothing can be dropped half-way.
        let room = self.exchange.outgoing.reserve().await.map_err(|_| Error::StreamEnded)?;
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.exchange.waiting.lock();
            if waiting.contains_key(&self.key) {
                return Err(Error::Busy { tx_id: self.key.tx_id.clone() });
            }
            waiting.insert(self.key.clone(), Waiting { answer, _turn: turn });
        }
        room.send(message);
        answered.await.unwrap_or(Err(Error::StreamEnded))
    }

    /// [`ask`](Self::ask), with the answer decoded as `part`.
    pub(crate) async fn ask_for<M: Message + Default>(
        &self,
        kind: Type,
        request: &impl Message,
        part: &'static str,
    ) -> Result<M, Error> {
        decode(part, self.ask(kind, request).await?)
    }
}

/// Decodes what the peer sent.
pub(crate) fn decode<M: Message + Default>(part: &'static str, bytes: Bytes) -> Result<M, Error> {
    M::decode(bytes).map_err(|source| Error::Malformed { part, source })
}
