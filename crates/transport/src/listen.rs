//! Accepted connections as a stream for a gRPC server.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::transport::server::Connected;
use windlass_proto::Bytes;

/// How long a client may take for the TLS handshake.
// Fabric: endorsement-and-gateway §1
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of the other side; an extension of every request.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Where the connection comes from.
    pub remote: SocketAddr,
    /// The client's leaf certificate, DER, if it presented one.
    pub certificate: Option<Bytes>,
}

/// One accepted connection, with or without TLS.
#[derive(Debug)]
pub struct Connection {
    stream: Carrier,
    info: ConnectionInfo,
}

#[derive(Debug)]
enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts connections until the returned stream is dropped. Handshakes run beside each other; one that
/// fails or takes too long is logged and costs nobody else anything.
pub fn incoming(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
) -> impl Stream<Item = io::Result<Connection>> + Send + 'static {
    let (sender, mut receiver) = mpsc::channel(64);
    let task = AbortOnDrop(tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), sender)));
    futures::stream::poll_fn(move |context| {
        let _owner = &task;
        receiver.poll_recv(context).map(|connection| connection.map(Ok))
    })
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, accepted: mpsc::Sender<Connection>) {
    // Dropped with this task, and the handshakes with it.
    let mut handshakes = JoinSet::new();
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                // Out of file descriptors, mostly: waiting is what helps.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (tls, accepted) = (tls.clone(), accepted.clone());
        handshakes.spawn(async move {
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(stream, remote, tls)).await {
                Ok(Ok(connection)) => {
                    let _ = accepted.send(connection).await;
                }
                Ok(Err(error)) => tracing::debug!(%remote, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%remote, "TLS handshake timed out"),
            }
        });
        while handshakes.try_join_next().is_some() {}
    }
}

async fn handshake(stream: TcpStream, remote: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<Connection> {
    let Some(tls) = tls else {
        return Ok(Connection { stream: Carrier::Plain(stream), info: ConnectionInfo { remote, certificate: None } });
    };
    let stream = tls.accept(stream).await?;
    let certificate =
        stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(|leaf| Bytes::copy_from_slice(leaf));
    Ok(Connection { stream: Carrier::Tls(Box::new(stream)), info: ConnectionInfo { remote, certificate } })
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Carrier::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Carrier::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Carrier::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Carrier::Tls(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Carrier::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Carrier::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Carrier::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
