//! An MSP folder as configuration: the layout that cryptogen and Fabric CA clients write.
// Fabric: endorsement-and-gateway §4

use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;
use windlass_proto::msp::{FabricCryptoConfig, FabricMspConfig, FabricNodeOUs, FabricOuIdentifier};

use super::{MspError, SetupError};
use crate::pem;

/// `config.yaml`.
#[derive(Debug, Default, Deserialize)]
struct Configuration {
    #[serde(default, rename = "OrganizationalUnitIdentifiers")]
    required_units: Option<Vec<UnitIdentifier>>,
    #[serde(default, rename = "NodeOUs")]
    node_units: Option<NodeUnits>,
}

#[derive(Debug, Deserialize)]
struct NodeUnits {
    #[serde(default, rename = "Enable")]
    enable: bool,
    #[serde(default, rename = "ClientOUIdentifier")]
    client: Option<UnitIdentifier>,
    #[serde(default, rename = "PeerOUIdentifier")]
    peer: Option<UnitIdentifier>,
    #[serde(default, rename = "AdminOUIdentifier")]
    admin: Option<UnitIdentifier>,
    #[serde(default, rename = "OrdererOUIdentifier")]
    orderer: Option<UnitIdentifier>,
}

#[derive(Debug, Deserialize)]
struct UnitIdentifier {
    #[serde(default, rename = "Certificate")]
    certificate: Option<String>,
    #[serde(default, rename = "OrganizationalUnitIdentifier")]
    name: Option<String>,
}

/// Reads `cacerts`, `intermediatecerts`, `admincerts`, `crls`, `tlscacerts`, `tlsintermediatecerts` and
/// `config.yaml` of an MSP folder. Only `cacerts` has to exist. Private keys are not looked at.
pub fn folder_to_config(msp_id: &str, folder: &Path) -> Result<FabricMspConfig, MspError> {
    let roots = folder.join("cacerts");
    let root_certs = pem_files(&roots)?;
    if root_certs.is_empty() {
        return Err(refused(&roots, "could not load a valid ca certificate: no PEM file found").into());
    }
    let configuration = read_configuration(folder)?;
    let unit = |identifier: &Option<UnitIdentifier>| {
        identifier.as_ref().map(|identifier| unit_identifier(folder, identifier)).transpose()
    };
    let fabric_node_ous = match &configuration.node_units {
        Some(units) => Some(FabricNodeOUs {
            enable: units.enable,
            client_ou_identifier: unit(&units.client)?,
            peer_ou_identifier: unit(&units.peer)?,
            admin_ou_identifier: unit(&units.admin)?,
            orderer_ou_identifier: unit(&units.orderer)?,
        }),
        None => None,
    };
    let required = configuration.required_units.unwrap_or_default();
    let organizational_unit_identifiers =
        required.iter().map(|identifier| unit_identifier(folder, identifier)).collect::<Result<_, _>>()?;
    Ok(FabricMspConfig {
        name: msp_id.to_owned(),
        root_certs,
        intermediate_certs: pem_files(&folder.join("intermediatecerts"))?,
        admins: pem_files(&folder.join("admincerts"))?,
        revocation_list: pem_files(&folder.join("crls"))?,
        signing_identity: None,
        organizational_unit_identifiers,
        crypto_config: Some(FabricCryptoConfig {
            signature_hash_family: "SHA2".to_owned(),
            identity_identifier_hash_function: "SHA256".to_owned(),
        }),
        tls_root_certs: pem_files(&folder.join("tlscacerts"))?,
        tls_intermediate_certs: pem_files(&folder.join("tlsintermediatecerts"))?,
        fabric_node_ous,
    })
}

fn read_configuration(folder: &Path) -> Result<Configuration, SetupError> {
    let path = folder.join("config.yaml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Configuration::default()),
        Err(error) => return Err(refused(&path, &error.to_string())),
    };
    if text.trim().is_empty() {
        return Ok(Configuration::default());
    }
    serde_saphyr::from_str(&text).map_err(|error| refused(&path, &error.to_string()))
}

fn unit_identifier(folder: &Path, identifier: &UnitIdentifier) -> Result<FabricOuIdentifier, SetupError> {
    let certificate = match identifier.certificate.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| refused(&path, &error.to_string()))?.into()
        }
        None => Bytes::new(),
    };
    let name = identifier.name.clone().unwrap_or_default();
    Ok(FabricOuIdentifier { certificate, organizational_unit_identifier: name })
}

/// The files of a folder that hold PEM, whole, by name. A folder that does not exist has none.
fn pem_files(folder: &Path) -> Result<Vec<Bytes>, SetupError> {
    let unreadable = |error: std::io::Error| refused(folder, &error.to_string());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|error| refused(&path, &error.to_string()))?;
        if pem::decode(&bytes).is_some() {
            files.push(Bytes::from(bytes));
        }
    }
    Ok(files)
}

fn refused(path: &Path, reason: &str) -> SetupError {
    SetupError::Folder { path: path.display().to_string(), reason: reason.to_owned() }
}
