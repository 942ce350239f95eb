//! Which peers and orderers a command talks to, and how to reach them.

use std::{future::Future, path::PathBuf, time::Duration};

use prost::Message;
use tonic::{Code, Status};
use windlass_identity::{Certificate, ChannelConfig};
use windlass_proto::{
    Bytes,
    common::{Config, OrdererAddresses},
    envelope::Call,
    hash::sha256,
};
use windlass_transport::{ClientTls, DialOptions};

use super::{
    failure::{After, Failure},
    golang,
    log::Source,
    session::Session,
    settings::Settings,
};
use crate::{
    client::{Client, orderer::OrdererClient, sign_proposal},
    profile::Profile,
};

/// What is configured when nothing is.
// Fabric: endorsement-and-gateway §11
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3);

/// A peer to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Empty for the configured one.
    address: String,
    root: Root,
}

/// Where a peer's TLS root certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    File(String),
    Pem(String),
}

/// A peer within reach.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: String,
    pub(crate) client: Client,
}

impl Target {
    /// The peer of the settings.
    pub(crate) fn configured() -> Self {
        Self { address: String::new(), root: Root::File(String::new()) }
    }
}

impl Session {
    /// The peers that the flags of a lifecycle command name. `channel` is None for commands without one.
    pub(super) fn lifecycle_targets(&self, command: &str, channel: Option<&str>) -> Result<Vec<Target>, Failure> {
        let targets = match self.values.text("connectionProfile") {
            "" => self.typed_targets(),
            path => {
                let profile = Profile::read(path).map_err(Failure::failed)?;
                match channel {
                    Some(channel) if !channel.is_empty() => profile.endorsing_peers(channel),
                    _ => match self.values.text("targetPeer") {
                        "" => {
                            return Err(Failure::failed(
                                "--targetPeer must be specified for channel-less operation using connection profile",
                            ));
                        }
                        peer => profile.peer(peer).map(|target| vec![target]),
                    },
                }
                .map_err(|peer| Failure::failed(format!("peer '{peer}' doesn't have associated peer config")))?
                .into_iter()
                .map(|(address, root)| Target { address, root })
                .collect()
            }
        };
        let several = matches!(command, "approveformyorg" | "commit");
        if !several && targets.len() > 1 {
            let given = targets.len();
            return Err(Failure::failed(format!("'{command}' command supports one peer. {given} peers provided")));
        }
        self.check_roots(targets.len())?;
        Ok(targets)
    }

    /// The peers that the flags of `chaincode invoke` and `query` name.
    pub(super) fn chaincode_targets(&self, command: &str, channel: &str) -> Result<Vec<Target>, Failure> {
        let mut targets = self.typed_targets();
        let profile = self.values.text("connectionProfile");
        if !profile.is_empty() {
            let profile = Profile::read(profile).map_err(Failure::failed)?;
            let found = profile.endorsing_peers(channel).map_err(|peer| {
                Failure::failed(format!(
                    "peer '{peer}' is defined in the channel config but doesn't have associated peer config"
                ))
            })?;
            if profile.has_channel(channel) {
                targets = found.into_iter().map(|(address, root)| Target { address, root }).collect();
            }
        }
        if command != "invoke" && targets.len() > 1 {
            let given = targets.len();
            return Err(Failure::failed(format!(
                "'{command}' command can only be executed against one peer. received {given}"
            )));
        }
        let roots = self.values.list("tlsRootCertFiles").map_or(1, <[String]>::len);
        if roots > targets.len() {
            self.log.warn(
                Source("chaincodeCmd", "validatePeerConnectionParameters"),
                format_args!("received more TLS root cert files ({roots}) than peer addresses ({})", targets.len()),
            );
        }
        self.check_roots(targets.len())?;
        Ok(targets)
    }

    /// Addresses and certificates as they were typed, in pairs.
    fn typed_targets(&self) -> Vec<Target> {
        let none = [String::new()];
        let addresses = self.values.list("peerAddresses").unwrap_or(&none);
        let roots = self.values.list("tlsRootCertFiles").unwrap_or(&none);
        let root = |index: usize| Root::File(roots.get(index).cloned().unwrap_or_default());
        addresses
            .iter()
            .enumerate()
            .map(|(index, address)| Target { address: address.clone(), root: root(index) })
            .collect()
    }

    fn check_roots(&self, peers: usize) -> Result<(), Failure> {
        let roots = match self.values.text("connectionProfile") {
            "" => self.values.list("tlsRootCertFiles").map_or(1, <[String]>::len),
            _ => peers,
        };
        if self.settings.is("peer.tls.enabled") && roots != peers {
            return Err(Failure::failed(format!(
                "number of peer addresses ({peers}) does not match the number of TLS root cert files ({roots})"
            )));
        }
        Ok(())
    }

