//! What channels have agreed about chaincode, and the system chaincode `_lifecycle` that makes them agree.
//!
//! Organizations approve a definition each for itself, in private collections of their own; a commit makes it
//! the channel's. Who runs the chaincode needs the package too. The three come in any order, so everything
//! is looked up by what is on the ledger and on disk, never by what happened before.
//!
//! - [`Lifecycle`]: start reading here
//! - `dispatch`: the checks around every call of `_lifecycle`
//! - `install`, `approve`, `commit`, `query`: its functions, on a `scope`
//! - `uninstall`: functions of our own, to remove packages
//! - `definition`, `record`, `state`: what is kept, how, and where
//! - `validate`: which definitions are legal
//! - `policies`: which policies validate writes, and the collections
//! - `cache`: from a definition to the package that runs it
//! - `legacy`: what the predecessor `lscc` recorded

mod approve;
mod cache;
mod commit;
mod definition;
mod dispatch;
mod errors;
mod install;
mod legacy;
mod policies;
mod query;
mod record;
mod scope;
mod state;
mod uninstall;
mod validate;

use std::{collections::BTreeSet, fmt, sync::Arc};

use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::watch;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::ids::PackageId;

pub use self::{
    cache::Reference,
    definition::{Definition, Difference, NoDefaultPolicy, Parameters},
    errors::{CollectionPolicyError, LifecycleError},
    install::{InstallError, Installed},
    policies::ValidationInfo,
    record::StateError,
    state::{LIFECYCLE, implicit_collection, implicit_collection_owner},
    uninstall::{UninstallError, Use},
    validate::InvalidDefinition,
};
use self::{
    cache::{Cache, Known},
    install::Underway,
};
use crate::{
    build::Builds,
    channels::Channels,
    install::PackageStore,
    simulation::{Simulation, SimulationError},
};

/// How many packages are built at the same time when the peer starts.
const BUILDS_AT_START: usize = 2;

/// Definitions, approvals and packages of one peer. Clones share it.
#[derive(Clone)]
pub struct Lifecycle(Arc<Shared>);

struct Shared {
    msp_id: String,
    // Whether a definition runs without a package.
    development: bool,
    packages: PackageStore,
    builds: Builds,
    channels: Arc<dyn Channels>,
    cache: Mutex<Cache>,
    // Held while a channel is read, so that an older reading never replaces a newer one.
    refreshing: Mutex<()>,
    underway: Mutex<Underway>,
    runnable: watch::Sender<Arc<BTreeSet<String>>>,
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle").field("msp_id", &self.0.msp_id).finish_non_exhaustive()
    }
}

/// What it takes to endorse a call of a chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsementInfo {
    /// The version that was agreed; part of the endorsement.
    pub version: String,
    /// Whether the chaincode must be initialized, once for each version.
    pub init_required: bool,
    /// The package that runs it: the name under which the chaincode registers.
    pub package_id: String,
    /// The plugin that endorses.
    pub endorsement_plugin: String,
}

/// Why the definitions of a channel could not be read anew.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RefreshError {
    /// The channel's ledger could not be opened for reading.
    #[error("could not read the ledger of channel '{channel}': {source}")]
    Ledger {
        /// The channel.
        channel: String,
        /// Why.
        #[source]
        source: SimulationError,
    },
    /// The definitions could not be read.
    #[error("could not read the chaincode definitions of channel '{channel}': {source}")]
    State {
        /// The channel.
        channel: String,
        /// Why.
        #[source]
        source: StateError,
    },
}

impl Lifecycle {
    /// The lifecycle of a peer of the organization `msp_id`, with the packages that are installed already.
    /// Channels are known once they are refreshed.
    pub fn new(msp_id: &str, packages: PackageStore, builds: Builds, channels: Arc<dyn Channels>) -> Self {
        Self::make(msp_id, false, packages, builds, channels)
    }

