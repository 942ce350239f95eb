//! The orderer and the peers of all organizations, in this process.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use futures::{StreamExt, future::join_all};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use windlass_chaincode::build::{
    buildpacks,
    sandbox::{Mode, Protection, Support},
};
use windlass_identity::{
    Organizations, OrganizationsSpec, authority::PeerOrganization, folder_to_config, sign::SigningIdentity,
};
use windlass_orderer::{
    Orderer, OrdererConfig,
    genesis::{Consenter, NetworkSpec, OrgSpec, PeerOrgSpec, genesis_block},
};
use windlass_peer::{
    config::{MetricsProvider, Origin, PeerConfig, TlsFiles},
    listen,
    logging::{LogFormat, LogSpec, Logging},
    network::Neighbourhood,
    node::{Listeners, Peer, Start},
};
use windlass_proto::common::Block;
use windlass_transport::{ClientAuthentication, ServerTls};

use super::{
    folder::Folder,
    organization::{Endpoints, Organization},
    ports::{self, Ports, port_of},
};
use crate::{args::dev::DevArgs, printer::Printer};

/// How long a transaction may take whose chaincode runs in a debugger.
const BREAKPOINT: Duration = Duration::from_secs(10 * 60);

/// A running network. Whoever drops it ends it.
#[derive(Debug)]
pub(crate) struct Network {
    folder: Arc<Folder>,
    files: Organizations,
    channels: Vec<String>,
    orderer_endpoint: String,
    orderer: Orderer,
    /// At least one.
    organizations: Vec<Organization>,
    /// What the chaincode of every peer is kept from.
    protections: Vec<Protection>,
    stop: CancellationToken,
}

impl Network {
    /// Starts orderer and peers from what the folder holds; makes what it lacks.
    pub(crate) async fn start(args: &DevArgs, folder: Arc<Folder>, printer: &Printer) -> anyhow::Result<Self> {
        let logging = start_logging(&args.log)?;
        let stop = CancellationToken::new();
        let listener = ports::bind_orderer(args.port_base, printer).await?;
        let orderer_endpoint = localhost(&listener);
        let files = make_certificates(&folder, 0)?;
        let orderer = start_orderer(&folder, &files, listener, stop.clone())?;

        let files = make_certificates(&folder, count_organizations(args, &orderer)?)?;
        let executable = std::env::current_exe().context("cannot find the windlass executable")?;
        let neighbourhood = Neighbourhood::default();
        let (mut organizations, mut protections) = (Vec::new(), Vec::new());
        for (at, organization) in files.peer_organizations().iter().enumerate() {
            let ports = Ports::bind(at, args.port_base, printer).await?;
            let endpoints = Endpoints {
                peer: localhost(&ports.peer),
                chaincode: localhost(&ports.chaincode),
                operations: localhost(&ports.operations),
            };
            let config = peer_config(args, folder.peer(at), organization, &endpoints, (at == 0).then_some(printer))?;
            let run = config.windlass.chaincode.all.limits;
            let sandbox = config.windlass.sandbox.config(Some(executable.clone()), Vec::new(), run);
            protections = Support::detect().report(&sandbox);
            let start = Start {
                config,
                listeners: Listeners {
                    peer: ports.peer,
                    chaincode: ports.chaincode,
                    operations: Some(ports.operations),
                },
                orderer: Some(orderer.clone()),
                membership: Some(Arc::new(neighbourhood.clone())),
                executable: Some(executable.clone()),
                builders: buildpacks::builders(&executable),
                logging: logging.clone(),
            };
            let peer = Peer::start(start)
                .await
                .with_context(|| format!("the peer of {} does not start", organization.msp_id()))?;
            neighbourhood.add(peer.status());
            organizations.push(Organization::new(at + 1, organization.clone(), endpoints, peer, folder.path()));
        }

        let channels = args.channels();
        let network = Self { folder, files, channels, orderer_endpoint, orderer, organizations, protections, stop };
        for channel in &network.channels {
            network.join(channel).await?;
        }
        Ok(network)
    }

