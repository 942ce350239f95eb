//! What is on the ledgers, and how long it took to get there.
// Fabric: endorsement-and-gateway §10

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};
use windlass_ledger::Committed;
use windlass_proto::{
    Bytes,
    common::{Envelope, HeaderType},
    envelope::{decode, unpack_envelope, unpack_response_payload, unpack_transaction},
};

use super::{Group, Metrics, level};

/// Fabric's buckets for the times of blocks, in seconds.
const BLOCK_TIMES: [f64; 7] = [0.005, 0.01, 0.015, 0.05, 0.1, 1.0, 10.0];

/// What a label says when a transaction does not tell.
const UNKNOWN: &str = "unknown";

#[derive(Clone, Debug)]
pub(super) struct LedgerMetrics {
    processing_time: HistogramVec,
    height: IntGaugeVec,
    snapshots: IntGaugeVec,
    storage_and_private_time: HistogramVec,
    storage_time: HistogramVec,
    state_time: HistogramVec,
    transactions: IntCounterVec,
}

impl LedgerMetrics {
    pub(super) fn new(group: &Group<'_>) -> Self {
        let time = |name, help| group.seconds_in(name, help, &["channel"], &BLOCK_TIMES);
        Self {
            processing_time: time(
                "ledger_block_processing_time",
                "The time to validate and commit a block, in seconds.",
            ),
            // Ours.
            snapshots: group.gauge(
                "windlass_ledger_snapshots",
                "Simulations and queries that hold a snapshot of the state now.",
                &["channel"],
            ),
            height: group.gauge("ledger_blockchain_height", "The height of the chain in blocks.", &["channel"]),
            storage_and_private_time: time(
                "ledger_blockstorage_and_pvtdata_commit_time",
                "The time to store a block with its private data, in seconds.",
            ),
            storage_time: time("ledger_blockstorage_commit_time", "The time to store a block, in seconds."),
            state_time: time("ledger_statedb_commit_time", "The time to apply a block to the state, in seconds."),
            transactions: group.counter(
                "ledger_transaction_count",
                "Transactions on the ledger.",
                &["channel", "transaction_type", "chaincode", "validation_code"],
            ),
        }
    }
}

impl Metrics {
    /// A block was validated and committed in `duration`.
    pub fn block_committed(&self, channel: &str, committed: &Committed, duration: Duration) {
        let number = committed.block.header.as_ref().map_or(0, |header| header.number);
        self.ledger_height(channel, number + 1);
        self.ledger.processing_time.with_label_values(&[channel]).observe(duration.as_secs_f64());
        // The private data lies in the same file as the block.
        let stored = committed.stored.as_secs_f64();
        self.ledger.storage_time.with_label_values(&[channel]).observe(stored);
        self.ledger.storage_and_private_time.with_label_values(&[channel]).observe(stored);
        self.ledger.state_time.with_label_values(&[channel]).observe(committed.applied.as_secs_f64());
        let entries = committed.block.data.iter().flat_map(|data| &data.data);
        for (entry, code) in entries.zip(&committed.codes) {
            let kind = Kind::of(entry);
            let labels = [channel, kind.transaction, kind.chaincode.as_str(), code.as_str_name()];
            self.ledger.transactions.with_label_values(&labels).inc();
        }
    }

    /// So much holds a snapshot of a channel's state.
    pub fn open_snapshots(&self, channel: &str, count: usize) {
        self.ledger.snapshots.with_label_values(&[channel]).set(level(count));
    }

    /// The height of a channel's chain; for channels found at start.
    pub fn ledger_height(&self, channel: &str, height: u64) {
        self.ledger.height.with_label_values(&[channel]).set(i64::try_from(height).unwrap_or(i64::MAX));
    }
}

/// What a transaction is, as labels.
struct Kind {
    transaction: &'static str,
    chaincode: String,
}

impl Kind {
    fn of(entry: &Bytes) -> Self {
        let transaction = decode::<Envelope>("Envelope", entry).and_then(|envelope| unpack_envelope(&envelope));
        let Ok(unpacked) = transaction else { return Self { transaction: UNKNOWN, chaincode: UNKNOWN.to_owned() } };
        let kind = HeaderType::try_from(unpacked.channel_header.r#type);
        let called = match kind {
            Ok(HeaderType::EndorserTransaction) => called(&unpacked.payload.data),
            _ => None,
        };
        Self {
            transaction: kind.map_or(UNKNOWN, |kind| kind.as_str_name()),
            chaincode: called.unwrap_or_else(|| UNKNOWN.to_owned()),
        }
    }
}

/// `name:version` of the chaincode called.
fn called(data: &Bytes) -> Option<String> {
    let (_, payload) = unpack_transaction(data).ok()??;
    let (_, action) = unpack_response_payload(&payload.action?.proposal_response_payload).ok()?;
    let id = action.chaincode_id?;
    Some(format!("{}:{}", id.name, id.version))
}
