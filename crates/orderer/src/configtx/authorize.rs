//! Whether an update fits the current configuration and is signed by those who may make it.
// Fabric: ledger §7

use prost::Message;
use windlass_identity::{ChannelConfig, PolicyError, SignedData};
use windlass_proto::common::{ConfigUpdateEnvelope, SignatureHeader};

use super::{
    SignedUpdate,
    elements::{Element, Elements, ElementsError, NameError, check_name},
};

/// Why an update is refused.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The update is for another channel.
    #[error("ConfigUpdate for channel '{found}' but envelope for channel '{expected}'")]
    Channel {
        /// The channel in the update.
        found: String,
        /// The channel of the configuration.
        expected: String,
    },
    /// A set has an element with an illegal name.
    #[error("error mapping {set}: {source}")]
    Mapping {
        /// `ReadSet` or `WriteSet`.
        set: &'static str,
        /// What is wrong.
        source: ElementsError,
    },
    /// The current configuration itself has an element with an illegal name.
    #[error("error converting config to map: {0}")]
    Current(ElementsError),
    /// What was read is not what is.
    #[error("error validating ReadSet: {0}")]
    ReadSet(#[from] ReadSetError),
    /// A signature does not say whose it is.
    #[error("error unmarshalling SignatureHeader: {0}")]
    Signature(prost::DecodeError),
    /// What is to be written may not be.
    #[error("error validating DeltaSet: {0}")]
    DeltaSet(#[from] DeltaSetError),
    /// The update writes an element that no group of the result names.
    #[error("full config did not verify: writeset contained key {0} which did not appear in proposed config")]
    Dangling(String),
}

/// Why what was read is not what is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadSetError {
    /// The element is not there.
    #[error("existing config does not contain element for {0} but was in the read set")]
    Missing(String),
    /// The element has changed.
    #[error("proposed update requires that key {key} be at version {found}, but it is currently at version {current}")]
    Version {
        /// The element.
        key: String,
        /// The version in the read set.
        found: u64,
        /// The version in the configuration.
        current: u64,
    },
}

/// Why what is to be written may not be.
#[derive(Debug, thiserror::Error)]
pub enum DeltaSetError {
    /// Nothing is to be written.
    #[error("delta set was empty -- update would have no effect")]
    Empty,
    /// An element would be left without anybody who may change it.
    #[error("invalid mod_policy for element {key}: {source}")]
    ModPolicy {
        /// The element.
        key: String,
        /// What is wrong.
        source: ModPolicyError,
    },
    /// A new element does not start at version 0.
    #[error("attempted to set key {key} to version {version}, but key does not exist")]
    New {
        /// The element.
        key: String,
        /// Its version in the update.
        version: u64,
    },
    /// A changed element's version is not one more than before.
    #[error("attempt to set key {key} to version {version}, but key is at version {current}")]
    Version {
        /// The element.
        key: String,
        /// Its version in the update.
        version: u64,
        /// Its version in the configuration.
        current: u64,
    },
    /// The policy that would decide does not exist.
    #[error("unexpected missing policy {policy} for item {key}")]
    NoPolicy {
        /// The element.
        key: String,
        /// Its mod policy.
        policy: String,
    },
    /// The signatures do not suffice.
    #[error("policy for {key} not satisfied: {source}")]
    NotSatisfied {
        /// The element.
        key: String,
        /// What the policy says.
        source: PolicyError,
    },
}

/// Why a mod policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModPolicyError {
    /// There is none.
    #[error("mod_policy not set")]
    Missing,
    /// Its path has an illegal element.
    #[error("path element at {position} is invalid: {source}")]
    Path {
        /// Which one, from 0.
        position: usize,
        /// What is wrong with it.
        source: NameError,
    },
}

