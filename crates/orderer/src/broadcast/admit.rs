//! The checks on a message, in their order.
// Fabric: ledger §6

use std::time::SystemTime;

use prost::Message;
use windlass_identity::{ChannelConfig, SignedData, SigningIdentity};
use windlass_proto::{
    common::{Envelope, HeaderType},
    envelope::unpack_envelope,
    orderer::{ConsensusType, consensus_type::State},
};

use super::Rejection;
use crate::{blocks::signed_envelope, configtx};

/// What a client wants of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To send messages.
    Write,
    /// To read blocks.
    Read,
}

/// A configuration update that the current configuration admits.
#[derive(Debug)]
pub struct PreparedUpdate {
    /// The client's message.
    pub update: Envelope,
    /// The message that goes into the block: the configuration, signed by the orderer.
    pub envelope: Envelope,
    /// The configuration.
    pub config: ChannelConfig,
}

/// Checks an ordinary message.
pub fn check_message(config: &ChannelConfig, envelope: &Envelope) -> Result<(), Rejection> {
    if is_in_maintenance(config) {
        return Err(Rejection::Maintenance);
    }
    check_any(config, envelope)
}

/// Checks a configuration update, applies it and has the orderer sign what it leads to.
pub fn prepare_update(
    config: &ChannelConfig,
    update: Envelope,
    signer: &SigningIdentity,
) -> Result<PreparedUpdate, Rejection> {
    check_any(config, &update).map_err(|rejection| Rejection::Initial(Box::new(rejection)))?;
    let proposal = configtx::propose(config, &update)
        .map_err(|source| Rejection::Update { channel: config.channel_id().to_owned(), source: Box::new(source) })?;
    let envelope = signed_envelope(HeaderType::Config, config.channel_id(), &proposal.envelope, signer);
    // A configuration may be larger than its update; and if our own signature does not pass, better now.
    check_any(config, &envelope).map_err(|rejection| Rejection::Final(Box::new(rejection)))?;
    Ok(PreparedUpdate { update, envelope, config: proposal.config })
}

fn check_any(config: &ChannelConfig, envelope: &Envelope) -> Result<(), Rejection> {
    if envelope.payload.is_empty() {
        return Err(Rejection::Empty);
    }
    let size = envelope.payload.len() + envelope.signature.len();
    let limit = config.batch().absolute_max_bytes;
    if size > limit as usize {
        return Err(Rejection::TooLarge { size, limit });
    }
    let unpacked = unpack_envelope(envelope).map_err(|error| Rejection::NoSigner(error.to_string()))?;
    let signed = SignedData {
        data: envelope.payload.clone(),
        identity: unpacked.signature_header.creator,
        signature: envelope.signature.clone(),
    };
    // An identity that cannot be read does not expire; the policy is what refuses it.
    if config.msps().deserialize(&signed.identity).is_ok_and(|identity| identity.expires_at() <= SystemTime::now()) {
        return Err(Rejection::Expired);
    }
    check_policy(config, Access::Write, &signed)
}

/// Checks a signature against the channel's policy for `access`. While a channel is maintained only those who
/// order have access.
pub fn check_policy(config: &ChannelConfig, access: Access, signed: &SignedData) -> Result<(), Rejection> {
    let policy = match (access, is_in_maintenance(config)) {
        (Access::Write, false) => "/Channel/Writers",
        (Access::Write, true) => "/Channel/Orderer/Writers",
        (Access::Read, false) => "/Channel/Readers",
        (Access::Read, true) => "/Channel/Orderer/Readers",
    };
    if !config.policies().contains(policy) {
        return Err(Rejection::NoPolicy(policy));
    }
    config.policies().evaluate(policy, config.msps(), std::slice::from_ref(signed)).map_err(Rejection::Denied)
}

fn is_in_maintenance(config: &ChannelConfig) -> bool {
    let value = config
        .config()
        .channel_group
        .as_ref()
        .and_then(|root| root.groups.get("Orderer")?.values.get("ConsensusType"))
        .and_then(|value| ConsensusType::decode(value.value.clone()).ok());
    value.is_some_and(|consensus| consensus.state == State::Maintenance as i32)
}
