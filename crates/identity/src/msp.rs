//! Membership: whom an organization counts as its own, and in which role.
//!
//! An [`Msp`] is set up from its configuration once and answers from then on; an [`MspManager`] holds those of one
//! channel (or the single local one) and turns the bytes of messages into identities.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use windlass_proto::{
    common::{MspPrincipal, msp_role::MspRoleType},
    hash::Digest,
    msp::FabricMspConfig,
};

use crate::{cache::BoundedMap, certificate::Certificate, identity::Identity, revocation::RevocationList};

mod chain;
mod error;
mod folder;
mod manager;
mod principal;
mod setup;
mod units;

pub use error::{ChainError, MspError, PathError, SetupError, UnitError};
pub use folder::folder_to_config;
pub use manager::MspManager;
pub(crate) use principal::Principal;

use error::role_name;
use manager::REMEMBERED_BYTES;
use units::NodeUnits;

/// How many verdicts an MSP remembers; twice that at most.
const VERDICTS: usize = 2048;

/// The rules that an MSP follows; they come with the channel's capabilities.
// Fabric: endorsement-and-gateway §4
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MspVersion {
    /// No node OUs.
    V1_0,
    /// Node OUs for clients and peers.
    V1_1,
    /// The same, and combined principals.
    V1_3,
    /// Node OUs for admins and orderers as well. What local MSPs follow.
    V1_4_3,
    /// The same, and Ed25519 keys.
    V3_0,
}

/// One organization's MSP.
#[derive(Debug)]
pub struct Msp {
    id: String,
    version: MspVersion,
    roots: Vec<Arc<Certificate>>,
    intermediates: Vec<Arc<Certificate>>,
    /// CAs with CAs below them: they issue no identities.
    internal_nodes: HashSet<Digest>,
    admins: HashSet<Digest>,
    revocation_lists: Vec<RevocationList>,
    node_units: Option<NodeUnits>,
    /// Units of which an identity needs one, with the certifiers that count for each.
    required_units: HashMap<String, Vec<Digest>>,
    tls_roots: Vec<String>,
    tls_intermediates: Vec<String>,
    verdicts: BoundedMap<Digest, Result<Verdict, MspError>>,
}

/// What validation found out about a valid identity.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    /// SHA-256 over the chain of issuers: the certifiers identifier of its units.
    certifiers: Digest,
}

impl Msp {
    /// Sets an MSP up, under the rules of [`MspVersion::V1_4_3`].
    pub fn from_config(config: &FabricMspConfig) -> Result<Self, MspError> {
        Self::with_version(config, MspVersion::V1_4_3)
    }

    /// Sets an MSP up under the rules of a version.
    pub fn with_version(config: &FabricMspConfig, version: MspVersion) -> Result<Self, MspError> {
        setup::set_up(config, version)
    }

    /// The MSP's identifier, such as `Org1MSP`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the identity belongs to this MSP: a single path from its certificate to a root, not revoked, with
    /// fitting organizational units. An expired certificate passes, since old transactions are judged as well.
    /// Answers are remembered.
    pub fn validate(&self, identity: &Identity) -> Result<(), MspError> {
        self.verdict(identity).map(|_| ())
    }

    /// Whether the identity is what the principal asks for; that it is valid goes with it.
    pub fn satisfies(&self, identity: &Identity, principal: &MspPrincipal) -> Result<(), MspError> {
        self.satisfies_decoded(identity, &Principal::decode(principal)?)
    }

    /// The roots of the organization's TLS certificates, as PEM.
    pub fn tls_roots_pem(&self) -> Vec<String> {
        self.tls_roots.clone()
    }

    /// The intermediate CAs of the organization's TLS certificates, as PEM.
    pub fn tls_intermediates_pem(&self) -> Vec<String> {
        self.tls_intermediates.clone()
    }

    /// The roots of the organization's identities, as PEM.
    pub fn roots_pem(&self) -> Vec<String> {
        self.roots.iter().map(|certificate| certificate.to_pem()).collect()
    }

    /// The intermediate CAs of the organization's identities, as PEM.
    pub fn intermediates_pem(&self) -> Vec<String> {
        self.intermediates.iter().map(|certificate| certificate.to_pem()).collect()
    }

