//! One connection to a gRPC server, with errors that name the cause.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::{
    greeting::{Leaving, STRANGER, Watched},
    tls::{ClientTls, TlsError},
};

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
    /// What the server speaks is not HTTP/2.
    #[error("HTTP/2 with {address} failed: {source}")]
    Protocol {
        /// With whom.
        address: SocketAddr,
        /// What came instead.
        source: io::Error,
    },
    /// The server ended the connection where its first word of HTTP/2 was due.
    // A server refuses a client's certificate in TLS 1.3 after the client believes the handshake to be done, and the
    // alert that says so may be lost when it closes: what we have shown tells what may be amiss.
    #[error("{address} ended the connection before it said anything ({source}); {shown}")]
    Ended {
        /// Who.
        address: SocketAddr,
        /// What there was instead of a word.
        source: io::Error,
        /// What it knew of us.
        shown: Shown,
    },
    /// The time was up.
    #[error("no connection to {address} within {}s: {stage}", timeout.as_secs_f32())]
    Timeout {
        /// The address as given.
        address: String,
        /// The time allowed.
        timeout: Duration,
        /// What was waited for.
        stage: Stage,
    },
}

/// What a client has shown of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It does not speak TLS.
    Plaintext,
    /// TLS without a certificate of its own.
    NoCertificate,
    /// TLS with a certificate.
    Certificate,
}

impl Shown {
    fn of(tls: Option<&ClientTls>) -> Self {
        match tls {
            None => Self::Plaintext,
            Some(ClientTls { identity: None, .. }) => Self::NoCertificate,
            Some(_) => Self::Certificate,
        }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "it may expect TLS",
            Self::NoCertificate => "it may require a client certificate, and none was given",
            Self::Certificate => "it may not accept the client certificate",
        })
    }
}

/// How far a dial has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The name is being resolved.
    Resolving,
    /// TCP is being connected.
    Connecting,
    /// TLS is being agreed on.
    Securing,
    /// The server has accepted and not said anything in HTTP/2.
    Greeting,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolving => "the host's name is not resolved",
            Self::Connecting => "the port does not answer",
            Self::Securing => "the server does not answer the TLS handshake",
            Self::Greeting => "the server accepts the connection and says nothing; it may expect TLS",
        })
    }
}

/// A connection that is up.
#[derive(Debug)]
pub struct Dialed {
    /// This one connection: when it ends, calls fail.
    pub channel: Channel,
    /// Tells when the server says that it will close.
    pub leaving: Leaving,
}

/// How to dial.
#[derive(Clone, Debug)]
pub struct DialOptions {
    /// For name, TCP, TLS and the first word of HTTP/2 together.
    pub timeout: Duration,
    /// HTTP/2 pings, if there shall be any.
    pub keepalive: Option<Keepalive>,
}

/// HTTP/2 pings, which find out that the other side is gone where TCP does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// After how much silence the other side is pinged.
    pub after: Duration,
    /// How long its answer may take before the connection ends.
    pub timeout: Duration,
}

impl Keepalive {
    /// Pings after this much silence, with the 20 s for the answer that all of Fabric's parts allow.
    // Fabric: chaincode-protocol §4
    pub const fn after(after: Duration) -> Self {
        Self { after, timeout: Duration::from_secs(20) }
    }
}

impl Default for DialOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), keepalive: None }
    }
}

/// Connects to `address` (`host:port`), with TLS if `tls` is given, and waits until the server speaks HTTP/2.
/// The channel is this one connection: when it ends, calls fail, and the caller decides whether to dial again.
///
/// # Errors
/// See [`DialError`].
pub async fn dial(address: &str, tls: Option<&ClientTls>, options: &DialOptions) -> Result<Channel, DialError> {
    dial_at(address, None, tls, options).await.map(|dialed| dialed.channel)
}

/// [`dial`], but if `socket` is given, to that one of the addresses that the host has.
///
/// # Errors
/// See [`DialError`].
pub async fn dial_at(
    address: &str,
    socket: Option<SocketAddr>,
    tls: Option<&ClientTls>,
    options: &DialOptions,
) -> Result<Dialed, DialError> {
    let progress = Progress(AtomicU8::new(0));
    match tokio::time::timeout(options.timeout, connect(address, socket, tls, options, &progress)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(DialError::Timeout { address: address.to_owned(), timeout: options.timeout, stage: progress.stage() })
        }
    }
}