    /// Connects to a peer; `service` is what Fabric calls the connection.
    pub(super) async fn connect(&self, target: &Target, service: &str) -> Result<Peer, Failure> {
        let configured = target.address.is_empty();
        let (address, tls) = if configured {
            let tls = self.settings.peer_tls().after("failed to load config for PeerClient")?;
            (self.settings.text("peer.address"), tls)
        } else {
            (target.address.clone(), self.tls_with(&target.root).map_err(Failure::failed)?)
        };
        let timeout = match self.settings.duration("peer.client.connTimeout") {
            Duration::ZERO => CONNECTION_TIMEOUT,
            timeout => timeout,
        };
        let options = DialOptions { timeout, ..Default::default() };
        let connect = async {
            let client = Client::dial(self.identity().clone(), &address, tls.as_ref(), &options).await;
            let client = client.map_err(|error| golang::dial_error(&error))?;
            // TLS has proven itself by now; without it nobody has answered yet.
            if tls.is_none() {
                answers(timeout, client.probe()).await?;
            }
            Ok::<_, String>(client)
        };
        let client = connect.await.after(format_args!("{service} client failed to connect to {address}"))?;
        Ok(Peer { address, client })
    }

    fn tls_with(&self, root: &Root) -> Result<Option<ClientTls>, String> {
        // The client's own certificate is read first, whether or not TLS is on.
        let identity =
            self.settings.with_client_certificate(Some(self.settings.tls(String::new())))?.and_then(|tls| tls.identity);
        if !self.settings.is("peer.tls.enabled") {
            return Ok(None);
        }
        let root = match root {
            Root::Pem(pem) => pem.clone(),
            Root::File(path) if path.is_empty() => return Err("tls root cert file must be set".to_owned()),
            Root::File(path) => golang::read_file(path.as_ref())
                .map(|text| String::from_utf8_lossy(&text).into_owned())
                .map_err(|error| format!("unable to load TLS root cert file from {path}: {error}"))?,
        };
        Ok(Some(ClientTls { identity, ..self.settings.tls(root) }))
    }

    /// The hash that binds requests to our TLS certificate for peers; empty without mutual TLS.
    pub(super) fn peer_tls_hash(&self) -> Result<Bytes, Failure> {
        if !self.settings.is("peer.tls.clientAuthRequired") {
            return Ok(Bytes::new());
        }
        let path = self.settings.path("peer.tls.clientCert.file");
        read("peer.tls.clientCert.file", path).map(|pem| tls_hash(&pem)).map_err(Failure::failed)
    }

    /// The same for orderers.
    pub(super) fn orderer_tls_hash(&self) -> Result<Bytes, Failure> {
        if !self.values.is("clientauth") {
            return Ok(Bytes::new());
        }
        let path = self.settings_path(self.values.text("certfile"));
        read("orderer.tls.clientCert.file", path).map(|pem| tls_hash(&pem)).map_err(Failure::failed)
    }

    /// Connects to orderers: one address, or several between commas.
    pub(super) async fn connect_orderers(&self, addresses: &str) -> Result<Vec<OrdererClient>, Failure> {
        let tls = self.orderer_tls().after("failed to load config for OrdererClient")?;
        let timeout = match self.values.duration("connTimeout") {
            Duration::ZERO => CONNECTION_TIMEOUT,
            timeout => timeout,
        };
        let options = DialOptions { timeout, ..Default::default() };
        let mut orderers = Vec::new();
        for address in addresses.split(',') {
            let connect = async {
                let orderer = OrdererClient::dial(self.identity().clone(), address, tls.as_ref(), &options).await;
                let orderer = orderer.map_err(|error| golang::dial_error(&error))?;
                if tls.is_none() {
                    answers(timeout, orderer.probe()).await?;
                }
                Ok::<_, String>(orderer)
            };
            let orderer = connect.await;
            orderers.push(orderer.after(format_args!("orderer client failed to connect to {address}"))?);
        }
        Ok(orderers)
    }

    fn orderer_tls(&self) -> Result<Option<ClientTls>, String> {
        let mut tls = None;
        if self.values.is("tls") {
            let root = read("orderer.tls.rootcert.file", self.settings_path(self.values.text("cafile")))?;
            let server_name = self.values.text("ordererTLSHostnameOverride").to_owned();
            let server_name = Some(server_name).filter(|name| !name.is_empty());
            tls = Some(ClientTls { roots: vec![root], identity: None, server_name });
        }
        if self.values.is("clientauth") {
            let key = read("orderer.tls.clientKey.file", self.settings_path(self.values.text("keyfile")))?;
            let certificate = read("orderer.tls.clientCert.file", self.settings_path(self.values.text("certfile")))?;
            if let Some(tls) = &mut tls {
                tls.identity = Some((certificate, key));
            }
        }
        Ok(tls)
    }

    /// A typed path, which like a configured one is relative to the configuration file.
    fn settings_path(&self, text: &str) -> PathBuf {
        if text.is_empty() { PathBuf::new() } else { self.settings.folder().join(text) }
    }

