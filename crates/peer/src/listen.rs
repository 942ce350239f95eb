//! One gRPC server on one port.

mod tracked;

use std::{sync::Arc, time::Duration};

use futures::TryStreamExt;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};
use tower::util::option_layer;
use windlass_transport::incoming;

use crate::telemetry::Metrics;
use tracked::Tracked;

/// Serves `routes` until `shutdown`, counting calls and connections where `metrics` are given. Open
/// streams do not hold up the end: every connection is closed.
///
/// # Errors
/// When the server breaks down.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    routes: Routes,
    keepalive: Duration,
    metrics: Option<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (counting, ending) = (metrics.clone(), shutdown.clone());
    let connections = incoming(listener, tls).map_ok(move |connection| {
        Tracked::new(connection, ending.clone(), counting.as_ref().map(Metrics::connection_opened))
    });
    let server = Server::builder()
        .http2_keepalive_interval(Some(keepalive))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .tcp_nodelay(true)
        .layer(option_layer(metrics.as_ref().map(Metrics::count_calls)))
        .add_routes(routes)
        .serve_with_incoming(connections);
    // Not a graceful end: clients that wait for blocks would never let go.
    shutdown.run_until_cancelled_owned(server).await.unwrap_or(Ok(()))
}
