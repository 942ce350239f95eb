//! One peer: [`Peer::start`] takes everything from outside, and the value it returns owns everything that runs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use windlass_chaincode::{
    build::{BuilderConfig, Builds, BuildsConfig, Program, children, sandbox::Support},
    engine::{Engine, EngineConfig, RuntimeParams},
    install::PackageStore,
    lifecycle::Lifecycle,
};
use windlass_identity::{
    msp::{Msp, MspManager, folder_to_config},
    sign::SigningIdentity,
};
use windlass_ledger::LedgerOptions;
use windlass_orderer::Orderer;
use windlass_proto::{
    common::Block,
    discovery::discovery_server::DiscoveryServer,
    gateway::gateway_server::GatewayServer,
    protos::{
        chaincode_support_server::ChaincodeSupportServer, deliver_server::DeliverServer,
        endorser_server::EndorserServer,
    },
};
use windlass_transport::{ClientAuthentication, MAX_MESSAGE_SIZE, ServerTls, TlsError};

use crate::{
    acl::Acl,
    channel::{Committing, JoinError, PeerChannels},
    config::{ConfigError, MetricsProvider, PeerConfig, TlsFiles, split_address},
    events::{Event, Events},
    ledgers::{Ledgers, LedgersError},
    listen,
    logging::Logging,
    network::{AnchorPeers, Connections, Membership, Network, Status},
    operations::{self, ChaincodeHealth, Operations, Version},
    ordering::{Ordering, OrderingService},
    services::{Limit, deliver, discovery, endorser, gateway},
    system::{Cscc, Qscc},
    telemetry::Metrics,
};

/// Server pings on the chaincode port. Fabric's come every two hours, and for that long chaincode on a machine that is
/// gone would be taken for live; clients put up with any number of pings.
// Fabric: chaincode-protocol §4
const CHAINCODE_KEEPALIVE: Duration = Duration::from_secs(60);

