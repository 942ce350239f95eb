//! The file in which `windlass dev` describes its network: `network.json` in its folder, or one of `--ready-file`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;
use windlass_transport::{ClientTls, DialOptions};

use super::{Credentials, GREETING, Hint, Network, Organization};

#[derive(Deserialize)]
struct Description {
    data: PathBuf,
    #[serde(default)]
    sandbox: Vec<String>,
    organizations: Vec<Member>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    msp_id: String,
    peer: Peer,
    operations: Operations,
    users: BTreeMap<String, User>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    endpoint: String,
    tls_root_cert: PathBuf,
}

#[derive(Deserialize)]
struct Operations {
    endpoint: String,
}

#[derive(Deserialize)]
struct User {
    msp: PathBuf,
}

/// The network that a file describes.
pub(super) fn network(path: &Path, file: Value) -> anyhow::Result<Network> {
    let description: Description = serde_json::from_value(file)
        .with_context(|| format!("{} does not describe a network of `windlass dev`", path.display()))?;
    let (folder, sandbox) = (description.data, description.sandbox);
    let organizations = description.organizations.into_iter().map(|member| {
        let root = &member.peer.tls_root_cert;
        let root = fs::read_to_string(root).with_context(|| format!("cannot read {}", root.display()))?;
        anyhow::Ok(Organization {
            msp_id: member.msp_id,
            address: member.peer.endpoint,
            tls: Some(ClientTls { roots: vec![root], ..Default::default() }),
            options: DialOptions { timeout: GREETING, ..Default::default() },
            users: member.users.into_iter().map(|(name, user)| (name, Credentials::Folder(user.msp))).collect(),
            operations: Some(member.operations.endpoint),
            hint: Hint::Development(folder.clone()),
        })
    });
    let organizations = organizations.collect::<Result<Vec<_>, _>>()?;
    if organizations.is_empty() {
        bail!("{} describes a network without organizations", path.display());
    }
    let origin = format!("the network in {}", folder.display());
    Ok(Network { origin, folder: Some(folder), sandbox, organizations, preferred: None })
}
