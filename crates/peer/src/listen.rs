//! Listeners: one gRPC server on one port.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};
use windlass_transport::incoming;

/// Binds `address`.
///
/// # Errors
/// When the port is taken or the address is not this machine's.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves `routes` until `shutdown`. Open streams do not hold up the end.
///
/// # Errors
/// When the server breaks down.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    routes: Routes,
    keepalive: Duration,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let server = Server::builder()
        .http2_keepalive_interval(Some(keepalive))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .tcp_nodelay(true)
        .add_routes(routes)
        .serve_with_incoming(incoming(listener, tls));
    // Not a graceful end: clients that wait for blocks would never let go.
    shutdown.run_until_cancelled_owned(server).await.unwrap_or(Ok(()))
}
