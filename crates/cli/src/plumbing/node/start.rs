//! `node start`.

use std::io::IsTerminal;

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use windlass_chaincode::build::buildpacks;
use windlass_peer::{
    config::{PeerConfig, split_address},
    logging::{LogFormat, LogSpec, Logging},
    node::{Listeners, Peer, Start},
};

use super::{super::golang::system_error, Failure, Session, configuration};

/// Runs the peer until it is told to stop.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    if !session.operands.is_empty() {
        return Err(Failure::usage("trailing args detected"));
    }
    // From here on, so that no signal falls between.
    let mut signals = Signals::listen().map_err(Failure::failed)?;
    let logging = start_logging(session)?;
    let (mut config, warnings) = configuration(session)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    config.chaincode.development_mode |= session.values.is("peer-chaincodedev");
    config.check_node().map_err(Failure::failed)?;
    if split_address(&config.peer.address).is_none() {
        let address = &config.peer.address;
        return Err(Failure::failed(format!("peer address is not in the format of host:port: {address}")));
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "Starting peer");
    if config.peer.tls.enabled {
        tracing::info!("Starting peer with TLS enabled");
    }
    if config.chaincode.development_mode {
        tracing::info!("Running in chaincode development mode");
        if config.peer.tls.enabled {
            tracing::warn!("the chaincode port is without TLS: chaincode that is started by hand has no certificate");
        }
    }
    let what = format!(
        "peer with ID=[{}], network ID=[{}], address=[{}]",
        config.peer.id, config.peer.network_id, config.peer.address
    );
    let listeners = bind(&config).await?;
    tracing::info!("Starting {what}");
    let executable =
        std::env::current_exe().map_err(|error| Failure::failed(format!("cannot find myself: {error}")))?;
    let builders = if config.windlass.buildpacks { buildpacks::builders(&executable) } else { Vec::new() };
    let executable = Some(executable);
    let start = Start { config, listeners, orderer: None, membership: None, executable, builders, logging };
    let peer = tokio::select! {
        peer = Peer::start(start) => peer.map_err(Failure::failed)?,
        signal = signals.next() => {
            tracing::info!("Received signal: {signal}");
            return Ok(());
        }
    };
    tracing::info!("Started {what}");
    let signal = signals.next().await;
    tracing::info!("Received signal: {signal}");
    tokio::select! {
        () = peer.shutdown() => tracing::info!("Stopped {what}"),
        // A second one means now.
        _ = signals.next() => {}
    }
    Ok(())
}

/// The signals that end a peer.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one, and says which, as Fabric does.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "2 (interrupt)",
            _ = self.terminate.recv() => "15 (terminated)",
        }
    }
}

/// Log lines go to stderr, as `FABRIC_LOGGING_SPEC` and `FABRIC_LOGGING_FORMAT` say.
fn start_logging(session: &Session) -> Result<Logging, Failure> {
    let variable = |name: &str| session.settings.environment().get(name).map(String::as_str).unwrap_or_default();
    let spec: LogSpec = variable("FABRIC_LOGGING_SPEC").parse().map_err(Failure::failed)?;
    let format: LogFormat = match variable("FABRIC_LOGGING_FORMAT").parse() {
        Ok(format) => format,
        Err(never) => match never {},
    };
    let logging = Logging::new(spec);
    let colours = std::io::stderr().is_terminal();
    tracing::subscriber::set_global_default(logging.subscriber(format, colours, std::io::stderr))
        .map_err(|error| Failure::failed(format!("cannot start the log: {error}")))?;
    Ok(logging)
}

async fn bind(config: &PeerConfig) -> Result<Listeners, Failure> {
    Ok(Listeners {
        peer: listen("peer server", &config.peer.listen_address).await?,
        chaincode: listen("chaincode server", &config.chaincode_listen_address()).await?,
        operations: match config.operations.listen_address.as_str() {
            "" => None,
            address => Some(listen("operations server", address).await?),
        },
    })
}

async fn listen(what: &str, address: &str) -> Result<TcpListener, Failure> {
    // Without a host, every interface is meant.
    let full = if address.starts_with(':') { format!("[::]{address}") } else { address.to_owned() };
    TcpListener::bind(&full).await.map_err(|error| {
        let error = system_error(&error);
        Failure::failed(format!("Failed to create {what} (listen tcp {address}: bind: {error})"))
    })
}
