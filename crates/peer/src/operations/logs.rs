//! What chaincode and its builders printed, one JSON object a line.

use std::convert::Infallible;

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use windlass_chaincode::{
    build::OutputLine,
    engine::{FindError, Which},
};

use super::{Operations, Refusal};

/// What of the output is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Of the builder, instead of the chaincode.
    build: bool,
    /// Of one instance only.
    instance: Option<u32>,
    /// The last of it only.
    lines: Option<usize>,
    /// What comes, too.
    follow: bool,
}

/// One line of the answer.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    step: &'static str,
    stream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<u32>,
    text: &'a str,
}

pub(super) async fn answer(
    State(operations): State<Operations>,
    Extension(shutdown): Extension<CancellationToken>,
    method: Method,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let which = if wanted.build { Which::Build } else { Which::Run };
    let unknown = || FindError::Unknown { name: name.clone(), known: Vec::new() };
    let journal = match operations.engine.ok_or_else(unknown).and_then(|engine| engine.output(&name, which)) {
        Ok(journal) => journal,
        Err(error) => return refuse(&error),
    };
    let (kept, coming) = journal.follow();
    let shown = move |line: &OutputLine| wanted.instance.is_none_or(|instance| line.instance == Some(instance));
    let mut kept: Vec<_> = kept.into_iter().filter(|line| shown(line)).collect();
    let kept = kept.split_off(kept.len().saturating_sub(wanted.lines.unwrap_or(usize::MAX)));
    let kept = stream::iter(kept.into_iter().map(|line| json(&line)));
    let body = if wanted.follow {
        let coming = coming.filter_map(move |line| std::future::ready(shown(&line).then(|| json(&line))));
        // A connection that never ends would hold up the end of the server.
        Body::from_stream(kept.chain(coming.take_until(shutdown.cancelled_owned())).map(Ok::<_, Infallible>))
    } else {
        Body::from_stream(kept.map(Ok::<_, Infallible>))
    };
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

fn refuse(error: &FindError) -> Response {
    let status = match error {
        FindError::Ambiguous { .. } => StatusCode::CONFLICT,
        _ => StatusCode::NOT_FOUND,
    };
    (status, Json(Refusal { error: error.to_string() })).into_response()
}

fn json(line: &OutputLine) -> Bytes {
    let line = Line {
        time: line.time(),
        step: line.step.name(),
        stream: line.stream.name(),
        instance: line.instance,
        text: &line.text,
    };
    let mut json = serde_json::to_vec(&line).unwrap_or_default();
    json.push(b'\n');
    json.into()
}
