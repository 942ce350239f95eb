//! Removing packages that no channel needs.
//!
//! A package is needed by the definition that a channel has committed, and by the one that this organization has
//! approved to come next. It goes in one step, the removal of its file; what is left of its build after that is
//! removed by whoever comes first, this call or the next start of the peer.

use std::{collections::BTreeMap, fmt};

use windlass_proto::{
    ids::PackageId,
    windlass::{
        QueryUnusedChaincodesResult, UninstallChaincodeArgs, UninstallChaincodeResult,
        query_unused_chaincodes_result::Unused,
    },
};

use super::{
    Lifecycle, RefreshError, cache, definition,
    errors::FunctionError,
    record::{self, NAMESPACES, StateError},
    state::OrgState,
};
use crate::{
    build::disk::{self, Temporary},
    simulation::Simulation,
};

/// Why a package was not removed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UninstallError {
    /// There is no such package.
    #[error("could not find chaincode with package id '{0}'")]
    NotInstalled(String),
    /// Somebody installs it at this moment.
    #[error("chaincode package '{0}' is being installed")]
    BeingInstalled(PackageId),
    /// A channel needs it.
    #[error("chaincode package '{package_id}' is in use by {}", list(.uses))]
    InUse {
        /// Which.
        package_id: PackageId,
        /// By what.
        uses: Vec<Use>,
    },
    /// It is not known whether a channel needs it.
    #[error(transparent)]
    Unknown(#[from] RefreshError),
    /// The disk refused.
    #[error("could not remove chaincode package '{package_id}': {cause}")]
    Remove {
        /// Which.
        package_id: PackageId,
        /// Why.
        cause: String,
    },
    /// The peer stopped meanwhile.
    #[error("removing the package was interrupted")]
    Interrupted,
}

/// A definition that needs a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The channel.
    pub channel: String,
    /// The chaincode's name there.
    pub name: String,
    /// The definition's sequence.
    pub sequence: i64,
    /// Whether the channel has committed it; if not, this organization has approved it.
    pub committed: bool,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channel, name, sequence, committed } = self;
        let how = if *committed { "committed" } else { "approved, not yet committed" };
        write!(f, "chaincode '{name}' on channel '{channel}' (sequence {sequence}, {how})")
    }
}

fn list(uses: &[Use]) -> String {
    uses.iter().map(Use::to_string).collect::<Vec<_>>().join(", ")
}

impl Lifecycle {
    /// Removes a package and its build. It is refused while a channel needs the package, so that nothing is
    /// stopped that is used.
    ///
    /// # Errors
    /// See [`UninstallError`]. The package is then still there.
    pub async fn uninstall(&self, id: &PackageId) -> Result<(), UninstallError> {
        let (this, id) = (self.clone(), id.clone());
        let work = tokio::task::spawn_blocking(move || this.remove(&id));
        work.await.map_err(|_| UninstallError::Interrupted)?
    }

    /// The packages that no channel needs, by ID.
    ///
    /// # Errors
    /// When a channel cannot be read.
    pub fn unused(&self) -> Result<Vec<PackageId>, RefreshError> {
        let uses = self.uses()?;
        let cache = self.cache().lock();
        let mut unused: Vec<_> = cache.packages().filter(|id| !uses.contains_key(*id)).cloned().collect();
        unused.sort_unstable();
        Ok(unused)
    }

    fn remove(&self, id: &PackageId) -> Result<(), UninstallError> {
        // What channels agree on is read, and read anew, under this lock; so nothing begins to need the package
        // between the look and the removal. An approval that comes later names a package that is not there, which
        // is allowed.
        let _reading = self.0.refreshing.lock();
        let uses = self.uses()?.remove(id);
        // Installs wait for this lock, so no ledger is read under it.
        let underway = self.underway().lock();
        if underway.contains_key(id) {
            return Err(UninstallError::BeingInstalled(id.clone()));
        }
        if !self.packages().contains(id) {
            return Err(UninstallError::NotInstalled(id.to_string()));
        }
        if let Some(uses) = uses {
            return Err(UninstallError::InUse { package_id: id.clone(), uses });
        }
        let failed = |cause: String| UninstallError::Remove { package_id: id.clone(), cause };
        self.packages().delete(id).map_err(|error| failed(error.to_string()))?;
        self.update(|cache| cache.remove_package(id));
        let discarded = self.builds().discard(id.as_str());
        drop(underway);
        // The package is gone; a build that stays for now goes at the next start.
        if let Err(error) = discarded.and_then(Temporary::remove) {
            tracing::warn!(package = %id, %error, "the build of a removed package could not be removed");
        }
        tracing::info!(package = %id, "chaincode package removed");
        Ok(())
    }

