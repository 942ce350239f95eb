//! What chaincode costs.
// Fabric: chaincode-protocol §15

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec};
use windlass_chaincode::engine::EngineMetrics;

use super::{Group, Metrics, label};

#[derive(Clone, Debug)]
pub(super) struct ChaincodeMetrics {
    execute_timeouts: IntCounterVec,
    launch_duration: HistogramVec,
    launch_failures: IntCounterVec,
    launch_timeouts: IntCounterVec,
    request_duration: HistogramVec,
    requests_completed: IntCounterVec,
    requests_received: IntCounterVec,
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
            launch_timeouts: group.counter("chaincode_launch_timeouts", "Launches that ran out of time.", &["chaincode"]),
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
        }
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
}
