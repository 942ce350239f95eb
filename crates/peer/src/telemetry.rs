//! Metrics, under the names, types and labels that Fabric's dashboards know.
//!
//! One [`Metrics`] value with one registry per peer; clones count into the same registry. What happens is
//! reported by methods that say what happened, and which metrics that touches is decided here.

mod chaincode;
mod deliver;
mod endorser;
mod ledger;
mod remote_calls;

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use deliver::{Delivery, OpenStream};
pub use remote_calls::{CountCalls, CountCallsLayer, OpenConnection};

use chaincode::ChaincodeMetrics;
use deliver::DeliverMetrics;
use endorser::EndorserMetrics;
use ledger::LedgerMetrics;
use remote_calls::CallMetrics;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Everything that one peer counts.
// Fabric: endorsement-and-gateway §10
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    chaincode: ChaincodeMetrics,
    deliver: DeliverMetrics,
    endorser: EndorserMetrics,
    ledger: LedgerMetrics,
    calls: CallMetrics,
    tasks: IntGauge,
}

impl Metrics {
    /// A fresh registry; `version` is shown as `fabric_version`.
    pub fn new(version: &str) -> Self {
        let registry = Registry::new();
        let group = Group(&registry);
        group
            .gauge("fabric_version", "The active version of the peer.", &["version"])
            .with_label_values(&[version])
            .set(1);
        Self {
            chaincode: ChaincodeMetrics::new(&group),
            deliver: DeliverMetrics::new(&group),
            endorser: EndorserMetrics::new(&group),
            ledger: LedgerMetrics::new(&group),
            calls: CallMetrics::new(&group),
            tasks: group.plain_gauge("windlass_tasks", "Tasks of the process that have not ended."),
            registry,
        }
    }

    /// So many tasks have not ended.
    pub fn running_tasks(&self, count: usize) {
        self.tasks.set(level(count));
    }

    /// All metrics in Prometheus's text form.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory fails only for families that the registry would have refused.
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "cannot write the metrics");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

/// Where the metrics of one group are registered.
struct Group<'a>(&'a Registry);

impl Group<'_> {
    fn plain_counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    fn plain_gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// A histogram of seconds.
    fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        self.register(HistogramVec::new(HistogramOpts::new(name, help), labels))
    }

    fn seconds_in(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.register(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }

    fn register<C>(&self, collector: prometheus::Result<C>) -> C
    where
        C: prometheus::core::Collector + Clone + 'static,
    {
        let collector = collector.expect("names and labels are legal");
        self.0.register(Box::new(collector.clone())).expect("names are unique");
        collector
    }
}

/// A number as gauges take it.
fn level(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// `true` or `false` as a label.
fn label(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests;
