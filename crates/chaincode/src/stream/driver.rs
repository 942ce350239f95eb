//! Reading a stream, and the handshake.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::Status;
use windlass_proto::protos::{ChaincodeId, ChaincodeMessage, chaincode_message::Type};

use crate::{
    launch::{
        registry::{Origin, Registry},
        seat::Seat,
    },
    stream::{
        errors::{RequestError, StreamEnd, request_failed},
        message::{ReturnAddress, bare, type_name},
        session::{Delivery, Session},
    },
};

/// Reads one stream to its end. Dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Driver {
    session: Arc<Session>,
    // Weak: the registry owns dialed connections, and with them their drivers.
    registry: Weak<Registry>,
    origin: Origin,
    ready: Bytes,
    /// There once it has registered.
    seat: Option<Arc<Seat>>,
    complaints: Complaints,
}

/// What a chaincode does wrong without an end to its stream: said aloud at first, for it may go on for ever.
#[derive(Debug, Default)]
struct Complaints(u64);

impl Complaints {
    /// Whether this one is to be said aloud: the 1st, 2nd, 4th, 8th…
    fn loud(&mut self) -> bool {
        self.0 += 1;
        self.0.is_power_of_two()
    }
}

impl Driver {
    /// A driver for `session`. `ready` is the payload of READY.
    pub(crate) fn new(session: Arc<Session>, registry: &Arc<Registry>, origin: Origin, ready: Bytes) -> Self {
        Self {
            session,
            registry: Arc::downgrade(registry),
            origin,
            ready,
            seat: None,
            complaints: Complaints::default(),
        }
    }

    /// Says who the other side has shown to be.
    pub(crate) fn came_from(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// The session that this drives.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Reads until the stream ends, and says why it did.
    pub(crate) async fn run<S>(mut self, mut inbound: S) -> StreamEnd
    where
        S: Stream<Item = Result<ChaincodeMessage, Status>> + Unpin,
    {
        loop {
            let received = tokio::select! {
                biased;
                () = self.session.closed() => return StreamEnd::Closed,
                received = inbound.next() => received,
            };
            let outcome = match received {
                None => Err(StreamEnd::Eof),
                Some(Err(status)) => Err(StreamEnd::receiving(&status)),
                Some(Ok(message)) => self.take(message).await,
            };
            if let Err(end) = outcome {
                self.session.note_end(end.clone());
                return end;
            }
            // A flood is always ready, and would leave the others on this thread no turn.
            tokio::task::consume_budget().await;
        }
    }

    // Fabric: chaincode-protocol §6
    async fn take(&mut self, message: ChaincodeMessage) -> Result<(), StreamEnd> {
        let kind = Type::try_from(message.r#type).unwrap_or(Type::Undefined);
        match (self.seat.is_some(), kind) {
            (_, Type::Keepalive) => Ok(()),
            (false, Type::Register) => self.register(message).await,
            (false, _) => Err(unexpected(&message, "created")),
            (true, Type::Completed | Type::Error) => {
                if self.session.deliver_result(message) != Delivery::Delivered {
                    tracing::debug!(id = self.session.id(), "a result for a transaction that has ended is dropped");
                }
                Ok(())
            }
            (
                true,
                Type::GetState
                | Type::PutState
                | Type::DelState
                | Type::InvokeChaincode
                | Type::GetStateByRange
                | Type::GetQueryResult
                | Type::QueryStateNext
                | Type::QueryStateClose
                | Type::GetHistoryForKey
                | Type::GetStateMetadata
                | Type::PutStateMetadata
                | Type::GetPrivateDataHash
                | Type::PurgePrivateData
                | Type::WriteBatchState
                | Type::GetStateMultiple,
            ) => self.request(kind, message).await,
            (true, _) => Err(unexpected(&message, "ready")),
        }
    }

    /// A refusal is silent: no answer, and the stream stays.
    async fn register(&mut self, message: ChaincodeMessage) -> Result<(), StreamEnd> {
        let registry = self.registry.upgrade().ok_or(StreamEnd::Closed)?;
        let seat = match self.find_seat(&registry, message.payload) {
            Ok(seat) => self.seat.insert(seat).clone(),
            Err(refusal) => {
                if self.complaints.loud() {
                    tracing::error!("{refusal}");
                }
                return Ok(());
            }
        };
        for message in [bare(Type::Registered, Bytes::new()), bare(Type::Ready, self.ready.clone())] {
            self.session.send(message).await.map_err(|_| StreamEnd::Closed)?;
        }
        registry.activate(&self.session, &seat);
        Ok(())
    }

    /// The seat of the chaincode that the payload of a REGISTER names, or why it gets none.
    fn find_seat(&self, registry: &Registry, payload: Bytes) -> Result<Arc<Seat>, String> {
        let id = ChaincodeId::decode(payload).map_err(|error| {
            format!("error in handling register chaincode, cannot unmarshal the chaincode ID: {error}")
        })?;
        if id.name.is_empty() {
            return Err("error in handling register chaincode, chaincodeID name is empty".to_owned());
        }
        registry
            .register(&id.name, &self.session, &self.origin)
            .map_err(|error| format!("failed to start {} -- {error}", id.name))
    }

    async fn request(&mut self, kind: Type, message: ChaincodeMessage) -> Result<(), StreamEnd> {
        let session = &self.session;
        let address = ReturnAddress::of(&message);
        let delivery = session.deliver_request(message);
        // A channel that the chaincode made up is not counted by its name: there may be any number of them.
        let channel = if delivery == Delivery::Unknown { "" } else { &address.channel };
        session.metrics.shim_request_received(kind.as_str_name(), channel, session.id());
        match delivery {
            Delivery::Delivered => Ok(()),
            Delivery::Busy => {
                // Shims match answers by transaction alone: answering would be taken for the other answer.
                if self.complaints.loud() {
                    tracing::warn!(
                        id = session.id(),
                        tx_id = address.tx_id,
                        kind = kind.as_str_name(),
                        "a request is dropped: the previous one of the transaction is not answered yet"
                    );
                }
                Ok(())
            }
            Delivery::Unknown => {
                let error = match kind {
                    Type::InvokeChaincode => RequestError::NoTransaction,
                    _ => RequestError::NoContext,
                };
                let kind = kind.as_str_name();
                let text = request_failed(kind, &address.tx_id, &error);
                session.metrics.shim_request_completed(kind, channel, session.id(), false, Duration::ZERO);
                session.send(address.error(text)).await.map_err(|_| StreamEnd::Closed)
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.session.close();
        if let Some(registry) = self.registry.upgrade() {
            registry.deregister(&self.session, self.seat.as_deref());
        }
    }
}

fn unexpected(message: &ChaincodeMessage, state: &'static str) -> StreamEnd {
    StreamEnd::Unexpected { tx_id: message.txid.clone(), kind: type_name(message), state }
}

/// Sends KEEPALIVE messages on a session until it ends, from the very start of the stream.
// Fabric: chaincode-protocol §4
pub(crate) fn keep_alive(session: &Arc<Session>, every: Option<Duration>) {
    let Some(every) = every else { return };
    let session = session.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = session.closed() => return,
                () = tokio::time::sleep(every) => {}
            }
            if session.send(bare(Type::Keepalive, Bytes::new())).await.is_err() {
                return;
            }
        }
    });
}