/// This build's version, as operators see it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that was built, where the build says so.
const COMMIT: &str = match option_env!("WINDLASS_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Bound sockets, one for each port. Whoever starts a peer decides where it listens.
#[derive(Debug)]
pub struct Listeners {
    /// For clients: endorser, gateway, deliver.
    pub peer: TcpListener,
    /// For chaincode that dials the peer.
    pub chaincode: TcpListener,
    /// For operators.
    pub operations: Option<TcpListener>,
}

/// What a peer needs beside its configuration.
#[derive(Debug)]
pub struct Start {
    /// The configuration.
    pub config: PeerConfig,
    /// The sockets.
    pub listeners: Listeners,
    /// The ordering service of this process. Without one, each channel's configuration says who orders it.
    pub orderer: Option<Orderer>,
    /// Where other peers are found. Without anything, at the anchor peers that channels name.
    pub membership: Option<Arc<dyn Membership>>,
    /// The Windlass binary, through which programs are confined. Without it none is.
    pub executable: Option<PathBuf>,
    /// Builders to ask after the configured ones.
    pub builders: Vec<BuilderConfig>,
    /// The process's log levels, which operators change over HTTP.
    pub logging: Logging,
}

/// Why a peer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration lacks something.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The peer's own identity cannot be used.
    #[error("cannot use the MSP in {folder}: {reason}")]
    Msp {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The TLS certificates cannot be used.
    #[error("cannot use the TLS certificates: {0}")]
    Tls(#[from] TlsError),
    /// The packages' folder cannot be used.
    #[error("cannot use the packages' folder: {0}")]
    Packages(String),
    /// What an earlier peer left running cannot be ended.
    #[error("cannot end what an earlier run left: {0}")]
    Children(std::io::Error),
    /// The chaincode engine cannot be set up.
    #[error("cannot start the chaincode engine: {0}")]
    Engine(String),
    /// The ledgers cannot be held, or read.
    #[error(transparent)]
    Ledgers(#[from] LedgersError),
    /// A channel cannot be opened.
    #[error(transparent)]
    Channel(#[from] JoinError),
}

/// A running peer. [`Peer::shutdown`] ends it in order; dropping it ends its tasks at once.
#[derive(Debug)]
pub struct Peer {
    committing: Committing,
    engine: Engine,
    builds: Builds,
    status: Arc<Status>,
    _owner: tokio_util::sync::DropGuard,
}

impl Peer {
    /// Starts a peer: opens its ledgers, begins to follow them, and serves.
    ///
    /// # Errors
    /// See [`StartError`]. Nothing is left running.
    pub async fn start(start: Start) -> Result<Self, StartError> {
        let Start { config, listeners, orderer, membership, executable, builders, logging } = start;
        config.check_node()?;
        let files = &config.peer.file_system_path;
        // Before anything else is touched: another peer may be running on it.
        let ledgers = Ledgers::open(&files.join("ledgersData"))?;
        let ended = children::clean_up(&files.join("run")).map_err(StartError::Children)?;
        if ended > 0 {
            tracing::warn!(ended, "ended chaincode that an earlier run had left");
        }
        let msp_id = config.peer.local_msp_id.clone();
        let (signer, local) = local_msp(&msp_id, &config.peer.msp_config_path)?;
        let acl = Acl::new(local, &msp_id);
        let ordering = match orderer {
            Some(orderer) => Ordering::Embedded(orderer),
            None => {
                let connections = connections(&config, config.peer.delivery.connection_timeout)?;
                Ordering::Service(OrderingService::new(signer.clone(), connections))
            }
        };
        let events = Events::default();
        let metrics = Metrics::new(VERSION);
        let options = LedgerOptions { history: config.ledger.history_enabled, ..Default::default() };
        let channels = PeerChannels::open(ledgers, options, acl.clone())?;
        let shared: Arc<PeerChannels> = Arc::new(channels.clone());

        let packages = PackageStore::open(&files.join("lifecycle").join("chaincodes"))
            .map_err(|error| StartError::Packages(error.to_string()))?;
        let builds = Builds::new(builds_config(&config, executable, all_builders(&config, builders)), packages.clone());
        let define = if config.chaincode.development_mode { Lifecycle::for_development } else { Lifecycle::new };
        let lifecycle = define(&msp_id, packages, builds.clone(), shared.clone());
        let engine_config = engine_config(&config)?;
        let engine = Engine::new(engine_config, builds.clone(), lifecycle.clone(), shared, Arc::new(metrics.clone()))
            .map_err(|error| StartError::Engine(error.to_string()))?;

        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let committing = Committing {
            channels: channels.clone(),
            ordering: ordering.clone(),
            lifecycle: lifecycle.clone(),
            events: events.clone(),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
            tasks: tasks.clone(),
        };
        let joining = committing.clone();
        engine.register(Arc::new(Cscc::new(
            channels.clone(),
            acl.clone(),
            Arc::new(move |genesis: &Block| joining.join(genesis)),
        )));
        engine.register(Arc::new(Qscc::new(channels.clone(), acl.clone())));
        for channel in channels.all() {
            metrics.ledger_height(channel.id(), channel.ledger().height());
            committing.follow(channel)?;
        }

        let status = Status::new(signer.clone(), config.peer.address.clone(), channels.clone(), lifecycle.clone());
        let peers = connections(&config, config.peer.gateway.dial_timeout)?;
        let membership = membership.unwrap_or_else(|| {
            let own = config.peer.address.clone();
            let anchors = AnchorPeers::new(signer.clone(), own, channels.clone(), lifecycle.clone(), peers.clone());
            let (watching, stop) = (anchors.clone(), shutdown.clone());
            tasks.spawn(async move { stop.run_until_cancelled_owned(watching.watch()).await });
            Arc::new(anchors)
        });
        let network = Network::new(status.clone(), membership, peers);
        let endorser = endorser::Endorser::new(endorser::Parts {
            signer,
            channels: channels.clone(),
            engine: engine.clone(),
            acl: acl.clone(),
            metrics: metrics.clone(),
            events: events.clone(),
            time_window: config.peer.authentication_window,
            limit: Limit::new("/protos.Endorser", config.peer.limits.endorser_service),
        });
        let discovery = discovery::Discovery::new(discovery::Parts {
            channels: channels.clone(),
            network: network.clone(),
            lifecycle: lifecycle.clone(),
            endorser: endorser.clone(),
            acl: acl.clone(),
            tls: config.peer.tls.enabled,
        });
        let gateway = gateway::Gateway::new(gateway::Parts {
            endorser: endorser.clone(),
            channels: channels.clone(),
            lifecycle: lifecycle.clone(),
            ordering,
            acl: acl.clone(),
            events: events.clone(),
            network,
            endorsement_timeout: config.peer.gateway.endorsement_timeout,
            broadcast_timeout: config.peer.gateway.broadcast_timeout,
            limit: Limit::new("/gateway.Gateway", config.peer.limits.gateway_service),
        });
        let deliver = deliver::Deliver::new(
            channels,
            acl,
            metrics.clone(),
            Limit::new("/protos.Deliver", config.peer.limits.deliver_service),
            config.peer.tls.client_auth_required,
        );

        let (decode, encode) = (config.peer.max_receive_message_size, config.peer.max_send_message_size);
        let mut routes = Routes::new(
            EndorserServer::new(endorser).max_decoding_message_size(decode).max_encoding_message_size(encode),
        )
        .add_service(DeliverServer::new(deliver).max_decoding_message_size(decode).max_encoding_message_size(encode))
        .add_service(
            DiscoveryServer::new(discovery).max_decoding_message_size(decode).max_encoding_message_size(encode),
        );
        if config.peer.gateway.enabled {
            routes = routes.add_service(
                GatewayServer::new(gateway).max_decoding_message_size(decode).max_encoding_message_size(encode),
            );
        }
        let tls = server_tls(&config.peer.tls)?.map(|tls| tls.config()).transpose()?;
        let serving = listen::serve(
            listeners.peer,
            tls,
            routes,
            config.peer.keepalive_interval,
            Some(metrics.clone()),
            shutdown.clone(),
        );
        spawn(&tasks, "peer", serving);

        let chaincode_tls = chaincode_tls(&config, &engine)?;
        let (reporter, health) = tonic_health::server::health_reporter();
        drop(reporter);
        let support = ChaincodeSupportServer::new(engine.support_service())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        let routes = Routes::new(support).add_service(health);
        let serving = listen::serve(
            listeners.chaincode,
            chaincode_tls,
            routes,
            CHAINCODE_KEEPALIVE,
            Some(metrics.clone()),
            shutdown.clone(),
        );
        spawn(&tasks, "chaincode", serving);

        if let Some(listener) = listeners.operations {
            let state = Operations {
                metrics: (config.metrics == MetricsProvider::Prometheus).then_some(metrics),
                engine: Some(engine.clone()),
                channels: Some(committing.channels.clone()),
                logging,
                version: Version { commit: COMMIT.to_owned(), version: VERSION.to_owned() },
                checks: vec![Arc::new(ChaincodeHealth(engine.clone())), Arc::new(committing.channels.clone())],
                tls: operations_tls(&config.operations.tls)?.map(|tls| tls.config()).transpose()?,
            };
            let (serving, shutdown) = (operations::serve(listener, state, shutdown.clone()), shutdown.clone());
            tasks.spawn(async move {
                if let Err(error) = serving.await
                    && !shutdown.is_cancelled()
                {
                    tracing::error!(%error, "the operations endpoint broke down");
                }
            });
        }

        let (custodian, installed, stop) = (engine.clone(), lifecycle, shutdown.clone());
        tasks.spawn(async move {
            let work = async {
                installed.build_installed().await;
                custodian.custodian().await;
            };
            stop.run_until_cancelled_owned(work).await;
        });
        tasks.close();
        Ok(Self { committing, engine, builds, status: Arc::new(status), _owner: shutdown.drop_guard() })
    }

    /// Joins the channel of this genesis block.
    ///
    /// # Errors
    /// See [`JoinError`].
    pub fn join(&self, genesis: &Block) -> Result<(), JoinError> {
        self.committing.join(genesis)
    }

    /// The joined channels.
    pub fn channels(&self) -> &PeerChannels {
        &self.committing.channels
    }

    /// What runs the chaincode.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What builds it.
    pub fn builds(&self) -> &Builds {
        &self.builds
    }

    /// What the peer says of itself, for the other peers of this process.
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Watches transactions from now on.
    pub fn events(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.committing.events.subscribe()
    }

    /// Ends the peer: no more requests, no more blocks, every chaincode stopped within 5 s.
    pub async fn shutdown(self) {
        // The other peers stop asking this one.
        drop(self.status);
        self.committing.shutdown.cancel();
        self.builds.shutdown().await;
        self.engine.shutdown().await;
        self.committing.tasks.close();
        self.committing.tasks.wait().await;
    }
}

fn spawn(
    tasks: &TaskTracker,
    port: &'static str,
    serving: impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
) {
    tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(port, %error, "the listener broke down");
        }
    });
}

fn local_msp(msp_id: &str, folder: &std::path::Path) -> Result<(SigningIdentity, Arc<MspManager>), StartError> {
    let fault = |reason: String| StartError::Msp { folder: folder.to_owned(), reason };
    let signer = SigningIdentity::from_msp_folder(msp_id, folder).map_err(|error| fault(error.to_string()))?;
    let config = folder_to_config(msp_id, folder).map_err(|error| fault(error.to_string()))?;
    let msp = Msp::from_config(&config).map_err(|error| fault(error.to_string()))?;
    Ok((signer, Arc::new(MspManager::new([msp]))))
}

fn all_builders(config: &PeerConfig, others: Vec<BuilderConfig>) -> Vec<BuilderConfig> {
    let configured = config.chaincode.external_builders.iter().map(|builder| BuilderConfig {
        name: builder.name.clone(),
        program: Program::Folder(builder.path.clone()),
        propagate_environment: builder.propagate_environment.clone(),
    });
    configured.chain(others).collect()
}

fn builds_config(config: &PeerConfig, executable: Option<PathBuf>, builders: Vec<BuilderConfig>) -> BuildsConfig {
    let section = &config.windlass.sandbox;
    let files = &config.peer.file_system_path;
    let keys = [&config.peer.tls.key, &config.peer.tls.client_key, &config.operations.tls.key];
    let secrets = [files, &config.peer.msp_config_path].into_iter().chain(keys.into_iter().flatten());
    let sandbox = section.config(executable, secrets.cloned().collect(), config.windlass.chaincode.all.limits);
    let protections = Support::detect().report(&sandbox);
    let shown = protections.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    tracing::info!("what builds and chaincode are kept from: {shown}");
    BuildsConfig { sandbox, time: section.times, ..BuildsConfig::below(files, builders) }
}

fn engine_config(config: &PeerConfig) -> Result<EngineConfig, StartError> {
    let endpoint = config.chaincode_endpoint().map_err(|error| StartError::Engine(error.to_string()))?;
    let runtime = &config.chaincode.runtime;
    Ok(EngineConfig {
        execute_timeout: config.chaincode.execute_timeout,
        install_timeout: config.chaincode.install_timeout,
        startup_timeout: config.chaincode.startup_timeout,
        keepalive: config.chaincode.keepalive,
        tls: config.chaincode_tls(),
        development: config.chaincode.development_mode,
        runtime: RuntimeParams {
            use_write_batch: runtime.use_write_batch,
            max_size_write_batch: runtime.max_size_write_batch,
            use_get_multiple_keys: runtime.use_get_multiple_keys,
            max_size_get_multiple_keys: runtime.max_size_get_multiple_keys,
        },
        settings: config.windlass.chaincode.clone(),
        total_query_limit: u32::try_from(config.ledger.total_query_limit).unwrap_or(u32::MAX),
        ..EngineConfig::new(config.peer.local_msp_id.clone(), endpoint)
    })
}

/// The TLS of the port for clients: it asks for a certificate even where it requires none, because clients
/// bind their requests to it.
// Fabric: endorsement-and-gateway §1
fn server_tls(files: &TlsFiles) -> Result<Option<ServerTls>, StartError> {
    let (true, Some(certificate), Some(key)) = (files.enabled, &files.certificate, &files.key) else { return Ok(None) };
    let clients = if files.client_auth_required {
        let roots = files.client_root_certificates.iter().chain(&files.root_certificate);
        ClientAuthentication::Require(roots.map(read).collect::<Result<_, _>>()?)
    } else {
        ClientAuthentication::Request
    };
    Ok(Some(ServerTls { certificate: read(certificate)?, key: read(key)?, clients }))
}

/// The TLS of the port for operators, where a certificate is what opens metrics and log levels.
fn operations_tls(files: &TlsFiles) -> Result<Option<ServerTls>, StartError> {
    let Some(tls) = server_tls(files)? else { return Ok(None) };
    let roots = files.client_root_certificates.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Some(ServerTls { clients: operations::client_authentication(files.client_auth_required, roots), ..tls }))
}

