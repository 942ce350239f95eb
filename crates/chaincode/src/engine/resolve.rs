//! From a chaincode's name to what must run.

use bytes::Bytes;
use windlass_identity::channel::ChannelConfig;

use crate::{
    lifecycle::{Lifecycle, StateError},
    simulation::{Simulation, SimulationError},
};

/// What is defined on a channel under a chaincode's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The version of the definition; `syscc` for system chaincode.
    pub version: String,
    /// The ID under which the chaincode registers: the package ID, or `<name>.syscc`.
    pub chaincode_id: String,
    /// Whether Init must have been called before anything else.
    pub enforce_init: bool,
    /// The name of the endorsement plugin.
    pub endorsement_plugin: String,
}

/// Why a name leads to nothing that could run. The text is what Fabric prints after
/// `make sure the chaincode … has been successfully defined on channel … and try again: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResolveError(pub String);

/// The seam to what channels have agreed about chaincode.
pub(crate) trait Definitions: Send + Sync {
    /// What is defined under `name` on `channel`, as `simulation` sees it.
    fn resolve(&self, channel: &str, name: &str, simulation: &dyn Simulation) -> Result<Resolved, ResolveError>;

    /// The names under which channels run the package `id`, sorted.
    fn names(&self, id: &str) -> Vec<String>;

    /// Whether the chaincode `name` of `channel` has this private data collection, defined or implicit.
    fn has_collection(
        &self,
        channel: &ChannelConfig,
        name: &str,
        collection: &str,
        simulation: &dyn Simulation,
    ) -> Result<bool, StateError>;
}

impl Definitions for Lifecycle {
    fn resolve(&self, channel: &str, name: &str, simulation: &dyn Simulation) -> Result<Resolved, ResolveError> {
        let info = self.endorsement_info(channel, name, simulation).map_err(|error| ResolveError(error.to_string()))?;
        Ok(Resolved {
            version: info.version,
            chaincode_id: info.package_id,
            enforce_init: info.init_required,
            endorsement_plugin: info.endorsement_plugin,
        })
    }

    fn names(&self, id: &str) -> Vec<String> {
        Lifecycle::names(self, id)
    }

    fn has_collection(
        &self,
        channel: &ChannelConfig,
        name: &str,
        collection: &str,
        simulation: &dyn Simulation,
    ) -> Result<bool, StateError> {
        self.collection(channel, name, collection, simulation).map(|found| found.is_some())
    }
}

/// Why a call contradicts what is known of the chaincode's initialisation.
// Fabric: chaincode-protocol §9
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// The name leads to nothing.
    #[error("[channel {channel}] failed to get chaincode container info for {name}: {source}")]
    Undefined {
        /// The channel.
        channel: String,
        /// The chaincode's name.
        name: String,
        /// Why.
        source: ResolveError,
    },
    /// Init was called and none is defined.
    #[error("chaincode '{0}' does not require initialization but called as init")]
    InitNotRequired(String),
    /// Init was called a second time for this version.
    #[error("chaincode '{0}' is already initialized but called as init")]
    AlreadyInitialized(String),
    /// Something else was called before Init.
    #[error("chaincode '{0}' has not been initialized for this version, must call as init first")]
    NotInitialized(String),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] SimulationError),
}

/// Holds the version that Init was called for: a NUL, U+10FFFF, and a word.
// Fabric: lifecycle §8
pub const INIT_KEY: &str = "\u{0}\u{10FFFF}initialized";

/// Checks the rules of Init and, when this is the call of Init, records it in the write set.
pub(crate) fn check_init(
    simulation: &dyn Simulation,
    name: &str,
    resolved: &Resolved,
    is_init: bool,
) -> Result<(), InvocationError> {
    match (resolved.enforce_init, is_init) {
        (false, false) => return Ok(()),
        (false, true) => return Err(InvocationError::InitNotRequired(name.to_owned())),
        (true, _) => {}
    }
    let stored = simulation.get_state(name, INIT_KEY)?;
    let initialized = stored.is_some_and(|version| version == resolved.version.as_bytes());
    match (is_init, initialized) {
        (true, true) => Err(InvocationError::AlreadyInitialized(name.to_owned())),
        (false, false) => Err(InvocationError::NotInitialized(name.to_owned())),
        (false, true) => Ok(()),
        (true, false) => {
            let version = Bytes::copy_from_slice(resolved.version.as_bytes());
            Ok(simulation.put_state(name, INIT_KEY, version)?)
        }
    }
}