    /// The first orderer that the channel's configuration names.
    pub(super) async fn first_orderer(&self, channel: &str, peer: &Peer, source: Source) -> Result<String, Failure> {
        let endpoints = self.orderer_endpoints(channel, peer).await;
        let endpoints = endpoints
            .map_err(|failure| failure.after(format_args!("error getting channel ({channel}) orderer endpoint")))?;
        let Some(endpoint) = endpoints.into_iter().next() else {
            return Err(Failure::failed(format!(
                "no orderer endpoints retrieved for channel {channel}, pass orderer endpoint with -o flag instead"
            )));
        };
        self.log.info(source, format_args!("Retrieved channel ({channel}) orderer endpoint: {endpoint}"));
        Ok(endpoint)
    }

    /// Where the channel's orderers are, as a peer's configuration of the channel has it.
    async fn orderer_endpoints(&self, channel: &str, peer: &Peer) -> Result<Vec<String>, Failure> {
        let call = Call {
            chaincode: "cscc".to_owned(),
            args: vec![Bytes::from_static(b"GetChannelConfig"), Bytes::copy_from_slice(channel.as_bytes())],
            ..Default::default()
        };
        let (signed, _) = sign_proposal(self.identity(), &call);
        let answer = peer.client.endorse(signed).await;
        let answer = answer.map_err(|status| golang::status(&status)).after("error endorsing GetChannelConfig")?;
        let response = answer.response.unwrap_or_default();
        if response.status != 0 && response.status != 200 {
            let (status, message) = (response.status, response.message);
            return Err(Failure::failed(format!("error bad proposal response {status}: {message}")));
        }
        let config = Config::decode(response.payload)
            .map_err(golang::message_error)
            .after("error unmarshalling channel config")?;
        let config = ChannelConfig::from_config(channel, &config).after("error loading channel config")?;
        let global = config.group().values.get("OrdererAddresses").map(|value| value.value.clone()).unwrap_or_default();
        let global = OrdererAddresses::decode(global).unwrap_or_default().addresses.join(" ");
        let source = Source("cli.common", "GetOrdererEndpointOfChain");
        match (config.orderer_orgs().iter().all(|organization| organization.endpoints.is_empty()), global.as_str()) {
            (true, _) => self.log.warn(
                source,
                format_args!(
                    "Org specific endpoints are missing, returning (deprecated) global OrdererAddresses: [{global}]; "
                ),
            ),
            (false, "") => {}
            (false, _) => self
                .log
                .warn(source, format_args!("Deprecated global OrdererAddresses exist: [{global}]; ignoring them")),
        }
        Ok(config.orderer_endpoints())
    }
}

impl Settings {
    /// TLS towards the configured peer, if it is on.
    pub(crate) fn peer_tls(&self) -> Result<Option<ClientTls>, String> {
        let mut tls = None;
        if self.is("peer.tls.enabled") {
            let root = read("peer.tls.rootcert.file", self.path("peer.tls.rootcert.file"))?;
            tls = Some(self.tls(root));
        }
        self.with_client_certificate(tls)
    }

    fn tls(&self, root: String) -> ClientTls {
        let server_name = Some(self.text("peer.tls.serverhostoverride")).filter(|name| !name.is_empty());
        ClientTls { roots: vec![root], identity: None, server_name }
    }

    fn with_client_certificate(&self, mut tls: Option<ClientTls>) -> Result<Option<ClientTls>, String> {
        if self.is("peer.tls.clientAuthRequired") {
            let key = read("peer.tls.clientKey.file", self.path("peer.tls.clientKey.file"))?;
            let certificate = read("peer.tls.clientCert.file", self.path("peer.tls.clientCert.file"))?;
            if let Some(tls) = &mut tls {
                tls.identity = Some((certificate, key));
            }
        }
        Ok(tls)
    }
}

/// Waits for a first answer over a new connection.
async fn answers(timeout: Duration, probe: impl Future<Output = Result<(), Status>>) -> Result<(), String> {
    match tokio::time::timeout(timeout, probe).await {
        Err(_) => Err(golang::no_connection("context deadline exceeded")),
        // Said by the transport, not by the server.
        Ok(Err(status)) if status.code() == Code::Unavailable || std::error::Error::source(&status).is_some() => {
            let text = "transport: the server ended the connection, as one does that wants TLS";
            Err(golang::no_connection(&format!("connection error: desc = {}", golang::quoted(text))))
        }
        // Whatever it answers: it speaks gRPC.
        Ok(_) => Ok(()),
    }
}

/// Reads the file that a setting names.
fn read(setting: &str, path: PathBuf) -> Result<String, String> {
    match golang::read_file(&path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) => Err(format!("unable to load {setting}: {error}")),
    }
}

fn tls_hash(pem: &str) -> Bytes {
    match Certificate::from_pem(pem.as_bytes()) {
        Ok(certificate) => Bytes::copy_from_slice(&sha256(certificate.der())[..]),
        Err(_) => Bytes::new(),
    }
}
