//! Chaincode that serves and is dialed.

use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::Server;
use windlass_identity::authority::{CertificateAuthority, LeafRequest, LeafUsage};
use windlass_proto::protos::chaincode_message::Type;
use windlass_transport::{ClientAuthentication, Keepalive, ServerTls, incoming};

use super::{
    harness::{Harness, ok},
    wire::{Line, Served, until},
};
use crate::{
    build::{Connection, ConnectionTls},
    engine::ChaincodeState,
};

fn at(address: &str) -> Connection {
    Connection {
        address: address.to_owned(),
        addresses: Vec::new(),
        domain: None,
        dial_timeout: Duration::from_secs(3),
        tls: None,
    }
}

async fn failure(harness: &Harness, connection: Connection) -> String {
    harness.source.serves("cc:1", connection);
    harness.launch("cc:1").await.expect("no panic").expect_err("fails").to_string()
}

const CANNOT: &str = "could not launch chaincode cc:1: connection to cc:1 failed: error cannot create connection for \
                      cc:1: error creating grpc connection to ";

/// A certificate authority and what it issued for `localhost`.
struct Pki {
    root: String,
    server: (String, String),
    client: (String, String),
}

impl Pki {
    fn new() -> Self {
        let authority = CertificateAuthority::generate("ca", "org").expect("an authority");
        let issue = |name: &str, usage| {
            let request = LeafRequest {
                common_name: name,
                organizational_unit: None,
                subject_alternative_names: &[name],
                usage,
                validity: None,
            };
            let (certificate, key) = authority.issue(&request).expect("a certificate");
            (certificate, key.to_pkcs8_pem())
        };
        Self {
            server: issue("localhost", LeafUsage::TlsServer),
            client: issue("client", LeafUsage::TlsClient),
            root: authority.certificate_pem().to_owned(),
        }
    }

    fn listen(&self, clients: ClientAuthentication) -> ServerTls {
        ServerTls { certificate: self.server.0.clone(), key: self.server.1.clone(), clients }
    }
}

#[tokio::test]
async fn dials_waits_for_register_and_serves() {
    let harness = Harness::start().await;
    let mut served = Served::start(None).await;
    harness.define("cc");
    harness.source.serves("cc:1", at(&served.address));
    let executed = harness.call("cc", "tx");
    let mut wire = served.wire().await;
    // The chaincode speaks first here too.
    wire.hears_nothing().await;
    wire.register("cc:1").await;
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("served")).await;
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("served"));

    // A lost stream is dialed again by the next call.
    drop(wire);
    until("the session ends", || harness.engine.status()[0].state == ChaincodeState::Idle).await;
    let executed = harness.call("cc", "tx");
    let mut wire = served.wire().await;
    wire.register("cc:1").await;
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("again")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn dials_with_tls_and_shows_its_certificate() {
    let pki = Pki::new();
    let mut served = Served::start(Some(pki.listen(ClientAuthentication::Require(vec![pki.root.clone()])))).await;
    let harness = Harness::start().await;
    harness.define("cc");
    let tls = ConnectionTls { root_cert: pki.root.clone(), client: Some(pki.client.clone()) };
    harness.source.serves("cc:1", Connection { tls: Some(tls), ..at(&served.address) });
    let launch = harness.launch("cc:1");
    let mut wire = served.wire().await;
    wire.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_domain_replaces_the_name_to_verify() {
    let pki = Pki::new();
    let mut served = Served::start(Some(pki.listen(ClientAuthentication::None))).await;
    let harness = Harness::start().await;
    let address = served.address.replace("localhost", "127.0.0.1");
    let tls = Some(ConnectionTls { root_cert: pki.root.clone(), client: None });
    let error = failure(&harness, Connection { tls: tls.clone(), ..at(&address) }).await;
    assert!(
        error.starts_with(&format!("{CANNOT}{address}: failed to create new connection: context deadline exceeded\n")),
        "{error}"
    );
    harness.source.serves("cc:1", Connection { tls, domain: Some(String::from("localhost")), ..at(&address) });
    let launch = harness.launch("cc:1");
    let mut wire = served.wire().await;
    wire.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
}

#[tokio::test]
async fn a_wrong_id_fails_the_launch_at_once_and_leaves_the_chaincode_in_silence() {
    let harness = Harness::start().await;
    let mut served = Served::start(None).await;
    harness.define("cc");
    harness.source.serves("cc:1", at(&served.address));
    let launch = harness.launch("cc:1");
    let mut wire = served.wire().await;
    wire.say_register("other:1").await;
    let error = launch.await.expect("no panic").expect_err("refused").to_string();
    assert_eq!(
        error,
        "could not launch chaincode cc:1: chaincode registration failed: chaincode launched as 'cc:1' registered as \
         'other:1'; give it the package ID as its chaincode ID"
    );
    wire.hears_nothing().await;
    // The next launch replaces the silent stream.
    let launch = harness.launch("cc:1");
    let mut next = served.wire().await;
    wire.ended().await;
    next.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
}

#[tokio::test]
async fn unreachable_servers_are_named_with_their_cause() {
    let harness = Harness::start().await;
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("bound")
    };
    let refused = format!(
        "{CANNOT}{free}: failed to create new connection: connection error: desc = \"transport: error while dialing: \
         dial tcp {free}: connect: connection refused\""
    );
    assert_eq!(failure(&harness, at(&free.to_string())).await, refused);
    let unknown = failure(&harness, at("no-such-host.invalid:7")).await;
    assert!(unknown.ends_with("dial tcp: lookup no-such-host.invalid: no such host\""), "{unknown}");
    let portless = failure(&harness, at("localhost")).await;
    assert!(portless.ends_with("dial tcp: address localhost: missing port in address\""), "{portless}");
    assert!(harness.metrics.has("launch failure cc:1"));
}

