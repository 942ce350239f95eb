use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use windlass_identity::{CertificateAuthority, LeafRequest, LeafUsage};
use windlass_transport::{ClientAuthentication, ServerTls};

use super::*;

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (listener, format!("localhost:{port}"))
}

#[tokio::test]
async fn whoever_waits_for_a_dial_shares_its_failure() {
    let (listener, endpoint) = listener().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = accepted.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            drop(connection);
        }
    });
    let connections = Connections::plain(Duration::from_secs(10));
    let outcomes = join_all((0..4).map(|_| connections.open(&endpoint, Vec::new))).await;
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!(accepted.load(Ordering::Relaxed), 1);
    assert!(!connections.is_open(&endpoint));
    assert!(connections.open(&endpoint, Vec::new).await.is_err());
    assert_eq!(accepted.load(Ordering::Relaxed), 2, "a failure is not kept");
}

#[tokio::test]
async fn a_connection_serves_only_those_that_trust_its_certificate() {
    let authority = CertificateAuthority::generate("ca", "org").expect("an authority");
    let other = CertificateAuthority::generate("ca", "org").expect("an authority");
    let request = LeafRequest {
        common_name: "localhost",
        subject_alternative_names: &["localhost"],
        usage: LeafUsage::TlsServer,
        ..Default::default()
    };
    let (certificate, key) = authority.issue(&request).expect("a certificate");
    let tls = ServerTls { certificate, key: key.to_pkcs8_pem(), clients: ClientAuthentication::Request };
    let tls = tls.config().expect("a configuration");
    let (listener, endpoint) = listener().await;
    let shutdown = CancellationToken::new();
    let minute = Duration::from_secs(60);
    tokio::spawn(crate::listen::serve(listener, Some(tls), Routes::default(), minute, None, shutdown.clone()));
    let _guard = shutdown.drop_guard();

    let connections = Connections::secure(None, Duration::from_secs(10));
    let roots = |authority: &CertificateAuthority| vec![authority.certificate_pem().to_owned()];
    assert!(connections.open(&endpoint, || roots(&authority)).await.is_ok());
    assert!(connections.open(&endpoint, || roots(&other)).await.is_err());
    assert!(connections.is_open(&endpoint), "one failure leaves the others' connection alone");
    connections.disconnect(&endpoint);
    assert!(!connections.is_open(&endpoint));
}
