//! Chaincode that serves.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    network::{Network, SERVER},
    support::place::free_port,
};

pub(super) async fn restart(network: &Network) {
    let restart = async {
        network.kill_server();
        network.start_server();
    };
    network.restart_in_flight(SERVER, restart).await;
}

pub(super) async fn goodbye(network: &Network) {
    assert_eq!(network.client.text(SERVER, &["goodbye"]).await, "x");
    // Nobody listens any more, but the stream is the same.
    assert_eq!(network.client.text(SERVER, &["ok"]).await, "ok");
    network.kill_server();
    network.start_server();
    // A connection that breaks takes nothing with it but its stream.
    assert_eq!(network.client.text(SERVER, &["ok"]).await, "ok");
    network.proxy.cut();
    assert_eq!(network.client.text(SERVER, &["ok"]).await, "ok");
}

/// Each change of where the server is said to be, and what the error must have in it.
pub(super) async fn unreachable(network: &Network) {
    let file = network.connection_file();
    let good = Restored::read(&file);
    let port = free_port();
    let refused = format!("dial tcp 127.0.0.1:{port}: connect: connection refused");
    let changes: [(&str, Value, &str); 5] = [
        ("address", json!("no-such-host.invalid:7"), "lookup no-such-host.invalid: no such host"),
        ("address", json!(format!("127.0.0.1:{port}")), &refused),
        ("root_cert", json!(other_root()), "invalid peer certificate"),
        ("client_auth_required", json!(false), "it may require a client certificate, and none was given"),
        ("tls_required", json!(false), "TLS"),
    ];
    for (key, value, cause) in changes {
        let mut connection: Value = serde_json::from_str(&good.text).expect("JSON");
        connection[key] = value;
        connection["dial_timeout"] = json!("1s");
        fs::write(&file, connection.to_string()).expect("a file");
        network.proxy.cut();
        network.until("the stream is lost", || network.status(SERVER)["streams"] == 0).await;
        let error = network.client.error(SERVER, &["ok"]).await;
        assert!(error.contains("could not launch chaincode"), "{error}");
        assert!(error.contains(cause), "{key}: {error}");
    }
    drop(good);
    network.proxy.cut();
}

/// A file that is again as it was when this value goes.
struct Restored<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> Restored<'a> {
    fn read(path: &'a Path) -> Self {
        Self { path, text: fs::read_to_string(path).expect("a file") }
    }
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        fs::write(self.path, &self.text).expect("a file");
    }
}

/// The certificate of an authority that nobody knows.
fn other_root() -> String {
    let authority = windlass_identity::CertificateAuthority::generate("other", "other.example.com");
    authority.expect("an authority").certificate_pem().to_owned()
}