#[tokio::test]
async fn tls_that_does_not_match_runs_into_the_dials_deadline() {
    let pki = Pki::new();
    let harness = Harness::start().await;
    let late = |address: &str| format!("{CANNOT}{address}: failed to create new connection: context deadline exceeded");
    let secure = Served::start(Some(pki.listen(ClientAuthentication::None))).await;
    let plain = Served::start(None).await;
    let tls = |root: &str| Some(ConnectionTls { root_cert: root.to_owned(), client: None });

    let other = Pki::new();
    for connection in [
        at(&secure.address),
        Connection { tls: tls(&pki.root), ..at(&plain.address) },
        Connection { tls: tls(&other.root), ..at(&secure.address) },
    ] {
        let expected = late(&connection.address);
        let error = failure(&harness, connection).await;
        assert_eq!(error.lines().next(), Some(expected.as_str()), "{error}");
        assert_eq!(error.lines().count(), 2, "{error}");
    }
    let error = failure(&harness, Connection { tls: tls("no PEM"), ..at(&secure.address) }).await;
    assert!(error.lines().next().is_some_and(|line| line.ends_with(": error adding root certificate")), "{error}");
}

#[tokio::test]
async fn a_server_of_something_else_is_unimplemented() {
    let harness = Harness::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    // Another peer's support service will do.
    let other = Harness::start().await;
    let service = other.engine.support_service().into_server();
    let server = tokio::spawn(async move {
        let _ = Server::builder().add_service(service).serve_with_incoming(incoming(listener, None)).await;
    });
    assert_eq!(
        failure(&harness, at(&address)).await,
        "could not launch chaincode cc:1: connection to cc:1 failed: error handling chaincode stream for cc:1: rpc error: \
         code = Unimplemented desc = unknown service protos.Chaincode"
    );
    server.abort();
}

#[tokio::test]
async fn a_connection_that_has_gone_silent_is_found_by_its_pings() {
    let ping = Keepalive { after: Duration::from_millis(200), timeout: Duration::from_secs(1) };
    let harness = Harness::with(|config| config.ping = ping).await;
    let mut served = Served::start(None).await;
    let line = Line::to(&served.address).await;
    harness.define("cc");
    harness.source.serves("cc:1", at(&line.address));
    let executed = harness.call("cc", "tx");
    let mut wire = served.wire().await;
    wire.register("cc:1").await;
    wire.call(Type::Transaction).await;
    line.go_silent();
    let error = executed.await.expect("no panic").expect_err("lost").to_string();
    assert_eq!(error, "failed to execute transaction tx: error sending: chaincode stream terminated");
    until("the session ends", || harness.engine.status()[0].streams == 0).await;
    let cause = harness.engine.status()[0].last_error.clone().unwrap_or_default();
    // All that the HTTP/2 library tells of it.
    assert!(cause.ends_with("stream closed because of a broken pipe"), "{cause}");
}

#[tokio::test]
async fn a_server_that_ends_the_stream_before_it_registers_fails_the_launch() {
    let harness = Harness::start().await;
    let mut served = Served::start(None).await;
    harness.source.serves("cc:1", at(&served.address));
    let launch = harness.launch("cc:1");
    drop(served.wire().await);
    let error = launch.await.expect("no panic").expect_err("ended").to_string();
    assert_eq!(
        error,
        "could not launch chaincode cc:1: connection to cc:1 failed: error handling chaincode stream for cc:1: EOF"
    );
}
