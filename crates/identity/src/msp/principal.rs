//! Principals, decoded once.

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    common::{
        CombinedPrincipal, MspIdentityAnonymity, MspPrincipal, MspRole, OrganizationUnit,
        msp_identity_anonymity::MspIdentityAnonymityType, msp_principal::Classification,
    },
    hash::Digest,
    msp::SerializedIdentity,
};

use super::MspError;
use crate::identity::Identity;

/// How deep combined principals may nest.
const DEPTH: usize = 16;

/// What a policy asks of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The role's number is kept as it came: its meaning depends on the MSP.
    Role {
        msp_id: String,
        role: i32,
    },
    Unit {
        msp_id: String,
        unit: String,
        certifiers: Bytes,
    },
    /// One certain certificate.
    Identity {
        certificate: Digest,
    },
    /// Anyone with a name; X.509 identities have one.
    Nominal,
    /// All of these.
    Combined(Vec<Principal>),
}

impl Principal {
    pub(crate) fn decode(principal: &MspPrincipal) -> Result<Self, MspError> {
        Self::decode_at(principal, 0)
    }

    fn decode_at(principal: &MspPrincipal, depth: usize) -> Result<Self, MspError> {
        let number = principal.principal_classification;
        let class = Classification::try_from(number).map_err(|_| MspError::PrincipalType(number))?;
        Ok(match class {
            Classification::Role => {
                let role: MspRole = message("MSPRole", &principal.principal)?;
                Self::Role { msp_id: role.msp_identifier, role: role.role }
            }
            Classification::OrganizationUnit => {
                let unit: OrganizationUnit = message("OrganizationUnit", &principal.principal)?;
                Self::Unit {
                    msp_id: unit.msp_identifier,
                    unit: unit.organizational_unit_identifier,
                    certifiers: unit.certifiers_identifier,
                }
            }
            Classification::Identity => {
                let identity: SerializedIdentity = message("SerializedIdentity", &principal.principal)?;
                let parsed = Identity::parse(&identity.mspid, principal.principal.clone(), &identity.id_bytes)
                    .map_err(MspError::IdentityPrincipal)?;
                Self::Identity { certificate: *parsed.certificate_hash() }
            }
            Classification::Anonymity => {
                let anonymity: MspIdentityAnonymity = message("MSPIdentityAnonymity", &principal.principal)?;
                match MspIdentityAnonymityType::try_from(anonymity.anonymity_type) {
                    Ok(MspIdentityAnonymityType::Nominal) => Self::Nominal,
                    Ok(MspIdentityAnonymityType::Anonymous) => return Err(MspError::Anonymous),
                    Err(_) => return Err(MspError::AnonymityType(anonymity.anonymity_type)),
                }
            }
            Classification::Combined => {
                let combined: CombinedPrincipal = message("CombinedPrincipal", &principal.principal)?;
                if combined.principals.is_empty() {
                    return Err(MspError::EmptyCombination);
                }
                if depth == DEPTH {
                    return Err(MspError::PrincipalType(number));
                }
                let parts = combined.principals.iter().map(|part| Self::decode_at(part, depth + 1));
                Self::Combined(parts.collect::<Result<_, _>>()?)
            }
        })
    }
}

fn message<M: Message + Default>(name: &'static str, bytes: &Bytes) -> Result<M, MspError> {
    M::decode(bytes.clone()).map_err(|error| MspError::Principal { message: name, reason: error.to_string() })
}