    pub(crate) fn satisfies_decoded(&self, identity: &Identity, principal: &Principal) -> Result<(), MspError> {
        match principal {
            Principal::Role { msp_id, role } => {
                self.check_own(identity, msp_id)?;
                self.satisfies_role(identity, *role)
            }
            Principal::Unit { msp_id, unit, certifiers } => {
                self.check_own(identity, msp_id)?;
                let verdict = self.verdict(identity)?;
                let units = identity.certificate().organizational_units();
                let matches = units.contains(unit) && verdict.certifiers[..] == certifiers[..];
                if matches { Ok(()) } else { Err(MspError::NoMatch) }
            }
            Principal::Identity { certificate } => {
                if certificate != identity.certificate_hash() {
                    return Err(MspError::NoMatch);
                }
                self.validate(identity)
            }
            Principal::Nominal if self.version >= MspVersion::V1_3 => Ok(()),
            Principal::Nominal => Err(MspError::PrincipalType(3)),
            Principal::Combined(_) if self.version < MspVersion::V1_3 => Err(MspError::PrincipalType(4)),
            Principal::Combined(parts) => {
                parts.iter().try_for_each(|principal| self.satisfies_decoded(identity, principal))
            }
        }
    }

    fn satisfies_role(&self, identity: &Identity, role: i32) -> Result<(), MspError> {
        let role = MspRoleType::try_from(role).map_err(|_| MspError::RoleType(role))?;
        let listed_admin = || self.admins.contains(identity.certificate_hash());
        match (role, self.has_all_roles()) {
            (MspRoleType::Member, _) => self.validate(identity),
            (MspRoleType::Admin, _) if listed_admin() => Ok(()),
            (MspRoleType::Admin, false) => Err(MspError::NotListedAdmin),
            (MspRoleType::Orderer, false) => Err(MspError::RoleType(role as i32)),
            _ => {
                self.validate(identity)
                    .map_err(|cause| MspError::NotValid { msp: self.id.clone(), cause: Box::new(cause) })?;
                let msp = || self.id.clone();
                self.check_role_unit(identity, role).map_err(|cause| match role {
                    MspRoleType::Admin => MspError::NotAdmin { msp: msp(), cause },
                    _ => MspError::NotRole { role: role_name(role), msp: msp(), cause },
                })
            }
        }
    }

    /// Whether units tell apart all four roles, not only clients and peers.
    fn has_all_roles(&self) -> bool {
        self.version >= MspVersion::V1_4_3 && self.node_units.is_some()
    }

    fn check_own(&self, identity: &Identity, msp_id: &str) -> Result<(), MspError> {
        if msp_id == self.id {
            return Ok(());
        }
        Err(MspError::DifferentMsp { expected: msp_id.to_owned(), got: identity.msp_id().to_owned() })
    }

    fn verdict(&self, identity: &Identity) -> Result<Verdict, MspError> {
        let key = identity.certificate_hash();
        if let Some(verdict) = self.verdicts.get(key) {
            return verdict;
        }
        let verdict = self.judge(identity.certificate());
        // A verdict may quote the certificate.
        if identity.certificate().der().len() <= REMEMBERED_BYTES {
            self.verdicts.insert(*key, verdict.clone());
        }
        verdict
    }

    fn judge(&self, certificate: &Certificate) -> Result<Verdict, MspError> {
        let chain = self.identity_chain(certificate)?;
        self.check_revocation(certificate, &chain)?;
        let certifiers = chain::identifier(&chain);
        self.check_units(certificate, &certifiers)?;
        Ok(Verdict { certifiers })
    }

    fn check_revocation(&self, certificate: &Certificate, chain: &[Arc<Certificate>]) -> Result<(), MspError> {
        let Some(issuer) = chain.first() else { return Ok(()) };
        if issuer.subject_key_id().is_none() {
            return Err(MspError::NoSubjectKeyId);
        }
        let revoked = self.revocation_lists.iter().any(|list| list.revokes(certificate, issuer));
        if revoked { Err(MspError::Revoked) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
