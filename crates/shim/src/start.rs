//! Starting chaincode in whichever way its environment asks for.

use tokio::signal;

use crate::{
    Chaincode, ConfigError,
    client::{self, ClientConfig, RunError},
    server::{self, ServeError, ServerConfig},
};

/// Why chaincode could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its settings are incomplete.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Dialing the peer.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Listening for the peer.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// The `main` of a chaincode: [`start_with`] this process's arguments.
///
/// # Errors
/// When settings are incomplete or the peer is lost.
pub async fn start(chaincode: impl Chaincode) -> Result<(), StartError> {
    start_with(std::env::args().skip(1), chaincode).await
}

/// Serves `chaincode` as the environment asks: listens if `CHAINCODE_SERVER_ADDRESS` is set
/// ([`ServerConfig::from_environment`]), dials the peer if not ([`ClientConfig::from_environment`]). Returns when the
/// peer ends the stream, or on SIGINT and SIGTERM.
///
/// # Errors
/// When settings are incomplete or the peer is lost.
pub async fn start_with(args: impl IntoIterator<Item = String>, chaincode: impl Chaincode) -> Result<(), StartError> {
    let serving = async {
        match ServerConfig::from_environment()? {
            Some(config) => server::serve(config, chaincode).await?,
            None => client::run(ClientConfig::from_environment(args)?, chaincode).await?,
        }
        Ok(())
    };
    tokio::select! {
        outcome = serving => outcome,
        () = asked_to_stop() => Ok(()),
    }
}

/// Handled, because as the first process of a container nothing else ends us.
async fn asked_to_stop() {
    let interrupted = signal::ctrl_c();
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<Option<()>>();
    tokio::select! {
        _ = interrupted => {}
        _ = terminated => {}
    }
}
