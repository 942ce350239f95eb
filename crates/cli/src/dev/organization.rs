//! One organization of the network: its peer, which runs in this process, and where its files lie.

use std::path::{Path, PathBuf};

use anyhow::Context;
use windlass_identity::authority::PeerOrganization;
use windlass_peer::node::Peer;

use crate::client::Client;

/// Where an organization listens, as `host:port`.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(crate) peer: String,
    pub(crate) chaincode: String,
    pub(crate) operations: String,
}

/// An organization with its running peer.
#[derive(Debug)]
pub(crate) struct Organization {
    files: PeerOrganization,
    endpoints: Endpoints,
    peer: Peer,
    /// The network's folder.
    folder: PathBuf,
    number: usize,
}

impl Organization {
    /// The organization of this number, counted from 1.
    pub(crate) fn new(number: usize, files: PeerOrganization, endpoints: Endpoints, peer: Peer, folder: &Path) -> Self {
        Self { files, endpoints, peer, folder: folder.to_owned(), number }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(crate) fn into_peer(self) -> Peer {
        self.peer
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    pub(crate) fn msp_id(&self) -> &str {
        self.files.msp_id()
    }

    /// Its name in connection profiles, such as `Org1`.
    pub(crate) fn name(&self) -> String {
        format!("Org{}", self.number)
    }

    /// The peer's host name, such as `peer0.org1.example.com`.
    pub(crate) fn hostname(&self) -> String {
        self.files.peer_host(0)
    }

    pub(crate) fn user_msp(&self, user: &str) -> PathBuf {
        self.files.user_msp(user)
    }

    pub(crate) fn user_certificate(&self, user: &str) -> PathBuf {
        self.user_msp(user).join("signcerts").join(format!("{user}@{}-cert.pem", self.files.domain()))
    }

    pub(crate) fn user_key(&self, user: &str) -> PathBuf {
        self.user_msp(user).join("keystore").join("priv_sk")
    }

    pub(crate) fn tls_root(&self) -> PathBuf {
        self.files.peer_tls(0).join("ca.crt")
    }

    /// Settings for the `peer` command.
    pub(crate) fn env_script(&self) -> PathBuf {
        self.folder.join(format!("env-org{}.sh", self.number))
    }

    /// The description of the network as this organization has it.
    pub(crate) fn description(&self) -> PathBuf {
        self.folder.join(format!("network-org{}.json", self.number))
    }

    /// The connection profile.
    pub(crate) fn connection_profile(&self) -> PathBuf {
        self.folder.join(format!("connection-org{}.json", self.number))
    }

    /// A client with the identity of the organization's admin.
    pub(crate) async fn admin(&self) -> anyhow::Result<Client> {
        Client::connect(&self.endpoints.peer, &self.tls_root(), self.msp_id(), &self.user_msp("Admin"))
            .await
            .with_context(|| format!("cannot reach the peer of {}", self.msp_id()))
    }
}