/// Every address that the host of `address` (`host:port`) has, in the resolver's order, none twice.
///
/// # Errors
/// When there is none.
pub async fn resolve(address: &str) -> Result<Vec<SocketAddr>, DialError> {
    let host = split(address)?;
    let unresolved = |source| DialError::Resolve { host: host.to_owned(), source };
    let mut found = Vec::new();
    for socket in tokio::net::lookup_host(address).await.map_err(unresolved)? {
        if !found.contains(&socket) {
            found.push(socket);
        }
    }
    if found.is_empty() {
        return Err(unresolved(io::Error::new(io::ErrorKind::NotFound, "no address")));
    }
    Ok(found)
}

/// The stage of a dial, readable after its future is gone.
struct Progress(AtomicU8);

impl Progress {
    fn reach(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Resolving,
            1 => Stage::Connecting,
            2 => Stage::Securing,
            _ => Stage::Greeting,
        }
    }
}

/// The host of `host:port`.
fn split(address: &str) -> Result<&str, DialError> {
    let bad = || DialError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    port.parse::<u16>().map_err(|_| bad())?;
    Ok(host)
}

async fn connect(
    address: &str,
    socket: Option<SocketAddr>,
    tls: Option<&ClientTls>,
    options: &DialOptions,
    progress: &Progress,
) -> Result<Dialed, DialError> {
    let bad = || DialError::Address(address.to_owned());
    let host = split(address)?;
    // tonic must see `http`: the connection that it is handed is already secure.
    let uri: Uri = format!("http://{address}").parse().map_err(|_| bad())?;
    let mut endpoint = Endpoint::from(uri)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .user_agent("windlass")
        .map_err(|_| bad())?;
    if let Some(keepalive) = options.keepalive {
        endpoint = endpoint
            .http2_keep_alive_interval(keepalive.after)
            .keep_alive_timeout(keepalive.timeout)
            .keep_alive_while_idle(true);
    }

    let candidates = match socket {
        Some(socket) => vec![socket],
        None => resolve(address).await?,
    };
    progress.reach(Stage::Connecting);
    let (stream, remote) = reach(host, &candidates).await?;
    let _ = stream.set_nodelay(true);
    let outcome = match tls {
        None => once(endpoint, stream, progress).await,
        Some(tls) => {
            progress.reach(Stage::Securing);
            let connector = TlsConnector::from(tls.config()?);
            let name = tls.name_for(host)?;
            let handshake = connector.connect(name, stream).await;
            let stream = handshake.map_err(|source| DialError::Handshake { address: remote, source })?;
            once(endpoint, stream, progress).await
        }
    };
    outcome.map_err(|source| match source.kind() {
        STRANGER => DialError::Protocol { address: remote, source },
        _ => DialError::Ended { address: remote, source, shown: Shown::of(tls) },
    })
}

/// The first of the host's addresses that accepts.
async fn reach(host: &str, candidates: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), DialError> {
    let none = io::Error::new(io::ErrorKind::NotFound, "no address");
    let mut failure = DialError::Resolve { host: host.to_owned(), source: none };
    for candidate in candidates {
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok((stream, *candidate)),
            Err(source) => failure = DialError::Connect { address: *candidate, source },
        }
    }
    Err(failure)
}

/// A channel over this connection and no other, once the server has spoken.
async fn once<S>(endpoint: Endpoint, stream: S, progress: &Progress) -> io::Result<Dialed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    progress.reach(Stage::Greeting);
    let (stream, greeting, leaving) = Watched::new(stream);
    let stream = Mutex::new(Some(TokioIo::new(stream)));
    let connector = service_fn(move |_: Uri| {
        let stream = stream.lock().ok().and_then(|mut stream| stream.take());
        async move { stream.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection has ended")) }
    });
    let channel = endpoint.connect_with_connector(connector).await.map_err(io::Error::other)?;
    greeting.heard().await?;
    Ok(Dialed { channel, leaving })
}
