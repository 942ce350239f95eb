//! What block listeners get.
// Fabric: endorsement-and-gateway §10

use prometheus::{IntCounter, IntCounterVec};

use super::{Group, Metrics, label};

#[derive(Clone, Debug)]
pub(super) struct DeliverMetrics {
    blocks_sent: IntCounterVec,
    requests_completed: IntCounterVec,
    requests_received: IntCounterVec,
    streams_closed: IntCounter,
    streams_opened: IntCounter,
}

impl DeliverMetrics {
    pub(super) fn new(group: &Group<'_>) -> Self {
        const REQUEST: [&str; 4] = ["channel", "filtered", "data_type", "success"];
        Self {
            blocks_sent: group.counter("deliver_blocks_sent", "Blocks sent.", &REQUEST[..3]),
            requests_completed: group.counter("deliver_requests_completed", "Requests that ended.", &REQUEST),
            requests_received: group.counter("deliver_requests_received", "Requests that came in.", &REQUEST[..3]),
            streams_closed: group.plain_counter("deliver_streams_closed", "Streams that ended."),
            streams_opened: group.plain_counter("deliver_streams_opened", "Streams that were opened."),
        }
    }
}

/// What one deliver service sends, as labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Whole blocks.
    Block,
    /// Blocks without contents.
    FilteredBlock,
    /// Whole blocks with private data.
    BlockAndPrivateData,
}

impl Delivery {
    fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Block => ("false", "block"),
            Self::FilteredBlock => ("true", "filtered_block"),
            Self::BlockAndPrivateData => ("false", "block_and_pvtdata"),
        }
    }
}

/// Counts a stream as open until it is dropped.
#[derive(Debug)]
pub struct OpenStream(IntCounter);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.inc();
    }
}

impl Metrics {
    /// A stream of requests was opened; it closes when the value is dropped.
    pub fn deliver_stream_opened(&self) -> OpenStream {
        self.deliver.streams_opened.inc();
        OpenStream(self.deliver.streams_closed.clone())
    }

    /// A request for blocks of `channel` came in.
    pub fn deliver_request_received(&self, channel: &str, delivery: Delivery) {
        let (filtered, data_type) = delivery.labels();
        self.deliver.requests_received.with_label_values(&[channel, filtered, data_type]).inc();
    }

    /// A block was sent.
    pub fn deliver_block_sent(&self, channel: &str, delivery: Delivery) {
        let (filtered, data_type) = delivery.labels();
        self.deliver.blocks_sent.with_label_values(&[channel, filtered, data_type]).inc();
    }

    /// A request ended, with SUCCESS or not.
    pub fn deliver_request_completed(&self, channel: &str, delivery: Delivery, success: bool) {
        let (filtered, data_type) = delivery.labels();
        self.deliver.requests_completed.with_label_values(&[channel, filtered, data_type, label(success)]).inc();
    }
}
