//! What the engine counts. The peer joins this to its metrics registry.

use std::time::Duration;

/// Receives what happens in an engine. `id` is the ID under which a chaincode registers, `kind` the name of
/// the message type, such as `GET_STATE`. Methods are called on hot paths and must not block.
// Fabric: chaincode-protocol §15
pub trait EngineMetrics: Send + Sync {
    /// A launch ended, well or not, after `duration`.
    fn launch_duration(&self, id: &str, ok: bool, duration: Duration);
    /// A launch failed before the chaincode could register.
    fn launch_failure(&self, id: &str);
    /// A launch ran out of time.
    fn launch_timeout(&self, id: &str);
    /// A chaincode asked for something.
    fn shim_request_received(&self, kind: &str, channel: &str, id: &str);
    /// A request was answered after `duration`; `ok` is false for an ERROR.
    fn shim_request_completed(&self, kind: &str, channel: &str, id: &str, ok: bool, duration: Duration);
    /// A transaction ran out of time.
    fn execute_timeout(&self, id: &str);

    /// So many streams of a chaincode are registered now.
    fn streams(&self, _id: &str, _count: usize) {}

    /// A stream ended that nobody had asked to end.
    fn stream_lost(&self, _id: &str) {}

    /// An instance was started or dialed again.
    fn restarted(&self, _id: &str) {}

    /// A transaction whose stream was lost is run again.
    fn retried(&self, _id: &str) {}
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl EngineMetrics for NoMetrics {
    fn launch_duration(&self, _: &str, _: bool, _: Duration) {}
    fn launch_failure(&self, _: &str) {}
    fn launch_timeout(&self, _: &str) {}
    fn shim_request_received(&self, _: &str, _: &str, _: &str) {}
    fn shim_request_completed(&self, _: &str, _: &str, _: &str, _: bool, _: Duration) {}
    fn execute_timeout(&self, _: &str) {}
}
