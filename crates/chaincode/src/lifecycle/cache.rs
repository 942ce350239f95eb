//! What the peer knows of its channels' definitions, and which of its packages each of them runs.
//!
//! An approval is known by hashes alone, so that a peer that never got the private values finds the package
//! just as well: local packages are indexed by the hash that an approval of them has.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use windlass_proto::{
    hash::{Digest, sha256},
    ids::PackageId,
};

use super::{
    definition::{self, DEFINITION_TYPE, Definition},
    record::{self, Comparison, NAMESPACES, StateError},
    state::{OrgState, PublicState},
};
use crate::simulation::Simulation;

/// A committed definition, and what the peer's own organization has to do with it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) definition: Definition,
    /// Whether the organization approved just this definition at this sequence.
    pub(crate) approved: bool,
    /// The hash of the package ID that it approved with it.
    pub(crate) package_hash: Option<Bytes>,
}

/// A definition that runs a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The chaincode's name on the channel.
    pub name: String,
    /// Its version.
    pub version: String,
}

#[derive(Debug, Default)]
pub(crate) struct Cache {
    channels: BTreeMap<String, BTreeMap<String, Known>>,
    packages: BTreeMap<Digest, PackageId>,
}

impl Cache {
    pub(crate) fn add_package(&mut self, id: PackageId) {
        // Fabric: lifecycle §8. The hash of the private value that names the package.
        self.packages.insert(sha256(&record::string_value(id.as_str())), id);
    }

    pub(crate) fn remove_package(&mut self, id: &PackageId) {
        self.packages.retain(|_, package| package != id);
    }

    /// The installed package whose approval has this hash.
    pub(crate) fn package_of_hash(&self, hash: &[u8]) -> Option<&PackageId> {
        self.packages.get(hash)
    }

    pub(crate) fn set_channel(&mut self, channel: &str, known: BTreeMap<String, Known>) {
        self.channels.insert(channel.to_owned(), known);
    }

    pub(crate) fn forget_channel(&mut self, channel: &str) {
        self.channels.remove(channel);
    }

    pub(crate) fn get(&self, channel: &str, name: &str) -> Option<&Known> {
        self.channels.get(channel)?.get(name)
    }

    pub(crate) fn channel(&self, channel: &str) -> impl Iterator<Item = &Known> {
        self.channels.get(channel).into_iter().flat_map(BTreeMap::values)
    }

    pub(crate) fn packages(&self) -> impl Iterator<Item = &PackageId> {
        self.packages.values()
    }

    /// The installed package that `known` runs, if it is approved and installed.
    pub(crate) fn package(&self, known: &Known) -> Option<&PackageId> {
        let hash = known.package_hash.as_deref().filter(|_| known.approved)?;
        self.package_of_hash(hash)
    }

    /// The definitions that run `id`, by channel.
    pub(crate) fn references(&self, id: &PackageId) -> BTreeMap<String, Vec<Reference>> {
        let mut references: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
        for (channel, known) in self.all().filter(|(_, known)| self.package(known) == Some(id)) {
            references.entry(channel.clone()).or_default().push(Reference {
                name: known.definition.name.clone(),
                version: known.definition.parameters.version.clone(),
            });
        }
        references
    }

    /// The packages that some definition runs.
    pub(crate) fn runnable(&self) -> BTreeSet<String> {
        self.all().filter_map(|(_, known)| self.package(known)).map(|id| id.as_str().to_owned()).collect()
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Known)> {
        self.channels.iter().flat_map(|(channel, known)| known.values().map(move |known| (channel, known)))
    }
}

/// Reads all definitions of a channel. A record that cannot be understood is left out: endorsement allows any
/// content, and one bad record must not take the others with it.
pub(crate) fn read_channel(simulation: &dyn Simulation, msp_id: &str) -> Result<BTreeMap<String, Known>, StateError> {
    let public = PublicState(simulation);
    let own_org = OrgState::new(simulation, msp_id);
    let mut found = BTreeMap::new();
    for (name, metadata) in record::read_all_metadata(NAMESPACES, &public)? {
        if metadata.datatype != DEFINITION_TYPE {
            continue;
        }
        match Definition::read_described(&metadata, &name, &public) {
            Ok(definition) => {
                found.insert(name, read_known(definition, &own_org)?);
            }
            Err(error @ (StateError::Ledger { .. } | StateError::Range { .. })) => return Err(error),
            Err(error) => tracing::warn!(chaincode = name, %error, "ignoring a malformed chaincode definition"),
        }
    }
    Ok(found)
}

fn read_known(definition: Definition, own_org: &OrgState<'_>) -> Result<Known, StateError> {
    let private_name = definition.private_name();
    let comparison = definition.parameters.record().compare(NAMESPACES, &private_name, own_org)?;
    let key = definition::package_key(&private_name);
    let package_hash =
        own_org.hash(&key).map_err(|source| record::failed(format!("get state hash for key {key}"), source))?;
    Ok(Known { definition, approved: comparison == Comparison::Same, package_hash })
}