    /// The same for a peer whose chaincode is started by hand: a definition without an installed package runs as
    /// `<name>:<version>`.
    // Fabric: lifecycle §8
    pub fn for_development(msp_id: &str, packages: PackageStore, builds: Builds, channels: Arc<dyn Channels>) -> Self {
        Self::make(msp_id, true, packages, builds, channels)
    }

    fn make(
        msp_id: &str,
        development: bool,
        packages: PackageStore,
        builds: Builds,
        channels: Arc<dyn Channels>,
    ) -> Self {
        let mut cache = Cache::default();
        for id in packages.list() {
            cache.add_package(id);
        }
        Self(Arc::new(Shared {
            msp_id: msp_id.to_owned(),
            development,
            packages,
            builds,
            channels,
            cache: Mutex::new(cache),
            refreshing: Mutex::default(),
            underway: Mutex::default(),
            runnable: watch::Sender::default(),
        }))
    }

    /// Reads the definitions of `channel` and the approvals of this organization anew. To be called after the
    /// channel is joined, left, or a block that wrote to `_lifecycle` is committed.
    pub fn refresh(&self, channel: &str) -> Result<(), RefreshError> {
        let _guard = self.0.refreshing.lock();
        let Some(simulation) = self.0.channels.simulate(channel, "") else {
            self.update(|cache| cache.forget_channel(channel));
            return Ok(());
        };
        let simulation = simulation.map_err(|source| RefreshError::Ledger { channel: channel.to_owned(), source })?;
        let known = cache::read_channel(simulation.as_ref(), &self.0.msp_id)
            .map_err(|source| RefreshError::State { channel: channel.to_owned(), source })?;
        self.update(|cache| cache.set_channel(channel, known));
        Ok(())
    }

    /// Builds every installed package; what is built already costs nothing. Failures are logged: the next call
    /// of such a chaincode tries again.
    pub async fn build_installed(&self) {
        let ids: Vec<_> = self.0.cache.lock().packages().cloned().collect();
        futures::stream::iter(ids)
            .for_each_concurrent(BUILDS_AT_START, |id| async move {
                if let Err(error) = self.0.builds.build(id.as_str()).await {
                    tracing::warn!(package = %id, %error, "an installed package does not build");
                }
            })
            .await;
    }

    /// The packages that are installed, approved by this organization, and committed on some channel.
    pub fn runnable(&self) -> watch::Receiver<Arc<BTreeSet<String>>> {
        self.0.runnable.subscribe()
    }

    /// What it takes to endorse a call of `name` on `channel`. Reads through the transaction's simulation just
    /// what every peer reads, so that endorsements match (lifecycle §6.5).
    pub fn endorsement_info(
        &self,
        channel: &str,
        name: &str,
        simulation: &dyn Simulation,
    ) -> Result<EndorsementInfo, LifecycleError> {
        let config = self.0.channels.config(channel).ok_or_else(|| LifecycleError::NoChannel(channel.to_owned()))?;
        if !config.has_application() {
            return Err(LifecycleError::NoApplication(channel.to_owned()));
        }
        if !has_lifecycle(&config) {
            return legacy_endorsement_info(name, simulation);
        }
        let current = definition::read_sequence(name, &state::PublicState(simulation)).map_err(|source| {
            LifecycleError::Sequence { name: name.to_owned(), channel: channel.to_owned(), source }
        })?;
        // Committed sequences begin at 1.
        if current == 0 {
            return legacy_endorsement_info(name, simulation);
        }
        let (known, package) = self.known(channel, name, current)?;
        if !known.approved {
            return Err(LifecycleError::NotApproved {
                name: name.to_owned(),
                sequence: current,
                channel: channel.to_owned(),
            });
        }
        let parameters = known.definition.parameters;
        let by_hand = || self.0.development.then(|| format!("{name}:{}", parameters.version));
        let package_id = package.or_else(by_hand).ok_or_else(|| LifecycleError::NotInstalled(name.to_owned()))?;
        Ok(EndorsementInfo {
            version: parameters.version,
            init_required: parameters.init_required,
            package_id,
            endorsement_plugin: parameters.endorsement_plugin,
        })
    }

