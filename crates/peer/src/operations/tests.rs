use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{HealthCheck, Operations, Version, serve};
use crate::{logging::Logging, telemetry::Metrics};

struct Broken;

#[async_trait]
impl HealthCheck for Broken {
    fn component(&self) -> &str {
        "docker"
    }

    async fn check(&self) -> Result<(), String> {
        Err("no engine".to_owned())
    }
}

fn operations() -> Operations {
    Operations {
        metrics: Some(Metrics::new("1.2.3")),
        logging: Logging::default(),
        version: Version { commit: "abc".into(), version: "1.2.3".into() },
        checks: Vec::new(),
        tls: None,
    }
}

/// A server on a free port that stops when the guard is dropped.
async fn start(operations: Operations) -> (SocketAddr, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    tokio::spawn(serve(listener, operations, shutdown.clone()));
    (address, shutdown.drop_guard())
}

/// One request over a socket: the status and the body.
async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

#[tokio::test]
async fn answers_every_path_over_a_socket() {
    let (address, _guard) = start(operations()).await;
    for (method, path, body, status, answer) in [
        ("GET", "/version", "", 200, r#"{"CommitSHA":"abc","Version":"1.2.3"}"#),
        ("POST", "/version", "", 400, r#"{"error":"invalid request method: POST"}"#),
        ("GET", "/logspec", "", 200, r#"{"spec":"info"}"#),
        ("PUT", "/logspec", r#"{"spec":"gossip=debug:warning"}"#, 204, ""),
        ("GET", "/logspec", "", 200, r#"{"spec":"gossip=debug:warn"}"#),
        (
            "PUT",
            "/logspec",
            r#"{"spec":"loud"}"#,
            400,
            r#"{"error":"invalid logging specification 'loud': bad segment 'loud'"}"#,
        ),
        ("DELETE", "/logspec", "", 400, r#"{"error":"invalid request method: DELETE"}"#),
        ("POST", "/healthz", "", 405, ""),
        ("POST", "/metrics", "", 405, ""),
        ("GET", "/nothing", "", 404, "404 page not found\n"),
    ] {
        assert_eq!(ask(address, method, path, body).await, (status, answer.to_owned()), "{method} {path}");
    }
    let (status, answer) = ask(address, "PUT", "/logspec", "no JSON").await;
    assert_eq!(status, 400);
    assert!(answer.starts_with(r#"{"error":""#), "{answer}");
}

#[tokio::test]
async fn says_how_the_peer_is() {
    let (address, _guard) = start(operations()).await;
    let (status, body) = ask(address, "GET", "/healthz", "").await;
    let health: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &health["status"]), (200, &"OK".into()));
    assert!(health.get("failed_checks").is_none());
    assert!(health["time"].as_str().is_some_and(|time| time.ends_with('Z')));

    let (address, _guard) = start(Operations { checks: vec![Arc::new(Broken)], ..operations() }).await;
    let (status, body) = ask(address, "GET", "/healthz", "").await;
    let health: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &health["status"]), (503, &"Service Unavailable".into()));
    assert_eq!(health["failed_checks"], serde_json::json!([{"component": "docker", "reason": "no engine"}]));
}

#[tokio::test]
async fn shows_metrics_only_with_a_provider() {
    let (address, _guard) = start(operations()).await;
    let (status, body) = ask(address, "GET", "/metrics", "").await;
    assert_eq!(status, 200);
    assert!(body.contains("fabric_version{version=\"1.2.3\"} 1"), "{body}");
    let (address, _guard) = start(Operations { metrics: None, ..operations() }).await;
    assert_eq!(ask(address, "GET", "/metrics", "").await.0, 404);
}

#[tokio::test]
async fn stops_when_told() {
    let (address, guard) = start(operations()).await;
    assert_eq!(ask(address, "GET", "/version", "").await.0, 200);
    drop(guard);
    // Accepting ends with the server; until then connections may still be taken.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
