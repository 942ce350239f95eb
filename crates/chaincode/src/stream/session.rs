//! What the rest of the engine holds of a stream.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use windlass_proto::protos::ChaincodeMessage;

use crate::{engine::metrics::EngineMetrics, stream::errors::SendError};

/// How many messages wait to be written before whoever writes has to wait as well.
const WRITE_QUEUE: usize = 64;

/// One live stream. Closing it, or the end of the stream, fails every execution on it at once.
pub(crate) struct Session {
    id: OnceLock<String>,
    outbound: mpsc::Sender<ChaincodeMessage>,
    lanes: Mutex<Lanes>,
    idle: Notify,
    closed: CancellationToken,
    pub(crate) metrics: Arc<dyn EngineMetrics>,
}

/// The executions of a session, by channel and transaction ID joined without a separator.
// Fabric: chaincode-protocol §8
#[derive(Default)]
struct Lanes {
    closed: bool,
    /// How many were ever opened; tells lanes of the same name apart.
    opened: u64,
    open: HashMap<String, Lane>,
}

/// Where the reading task leaves messages for one execution: at most one request and the result.
#[derive(Clone)]
struct Lane {
    number: u64,
    busy: Arc<AtomicBool>,
    events: mpsc::Sender<ChaincodeMessage>,
}

/// An execution's end of its lane. Dropping it closes the lane.
pub(crate) struct LaneHandle {
    session: Arc<Session>,
    key: String,
    number: u64,
    busy: Arc<AtomicBool>,
    events: mpsc::Receiver<ChaincodeMessage>,
}

/// What became of a message for an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Delivered,
    /// There is no such execution.
    Unknown,
    /// An earlier request of the same execution is not answered yet.
    Busy,
}

impl Session {
    /// A session that nobody has registered yet, and the messages to write to its stream.
    pub(crate) fn new(metrics: Arc<dyn EngineMetrics>) -> (Arc<Self>, mpsc::Receiver<ChaincodeMessage>) {
        let (outbound, queue) = mpsc::channel(WRITE_QUEUE);
        let session = Self {
            id: OnceLock::new(),
            outbound,
            lanes: Mutex::default(),
            idle: Notify::new(),
            closed: CancellationToken::new(),
            metrics,
        };
        (Arc::new(session), queue)
    }

    /// The ID it registered under; empty before that.
    pub(crate) fn id(&self) -> &str {
        self.id.get().map_or("", String::as_str)
    }

    pub(crate) fn name(&self, id: &str) {
        // A stream registers once.
        let _ = self.id.set(id.to_owned());
    }

    /// Queues a message.
    pub(crate) async fn send(&self, message: ChaincodeMessage) -> Result<(), SendError> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(SendError::StreamTerminated),
            sent = self.outbound.send(message) => sent.map_err(|_| SendError::StreamTerminated),
        }
    }

    /// Ends the stream: whatever runs on it fails with `chaincode stream terminated`.
    pub(crate) fn close(&self) {
        let lanes = {
            let mut lanes = self.lanes.lock();
            lanes.closed = true;
            std::mem::take(&mut lanes.open)
        };
        drop(lanes);
        self.closed.cancel();
        self.idle.notify_waiters();
    }

    /// Resolves when the stream has ended.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// The token of [`Session::closed`], to be waited for without the session.
    pub(crate) fn closed_token(&self) -> CancellationToken {
        self.closed.clone()
    }

    /// Whether the stream has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// How many transactions are in flight.
    pub(crate) fn executions(&self) -> usize {
        self.lanes.lock().open.len()
    }

    /// Resolves when no transaction is in flight.
    pub(crate) async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.executions() == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Opens the lane of a transaction.
    pub(crate) fn open(self: &Arc<Self>, channel: &str, tx_id: &str) -> Result<LaneHandle, SendError> {
        let key = [channel, tx_id].concat();
        // One request and the result: more than these two is never delivered.
        let (sender, events) = mpsc::channel(2);
        let mut lanes = self.lanes.lock();
        if lanes.closed {
            return Err(SendError::StreamTerminated);
        }
        if lanes.open.contains_key(&key) {
            return Err(SendError::Exists { tx_id: tx_id.to_owned(), channel: channel.to_owned() });
        }
        lanes.opened += 1;
        let lane = Lane { number: lanes.opened, busy: Arc::default(), events: sender };
        let (number, busy) = (lane.number, lane.busy.clone());
        lanes.open.insert(key.clone(), lane);
        Ok(LaneHandle { session: self.clone(), key, number, busy, events })
    }

    /// Hands a request to its execution.
    pub(crate) fn deliver_request(&self, message: ChaincodeMessage) -> Delivery {
        let key = [message.channel_id.as_str(), message.txid.as_str()].concat();
        let Some(lane) = self.lanes.lock().open.get(&key).cloned() else {
            return Delivery::Unknown;
        };
        if lane.busy.swap(true, Ordering::AcqRel) {
            return Delivery::Busy;
        }
        match lane.events.try_send(message) {
            Ok(()) => Delivery::Delivered,
            Err(_) => Delivery::Unknown,
        }
    }

    /// Hands a COMPLETED or ERROR to its execution, which ends with it: whatever else comes for this
    /// transaction finds no context.
    pub(crate) fn deliver_result(&self, message: ChaincodeMessage) -> Delivery {
        let key = [message.channel_id.as_str(), message.txid.as_str()].concat();
        let Some(lane) = self.lanes.lock().open.remove(&key) else {
            return Delivery::Unknown;
        };
        self.idle.notify_waiters();
        match lane.events.try_send(message) {
            Ok(()) => Delivery::Delivered,
            Err(_) => Delivery::Unknown,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id()).field("executions", &self.executions()).finish_non_exhaustive()
    }
}

impl LaneHandle {
    /// The next message for this execution, or `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<ChaincodeMessage> {
        self.events.recv().await
    }

    /// Sends the answer to the request taken last.
    pub(crate) async fn answer(&self, message: ChaincodeMessage) -> Result<(), SendError> {
        // A shim that has the answer may ask again at once, so the mark goes first.
        // Fabric: chaincode-protocol §8
        self.busy.store(false, Ordering::Release);
        self.session.send(message).await
    }

    /// The session that it belongs to.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for LaneHandle {
    fn drop(&mut self) {
        let mut lanes = self.session.lanes.lock();
        if lanes.open.get(&self.key).is_some_and(|lane| lane.number == self.number) {
            lanes.open.remove(&self.key);
        }
        drop(lanes);
        self.session.idle.notify_waiters();
    }
}

