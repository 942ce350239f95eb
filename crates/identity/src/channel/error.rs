//! Why a channel's configuration is refused. The texts reach clients through `cscc` and the orderer.

use windlass_proto::{duration::DurationError, ids::IdError};

use super::capabilities::Section;
use crate::{msp::MspError, policy::PolicyError};

/// Why a channel's configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelConfigError {
    // Fabric: endorsement-and-gateway §6.1
    /// The block holds no transaction.
    #[error("Failed to envelope index out of bounds")]
    NoEnvelope,
    /// The block's transaction is not a configuration.
    #[error("Bad configuration envelope: {0}")]
    BadEnvelope(String),
    /// The envelope has no configuration.
    #[error("Nil config envelope Config")]
    NilConfig,
    /// The configuration has no content.
    #[error("Nil channel group")]
    NilChannelGroup,
    /// The configuration has no groups.
    #[error("No channel configuration groups are available")]
    NoGroups,
    /// The channel runs no chaincode.
    #[error("Invalid configuration block, missing Application configuration group")]
    MissingApplication,
    /// The configuration cannot be used by a peer that is to join.
    #[error("Failed capabilities check: [{0}]")]
    Capabilities(Box<ChannelConfigError>),

    // Fabric: ledger §7
    /// The channel's name is not legal.
    #[error("bad channel ID: {0}")]
    ChannelId(#[from] IdError),
    /// A capability that nobody here knows.
    #[error("{section} capability {name} is required but not supported")]
    UnsupportedCapability {
        /// Whose capability.
        section: Section,
        /// Its name.
        name: String,
    },
    /// Channel capabilities, but no orderer capabilities.
    #[error("cannot enable channel capabilities without orderer support first")]
    ChannelCapabilitiesAlone,
    /// Application capabilities, but no orderer capabilities.
    #[error("cannot enable application capabilities without orderer support first")]
    ApplicationCapabilitiesAlone,
    /// A value that does not belong there.
    #[error("Unexpected key {0}")]
    UnexpectedKey(String),
    /// A value that is malformed.
    #[error("error unmarshalling config value {key}: {reason}")]
    Value {
        /// The value's name.
        key: String,
        /// What protobuf says.
        reason: String,
    },
    /// A group that does not belong at the top.
    #[error("Disallowed channel group: {0}")]
    DisallowedGroup(String),
    /// A group inside an organization.
    #[error("sub-groups not allowed in organization {0}")]
    OrganizationGroups(String),
    /// Something is wrong inside a section.
    #[error("could not create channel {section} sub-group config: {cause}")]
    In {
        /// The section.
        section: Section,
        /// What is wrong.
        cause: Box<ChannelConfigError>,
    },
    /// A hash that is not SHA256.
    #[error("Unknown hashing algorithm type: {0}")]
    HashingAlgorithm(String),
    /// A width that would make data hashes a tree.
    #[error("BlockDataHashStructure width only supported at MaxUint32 in this version")]
    Width,
    /// Nobody to order.
    #[error("Must set some OrdererAddresses")]
    NoOrdererAddresses,
    /// Addresses for all orderers on a channel that wants them by organization.
    #[error("global OrdererAddresses are not allowed with V3_0 capability, use org specific addresses only")]
    GlobalOrdererAddresses,
    /// Orderer organizations without addresses on a channel that wants them.
    #[error("some orderer organizations endpoints are empty: {0}")]
    EmptyEndpoints(String),
    /// A limit of zero.
    #[error("Attempted to set the batch size {0} to an invalid value: 0")]
    ZeroBatchSize(&'static str),
    /// The wish is beyond the limit.
    #[error(
        "Attempted to set the batch size preferred max bytes ({preferred}) greater than the absolute max bytes ({absolute})."
    )]
    PreferredBeyondAbsolute {
        /// Preferred maximum in bytes.
        preferred: u32,
        /// Absolute maximum in bytes.
        absolute: u32,
    },
    /// Not a duration.
    #[error("Attempted to set the batch timeout to a invalid value: {0}")]
    BatchTimeout(#[from] DurationError),
    /// No time at all.
    #[error("Attempted to set the batch timeout to a non-positive value: {0}")]
    NonPositiveBatchTimeout(String),
    /// An organization whose MSP has no name.
    #[error("MSP for org {0} has empty MSP ID")]
    EmptyMspId(String),
    /// An MSP of a kind that is not supported.
    #[error("Setup error: unsupported msp type {0}")]
    MspType(i32),
    /// An MSP that cannot be set up.
    #[error("setting up the MSP manager failed: {0}")]
    Msp(#[from] MspError),
    /// One MSP, two configurations.
    #[error("Attempted to define two different versions of MSP: {0}")]
    TwoVersions(String),
    /// The policies cannot be compiled.
    #[error("initializing policymanager failed: {0}")]
    Policy(#[from] PolicyError),
}
