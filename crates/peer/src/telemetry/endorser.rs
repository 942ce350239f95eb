//! What happens to proposals. The label `chaincode` is the bare name.
// Fabric: endorsement-and-gateway §10

use std::time::Duration;

use prometheus::{HistogramVec, IntCounter, IntCounterVec};

use super::{Group, Metrics, label};

#[derive(Clone, Debug)]
pub(super) struct EndorserMetrics {
    duplicates: IntCounterVec,
    endorsement_failures: IntCounterVec,
    instantiation_failures: IntCounterVec,
    acl_failures: IntCounterVec,
    duration: HistogramVec,
    simulation_failures: IntCounterVec,
    validation_failures: IntCounter,
    received: IntCounter,
    successful: IntCounter,
}

impl EndorserMetrics {
    pub(super) fn new(group: &Group<'_>) -> Self {
        const CALL: [&str; 2] = ["channel", "chaincode"];
        Self {
            duplicates: group.counter(
                "endorser_duplicate_transaction_failures",
                "Proposals refused because the transaction is on the ledger already.",
                &CALL,
            ),
            endorsement_failures: group.counter(
                "endorser_endorsement_failures",
                "Proposals that were not endorsed; chaincodeerror tells whether the chaincode said so.",
                &["channel", "chaincode", "chaincodeerror"],
            ),
            instantiation_failures: group.counter(
                "endorser_chaincode_instantiation_failures",
                "Instantiations or upgrades that failed.",
                &CALL,
            ),
            acl_failures: group.counter(
                "endorser_proposal_acl_failures",
                "Proposals refused for want of rights.",
                &CALL,
            ),
            duration: group.seconds(
                "endorser_proposal_duration",
                "The time to process a proposal, in seconds.",
                &["channel", "chaincode", "success"],
            ),
            simulation_failures: group.counter(
                "endorser_proposal_simulation_failures",
                "Proposals whose simulation failed.",
                &CALL,
            ),
            validation_failures: group
                .plain_counter("endorser_proposal_validation_failures", "Proposals that are not well formed."),
            received: group.plain_counter("endorser_proposals_received", "Proposals that came in."),
            successful: group.plain_counter("endorser_successful_proposals", "Proposals that were endorsed."),
        }
    }
}

impl Metrics {
    /// A proposal came in.
    pub fn proposal_received(&self) {
        self.endorser.received.inc();
    }

    /// A proposal was not well formed, or not signed by whom it says.
    pub fn proposal_invalid(&self) {
        self.endorser.validation_failures.inc();
    }

    /// A proposal's transaction is on the ledger already.
    pub fn proposal_duplicate(&self, channel: &str, chaincode: &str) {
        self.endorser.duplicates.with_label_values(&[channel, chaincode]).inc();
    }

    /// The creator of a proposal may not propose.
    pub fn proposal_acl_failed(&self, channel: &str, chaincode: &str) {
        self.endorser.acl_failures.with_label_values(&[channel, chaincode]).inc();
    }

    /// A simulation failed: the chaincode gave no response.
    pub fn simulation_failed(&self, channel: &str, chaincode: &str) {
        self.endorser.simulation_failures.with_label_values(&[channel, chaincode]).inc();
    }

    /// A simulated proposal was not endorsed, because of the chaincode's response (`chaincode_error`) or not.
    pub fn endorsement_failed(&self, channel: &str, chaincode: &str, chaincode_error: bool) {
        self.endorser.endorsement_failures.with_label_values(&[channel, chaincode, label(chaincode_error)]).inc();
    }

    /// A chaincode's instantiation or upgrade failed.
    pub fn instantiation_failed(&self, channel: &str, chaincode: &str) {
        self.endorser.instantiation_failures.with_label_values(&[channel, chaincode]).inc();
    }

    /// A proposal was endorsed.
    pub fn proposal_succeeded(&self) {
        self.endorser.successful.inc();
    }

    /// A proposal that passed its checks was answered.
    pub fn proposal_finished(&self, channel: &str, chaincode: &str, success: bool, duration: Duration) {
        let labels = [channel, chaincode, label(success)];
        self.endorser.duration.with_label_values(&labels).observe(duration.as_secs_f64());
    }
}
