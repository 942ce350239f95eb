//! Dialing and listening with real TLS.
#![allow(missing_docs, clippy::unwrap_used)]

use futures::StreamExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tonic::transport::server::Connected;
use windlass_transport::{
    ClientAuthentication, ClientTls, DialError, DialOptions, ServerTls, Shown, Stage, dial, incoming,
};

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
    let options = DialOptions::default();
    let dialed = dial(&address, Some(&client), &options);
    let greeted = async {
        let mut connection = connections.next().await.unwrap().unwrap();
        // An empty SETTINGS frame: the server speaks HTTP/2.
        connection.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let certificate = connection.connect_info().certificate.map(|der| der.len());
        (connection, certificate)
    };
    let mut dialed = std::pin::pin!(dialed);
    tokio::select! {
        outcome = &mut dialed => outcome.map(|_| None),
        (_connection, certificate) = greeted => dialed.await.map(|_| certificate),
    }
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
    let error =
        meet(&self_signed("localhost", true), ClientAuthentication::None, trusting(&self_signed("localhost", true)))
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

/// What dialing a listener ends with that does `act` with each connection.
async fn against<F>(act: impl Fn(tokio::net::TcpStream) -> F + Send + 'static, tls: Option<ClientTls>) -> DialError
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            act(stream).await;
        }
    });
    let options = DialOptions { timeout: std::time::Duration::from_millis(300), ..Default::default() };
    let error = dial(&address, tls.as_ref(), &options).await.unwrap_err();
    server.abort();
    error
}

#[tokio::test]
async fn gives_up_on_a_silent_server_and_says_what_it_waited_for() {
    let silence = |stream| async move {
        let _held: tokio::net::TcpStream = stream;
        std::future::pending::<()>().await;
    };
    let server = self_signed("localhost", true);
    for (tls, stage) in [(Some(trusting(&server)), Stage::Securing), (None, Stage::Greeting)] {
        let error = against(silence, tls).await;
        assert!(matches!(&error, DialError::Timeout { stage: found, .. } if *found == stage), "{error}");
    }
}

#[tokio::test]
async fn says_what_a_server_speaks_instead_of_http2() {
    let error = against(|stream| async move { drop(stream) }, None).await;
    assert!(matches!(error, DialError::Ended { shown: Shown::Plaintext, .. }), "{error}");
    let error = against(
        |mut stream| async move {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read(&mut [0; 1024]).await;
        },
        None,
    )
    .await;
    assert!(error.to_string().ends_with("failed: the server speaks HTTP/1, not HTTP/2"), "{error}");
}

#[tokio::test]
async fn names_the_certificate_when_the_server_misses_ours_or_refuses_it() {
    let (server, other) = (self_signed("localhost", true), self_signed("localhost", true));
    let stranger = self_signed("fabric-common", false);
    let clients = || ClientAuthentication::Require(vec![other.certificate.clone()]);
    // What it answers with is an alert that may be lost when it closes; the cause may not.
    let error = meet(&server, clients(), trusting(&server)).await.unwrap_err();
    assert!(matches!(&error, DialError::Ended { shown: Shown::NoCertificate, .. }), "{error}");
    assert!(error.to_string().ends_with("; it may require a client certificate, and none was given"), "{error}");
    let tls = ClientTls { identity: Some((stranger.certificate, stranger.key)), ..trusting(&server) };
    let error = meet(&server, clients(), tls).await.unwrap_err();
    assert!(matches!(&error, DialError::Ended { shown: Shown::Certificate, .. }), "{error}");
    assert!(error.to_string().ends_with("; it may not accept the client certificate"), "{error}");
}
