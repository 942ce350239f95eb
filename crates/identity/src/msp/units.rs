//! Organizational units: what an identity's certificate says it is.

use windlass_proto::{common::msp_role::MspRoleType, hash::Digest};

use super::{Msp, MspVersion, UnitError, role_name};
use crate::{certificate::Certificate, identity::Identity};

/// The units that stand for roles.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeUnits {
    pub(super) client: Option<NodeUnit>,
    pub(super) peer: Option<NodeUnit>,
    pub(super) admin: Option<NodeUnit>,
    pub(super) orderer: Option<NodeUnit>,
}

/// A unit that stands for a role, perhaps only under one CA.
#[derive(Clone, Debug)]
pub(super) struct NodeUnit {
    pub(super) name: String,
    pub(super) certifiers: Option<Digest>,
}

impl NodeUnits {
    fn of_role(&self, role: MspRoleType) -> Option<&NodeUnit> {
        match role {
            MspRoleType::Client => self.client.as_ref(),
            MspRoleType::Peer => self.peer.as_ref(),
            MspRoleType::Admin => self.admin.as_ref(),
            MspRoleType::Orderer => self.orderer.as_ref(),
            MspRoleType::Member => None,
        }
    }

    fn named(&self, name: &str, version: MspVersion) -> Option<&NodeUnit> {
        let late = if version >= MspVersion::V1_4_3 { [&self.admin, &self.orderer] } else { [&None, &None] };
        [&self.client, &self.peer].into_iter().chain(late).flatten().find(|unit| unit.name == name)
    }
}

impl Msp {
    /// Whether the units of a valid certificate fit this MSP.
    pub(super) fn check_units(&self, certificate: &Certificate, certifiers: &Digest) -> Result<(), UnitError> {
        let Some(node_units) = &self.node_units else { return self.check_required_units(certificate, certifiers) };
        let shown = || (show(certificate, certifiers), self.id.clone());
        let mut roles = 0;
        for unit in certificate.organizational_units() {
            let Some(node_unit) = node_units.named(unit, self.version) else { continue };
            if node_unit.certifiers.is_some_and(|required| required != *certifiers) {
                let (units, msp) = shown();
                return Err(UnitError::Certifier { units, msp });
            }
            roles += 1;
        }
        if roles == 1 {
            return Ok(());
        }
        let (units, msp) = shown();
        Err(match roles {
            _ if self.version < MspVersion::V1_4_3 => UnitError::NeitherClientNorPeer { units, msp },
            0 => UnitError::NoRole { units, msp },
            _ => UnitError::SeveralRoles { units, msp },
        })
    }

    /// Whether a valid identity carries the unit of a role.
    pub(super) fn check_role_unit(&self, identity: &Identity, role: MspRoleType) -> Result<(), UnitError> {
        let node_units = self.node_units.as_ref().ok_or(UnitError::NotActivated)?;
        let (role_name, msp) = (role_name(role), || self.id.clone());
        let unit = node_units.of_role(role).ok_or_else(|| UnitError::NotDefined { role: role_name, msp: msp() })?;
        let found = identity.certificate().organizational_units().contains(&unit.name);
        if found { Ok(()) } else { Err(UnitError::Missing { role: role_name, msp: msp() }) }
    }

    fn check_required_units(&self, certificate: &Certificate, certifiers: &Digest) -> Result<(), UnitError> {
        if self.required_units.is_empty() {
            return Ok(());
        }
        let units = certificate.organizational_units();
        let counts =
            |unit: &String| self.required_units.get(unit).is_some_and(|accepted| accepted.contains(certifiers));
        if units.iter().any(counts) {
            return Ok(());
        }
        if units.is_empty() {
            return Err(UnitError::NoUnit);
        }
        Err(UnitError::NoneOf { units: show(certificate, certifiers), msp: self.id.clone() })
    }
}

/// The units as the texts show them: each with the first eight bytes of its certifiers identifier.
fn show(certificate: &Certificate, certifiers: &Digest) -> String {
    let certifiers = hex::encode_upper(&certifiers[..8]);
    let units: Vec<String> =
        certificate.organizational_units().iter().map(|unit| format!("{unit}({certifiers})")).collect();
    format!("[{}]", units.join(" "))
}
