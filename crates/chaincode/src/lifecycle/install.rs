//! Packages on this peer: installing, listing and returning them.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use windlass_proto::{
    ids::PackageId,
    lifecycle::{
        GetInstalledChaincodePackageArgs, GetInstalledChaincodePackageResult, InstallChaincodeArgs,
        InstallChaincodeResult, QueryInstalledChaincodeArgs, QueryInstalledChaincodeResult,
        QueryInstalledChaincodesResult, query_installed_chaincode_result as one,
        query_installed_chaincodes_result as all,
    },
};

use super::{Lifecycle, cache::Reference, errors::FunctionError};
use crate::{
    install::{PackageStore, StoreError},
    package::Package,
};

/// Why a package was not installed.
// Fabric: lifecycle §3, §7
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// The bytes are not a package.
    #[error("could not parse as a chaincode install package: {0}")]
    Parse(String),
    /// It is there already.
    #[error("chaincode already successfully installed (package ID '{0}')")]
    AlreadyInstalled(PackageId),
    /// It could not be stored.
    #[error("could not save cc install package: {0}")]
    Save(String),
    /// It did not build; nothing of it was kept.
    #[error("could not build chaincode: {0}")]
    Build(String),
    /// The peer stopped, or the work on the package broke off.
    #[error("installing the package was interrupted")]
    Interrupted,
}

/// A package on this peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its ID.
    pub package_id: PackageId,
    /// The label that its author gave it.
    pub label: String,
    /// The definitions that run it, by channel.
    pub references: BTreeMap<String, Vec<Reference>>,
}

type Outcome = Result<PackageId, InstallError>;

/// The installs that are under way.
pub(crate) type Underway = BTreeMap<PackageId, Shared<BoxFuture<'static, Outcome>>>;

impl Lifecycle {
    /// Stores and builds a package. Whoever installs the same package meanwhile shares the outcome.
    ///
    /// The work goes on if the caller stops waiting: who comes back then finds it done, or joins it. A package
    /// that does not build is removed again.
    pub async fn install(&self, package: Bytes) -> Result<PackageId, InstallError> {
        let limits = self.packages().limits().clone();
        let package = tokio::task::spawn_blocking(move || Package::parse(&package, &limits))
            .await
            .map_err(|_| InstallError::Interrupted)?
            .map_err(|error| InstallError::Parse(error.to_string()))?;
        self.join_or_start(package)?.await
    }

    /// The packages on this peer, by ID.
    pub fn installed(&self) -> Vec<Installed> {
        let cache = self.cache().lock();
        let mut installed: Vec<_> = cache
            .packages()
            .map(|id| Installed {
                package_id: id.clone(),
                label: id.label().to_owned(),
                references: cache.references(id),
            })
            .collect();
        installed.sort_by(|a, b| a.package_id.cmp(&b.package_id));
        installed
    }

    fn join_or_start(&self, package: Package) -> Result<Shared<BoxFuture<'static, Outcome>>, InstallError> {
        let mut underway = self.underway().lock();
        if let Some(install) = underway.get(&package.id) {
            return Ok(install.clone());
        }
        let id = package.id.clone();
        if self.packages().contains(&id) {
            return Err(InstallError::AlreadyInstalled(id));
        }
        let entry = Entry { lifecycle: self.clone(), id: id.clone() };
        let task = tokio::spawn(async move { entry.lifecycle.store_and_build(package).await });
        let install = task.map(|end| end.unwrap_or(Err(InstallError::Interrupted))).boxed().shared();
        underway.insert(id, install.clone());
        Ok(install)
    }

    async fn store_and_build(&self, package: Package) -> Outcome {
        let id = package.id.clone();
        let store = self.packages().clone();
        let saved = tokio::task::spawn_blocking(move || Saved::new(store, &package))
            .await
            .map_err(|_| InstallError::Interrupted)?
            .map_err(|error| InstallError::Save(error.to_string()))?;
        if let Err(error) = self.builds().build(id.as_str()).await {
            drop(saved);
            self.builds().forget(id.as_str()).await;
            return Err(InstallError::Build(error.to_string()));
        }
        saved.keep();
        self.update(|cache| cache.add_package(id.clone()));
        Ok(id)
    }

    pub(crate) async fn install_chaincode(
        &self,
        args: InstallChaincodeArgs,
    ) -> Result<InstallChaincodeResult, FunctionError> {
        let id = self.install(args.chaincode_install_package).await?;
        Ok(InstallChaincodeResult { package_id: id.as_str().to_owned(), label: id.label().to_owned() })
    }

    pub(crate) fn query_installed(
        &self,
        args: &QueryInstalledChaincodeArgs,
    ) -> Result<QueryInstalledChaincodeResult, FunctionError> {
        let installed = self
            .installed()
            .into_iter()
            .find(|installed| installed.package_id.as_str() == args.package_id)
            .ok_or_else(|| FunctionError::UnknownPackage(args.package_id.clone()))?;
        let references = installed.references.into_iter().map(|(channel, references)| {
            let chaincodes =
                references.into_iter().map(|Reference { name, version }| one::Chaincode { name, version }).collect();
            (channel, one::References { chaincodes })
        });
        Ok(QueryInstalledChaincodeResult {
            package_id: args.package_id.clone(),
            label: installed.label,
            references: references.collect(),
        })
    }

    pub(crate) fn query_all_installed(&self) -> QueryInstalledChaincodesResult {
        let installed_chaincodes = self.installed().into_iter().map(|installed| {
            let references = installed.references.into_iter().map(|(channel, references)| {
                let chaincodes = references
                    .into_iter()
                    .map(|Reference { name, version }| all::Chaincode { name, version })
                    .collect();
                (channel, all::References { chaincodes })
            });
            all::InstalledChaincode {
                package_id: installed.package_id.as_str().to_owned(),
                label: installed.label,
                references: references.collect(),
            }
        });
        QueryInstalledChaincodesResult { installed_chaincodes: installed_chaincodes.collect() }
    }

    pub(crate) fn installed_package(
        &self,
        args: &GetInstalledChaincodePackageArgs,
    ) -> Result<GetInstalledChaincodePackageResult, FunctionError> {
        // What is no package ID at all names no package either; the text is the same.
        let id: PackageId = args.package_id.parse().map_err(|_| FunctionError::NoPackage(args.package_id.clone()))?;
        match self.packages().load(&id) {
            Ok(chaincode_install_package) => Ok(GetInstalledChaincodePackageResult { chaincode_install_package }),
            Err(StoreError::NotFound(_)) => Err(FunctionError::NoPackage(args.package_id.clone())),
            Err(error) => Err(FunctionError::Load(error.to_string())),
        }
    }
}

/// The entry of an install under way, which ends with it.
struct Entry {
    lifecycle: Lifecycle,
    id: PackageId,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.lifecycle.underway().lock().remove(&self.id);
    }
}

/// A package on disk that is removed again unless it is kept.
struct Saved {
    store: PackageStore,
    id: PackageId,
    keep: bool,
}

impl Saved {
    fn new(store: PackageStore, package: &Package) -> Result<Self, StoreError> {
        let id = store.save_package(package)?;
        Ok(Self { store, id, keep: false })
    }

    fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = self.store.delete(&self.id) {
            tracing::warn!(package = %self.id, %error, "could not remove a package that did not build");
        }
    }
}
