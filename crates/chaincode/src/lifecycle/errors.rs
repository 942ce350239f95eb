//! The texts in which the lifecycle refuses.

use super::{
    definition::{Difference, NoDefaultPolicy},
    install::InstallError,
    record::StateError,
    uninstall::UninstallError,
    validate::InvalidDefinition,
};

/// Why a chaincode cannot be endorsed on a channel.
// Fabric: lifecycle §8
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LifecycleError {
    /// Nothing is defined under the name.
    #[error("chaincode {0} not found")]
    NotFound(String),
    /// The channel has a definition that the peer's organization did not agree to.
    #[error(
        "chaincode definition for '{name}' at sequence {sequence} on channel '{channel}' has not yet been approved by this org"
    )]
    NotApproved {
        /// The chaincode.
        name: String,
        /// The committed sequence.
        sequence: i64,
        /// The channel.
        channel: String,
    },
    /// Defined and approved, but the approved package is not on this peer, or none was approved.
    #[error("chaincode definition for '{0}' exists, but chaincode is not installed")]
    NotInstalled(String),
    /// The transaction runs on an older or newer state than the peer's newest.
    #[error(
        "chaincode cache at sequence {cached} but current sequence is {current}, chaincode definition for '{name}' changed during invoke"
    )]
    Changed {
        /// The chaincode.
        name: String,
        /// The sequence that the peer knows.
        cached: i64,
        /// The sequence that the transaction sees.
        current: i64,
    },
    /// The peer knows nothing of the chaincode that the transaction sees defined.
    #[error("could not get approved chaincode info from cache: unknown chaincode '{name}' for channel '{channel}'")]
    Unknown {
        /// The chaincode.
        name: String,
        /// The channel.
        channel: String,
    },
    /// The sequence could not be read.
    #[error("could not get current sequence for chaincode '{name}' on channel '{channel}': {source}")]
    Sequence {
        /// The chaincode.
        name: String,
        /// The channel.
        channel: String,
        /// Why.
        #[source]
        source: StateError,
    },
    /// The peer has not joined the channel.
    #[error("could not get channel config for channel '{0}'")]
    NoChannel(String),
    /// The channel's configuration has no application section.
    #[error("could not get application config for channel '{0}'")]
    NoApplication(String),
    /// The ledger or a record in it failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Why the policy of a collection cannot be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CollectionPolicyError {
    /// The definition has no such collection; the transaction is invalid.
    #[error("no such collection '{0}'")]
    NoSuchCollection(String),
    /// An implicit collection of an organization outside the channel; the transaction is invalid.
    #[error("no org found in channel with MSPID '{0}'")]
    NoSuchOrganization(String),
    /// The ledger or a record in it failed; nothing is known about the transaction.
    #[error(transparent)]
    State(#[from] StateError),
}

impl CollectionPolicyError {
    /// Whether the transaction is to blame, and not the peer.
    pub fn is_invalid_transaction(&self) -> bool {
        !matches!(self, Self::State(_))
    }
}

/// Why a function of `_lifecycle` failed.
// Fabric: lifecycle §3
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum FunctionError {
    #[error("error validating chaincode definition: {0}")]
    Invalid(#[from] InvalidDefinition),
    #[error(transparent)]
    NoDefaultPolicy(#[from] NoDefaultPolicy),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(transparent)]
    Uninstall(#[from] UninstallError),
    #[error("could not load cc install package: {0}")]
    Load(String),
    #[error("could not load cc install package: chaincode install package '{0}' not found")]
    NoPackage(String),
    #[error("could not find chaincode with package id '{0}'")]
    UnknownPackage(String),
    #[error("requested sequence is 0, but first definable sequence number is 1")]
    SequenceZero,
    #[error("currently defined sequence {current} is larger than requested sequence {requested}")]
    SequenceOld { current: i64, requested: i64 },
    #[error("requested sequence {requested} is larger than the next available sequence number {next}")]
    SequenceAhead { requested: i64, next: i64 },
    #[error("missing metadata for currently committed sequence number ({0})")]
    MissingMetadata(i64),
    #[error(
        "attempted to redefine the current committed sequence ({sequence}) for namespace {name} with different parameters: {difference}"
    )]
    RedefinedDifferently { sequence: i64, name: String, difference: Difference },
    #[error("attempted to redefine the current committed sequence ({sequence}) for namespace {name}")]
    Redefined { sequence: i64, name: String },
    #[error("attempted to redefine uncommitted sequence ({sequence}) for namespace {name} with unchanged content")]
    Unchanged { sequence: i64, name: String },
    #[error("requested sequence is {requested}, but new definition must be sequence {expected}")]
    SequenceNotNext { requested: i64, expected: i64 },
    #[error("no application config for channel '{0}'")]
    NoApplication(String),
    #[error("impossibly, this peer's org is processing requests for a channel it is not a member of")]
    NotMember,
    #[error("chaincode definition not agreed to by this org ({0})")]
    NotAgreed(String),
    #[error(
        "could not fetch approved chaincode definition (name: '{name}', sequence: '{sequence}') on channel '{channel}'"
    )]
    NotApproved { name: String, sequence: i64, channel: String },
    #[error("could not fetch chaincode-source metadata for {0}")]
    NoSource(String),
    /// The only refusal that is a 404, without any prefix.
    #[error("namespace {0} is not defined")]
    NotDefined(String),
    #[error(transparent)]
    Ledger(#[from] StateError),
    #[error("{context}: {source}")]
    State { context: String, source: StateError },
}

/// Adds what was being done to a failure of the ledger.
pub(crate) trait Context<T> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T, FunctionError>;
}

impl<T> Context<T> for Result<T, StateError> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T, FunctionError> {
        self.map_err(|source| FunctionError::State { context: context(), source })
    }
}
