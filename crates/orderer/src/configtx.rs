//! Configuration updates: from what is, and what somebody wants changed and has had signed, to what shall be.
//!
//! - [`propose`]: what an orderer does with a CONFIG_UPDATE message
//! - [`validate`]: what a peer does with the configuration that came of it
//! - [`compute_update`]: what a client sends to get from one configuration to another
//! - `elements`: a configuration tree as a flat map of its elements
//! - `authorize`: read set, delta and mod policies
//! - `transition`: which configurations may follow which
// Fabric: ledger §7

mod authorize;
mod delta;
mod elements;
mod transition;

use prost::Message;
use windlass_identity::{ChannelConfig, ChannelConfigError};
use windlass_proto::{
    common::{Config, ConfigEnvelope, ConfigUpdate, ConfigUpdateEnvelope, Envelope, HeaderType},
    envelope::unpack_envelope,
};

pub use authorize::UpdateError;
pub use delta::{compute_update, sign_update};
pub use elements::ElementsError;
pub use transition::TransitionError;

/// What an update leads to.
#[derive(Debug)]
pub struct Proposal {
    /// The data of the CONFIG message.
    pub envelope: ConfigEnvelope,
    /// The configuration in it, checked and compiled.
    pub config: ChannelConfig,
}

/// Why an update cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// The message holds no update.
    #[error("error converting envelope to config update: {0}")]
    NotAnUpdate(#[from] NotAnUpdate),
    /// The update does not fit the configuration, or its signatures do not suffice.
    #[error("error authorizing update: {0}")]
    NotAuthorized(#[from] UpdateError),
    /// The update names elements that it does not bring.
    #[error("could not turn configMap back to channelGroup: {0}")]
    Incomplete(ElementsError),
    /// The result is no valid configuration.
    #[error(transparent)]
    Config(#[from] ChannelConfigError),
    /// The result must not follow the current configuration.
    #[error(transparent)]
    Transition(#[from] TransitionError),
}

/// Why a configuration does not follow from the current one.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// No configuration.
    #[error("config envelope has nil config")]
    NoConfig,
    /// Not the next one.
    #[error("config currently at sequence {current}, cannot validate config at sequence {found}")]
    Sequence {
        /// The current sequence.
        current: u64,
        /// The sequence that was given.
        found: u64,
    },
    /// It is not what its update leads to.
    #[error("ConfigEnvelope LastUpdate did not produce the supplied config result")]
    Different,
    /// No update comes with it.
    #[error(transparent)]
    NotAnUpdate(#[from] NotAnUpdate),
    /// The update does not fit the configuration, or its signatures do not suffice.
    #[error(transparent)]
    NotAuthorized(#[from] UpdateError),
    /// The update names elements that it does not bring.
    #[error("could not turn configMap back to channelGroup: {0}")]
    Incomplete(ElementsError),
    /// It is no valid configuration.
    #[error(transparent)]
    Config(#[from] ChannelConfigError),
    /// It must not follow the current one.
    #[error(transparent)]
    Transition(#[from] TransitionError),
}

/// Why a message holds no update.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnUpdate {
    /// There is no message.
    #[error("envelope is nil")]
    Missing,
    /// A part is not the message it should be.
    #[error("{0}")]
    Malformed(String),
    /// The message is of another type.
    #[error("invalid type {0}, expected CONFIG_UPDATE")]
    Type(i32),
}

/// Applies the CONFIG_UPDATE message `update` to the current configuration.
pub fn propose(current: &ChannelConfig, update: &Envelope) -> Result<Proposal, ProposeError> {
    let signed = unpack_update(update)?;
    let elements = authorize::authorize(current, &signed)?;
    let channel_group = elements.to_group().map_err(ProposeError::Incomplete)?;
    let config = Config { sequence: current.sequence() + 1, channel_group: Some(channel_group) };
    let compiled = ChannelConfig::from_config(current.channel_id(), &config)?;
    transition::check(current, &compiled)?;
    let envelope = ConfigEnvelope { config: Some(config), last_update: Some(update.clone()) };
    Ok(Proposal { envelope, config: compiled })
}

/// Checks that a configuration is what its own update makes of the current one, and compiles it.
pub fn validate(current: &ChannelConfig, envelope: &ConfigEnvelope) -> Result<ChannelConfig, ValidateError> {
    let config = envelope.config.as_ref().ok_or(ValidateError::NoConfig)?;
    if config.sequence != current.sequence() + 1 {
        return Err(ValidateError::Sequence { current: current.sequence(), found: config.sequence });
    }
    let signed = unpack_update(envelope.last_update.as_ref().ok_or(NotAnUpdate::Missing)?)?;
    let elements = authorize::authorize(current, &signed)?;
    let channel_group = elements.to_group().map_err(ValidateError::Incomplete)?;
    if config.channel_group.as_ref() != Some(&channel_group) {
        return Err(ValidateError::Different);
    }
    let compiled = ChannelConfig::from_config(current.channel_id(), config)?;
    transition::check(current, &compiled)?;
    Ok(compiled)
}

/// An update with its signatures, and with the bytes that they cover.
struct SignedUpdate {
    envelope: ConfigUpdateEnvelope,
    update: ConfigUpdate,
}

fn unpack_update(envelope: &Envelope) -> Result<SignedUpdate, NotAnUpdate> {
    let malformed = |what: &str, error: &dyn std::fmt::Display| {
        NotAnUpdate::Malformed(format!("error unmarshalling {what}: {error}"))
    };
    let unpacked = unpack_envelope(envelope).map_err(|error| NotAnUpdate::Malformed(error.to_string()))?;
    if unpacked.channel_header.r#type != HeaderType::ConfigUpdate as i32 {
        return Err(NotAnUpdate::Type(unpacked.channel_header.r#type));
    }
    let envelope = ConfigUpdateEnvelope::decode(unpacked.payload.data)
        .map_err(|error| malformed("ConfigUpdateEnvelope", &error))?;
    let update =
        ConfigUpdate::decode(envelope.config_update.clone()).map_err(|error| malformed("ConfigUpdate", &error))?;
    Ok(SignedUpdate { envelope, update })
}
