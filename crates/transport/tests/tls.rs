//! Dialing and listening with real TLS.
#![allow(missing_docs, clippy::unwrap_used)]

use futures::StreamExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, IsCa, KeyPair};
use tokio::net::TcpListener;
use tonic::transport::server::Connected;
use windlass_transport::{ClientAuthentication, ClientTls, DialError, DialOptions, ServerTls, dial, incoming};

struct Pem {
    certificate: String,
    key: String,
}

fn self_signed(name: &str, authority: bool) -> Pem {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    let certified = CertifiedKey { cert, signing_key };
    Pem { certificate: certified.cert.pem(), key: certified.signing_key.serialize_pem() }
}

/// What the server learns of the client, or why the client could not connect.
async fn meet(server: &Pem, clients: ClientAuthentication, client: ClientTls) -> Result<Option<usize>, DialError> {
    let tls = ServerTls { certificate: server.certificate.clone(), key: server.key.clone(), clients };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    let mut connections = Box::pin(incoming(listener, Some(tls.config().unwrap())));
    let _channel = dial(&address, Some(&client), &DialOptions::default()).await?;
    let connection = tokio::time::timeout(std::time::Duration::from_secs(5), connections.next()).await;
    Ok(connection.unwrap().unwrap().unwrap().connect_info().certificate.map(|der| der.len()))
}

fn trusting(server: &Pem) -> ClientTls {
    ClientTls { roots: vec![server.certificate.clone()], ..Default::default() }
}

#[tokio::test]
async fn accepts_a_server_whose_own_ca_certificate_is_the_root() {
    for authority in [true, false] {
        let server = self_signed("localhost", authority);
        assert!(matches!(meet(&server, ClientAuthentication::None, trusting(&server)).await, Ok(None)));
    }
}

#[tokio::test]
async fn refuses_a_pinned_server_under_another_name() {
    let server = self_signed("elsewhere.example.com", true);
    let error = meet(&server, ClientAuthentication::None, trusting(&server)).await.unwrap_err();
    assert!(matches!(error, DialError::Handshake { .. }), "{error}");
    let named = ClientTls { server_name: Some("elsewhere.example.com".into()), ..trusting(&server) };
    assert!(meet(&server, ClientAuthentication::None, named).await.is_ok());
}

#[tokio::test]
async fn refuses_a_server_from_another_root() {
    let error = meet(&self_signed("localhost", true), ClientAuthentication::None, trusting(&self_signed("localhost", true)))
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Handshake { .. }), "{error}");
}

#[tokio::test]
async fn sees_an_unverified_client_certificate() {
    let (server, client) = (self_signed("localhost", true), self_signed("fabric-common", false));
    let tls = ClientTls { identity: Some((client.certificate, client.key)), ..trusting(&server) };
    let seen = meet(&server, ClientAuthentication::Request, tls).await.unwrap();
    assert!(seen.is_some_and(|length| length > 100));
    assert_eq!(meet(&server, ClientAuthentication::Request, trusting(&server)).await.unwrap(), None);
}

#[tokio::test]
async fn reads_a_pkcs8_key_under_the_label_of_another_kind() {
    let mut server = self_signed("localhost", true);
    server.key = server.key.replace("PRIVATE KEY", "EC PRIVATE KEY");
    assert!(meet(&server, ClientAuthentication::None, trusting(&server)).await.is_ok());
}

#[tokio::test]
async fn says_which_part_of_an_address_is_at_fault() {
    let options = DialOptions::default();
    assert!(matches!(dial("localhost", None, &options).await, Err(DialError::Address(_))));
    assert!(matches!(dial("no-such-host.invalid:1", None, &options).await, Err(DialError::Resolve { .. })));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(matches!(dial(&closed.to_string(), None, &options).await, Err(DialError::Connect { .. })));
}

#[tokio::test]
async fn gives_up_on_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = self_signed("localhost", true);
    let options = DialOptions { timeout: std::time::Duration::from_millis(100), ..Default::default() };
    let address = listener.local_addr().unwrap().to_string();
    assert!(matches!(dial(&address, Some(&trusting(&server)), &options).await, Err(DialError::Timeout { .. })));
}