    /// The committed definitions of `channel`, by name.
    pub fn definitions(&self, channel: &str) -> Vec<Definition> {
        self.0.cache.lock().channel(channel).map(|known| known.definition.clone()).collect()
    }

    /// Those of [`Lifecycle::definitions`] that this peer can endorse: approved and, unless chaincode is started
    /// by hand, installed. They are what it advertises to clients and other peers.
    pub fn endorsable(&self, channel: &str) -> Vec<Definition> {
        let cache = self.0.cache.lock();
        let runs = |known: &&Known| cache.package(known).is_some() || (self.0.development && known.approved);
        let endorsable = cache.channel(channel).filter(runs);
        endorsable.map(|known| known.definition.clone()).collect()
    }

    /// The names under which channels run the package `id`, sorted.
    pub fn names(&self, id: &str) -> Vec<String> {
        let Ok(id) = id.parse::<PackageId>() else { return Vec::new() };
        let references = self.0.cache.lock().references(&id);
        let names: BTreeSet<_> = references.into_values().flatten().map(|reference| reference.name).collect();
        names.into_iter().collect()
    }

    /// The definition of `name` as the peer knows it, which must be at the sequence that the transaction sees.
    fn known(&self, channel: &str, name: &str, current: i64) -> Result<(Known, Option<String>), LifecycleError> {
        let look_up = || {
            let cache = self.0.cache.lock();
            let known = cache.get(channel, name)?;
            Some((known.clone(), cache.package(known).map(|id| id.as_str().to_owned())))
        };
        let mut found = look_up();
        // The transaction may begin between a commit and the refresh that follows it.
        if found.as_ref().is_none_or(|(known, _)| known.definition.sequence < current) {
            if let Err(error) = self.refresh(channel) {
                tracing::warn!(channel, %error, "could not refresh the chaincode definitions");
            }
            found = look_up();
        }
        let (known, package) =
            found.ok_or_else(|| LifecycleError::Unknown { name: name.to_owned(), channel: channel.to_owned() })?;
        let cached = known.definition.sequence;
        if cached != current {
            return Err(LifecycleError::Changed { name: name.to_owned(), cached, current });
        }
        Ok((known, package))
    }

    /// Changes what is known, and tells who watches.
    fn update(&self, change: impl FnOnce(&mut Cache)) {
        let mut cache = self.0.cache.lock();
        change(&mut cache);
        let runnable = cache.runnable();
        self.0.runnable.send_if_modified(|current| {
            let changed = **current != runnable;
            if changed {
                *current = Arc::new(runnable);
            }
            changed
        });
    }

    fn msp_id(&self) -> &str {
        &self.0.msp_id
    }

    fn channels(&self) -> &dyn Channels {
        self.0.channels.as_ref()
    }

    fn packages(&self) -> &PackageStore {
        &self.0.packages
    }

    pub(crate) fn builds(&self) -> &Builds {
        &self.0.builds
    }

    fn cache(&self) -> &Mutex<Cache> {
        &self.0.cache
    }

    fn underway(&self) -> &Mutex<Underway> {
        &self.0.underway
    }
}

/// Whether the channel uses `_lifecycle` at all.
fn has_lifecycle(channel: &ChannelConfig) -> bool {
    channel.application_capability("V2_0") || channel.application_capability("V2_5")
}

fn legacy_endorsement_info(name: &str, simulation: &dyn Simulation) -> Result<EndorsementInfo, LifecycleError> {
    let record = legacy::chaincode(name, simulation)?.ok_or_else(|| LifecycleError::NotFound(name.to_owned()))?;
    Ok(EndorsementInfo {
        // Fabric: lifecycle §11.1
        package_id: format!("{name}:{}", record.version),
        version: record.version,
        init_required: false,
        endorsement_plugin: record.endorsement_plugin,
    })
}
