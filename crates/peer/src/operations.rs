//! What operators look at over HTTP: health, metrics, chaincodes, the version, the log levels.
// Fabric: endorsement-and-gateway §10

mod chaincodes;
mod health;
mod listener;
mod logs;

use std::{io, sync::Arc};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{ConnectInfo, Request, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use windlass_chaincode::engine::Engine;
use windlass_transport::ClientAuthentication;

pub use chaincodes::ChaincodeHealth;
pub use health::HealthCheck;

use crate::{channel::PeerChannels, logging::Logging, telemetry};
use listener::{Client, Incoming};

/// What the operations endpoint serves.
#[derive(Clone)]
pub struct Operations {
    /// Shown at `/metrics`, if there is a provider.
    pub metrics: Option<telemetry::Metrics>,
    /// What runs the chaincode shown at `/chaincodes`.
    pub engine: Option<Engine>,
    /// The channels whose ledgers are looked at for `/metrics`.
    pub channels: Option<PeerChannels>,
    /// Shown and changed at `/logspec`.
    pub logging: Logging,
    /// Shown at `/version`.
    pub version: Version,
    /// Asked at `/healthz`.
    pub checks: Vec<Arc<dyn HealthCheck>>,
    /// With TLS, metrics, chaincodes with their output, and log levels need a client certificate; health and version do not. What counts is
    /// that there is one: see [`client_authentication`].
    pub tls: Option<Arc<ServerConfig>>,
}

impl std::fmt::Debug for Operations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operations")
            .field("version", &self.version)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

impl Operations {
    /// All metrics. Those of what is there now are taken when somebody asks.
    fn measure(&self, metrics: &telemetry::Metrics) -> String {
        if let Some(engine) = &self.engine {
            engine.status().iter().for_each(|status| metrics.chaincode_now(status));
        }
        for channel in self.channels.iter().flat_map(PeerChannels::all) {
            metrics.open_snapshots(channel.id(), channel.ledger().open_snapshots());
        }
        metrics.running_tasks(tokio::runtime::Handle::current().metrics().num_alive_tasks());
        metrics.render()
    }
}

/// The answer of `/version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The commit that was built.
    #[serde(rename = "CommitSHA")]
    pub commit: String,
    /// The version.
    #[serde(rename = "Version")]
    pub version: String,
}

/// The body of `/logspec`.
#[derive(Deserialize, Serialize)]
struct SpecBody {
    spec: String,
}

/// The body of a refusal.
#[derive(Serialize)]
struct Refusal {
    error: String,
}

/// The endpoint's routes. Answers that would go on end with `shutdown`.
pub fn router(operations: Operations, shutdown: CancellationToken) -> Router {
    let protected = Router::new()
        .route("/logspec", any(log_spec))
        .route("/chaincodes", any(chaincodes::answer))
        .route("/chaincodes/{name}/logs", any(logs::answer))
        .layer(Extension(shutdown));
    let protected = match operations.metrics {
        Some(_) => protected.route("/metrics", any(metrics)),
        None => protected,
    };
    let protected = match operations.tls {
        Some(_) => protected.layer(middleware::from_fn(require_certificate)),
        None => protected,
    };
    Router::new()
        .route("/healthz", any(health::answer))
        .route("/version", any(version))
        .merge(protected)
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .with_state(operations)
}

/// What the endpoint's TLS has to do about client certificates: those that are presented must chain to
/// `roots` (PEM) even where none is required, because presenting one opens metrics and log levels.
pub fn client_authentication(required: bool, roots: Vec<String>) -> ClientAuthentication {
    match (required, roots.is_empty()) {
        (true, _) => ClientAuthentication::Require(roots),
        (false, true) => ClientAuthentication::None,
        (false, false) => ClientAuthentication::VerifyIfGiven(roots),
    }
}

/// Serves the endpoint on `listener` until `shutdown`.
///
/// # Errors
/// When the listener breaks down.
pub async fn serve(listener: TcpListener, operations: Operations, shutdown: CancellationToken) -> io::Result<()> {
    let incoming = Incoming::new(listener, operations.tls.clone())?;
    let service = router(operations, shutdown.clone()).into_make_service_with_connect_info::<Client>();
    axum::serve(incoming, service).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn require_certificate(ConnectInfo(client): ConnectInfo<Client>, request: Request, next: Next) -> Response {
    if client.has_certificate { next.run(request).await } else { StatusCode::UNAUTHORIZED.into_response() }
}

async fn metrics(State(operations): State<Operations>, method: Method) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let text = operations.metrics.as_ref().map(|metrics| operations.measure(metrics)).unwrap_or_default();
    ([(CONTENT_TYPE, telemetry::CONTENT_TYPE)], text).into_response()
}

async fn version(State(operations): State<Operations>, method: Method) -> Response {
    if method != Method::GET {
        return refuse(format!("invalid request method: {method}"));
    }
    Json(operations.version).into_response()
}

async fn log_spec(State(operations): State<Operations>, method: Method, body: Bytes) -> Response {
    match method {
        Method::GET => Json(SpecBody { spec: operations.logging.spec().to_string() }).into_response(),
        Method::PUT => match set_log_spec(&operations.logging, &body) {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => refuse(error),
        },
        other => refuse(format!("invalid request method: {other}")),
    }
}

fn set_log_spec(logging: &Logging, body: &[u8]) -> Result<(), String> {
    let body: SpecBody = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let spec = body.spec.parse::<crate::logging::LogSpec>().map_err(|error| error.to_string())?;
    tracing::info!(%spec, "the logging specification changes");
    logging.set(spec);
    Ok(())
}

fn refuse(error: String) -> Response {
    (StatusCode::BAD_REQUEST, Json(Refusal { error })).into_response()
}

#[cfg(test)]
mod tests;
