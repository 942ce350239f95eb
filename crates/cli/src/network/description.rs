//! The file in which `windlass dev` describes its network: `network.json` in its folder, or one of `--ready-file`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use windlass_transport::{ClientTls, DialOptions};

use super::{DESCRIPTION, Hint, Network, Organization};

#[derive(Deserialize)]
struct Description {
    data: PathBuf,
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

/// Reads a description.
pub(super) fn read(path: &Path) -> anyhow::Result<Network> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "there is no {}; expected the folder of a network of `windlass dev` that was started once ({DESCRIPTION} is in \
             it), or a file of its --ready-file",
            path.display()
        ),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let description: Description = serde_json::from_str(&text)
        .with_context(|| format!("{} does not describe a network of `windlass dev`", path.display()))?;
    let folder = description.data;
    let organizations = description.organizations.into_iter().map(|member| {
        let root = &member.peer.tls_root_cert;
        let root = fs::read_to_string(root).with_context(|| format!("cannot read {}", root.display()))?;
        anyhow::Ok(Organization {
            msp_id: member.msp_id,
            address: member.peer.endpoint,
            tls: Some(ClientTls { roots: vec![root], ..Default::default() }),
            options: DialOptions::default(),
            users: member.users.into_iter().map(|(name, user)| (name, user.msp)).collect(),
            operations: Some(member.operations.endpoint),
            hint: Hint::Development(folder.clone()),
        })
    });
    let organizations = organizations.collect::<Result<Vec<_>, _>>()?;
    if organizations.is_empty() {
        bail!("{} describes a network without organizations", path.display());
    }
    let origin = format!("the network in {}", folder.display());
    Ok(Network { origin, folder: Some(folder), organizations, preferred: None })
}
