//! Setting an MSP up from its configuration.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use windlass_proto::{
    common::msp_role::MspRoleType,
    msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier},
};

use super::{
    Msp, MspError, MspVersion, SetupError, VERDICTS,
    units::{NodeUnit, NodeUnits},
};
use crate::{cache::BoundedMap, certificate::Certificate, identity::Identity, revocation::RevocationList};

pub(super) fn set_up(config: &FabricMspConfig, version: MspVersion) -> Result<Msp, MspError> {
    if let Some(crypto) = &config.crypto_config {
        // SHA3 exists in Fabric's configuration, but nothing that makes networks has ever set it.
        if !matches!(crypto.signature_hash_family.as_str(), "" | "SHA2") {
            return Err(SetupError::HashFamily(crypto.signature_hash_family.clone()).into());
        }
    }
    if config.root_certs.is_empty() {
        return Err(SetupError::NoRoot.into());
    }
    let mut msp = Msp {
        id: config.name.clone(),
        version,
        roots: certificates("root CA", &config.root_certs)?,
        intermediates: certificates("intermediate CA", &config.intermediate_certs)?,
        internal_nodes: HashSet::new(),
        admins: HashSet::new(),
        revocation_lists: Vec::new(),
        node_units: None,
        required_units: HashMap::new(),
        tls_roots: texts("TLS root CA", &config.tls_root_certs)?,
        tls_intermediates: texts("TLS intermediate CA", &config.tls_intermediate_certs)?,
        verdicts: BoundedMap::new(VERDICTS),
    };
    msp.set_up_authorities()?;
    for (index, list) in config.revocation_list.iter().enumerate() {
        msp.revocation_lists.push(RevocationList::parse(list).ok_or(SetupError::RevocationList(index))?);
    }
    msp.check_authorities_revocation()?;
    for identifier in &config.organizational_unit_identifiers {
        if let Some(unit) = msp.node_unit(identifier)? {
            msp.required_units.entry(unit.name).or_default().extend(unit.certifiers);
        }
    }
    if let Some(node_ous) = config.fabric_node_ous.as_ref().filter(|_| version >= MspVersion::V1_1) {
        msp.node_units = msp.node_units(node_ous)?;
    }
    msp.set_up_admins(&config.admins)?;
    Ok(msp)
}

impl Msp {
    fn set_up_authorities(&mut self) -> Result<(), MspError> {
        self.roots = self.roots.iter().map(|ca| Arc::new(self.normalized(Certificate::clone(ca)))).collect();
        self.intermediates =
            self.intermediates.iter().map(|ca| Arc::new(self.normalized(Certificate::clone(ca)))).collect();
        for ca in self.roots.iter().chain(&self.intermediates) {
            check_authority(ca)?;
        }
        let mut internal = HashSet::new();
        for ca in &self.intermediates {
            let chain = self.unique_chain(ca).map_err(|error| SetupError::Authority {
                serial: ca.serial_hex(),
                cause: Box::new(MspError::Chain(error)),
            })?;
            internal.extend(chain.iter().map(|issuer| *issuer.hash()));
        }
        self.internal_nodes = internal;
        Ok(())
    }

    fn check_authorities_revocation(&self) -> Result<(), MspError> {
        for ca in &self.intermediates {
            let chain = self.unique_chain(ca)?;
            self.check_revocation(ca, &chain)
                .map_err(|error| SetupError::Authority { serial: ca.serial_hex(), cause: Box::new(error) })?;
        }
        Ok(())
    }

    /// The units of the roles, when enabled and when at least one is named.
    fn node_units(&self, config: &FabricNodeOUs) -> Result<Option<NodeUnits>, MspError> {
        if !config.enable {
            return Ok(None);
        }
        let unit = |identifier: &Option<FabricOuIdentifier>| match identifier {
            Some(identifier) => self.node_unit(identifier),
            None => Ok(None),
        };
        let units = NodeUnits {
            client: unit(&config.client_ou_identifier)?,
            peer: unit(&config.peer_ou_identifier)?,
            admin: unit(&config.admin_ou_identifier)?,
            orderer: unit(&config.orderer_ou_identifier)?,
        };
        let any = [&units.client, &units.peer, &units.admin, &units.orderer].iter().any(|unit| unit.is_some());
        Ok(any.then_some(units))
    }

    fn node_unit(&self, identifier: &FabricOuIdentifier) -> Result<Option<NodeUnit>, MspError> {
        let name = identifier.organizational_unit_identifier.clone();
        if name.is_empty() {
            return Ok(None);
        }
        if identifier.certificate.is_empty() {
            return Ok(Some(NodeUnit { name, certifiers: None }));
        }
        let certificate = certificate(&format!("certificate of OU {name}"), &identifier.certificate)?;
        let certifiers = Some(self.certifiers_identifier(&self.normalized(certificate))?);
        Ok(Some(NodeUnit { name, certifiers }))
    }

    fn set_up_admins(&mut self, admins: &[Bytes]) -> Result<(), MspError> {
        let has_admin_unit = self.node_units.as_ref().is_some_and(|units| units.admin.is_some());
        if self.version >= MspVersion::V1_4_3 && admins.is_empty() && !has_admin_unit {
            return Err(SetupError::NoAdministrators.into());
        }
        for (index, text) in admins.iter().enumerate() {
            let certificate = self.normalized(certificate(&format!("admin {index}"), text)?);
            let identity = Identity::from_certificate(&self.id, Bytes::new(), certificate)
                .map_err(|error| SetupError::Admin { index, cause: Box::new(MspError::IdentityPrincipal(error)) })?;
            if let Err(cause) = self.validate(&identity) {
                return Err(SetupError::Admin { index, cause: Box::new(cause) }.into());
            }
            if self.node_units.is_some() && self.version >= MspVersion::V1_1 {
                let client = self.check_role_unit(&identity, MspRoleType::Client);
                let admin = self.check_role_unit(&identity, MspRoleType::Admin);
                if client.is_err() && (admin.is_err() || self.version < MspVersion::V1_4_3) {
                    return Err(SetupError::AdminRole(index).into());
                }
            }
            self.admins.insert(*identity.certificate_hash());
        }
        Ok(())
    }
}

fn check_authority(ca: &Certificate) -> Result<(), SetupError> {
    if !ca.is_ca() {
        return Err(SetupError::NotAnAuthority(ca.serial_hex()));
    }
    if ca.subject_key_id().is_none() {
        return Err(SetupError::NoSubjectKeyId(ca.serial_hex()));
    }
    Ok(())
}

fn certificate(place: &str, text: &[u8]) -> Result<Certificate, SetupError> {
    Certificate::from_pem(text).map_err(|error| SetupError::Certificate { place: place.to_owned(), error })
}

fn certificates(place: &str, texts: &[Bytes]) -> Result<Vec<Arc<Certificate>>, SetupError> {
    texts.iter().map(|text| certificate(place, text).map(Arc::new)).collect()
}

/// TLS CAs as text, after a look at each.
fn texts(place: &str, certificates: &[Bytes]) -> Result<Vec<String>, SetupError> {
    let checked = |text: &Bytes| {
        let ca = certificate(place, text)?;
        check_authority(&ca)?;
        Ok(ca.to_pem())
    };
    certificates.iter().map(checked).collect()
}
