//! What runs: every chaincode with its instances, and whether those work that a channel wants.

use async_trait::async_trait;
use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use windlass_chaincode::engine::{ChaincodeStatus, Engine};

use super::{HealthCheck, Operations};

/// The answer of `/chaincodes`.
#[derive(Serialize)]
struct Chaincodes {
    chaincodes: Vec<ChaincodeStatus>,
}

pub(super) async fn answer(State(operations): State<Operations>, method: Method) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let chaincodes = operations.engine.map(|engine| engine.status()).unwrap_or_default();
    Json(Chaincodes { chaincodes }).into_response()
}

/// Fails while a chaincode that some channel runs cannot be launched.
#[derive(Clone, Debug)]
pub struct ChaincodeHealth(pub Engine);

#[async_trait]
impl HealthCheck for ChaincodeHealth {
    fn component(&self) -> &str {
        "chaincode"
    }

    async fn check(&self) -> Result<(), String> {
        let broken = self.0.broken();
        if broken.is_empty() {
            return Ok(());
        }
        // The whole story, with the output, is at /chaincodes.
        let lines = broken.iter().map(|(_, error)| error.lines().next().unwrap_or_default());
        Err(lines.collect::<Vec<_>>().join("; "))
    }
}