/// Checks an update and returns the elements of the resulting configuration.
pub(super) fn authorize<'a>(current: &'a ChannelConfig, signed: &'a SignedUpdate) -> Result<Elements<'a>, UpdateError> {
    let update = &signed.update;
    if update.channel_id != current.channel_id() {
        let (found, expected) = (update.channel_id.clone(), current.channel_id().to_owned());
        return Err(UpdateError::Channel { found, expected });
    }
    let existing = Elements::of(current.config().channel_group.as_ref()).map_err(UpdateError::Current)?;
    let mapping = |set| move |source| UpdateError::Mapping { set, source };
    let read_set = Elements::of(update.read_set.as_ref()).map_err(mapping("ReadSet"))?;
    check_read_set(&existing, &read_set)?;
    let write_set = Elements::of(update.write_set.as_ref()).map_err(mapping("WriteSet"))?;
    let delta = delta(&read_set, &write_set);
    let signatures = signatures(&signed.envelope).map_err(UpdateError::Signature)?;
    check_delta(current, &existing, &delta, &signatures)?;
    let mut result = existing;
    result.0.extend(delta.0);
    match write_set.0.into_keys().find(|key| !result.0.contains_key(key)) {
        Some(key) => Err(UpdateError::Dangling(key)),
        None => Ok(result),
    }
}

fn check_read_set(existing: &Elements<'_>, read_set: &Elements<'_>) -> Result<(), ReadSetError> {
    for (key, element) in &read_set.0 {
        let Some(current) = existing.0.get(key) else { return Err(ReadSetError::Missing(key.clone())) };
        let (found, current) = (element.node.version(), current.node.version());
        if found != current {
            return Err(ReadSetError::Version { key: key.clone(), found, current });
        }
    }
    Ok(())
}

/// What is written and not merely repeated from the read set.
fn delta<'a>(read_set: &Elements<'a>, write_set: &Elements<'a>) -> Elements<'a> {
    let is_repeated = |key: &String, element: &Element<'_>| {
        read_set.0.get(key).is_some_and(|read| read.node.version() == element.node.version())
    };
    let written = write_set.0.iter().filter(|(key, element)| !is_repeated(key, element));
    Elements(written.map(|(key, element)| (key.clone(), element.clone())).collect())
}

fn check_delta(
    current: &ChannelConfig,
    existing: &Elements<'_>,
    delta: &Elements<'_>,
    signatures: &[SignedData],
) -> Result<(), DeltaSetError> {
    if delta.0.is_empty() {
        return Err(DeltaSetError::Empty);
    }
    for (key, element) in &delta.0 {
        let key = || key.clone();
        check_mod_policy(element.node.mod_policy())
            .map_err(|source| DeltaSetError::ModPolicy { key: key(), source })?;
        let version = element.node.version();
        let Some(existing) = existing.0.get(&key()) else {
            if version != 0 {
                return Err(DeltaSetError::New { key: key(), version });
            }
            // Whoever may change the group that names it may add it.
            continue;
        };
        if existing.node.version().checked_add(1) != Some(version) {
            return Err(DeltaSetError::Version { key: key(), version, current: existing.node.version() });
        }
        let policy = existing.node.mod_policy();
        let path = if policy.starts_with('/') { policy.to_owned() } else { format!("{}/{policy}", existing.scope) };
        if !current.policies().contains(&path) {
            return Err(DeltaSetError::NoPolicy { key: key(), policy: policy.to_owned() });
        }
        current
            .policies()
            .evaluate(&path, current.msps(), signatures)
            .map_err(|source| DeltaSetError::NotSatisfied { key: key(), source })?;
    }
    Ok(())
}

fn check_mod_policy(policy: &str) -> Result<(), ModPolicyError> {
    if policy.is_empty() {
        return Err(ModPolicyError::Missing);
    }
    let relative = policy.strip_prefix('/').unwrap_or(policy);
    for (position, name) in relative.split('/').enumerate() {
        check_name(name).map_err(|source| ModPolicyError::Path { position, source })?;
    }
    Ok(())
}

fn signatures(envelope: &ConfigUpdateEnvelope) -> Result<Vec<SignedData>, prost::DecodeError> {
    let signed = |signature: &windlass_proto::common::ConfigSignature| {
        let header = SignatureHeader::decode(signature.signature_header.clone())?;
        let data = [signature.signature_header.as_ref(), envelope.config_update.as_ref()].concat().into();
        Ok(SignedData { data, identity: header.creator, signature: signature.signature.clone() })
    };
    envelope.signatures.iter().map(signed).collect()
}
