//! The settings of the `peer` command: `CORE_…` variables over a `core.yaml`. One organization, one identity.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use windlass_transport::DialOptions;

use super::{ADMIN, Credentials, Hint, Network, Organization};
use crate::plumbing::settings::Settings;

/// The network of the settings' peer, if they name one.
pub(super) fn network(environment: &BTreeMap<String, String>) -> anyhow::Result<Option<Network>> {
    let settings = Settings::load_if_any(environment.clone()).map_err(anyhow::Error::msg)?;
    let address = settings.text("peer.address");
    if address.is_empty() {
        return Ok(None);
    }
    let needed = |key: &str, variable: &str| match settings.text(key) {
        text if text.is_empty() => bail!("{key} is not set; hint: set {variable}, or name a network with --network"),
        text => Ok(text),
    };
    let msp_id = needed("peer.localMspId", "CORE_PEER_LOCALMSPID")?;
    needed("peer.mspConfigPath", "CORE_PEER_MSPCONFIGPATH")?;
    let timeout = match settings.duration("peer.client.connTimeout") {
        Duration::ZERO => DialOptions::default().timeout,
        timeout => timeout,
    };
    let tls = settings.peer_tls().map_err(anyhow::Error::msg).context("TLS towards the peer cannot be set up")?;
    let organization = Organization {
        msp_id,
        tls,
        options: DialOptions { timeout, ..Default::default() },
        users: [(ADMIN.to_owned(), Credentials::Folder(settings.path("peer.mspConfigPath")))].into(),
        operations: None,
        hint: Hint::Setting,
        address: address.clone(),
    };
    let origin = format!("the environment with the peer {address}");
    Ok(Some(Network { origin, folder: None, sandbox: Vec::new(), organizations: vec![organization], preferred: None }))
}
