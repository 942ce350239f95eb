//! What chaincode costs.
// Fabric: chaincode-protocol §15

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec};
use windlass_chaincode::engine::{ChaincodeStatus, EngineMetrics};

use super::{Group, Metrics, label, level};

#[derive(Clone, Debug)]
pub(super) struct ChaincodeMetrics {
    execute_timeouts: IntCounterVec,
    launch_duration: HistogramVec,
    launch_failures: IntCounterVec,
    launch_timeouts: IntCounterVec,
    request_duration: HistogramVec,
    requests_completed: IntCounterVec,
    requests_received: IntCounterVec,
    executions: IntGaugeVec,
    iterators: IntGaugeVec,
    streams: IntGaugeVec,
    streams_lost: IntCounterVec,
    restarts: IntCounterVec,
    repeats: IntCounterVec,
}

impl ChaincodeMetrics {
    pub(super) fn new(group: &Group<'_>) -> Self {
        const REQUEST: [&str; 4] = ["type", "channel", "chaincode", "success"];
        Self {
            execute_timeouts: group.counter(
                "chaincode_execute_timeouts",
                "Executions (init or invoke) that ran out of time.",
                &["chaincode"],
            ),
            launch_duration: group.seconds(
                "chaincode_launch_duration",
                "The time to launch a chaincode, in seconds.",
                &["chaincode", "success"],
            ),
            launch_failures: group.counter("chaincode_launch_failures", "Launches that failed.", &["chaincode"]),
            launch_timeouts: group.counter(
                "chaincode_launch_timeouts",
                "Launches that ran out of time.",
                &["chaincode"],
            ),
            request_duration: group.seconds(
                "chaincode_shim_request_duration",
                "The time to answer a request of a chaincode, in seconds.",
                &REQUEST,
            ),
            requests_completed: group.counter(
                "chaincode_shim_requests_completed",
                "Requests of chaincode that were answered.",
                &REQUEST,
            ),
            requests_received: group.counter(
                "chaincode_shim_requests_received",
                "Requests of chaincode that came in.",
                &REQUEST[..3],
            ),
            // Ours; Fabric counts none of these.
            executions: group.gauge(
                "windlass_chaincode_executions",
                "Transactions that a chaincode executes now.",
                &["chaincode"],
            ),
            iterators: group.gauge(
                "windlass_chaincode_iterators",
                "Queries that a chaincode has open now.",
                &["chaincode"],
            ),
            streams: group.gauge(
                "windlass_chaincode_streams",
                "Streams of a chaincode that are registered now.",
                &["chaincode"],
            ),
            streams_lost: group.counter(
                "windlass_chaincode_streams_lost",
                "Streams that ended unasked.",
                &["chaincode"],
            ),
            restarts: group.counter(
                "windlass_chaincode_restarts",
                "Instances that were started or dialed again.",
                &["chaincode"],
            ),
            repeats: group.counter(
                "windlass_chaincode_repeats",
                "Transactions that were run again because their stream was lost.",
                &["chaincode"],
            ),
        }
    }
}

impl Metrics {
    /// What a chaincode is doing now.
    pub fn chaincode_now(&self, status: &ChaincodeStatus) {
        let id = [status.id.as_str()];
        self.chaincode.executions.with_label_values(&id).set(level(status.executions));
        self.chaincode.iterators.with_label_values(&id).set(level(status.iterators));
    }
}

impl EngineMetrics for Metrics {
    fn launch_duration(&self, id: &str, ok: bool, duration: Duration) {
        self.chaincode.launch_duration.with_label_values(&[id, label(ok)]).observe(duration.as_secs_f64());
    }

    fn launch_failure(&self, id: &str) {
        self.chaincode.launch_failures.with_label_values(&[id]).inc();
    }

    fn launch_timeout(&self, id: &str) {
        self.chaincode.launch_timeouts.with_label_values(&[id]).inc();
    }

    fn shim_request_received(&self, kind: &str, channel: &str, id: &str) {
        self.chaincode.requests_received.with_label_values(&[kind, channel, id]).inc();
    }

    fn shim_request_completed(&self, kind: &str, channel: &str, id: &str, ok: bool, duration: Duration) {
        let labels = [kind, channel, id, label(ok)];
        self.chaincode.requests_completed.with_label_values(&labels).inc();
        self.chaincode.request_duration.with_label_values(&labels).observe(duration.as_secs_f64());
    }

    fn execute_timeout(&self, id: &str) {
        self.chaincode.execute_timeouts.with_label_values(&[id]).inc();
    }

    fn streams(&self, id: &str, count: usize) {
        self.chaincode.streams.with_label_values(&[id]).set(level(count));
    }

    fn stream_lost(&self, id: &str) {
        self.chaincode.streams_lost.with_label_values(&[id]).inc();
    }

    fn restarted(&self, id: &str) {
        self.chaincode.restarts.with_label_values(&[id]).inc();
    }

    fn retried(&self, id: &str) {
        self.chaincode.repeats.with_label_values(&[id]).inc();
    }
}
