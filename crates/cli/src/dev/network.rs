//! Orderer and peer, in this process.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use windlass_chaincode::build::{BuilderConfig, Program};
use windlass_identity::{Organizations, OrganizationsSpec, authority::PeerOrganization, folder_to_config, sign::SigningIdentity};
use windlass_orderer::{
    Orderer, OrdererConfig,
    genesis::{Consenter, NetworkSpec, OrgSpec, PeerOrgSpec, genesis_block},
};
use windlass_peer::{
    config::{MetricsProvider, PeerConfig},
    listen,
    logging::{LogFormat, LogSpec, Logging},
    node::{Listeners, Peer, Start},
};
use windlass_proto::common::Block;
use windlass_transport::{ClientAuthentication, ServerTls};

use super::{
    folder::Folder,
    ports::{Ports, port_of},
};
use crate::{args::dev::DevArgs, client::Client, printer::Printer};

/// The organization of the one peer.
pub(crate) const MSP_ID: &str = "Org1MSP";

/// Variables of the environment that the toolchains behind the built-in buildpacks understand.
const TOOLCHAIN_ENVIRONMENT: [&str; 24] = [
    "HOME", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOFLAGS", "GOPRIVATE",
    "GOTOOLCHAIN", "CGO_ENABLED", "npm_config_registry", "NPM_CONFIG_REGISTRY", "npm_config_cache", "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
];

/// A running network. Whoever drops it ends it.
#[derive(Debug)]
pub(crate) struct Network {
    folder: Arc<Folder>,
    organizations: Organizations,
    channel: String,
    endpoints: Endpoints,
    orderer: Orderer,
    peer: Option<Peer>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Endpoints {
    orderer: String,
    peer: String,
    chaincode: String,
    operations: String,
}

impl Network {
    /// Starts orderer and peer from what the folder holds; makes what it lacks.
    pub(crate) async fn start(args: &DevArgs, folder: Arc<Folder>, printer: &Printer) -> anyhow::Result<Self> {
        let logging = start_logging(&args.log)?;
        let ports = Ports::bind(args.port_base, printer).await?;
        let at = |port: u16| format!("localhost:{port}");
        let endpoints = Endpoints {
            orderer: at(port_of(&ports.orderer)),
            peer: at(port_of(&ports.peer)),
            chaincode: at(port_of(&ports.chaincode)),
            operations: at(port_of(&ports.operations)),
        };
        let organizations = Organizations::create_or_open(folder.path(), &OrganizationsSpec::default())
            .context("cannot make the certificates")?;
        let stop = CancellationToken::new();
        let orderer = start_orderer(&folder, &organizations, ports.orderer, stop.clone())?;

        let config = peer_config(args, &folder, &organizations, &endpoints, printer)?;
        let listeners = Listeners { peer: ports.peer, chaincode: ports.chaincode, operations: Some(ports.operations) };
        let executable = std::env::current_exe().context("cannot find the windlass executable")?;
        let start = Start { config, listeners, orderer: orderer.clone(), builders: buildpacks(&executable), logging };
        let peer = Peer::start(start).await.context("the peer does not start")?;

        let network =
            Self { folder: folder, organizations, channel: args.channel.clone(), endpoints, orderer, peer: Some(peer), stop };
        network.join().await?;
        Ok(network)
    }

    /// Creates the channel at the orderer, and joins the peer to it, where that is still to do.
    async fn join(&self) -> anyhow::Result<()> {
        if !self.orderer.channels().contains(&self.channel) {
            self.orderer.create_channel(&self.genesis()?).context("the channel cannot be created")?;
        }
        if self.peer().channels().get(&self.channel).is_none() {
            let mut blocks = std::pin::pin!(self.orderer.blocks(&self.channel, 0)?);
            let genesis = blocks.next().await.context("the orderer has no block of the channel")??;
            self.peer().join(&genesis).context("the peer cannot join the channel")?;
        }
        Ok(())
    }

    fn genesis(&self) -> anyhow::Result<Block> {
        let organization = self.organization();
        let orderers = self.organizations.orderer_organization();
        let (host, port) = self.endpoints.orderer.rsplit_once(':').context("an endpoint is host:port")?;
        let tls_certificate = read(&orderers.orderer_tls(0).join("server.crt"))?;
        let consenter = Consenter {
            host: host.to_owned(),
            port: port.parse().context("a port is a number")?,
            client_tls_cert: tls_certificate.clone().into(),
            server_tls_cert: tls_certificate.into(),
        };
        let orderer_org = OrgSpec {
            group: "OrdererOrg".to_owned(),
            msp_id: orderers.msp_id().to_owned(),
            msp: folder_to_config(orderers.msp_id(), &orderers.msp())?,
            endpoints: vec![self.endpoints.orderer.clone()],
        };
        let (peer_host, peer_port) = self.endpoints.peer.rsplit_once(':').context("an endpoint is host:port")?;
        let peer_org = PeerOrgSpec {
            group: "Org1MSP".to_owned(),
            msp_id: MSP_ID.to_owned(),
            msp: folder_to_config(MSP_ID, &organization.msp())?,
            anchor_peers: vec![(peer_host.to_owned(), peer_port.parse().context("a port is a number")?)],
        };
        Ok(genesis_block(&NetworkSpec::new(self.channel.clone(), orderer_org, vec![peer_org], consenter)))
    }

    /// The peer.
    pub(crate) fn peer(&self) -> &Peer {
        self.peer.as_ref().expect("the peer is taken only by shutdown, which consumes the network")
    }