    /// What needs each installed package that is needed.
    fn uses(&self) -> Result<BTreeMap<PackageId, Vec<Use>>, RefreshError> {
        let mut uses: BTreeMap<PackageId, Vec<Use>> = BTreeMap::new();
        for channel in self.channels().names() {
            let Some(simulation) = self.channels().simulate(&channel, "") else { continue };
            let simulation = simulation.map_err(|source| RefreshError::Ledger { channel: channel.clone(), source })?;
            let found = needed(simulation.as_ref(), self.msp_id(), &channel)
                .map_err(|source| RefreshError::State { channel: channel.clone(), source })?;
            let cache = self.cache().lock();
            for (hash, needs) in found {
                if let Some(id) = cache.package_of_hash(&hash) {
                    uses.entry(id.clone()).or_default().push(needs);
                }
            }
        }
        uses.values_mut().for_each(|uses| uses.sort());
        Ok(uses)
    }

    pub(crate) async fn uninstall_chaincode(
        &self,
        args: UninstallChaincodeArgs,
    ) -> Result<UninstallChaincodeResult, FunctionError> {
        let id = args.package_id.parse().map_err(|_| UninstallError::NotInstalled(args.package_id.clone()))?;
        self.uninstall(&id).await?;
        Ok(UninstallChaincodeResult {})
    }

    pub(crate) async fn query_unused(&self) -> Result<QueryUnusedChaincodesResult, FunctionError> {
        let this = self.clone();
        let measured = tokio::task::spawn_blocking(move || {
            let measure = |id: PackageId| Unused {
                package_bytes: this.packages().size(&id),
                build_bytes: disk::size_of(&this.builds().folder(id.as_str())),
                label: id.label().to_owned(),
                package_id: id.to_string(),
            };
            Ok::<_, RefreshError>(this.unused()?.into_iter().map(measure).collect())
        });
        let unused_chaincodes = measured.await.map_err(|_| UninstallError::Interrupted)?;
        Ok(QueryUnusedChaincodesResult { unused_chaincodes: unused_chaincodes.map_err(UninstallError::from)? })
    }
}

/// The packages that a channel needs, by the hash that an approval of them has.
fn needed(simulation: &dyn Simulation, msp_id: &str, channel: &str) -> Result<Vec<(Vec<u8>, Use)>, StateError> {
    let committed = cache::read_channel(simulation, msp_id)?;
    let own_org = OrgState::new(simulation, msp_id);
    let mut needed = Vec::new();
    for known in committed.values() {
        // Also where the organization approved something else than was committed: it may still come to agree.
        if let Some(hash) = &known.package_hash {
            let (name, sequence) = (known.definition.name.clone(), known.definition.sequence);
            needed.push((hash.to_vec(), Use { channel: channel.to_owned(), name, sequence, committed: true }));
        }
    }
    for (private_name, _) in record::read_all_metadata(NAMESPACES, &own_org)? {
        let Ok((name, sequence)) = definition::parse_private_name(&private_name) else { continue };
        if committed.get(name).is_some_and(|known| sequence <= known.definition.sequence) {
            continue;
        }
        let key = definition::package_key(&private_name);
        let hash =
            own_org.hash(&key).map_err(|source| record::failed(format!("get state hash for key {key}"), source))?;
        if let Some(hash) = hash {
            let name = name.to_owned();
            needed.push((hash.to_vec(), Use { channel: channel.to_owned(), name, sequence, committed: false }));
        }
    }
    Ok(needed)
}
