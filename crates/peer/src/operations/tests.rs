use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use windlass_identity::{CertificateAuthority, LeafRequest, LeafUsage};
use windlass_transport::{ClientAuthentication, ClientTls, ServerTls};

use super::{HealthCheck, Operations, Version, client_authentication, serve};
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
        engine: None,
        channels: None,
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
    let socket = TcpStream::connect(address).await.expect("a connection");
    ask_over(socket, method, path, body).await
}

async fn ask_over(
    mut socket: impl AsyncReadExt + AsyncWriteExt + Unpin,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
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
        ("GET", "/chaincodes", "", 200, r#"{"chaincodes":[]}"#),
        ("POST", "/chaincodes", "", 405, ""),
        (
            "GET",
            "/chaincodes/basic/logs",
            "",
            404,
            r#"{"error":"no chaincode, package label or package ID 'basic' is known to this peer; hint: none is installed"}"#,
        ),
        ("POST", "/chaincodes/basic/logs", "", 405, ""),
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
    for question in ["lines=many", "follow=perhaps", "instance=-1"] {
        assert_eq!(ask(address, "GET", &format!("/chaincodes/basic/logs?{question}"), "").await.0, 400, "{question}");
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

/// A certificate of `authority` with its key.
fn issue(authority: &CertificateAuthority, usage: LeafUsage) -> (String, String) {
    let names = ["localhost"];
    let request =
        LeafRequest { common_name: "localhost", subject_alternative_names: &names, usage, ..Default::default() };
    let (certificate, key) = authority.issue(&request).expect("a certificate");
    (certificate, key.to_pkcs8_pem())
}

/// One request over TLS; an error if the handshake or the answer fails.
async fn ask_with_tls(
    address: SocketAddr,
    authority: &CertificateAuthority,
    identity: Option<(String, String)>,
    path: &str,
) -> std::io::Result<u16> {
    let roots = vec![authority.certificate_pem().to_owned()];
    let mut tls = ClientTls { roots, identity, server_name: None }.config().expect("a configuration");
    Arc::make_mut(&mut tls).alpn_protocols = vec![b"http/1.1".to_vec()];
    let path = path.to_owned();
    let work = move || {
        let name = "localhost".try_into().expect("a name");
        let mut connection = rustls::ClientConnection::new(tls, name).map_err(std::io::Error::other)?;
        let mut socket = std::net::TcpStream::connect(address)?;
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(std::io::ErrorKind::InvalidData.into())
    };
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

#[tokio::test]
async fn over_tls_metrics_and_log_levels_need_a_certificate_that_verifies() {
    let authority = CertificateAuthority::generate("ca", "org").expect("an authority");
    let other = CertificateAuthority::generate("ca", "org").expect("an authority");
    let (certificate, key) = issue(&authority, LeafUsage::TlsServer);
    let clients = client_authentication(false, vec![authority.certificate_pem().to_owned()]);
    let tls = ServerTls { certificate, key, clients }.config().expect("a configuration");
    let (address, _guard) = start(Operations { tls: Some(tls), ..operations() }).await;
    let known = || Some(issue(&authority, LeafUsage::TlsClient));
    for (path, bare, with_certificate) in [
        ("/healthz", 200, 200),
        ("/version", 200, 200),
        ("/metrics", 401, 200),
        ("/logspec", 401, 200),
        ("/chaincodes", 401, 200),
        ("/chaincodes/basic/logs", 401, 404),
    ] {
        assert_eq!(ask_with_tls(address, &authority, None, path).await.expect("an answer"), bare, "{path}");
        let found = ask_with_tls(address, &authority, known(), path).await.expect("an answer");
        assert_eq!(found, with_certificate, "{path}");
    }
    let stranger = Some(issue(&other, LeafUsage::TlsClient));
    assert!(ask_with_tls(address, &authority, stranger, "/metrics").await.is_err());
}

#[test]
fn never_takes_a_certificate_on_trust() {
    let roots = || vec!["root".to_owned()];
    assert!(matches!(client_authentication(true, roots()), ClientAuthentication::Require(_)));
    assert!(matches!(client_authentication(false, roots()), ClientAuthentication::VerifyIfGiven(_)));
    assert!(matches!(client_authentication(false, vec![]), ClientAuthentication::None));
}
