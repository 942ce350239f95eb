//! What happened to each transaction, for whoever watches. Losing an event loses nothing but a line.

use std::time::{Duration, SystemTime};

use tokio::sync::broadcast;
use windlass_ledger::Committed;
use windlass_proto::{
    Bytes,
    common::{Envelope, HeaderType},
    envelope::{decode, unpack_envelope, unpack_response_payload, unpack_transaction},
    kvrwset::KvrwSet,
    protos::{ChaincodeInvocationSpec, ChaincodeProposalPayload, TxValidationCode},
    rwset::TxReadWriteSet,
};

/// How many events a slow watcher may lag behind before it misses some.
const BACKLOG: usize = 1024;

/// A chaincode call, as a person wants to see it.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The channel.
    pub channel: String,
    /// The chaincode.
    pub chaincode: String,
    /// The arguments, the function's name first.
    pub args: Vec<Bytes>,
    /// The transaction ID.
    pub tx_id: String,
}

/// Something that a watcher may want to show.
#[derive(Clone, Debug)]
pub enum Event {
    /// A transaction is on the ledger, valid or not.
    Committed {
        /// The call. Without chaincode for a configuration transaction.
        invocation: Invocation,
        /// The verdict.
        code: TxValidationCode,
        /// The block's number.
        block: u64,
        /// Keys read.
        reads: usize,
        /// Keys written.
        writes: usize,
        /// From the proposal's timestamp (the client's clock) to the commit.
        elapsed: Duration,
    },
    /// A query was answered; nothing goes to the ledger.
    Evaluated {
        /// The call.
        invocation: Invocation,
        /// The chaincode's status.
        status: i32,
        /// How long it took.
        elapsed: Duration,
    },
    /// A proposal was not endorsed.
    Refused {
        /// The call.
        invocation: Invocation,
        /// Why, in the words that the client gets.
        message: String,
        /// How long it took.
        elapsed: Duration,
    },
}

/// Where events are published. Clones publish to the same watchers.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Events {
    /// Watches from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }

    pub(crate) fn publish(&self, event: Event) {
        // Nobody watching is not an error.
        let _ = self.0.send(event);
    }

    /// Publishes one event for each transaction of a block.
    pub(crate) fn committed(&self, channel: &str, committed: &Committed) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let number = committed.block.header.as_ref().map_or(0, |header| header.number);
        let entries = committed.block.data.iter().flat_map(|data| &data.data);
        for (entry, code) in entries.zip(&committed.codes) {
            self.publish(describe(channel, number, entry, *code));
        }
    }
}

fn describe(channel: &str, block: u64, entry: &Bytes, code: TxValidationCode) -> Event {
    let mut invocation = Invocation { channel: channel.to_owned(), ..Default::default() };
    let (mut reads, mut writes, mut elapsed) = (0, 0, Duration::ZERO);
    // What cannot be decoded is shown with what is known of it.
    if let Ok(envelope) = decode::<Envelope>("Envelope", entry)
        && let Ok(unpacked) = unpack_envelope(&envelope)
    {
        invocation.tx_id = unpacked.channel_header.tx_id.clone();
        elapsed = unpacked.channel_header.timestamp.map_or(Duration::ZERO, since);
        if unpacked.channel_header.r#type == HeaderType::EndorserTransaction as i32 {
            (reads, writes) = describe_call(&unpacked.payload.data, &mut invocation).unwrap_or_default();
        }
    }
    Event::Committed { invocation, code, block, reads, writes, elapsed }
}

fn describe_call(data: &Bytes, invocation: &mut Invocation) -> Option<(usize, usize)> {
    let (_, payload) = unpack_transaction(data).ok()??;
    let proposal: ChaincodeProposalPayload = decode("", &payload.chaincode_proposal_payload).ok()?;
    let spec = decode::<ChaincodeInvocationSpec>("", &proposal.input).ok()?.chaincode_spec?;
    invocation.chaincode = spec.chaincode_id.unwrap_or_default().name;
    invocation.args = spec.input.unwrap_or_default().args;
    let (_, action) = unpack_response_payload(&payload.action?.proposal_response_payload).ok()?;
    let results: TxReadWriteSet = decode("", &action.results).ok()?;
    let (mut reads, mut writes) = (0, 0);
    for set in results.ns_rwset {
        let keys: KvrwSet = decode("", &set.rwset).ok()?;
        // The reads of definitions that every call makes would only be noise.
        if set.namespace != "_lifecycle" || invocation.chaincode == "_lifecycle" {
            reads += keys.reads.len();
        }
        writes += keys.writes.len() + set.collection_hashed_rwset.len();
    }
    Some((reads, writes))
}

/// Time since a timestamp of the client; zero if its clock is ahead.
pub(crate) fn since(timestamp: prost_types::Timestamp) -> Duration {
    SystemTime::try_from(timestamp).ok().and_then(|then| then.elapsed().ok()).unwrap_or_default()
}
