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
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use windlass_proto::protos::ChaincodeMessage;

use crate::{
    engine::metrics::EngineMetrics,
    stream::errors::{SendError, StreamEnd},
};

/// How many messages wait to be written before whoever writes has to wait as well.
const WRITE_QUEUE: usize = 64;

/// One live stream. Closing it, or the end of the stream, fails every execution on it at once.
pub(crate) struct Session {
    id: OnceLock<String>,
    /// The number of the instance that it belongs to.
    instance: OnceLock<u32>,
    /// Whether READY was sent.
    ready: AtomicBool,
    /// The same as in `lanes`, for those who only look.
    closing: AtomicBool,
    outbound: mpsc::Sender<ChaincodeMessage>,
    lanes: Mutex<Lanes>,
    idle: Notify,
    closed: CancellationToken,
    /// Why the stream ended, where that was found by reading it.
    end: OnceLock<StreamEnd>,
    /// Held by each query that is open on it, and so counts them.
    pub(crate) queries: Arc<()>,
    pub(crate) metrics: Arc<dyn EngineMetrics>,
}

/// The executions of a session, by channel and transaction ID joined without a separator.
// Fabric: chaincode-protocol §8
struct Lanes {
    /// No more transactions: the stream has ended, or is to end when those that run have.
    closed: bool,
    /// When the last transaction ended, or the stream began.
    quiet_since: Instant,
    /// How many were ever opened; tells lanes of the same name apart.
    opened: u64,
    open: HashMap<String, Lane>,
}

/// Where the reading task leaves messages for one execution: at most one request and the result.
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
            instance: OnceLock::new(),
            ready: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            outbound,
            lanes: Mutex::new(Lanes { closed: false, quiet_since: Instant::now(), opened: 0, open: HashMap::new() }),
            idle: Notify::new(),
            closed: CancellationToken::new(),
            end: OnceLock::new(),
            queries: Arc::default(),
            metrics,
        };
        (Arc::new(session), queue)
    }

    /// The ID it registered under; empty before that.
    pub(crate) fn id(&self) -> &str {
        self.id.get().map_or("", String::as_str)
    }

    /// The number of the instance that it belongs to; 0 before it has registered.
    pub(crate) fn instance(&self) -> u32 {
        self.instance.get().copied().unwrap_or_default()
    }

    pub(crate) fn name(&self, id: &str, instance: u32) {
        // A stream registers once.
        let _ = self.id.set(id.to_owned());
        let _ = self.instance.set(instance);
    }

    pub(crate) fn make_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Whether READY was sent.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether transactions may begin on it.
    pub(crate) fn is_open(&self) -> bool {
        self.is_ready() && !self.closing.load(Ordering::Acquire)
    }

    /// Lets no more transactions begin. Those that run go on to their end.
    pub(crate) fn drain(&self) {
        self.closing.store(true, Ordering::Release);
        self.lanes.lock().closed = true;
    }

    /// Since when no transaction runs; `None` while one does.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        let lanes = self.lanes.lock();
        lanes.open.is_empty().then_some(lanes.quiet_since)
    }

    /// Whether it executes this transaction.
    pub(crate) fn holds(&self, channel: &str, tx_id: &str) -> bool {
        self.lanes.lock().open.contains_key(&[channel, tx_id].concat())
    }

    /// Queues a message.
    pub(crate) async fn send(&self, message: ChaincodeMessage) -> Result<(), SendError> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(self.terminated()),
            sent = self.outbound.send(message) => sent.map_err(|_| {
                // Writing ends before reading does: what the chaincode said last is still to be taken. Without this
                // a transaction that runs again would come back to this stream, the one with the least to do.
                self.drain();
                self.terminated()
            }),
        }
    }

    /// Ends the stream: whatever runs on it fails with `chaincode stream terminated`.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let lanes = {
            let mut lanes = self.lanes.lock();
            lanes.closed = true;
            lanes.quiet_since = Instant::now();
            std::mem::take(&mut lanes.open)
        };
        drop(lanes);
        self.closed.cancel();
        self.idle.notify_waiters();
    }

    /// Notes why the stream ends. The first word counts.
    pub(crate) fn note_end(&self, end: StreamEnd) {
        let _ = self.end.set(end);
    }

    /// Why the stream ended, as far as that is known.
    pub(crate) fn end(&self) -> Option<&StreamEnd> {
        self.end.get()
    }

    /// What becomes of a transaction on a stream that has ended.
    pub(crate) fn terminated(&self) -> SendError {
        SendError::StreamTerminated(self.end().filter(|end| end.is_fault()).cloned())
    }

    /// How many queries are open.
    pub(crate) fn open_queries(&self) -> usize {
        Arc::strong_count(&self.queries) - 1
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

    /// Opens the lane of a transaction. A stream on which nothing may begin is `StreamTerminated`.
    pub(crate) fn open(self: &Arc<Self>, channel: &str, tx_id: &str) -> Result<LaneHandle, SendError> {
        let key = [channel, tx_id].concat();
        // One request and the result: more than these two is never delivered.
        let (sender, events) = mpsc::channel(2);
        let mut lanes = self.lanes.lock();
        if lanes.closed {
            return Err(self.terminated());
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
        let lanes = self.lanes.lock();
        let Some(lane) = lanes.open.get(&key) else {
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
        let mut lanes = self.lanes.lock();
        let Some(lane) = lanes.open.remove(&key) else {
            return Delivery::Unknown;
        };
        lanes.quiet_since = Instant::now();
        drop(lanes);
        self.idle.notify_waiters();
        match lane.events.try_send(message) {
            Ok(()) => Delivery::Delivered,
            Err(_) => Delivery::Unknown,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .field("executions", &self.executions())
            .finish_non_exhaustive()
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
            lanes.quiet_since = Instant::now();
        }
        drop(lanes);
        self.session.idle.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::metrics::NoMetrics;

    #[tokio::test]
    async fn begins_nothing_more_when_nothing_can_be_written() {
        let (session, queue) = Session::new(Arc::new(NoMetrics));
        session.make_ready();
        let lane = session.open("ch", "tx").expect("open");
        drop(queue);
        assert!(session.is_open(), "nobody has noticed");
        assert!(matches!(session.send(ChaincodeMessage::default()).await, Err(SendError::StreamTerminated(_))));
        assert!(!session.is_open());
        assert!(matches!(session.open("ch", "next"), Err(SendError::StreamTerminated(_))));
        // The result may be on its way.
        assert_eq!(session.executions(), 1);
        drop(lane);
    }
}