/// Connections to other nodes, under this peer's own certificate.
fn connections(config: &PeerConfig, timeout: Duration) -> Result<Connections, StartError> {
    let files = &config.peer.tls;
    if !files.enabled {
        return Ok(Connections::plain(timeout));
    }
    // Both or neither are set.
    let pair = match (&files.client_certificate, &files.client_key) {
        (None, None) => (&files.certificate, &files.key),
        own => own,
    };
    let identity = match pair {
        (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
        _ => None,
    };
    Ok(Connections::secure(identity, timeout))
}

/// The TLS of the port for chaincode: a certificate of the engine's own authority, and only its clients.
// Fabric: chaincode-protocol §2
fn chaincode_tls(config: &PeerConfig, engine: &Engine) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    if !config.chaincode_tls() {
        return Ok(None);
    }
    let endpoint = config.chaincode_endpoint().map_err(|error| StartError::Engine(error.to_string()))?;
    let host = split_address(&endpoint).map_or(endpoint.as_str(), |(host, _)| host);
    let certificate = engine.server_certificate(host).map_err(|error| StartError::Engine(error.to_string()))?;
    let tls = ServerTls {
        certificate: certificate.cert_pem,
        key: certificate.key_pem,
        clients: ClientAuthentication::Require(vec![certificate.client_root_pem]),
    };
    Ok(Some(tls.config()?))
}

fn read(path: &PathBuf) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|source| StartError::Read { path: path.clone(), source })
}
