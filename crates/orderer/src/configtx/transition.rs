//! Which configurations may follow which, whoever signs.
// Fabric: ledger §7 "Other validity"

use std::collections::BTreeMap;

use prost::Message;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::ConfigGroup,
    orderer::{ConsensusType, consensus_type::State},
};

/// Why a configuration must not follow another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// A section is gone.
    #[error("current config has {0} section, but new config does not")]
    SectionGone(&'static str),
    /// The consensus is another one, and the channel is not being maintained.
    #[error("attempted to change consensus type from {from} to {to}")]
    ConsensusType {
        /// The current type.
        from: String,
        /// The type in the new configuration.
        to: String,
    },
    /// An organization has another MSP ID.
    #[error("{kind} org {org} attempted to change MSP ID from {from} to {to}")]
    MspId {
        /// `orderer` or `application`.
        kind: &'static str,
        /// The name of the organization's group.
        org: String,
        /// The current ID.
        from: String,
        /// The ID in the new configuration.
        to: String,
    },
}

/// Checks that `new` may follow `current`.
pub(super) fn check(current: &ChannelConfig, new: &ChannelConfig) -> Result<(), TransitionError> {
    for (section, name) in [("Orderer", "orderer"), ("Application", "application")] {
        if group(current, section).is_some() && group(new, section).is_none() {
            return Err(TransitionError::SectionGone(name));
        }
    }
    if let (Some(from), Some(to)) = (consensus(current), consensus(new))
        && from.r#type != to.r#type
        && from.state != State::Maintenance as i32
    {
        return Err(TransitionError::ConsensusType { from: from.r#type, to: to.r#type });
    }
    check_msp_ids("orderer", &orderer_msp_ids(current), &orderer_msp_ids(new))?;
    check_msp_ids("application", &application_msp_ids(current), &application_msp_ids(new))
}

fn check_msp_ids(
    kind: &'static str,
    current: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Result<(), TransitionError> {
    for (org, from) in current {
        if let Some(to) = new.get(org).filter(|to| *to != from) {
            let (org, from, to) = (org.clone(), from.clone(), to.clone());
            return Err(TransitionError::MspId { kind, org, from, to });
        }
    }
    Ok(())
}

fn application_msp_ids(config: &ChannelConfig) -> BTreeMap<String, String> {
    config.application_orgs().iter().map(|org| (org.group.clone(), org.msp_id.clone())).collect()
}

fn orderer_msp_ids(config: &ChannelConfig) -> BTreeMap<String, String> {
    config.orderer_orgs().iter().map(|org| (org.group.clone(), org.msp_id.clone())).collect()
}

fn group<'a>(config: &'a ChannelConfig, name: &str) -> Option<&'a ConfigGroup> {
    config.config().channel_group.as_ref()?.groups.get(name)
}

fn consensus(config: &ChannelConfig) -> Option<ConsensusType> {
    let value = group(config, "Orderer")?.values.get("ConsensusType")?;
    ConsensusType::decode(value.value.clone()).ok()
}