    /// Creates a channel at the orderer, and joins the peers to it, where that is still to do.
    async fn join(&self, channel: &str) -> anyhow::Result<()> {
        if !self.orderer.channels().iter().any(|existing| existing == channel) {
            let genesis = self.genesis(channel)?;
            self.orderer
                .create_channel(&genesis)
                .with_context(|| format!("the channel {channel} cannot be created"))?;
        }
        let missing = || self.organizations.iter().filter(|org| org.peer().channels().get(channel).is_none());
        if missing().next().is_none() {
            return Ok(());
        }
        let mut blocks = std::pin::pin!(self.orderer.blocks(channel, 0)?);
        let genesis = blocks.next().await.context("the orderer has no block of the channel")??;
        for organization in missing() {
            let joined = organization.peer().join(&genesis);
            joined.with_context(|| format!("the peer of {} cannot join {channel}", organization.msp_id()))?;
        }
        Ok(())
    }

    fn genesis(&self, channel: &str) -> anyhow::Result<Block> {
        let orderers = self.files.orderer_organization();
        let (host, port) = split(&self.orderer_endpoint)?;
        let tls_certificate = read(&orderers.orderer_tls(0).join("server.crt"))?;
        let consenter = Consenter {
            host,
            port: port.into(),
            client_tls_cert: tls_certificate.clone().into(),
            server_tls_cert: tls_certificate.into(),
        };
        let orderer_org = OrgSpec {
            group: "OrdererOrg".to_owned(),
            msp_id: orderers.msp_id().to_owned(),
            msp: folder_to_config(orderers.msp_id(), &orderers.msp())?,
            endpoints: vec![self.orderer_endpoint.clone()],
        };
        let files = self.files.peer_organizations().iter();
        let peer_orgs = files.zip(&self.organizations).map(|(files, organization)| {
            anyhow::Ok(PeerOrgSpec {
                group: files.msp_id().to_owned(),
                msp_id: files.msp_id().to_owned(),
                msp: folder_to_config(files.msp_id(), &files.msp())?,
                anchor_peers: vec![split(&organization.endpoints().peer)?],
            })
        });
        let peer_orgs = peer_orgs.collect::<Result<_, _>>()?;
        Ok(genesis_block(&NetworkSpec::new(channel, orderer_org, peer_orgs, consenter)))
    }

    /// All organizations with peers.
    pub(crate) fn organizations(&self) -> &[Organization] {
        &self.organizations
    }

