//! One connection to a gRPC server, with errors that name the cause.

use std::{io, net::SocketAddr, sync::Mutex, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::tls::{ClientTls, TlsError};

/// Why a server cannot be reached: which of address, name, port, certificate or protocol is at fault.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The address is not `host:port`.
    #[error("address {0}: expected host:port")]
    Address(String),
    /// The host's name cannot be resolved.
    #[error("host {host} cannot be resolved: {source}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// Nothing accepts connections there.
    #[error("{address} cannot be connected: {source}")]
    Connect {
        /// Where it was tried.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Our own certificates or keys cannot be used.
    #[error(transparent)]
    Material(#[from] TlsError),
    /// The TLS handshake failed: a certificate, or a server without TLS.
    #[error("TLS handshake with {address} failed: {source}")]
    Handshake {
        /// With whom.
        address: SocketAddr,
        /// What TLS says.
        source: io::Error,
    },
    /// HTTP/2 could not be started.
    #[error("HTTP/2 with {address} failed: {source}")]
    Protocol {
        /// With whom.
        address: SocketAddr,
        /// What the library says.
        source: tonic::transport::Error,
    },
    /// The time was up.
    #[error("no connection to {address} within {}s", timeout.as_secs_f32())]
    Timeout {
        /// The address as given.
        address: String,
        /// The time allowed.
        timeout: Duration,
    },
}

/// How to dial.
#[derive(Clone, Debug)]
pub struct DialOptions {
    /// For name, TCP and TLS together.
    pub timeout: Duration,
    /// HTTP/2 pings after this much silence.
    pub keepalive: Option<Duration>,
}

impl Default for DialOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), keepalive: None }
    }
}

/// Connects to `address` (`host:port`), with TLS if `tls` is given. The channel is this one connection: when
/// it ends, calls fail, and the caller decides whether to dial again.
///
/// # Errors
/// See [`DialError`].
pub async fn dial(address: &str, tls: Option<&ClientTls>, options: &DialOptions) -> Result<Channel, DialError> {
    match tokio::time::timeout(options.timeout, connect(address, tls, options)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DialError::Timeout { address: address.to_owned(), timeout: options.timeout }),
    }
}

async fn connect(address: &str, tls: Option<&ClientTls>, options: &DialOptions) -> Result<Channel, DialError> {
    let bad = || DialError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    port.parse::<u16>().map_err(|_| bad())?;
    // tonic must see `http`: the connection that it is handed is already secure.
    let uri: Uri = format!("http://{address}").parse().map_err(|_| bad())?;
    let mut endpoint = Endpoint::from(uri)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .user_agent("windlass")
        .map_err(|_| bad())?;
    if let Some(keepalive) = options.keepalive {
        endpoint = endpoint
            .http2_keep_alive_interval(keepalive)
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true);
    }

    let (stream, remote) = reach(address, host).await?;
    let _ = stream.set_nodelay(true);
    let connected = match tls {
        None => once(endpoint, TokioIo::new(stream)).await,
        Some(tls) => {
            let connector = TlsConnector::from(tls.config()?);
            let name = tls.name_for(host)?;
            let stream = connector
                .connect(name, stream)
                .await
                .map_err(|source| DialError::Handshake { address: remote, source })?;
            once(endpoint, TokioIo::new(stream)).await
        }
    };
    connected.map_err(|source| DialError::Protocol { address: remote, source })
}

/// The first of the host's addresses that accepts.
async fn reach(address: &str, host: &str) -> Result<(TcpStream, SocketAddr), DialError> {
    let unresolved = |source| DialError::Resolve { host: host.to_owned(), source };
    let mut failure = unresolved(io::Error::new(io::ErrorKind::NotFound, "no address"));
    for candidate in tokio::net::lookup_host(address).await.map_err(unresolved)? {
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok((stream, candidate)),
            Err(source) => failure = DialError::Connect { address: candidate, source },
        }
    }
    Err(failure)
}

/// A channel over this connection and no other.
async fn once<S>(endpoint: Endpoint, stream: TokioIo<S>) -> Result<Channel, tonic::transport::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = Mutex::new(Some(stream));
    let connector = service_fn(move |_: Uri| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        async move { stream.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection has ended")) }
    });
    endpoint.connect_with_connector(connector).await
}
