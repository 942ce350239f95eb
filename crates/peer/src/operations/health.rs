//! Health: every component that can say how it is.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use futures::future::join_all;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Operations;

/// How long all checks together may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A component whose health is asked for at every request.
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// The component's name.
    fn component(&self) -> &str;

    /// Whether the component works; if not, why.
    async fn check(&self) -> Result<(), String>;
}

/// The answer of `/healthz`.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_checks: Vec<FailedCheck>,
}

#[derive(Serialize)]
struct FailedCheck {
    component: String,
    reason: String,
}

pub(super) async fn answer(State(operations): State<Operations>, method: Method) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let Ok(failed_checks) = tokio::time::timeout(TIMEOUT, failures(&operations.checks)).await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let (code, status) = if failed_checks.is_empty() {
        (StatusCode::OK, "OK")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
    };
    let time = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    (code, Json(Health { status, time, failed_checks })).into_response()
}

async fn failures(checks: &[Arc<dyn HealthCheck>]) -> Vec<FailedCheck> {
    let outcomes = join_all(checks.iter().map(|check| async move { (check.component(), check.check().await) })).await;
    let failed = outcomes.into_iter().filter_map(|(component, outcome)| Some((component, outcome.err()?)));
    failed.map(|(component, reason)| FailedCheck { component: component.to_owned(), reason }).collect()
}