    /// The first organization, for which everything is shown that is shown of one only.
    pub(crate) fn first(&self) -> &Organization {
        self.organizations
            .first()
            .expect("there is at least one organization until shutdown, which consumes the network")
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What the chaincode of every peer is kept from, and by what.
    pub(crate) fn protections(&self) -> &[Protection] {
        &self.protections
    }

    /// The channels, at least one.
    pub(crate) fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The first channel.
    pub(crate) fn channel(&self) -> &str {
        self.channels.first().map_or("", String::as_str)
    }

    /// How many blocks a channel has.
    pub(crate) fn height(&self, channel: &str) -> u64 {
        self.first().peer().channels().get(channel).map_or(0, |channel| channel.ledger().height())
    }

    pub(crate) fn orderer_endpoint(&self) -> &str {
        &self.orderer_endpoint
    }

    pub(crate) fn orderer_tls_root(&self) -> PathBuf {
        self.files.orderer_organization().orderer_tls(0).join("ca.crt")
    }

    /// Settings for the `peer` command as admin of the first organization.
    pub(crate) fn env_script(&self) -> PathBuf {
        self.folder.path().join("env.sh")
    }

    /// Ends the network in order: clients, chaincode, blocks.
    pub(crate) async fn shutdown(mut self) {
        self.stop.cancel();
        let peers = std::mem::take(&mut self.organizations).into_iter().map(Organization::into_peer);
        join_all(peers.map(Peer::shutdown)).await;
        self.orderer.shutdown().await;
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// As many organizations as the network has, if there is one already; else as many as are asked for.
fn count_organizations(args: &DevArgs, orderer: &Orderer) -> anyhow::Result<usize> {
    let kept = orderer.channels().iter().filter_map(|channel| orderer.channel_config(channel)).next();
    let kept = kept.map(|config| config.application_orgs().len());
    let wanted = args.orgs.map(usize::from);
    if let (Some(kept), Some(wanted)) = (kept, wanted)
        && kept != wanted
    {
        bail!(
            "--orgs {wanted}: the network in {} has {kept}; hint: start over with --fresh, or choose another folder with --data",
            args.data.display()
        );
    }
    Ok(kept.or(wanted).unwrap_or(1))
}

fn make_certificates(folder: &Folder, organizations: usize) -> anyhow::Result<Organizations> {
    Organizations::create_or_open(folder.path(), &OrganizationsSpec::development(organizations))
        .context("cannot make the certificates")
}

fn localhost(listener: &tokio::net::TcpListener) -> String {
    format!("localhost:{}", port_of(listener))
}

/// Host and port.
fn split(endpoint: &str) -> anyhow::Result<(String, u16)> {
    let (host, port) = endpoint.rsplit_once(':').context("an endpoint is host:port")?;
    Ok((host.to_owned(), port.parse().context("a port is a number")?))
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
    let serving = listen::serve(listener, Some(tls.config()?), routes, Duration::from_secs(7200), None, stop);
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
    folder: PathBuf,
    organization: &PeerOrganization,
    endpoints: &Endpoints,
    warn: Option<&Printer>,
) -> anyhow::Result<PeerConfig> {
    let environment = std::env::vars().collect();
    let (mut config, warnings) = PeerConfig::load(args.config.as_deref(), &environment)?;
    // A full core.yaml has much that a development network does not need; only the file's own mistakes matter.
    if let (Some(printer), Some(_)) = (warn, &args.config) {
        warnings.iter().for_each(|warning| printer.warn(warning));
    }
    let tls = organization.peer_tls(0);
    config.peer.id = organization.peer_host(0);
    config.peer.address = endpoints.peer.clone();
    config.peer.listen_address = endpoints.peer.clone();
    config.peer.chaincode_listen_address = Some(endpoints.chaincode.clone());
    config.peer.chaincode_address = Some(endpoints.chaincode.clone());
    config.peer.local_msp_id = organization.msp_id().to_owned();
    config.peer.msp_config_path = organization.peer_msp(0);
    config.peer.file_system_path = folder;
    // Whole, because the settings of a client, whose shell this may be, have certificates of theirs.
    config.peer.tls = TlsFiles {
        enabled: true,
        client_auth_required: false,
        certificate: Some(tls.join("server.crt")),
        key: Some(tls.join("server.key")),
        root_certificate: Some(tls.join("ca.crt")),
        client_root_certificates: Vec::new(),
        client_certificate: None,
        client_key: None,
    };
    if !args.chaincode_dev.is_empty() {
        config.chaincode.development_mode = true;
        // A transaction may stand at a breakpoint.
        config.chaincode.execute_timeout = config.chaincode.execute_timeout.max(BREAKPOINT);
        config.peer.gateway.endorsement_timeout = config.peer.gateway.endorsement_timeout.max(BREAKPOINT);
    }
    // The packages are the person's own, and so may find what their shell finds.
    if config.origin("windlass.sandbox.mode") == Origin::Default {
        config.windlass.sandbox.mode = Mode::Off;
    }
    config.operations.tls.enabled = false;
    config.metrics = MetricsProvider::Prometheus;
    Ok(config)
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