    /// A client with the identity of the organization's admin.
    pub(crate) async fn admin(&self) -> anyhow::Result<Client> {
        Client::connect(&self.endpoints.peer, &self.peer_tls_root(), MSP_ID, &self.user_msp("Admin")).await
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// How many blocks the channel has.
    pub(crate) fn height(&self) -> u64 {
        self.peer().channels().get(&self.channel).map_or(0, |channel| channel.ledger().height())
    }

    pub(crate) fn peer_endpoint(&self) -> &str {
        &self.endpoints.peer
    }

    pub(crate) fn orderer_endpoint(&self) -> &str {
        &self.endpoints.orderer
    }

    pub(crate) fn chaincode_endpoint(&self) -> &str {
        &self.endpoints.chaincode
    }

    pub(crate) fn operations_endpoint(&self) -> &str {
        &self.endpoints.operations
    }

    pub(crate) fn user_msp(&self, user: &str) -> PathBuf {
        self.organization().user_msp(user)
    }

    pub(crate) fn user_certificate(&self, user: &str) -> PathBuf {
        self.user_msp(user).join("signcerts").join(format!("{user}@{}-cert.pem", self.organization().domain()))
    }

    pub(crate) fn user_key(&self, user: &str) -> PathBuf {
        self.user_msp(user).join("keystore").join("priv_sk")
    }

    pub(crate) fn peer_tls_root(&self) -> PathBuf {
        self.organization().peer_tls(0).join("ca.crt")
    }

    pub(crate) fn orderer_tls_root(&self) -> PathBuf {
        self.organizations.orderer_organization().orderer_tls(0).join("ca.crt")
    }

    pub(crate) fn env_script(&self) -> PathBuf {
        self.folder.path().join("env.sh")
    }

    fn organization(&self) -> &PeerOrganization {
        &self.organizations.peer_organizations()[0]
    }

    /// Ends the network in order: clients, chaincode, blocks.
    pub(crate) async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(peer) = self.peer.take() {
            peer.shutdown().await;
        }
        self.orderer.shutdown().await;
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn start_orderer(
    folder: &Folder,
    organizations: &Organizations,
    listener: tokio::net::TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<Orderer> {
    let organization = organizations.orderer_organization();
    let signer = SigningIdentity::from_msp_folder(organization.msp_id(), &organization.orderer_msp(0))?;
    let orderer = Orderer::open(OrdererConfig::new(folder.orderer()), signer).context("the orderer does not start")?;
    let tls = organization.orderer_tls(0);
    let tls = ServerTls {
        certificate: read(&tls.join("server.crt"))?,
        key: read(&tls.join("server.key"))?,
        clients: ClientAuthentication::Request,
    };
    let routes = Routes::new(orderer.service());
    let serving = listen::serve(listener, Some(tls.config()?), routes, Duration::from_secs(7200), stop);
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the orderer's listener broke down");
        }
    });
    Ok(orderer)
}

/// The configuration file's settings, and over them those that make this the network's peer.
fn peer_config(
    args: &DevArgs,
    folder: &Folder,
    organizations: &Organizations,
    endpoints: &Endpoints,
    printer: &Printer,
) -> anyhow::Result<PeerConfig> {
    let environment = std::env::vars().collect();
    let (mut config, warnings) = PeerConfig::load(args.config.as_deref(), &environment)?;
    // A full core.yaml has much that a development network does not need; only the file's own mistakes matter.
    for warning in warnings.iter().filter(|_| args.config.is_some()) {
        printer.warn(warning);
    }
    let organization = &organizations.peer_organizations()[0];
    let tls = organization.peer_tls(0);
    config.peer.id = organization.peer_host(0);
    config.peer.address = endpoints.peer.clone();
    config.peer.listen_address = endpoints.peer.clone();
    config.peer.chaincode_listen_address = Some(endpoints.chaincode.clone());
    config.peer.chaincode_address = Some(endpoints.chaincode.clone());
    config.peer.local_msp_id = MSP_ID.to_owned();
    config.peer.msp_config_path = organization.peer_msp(0);
    config.peer.file_system_path = folder.peer();
    config.peer.tls.enabled = true;
    config.peer.tls.client_auth_required = false;
    config.peer.tls.certificate = Some(tls.join("server.crt"));
    config.peer.tls.key = Some(tls.join("server.key"));
    config.peer.tls.root_certificate = Some(tls.join("ca.crt"));
    config.operations.tls.enabled = false;
    config.metrics = MetricsProvider::Prometheus;
    Ok(config)
}

/// The built-in buildpacks, run by this very program. The quickest to say no comes first.
fn buildpacks(executable: &Path) -> Vec<BuilderConfig> {
    ["ccaas", "binary", "golang", "node"]
        .into_iter()
        .map(|name| BuilderConfig {
            name: name.to_owned(),
            program: Program::Buildpack { executable: executable.to_owned(), name: name.to_owned() },
            propagate_environment: propagated(name),
        })
        .collect()
}

fn propagated(buildpack: &str) -> Vec<String> {
    match buildpack {
        "ccaas" => vec!["CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG".to_owned()],
        "binary" => Vec::new(),
        _ => TOOLCHAIN_ENVIRONMENT.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// Log lines go to stderr, as far as the specification wants them.
fn start_logging(spec: &str) -> anyhow::Result<Logging> {
    let spec: LogSpec = spec.parse().with_context(|| format!("--log {spec}"))?;
    let logging = Logging::new(spec);
    let colours = console::colors_enabled_stderr();
    tracing::subscriber::set_global_default(logging.subscriber(LogFormat::Text, colours, std::io::stderr))
        .context("cannot start the log")?;
    Ok(logging)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
