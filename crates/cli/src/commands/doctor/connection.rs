//! Chaincode that is a server: `connection.json`, and whether the server answers.

use std::path::Path;

use windlass_chaincode::build::Connection;
use windlass_transport::{DialError, DialOptions, dial};

use super::{Finding, Subject};

/// What is checked.
const FILE: &str = "connection.json";

/// Reads the file and dials each address in it.
pub(super) async fn check(subject: &Subject) -> Vec<Finding> {
    let code = subject.chaincode.as_ref().and_then(|chaincode| chaincode.code.as_ref());
    let Some(path) = code.map(|code| code.path().join(FILE)).filter(|path| path.is_file()) else { return Vec::new() };
    if is_template(&path) {
        let found = "has {{…}} in it, which the peer fills in; no server was dialed";
        return vec![Finding::ok(FILE, found)];
    }
    let connection = match Connection::read(&path) {
        Ok(Some(connection)) => connection,
        Ok(None) => return Vec::new(),
        Err(error) => {
            // The package was unpacked to a place that means nothing to anybody.
            let error = error.to_string().replace(&path.display().to_string(), FILE);
            return vec![Finding::fail(
                FILE,
                error,
                "see `address`, `dial_timeout`, `tls_required` and what goes with it",
            )];
        }
    };
    let tls = match (&connection.tls, connection.tls.as_ref().and_then(|tls| tls.client.as_ref())) {
        (None, _) => "without TLS",
        (Some(_), None) => "with TLS",
        (Some(_), Some(_)) => "with mutual TLS",
    };
    let timeout = connection.dial_timeout.as_secs_f32();
    let mut findings = vec![Finding::ok(FILE, format!("{tls}, {timeout}s for a dial"))];
    for address in connection.all_addresses() {
        findings.push(probe(address, &connection).await);
    }
    findings
}

async fn probe(address: &str, connection: &Connection) -> Finding {
    let what = format!("server {address}");
    let options = DialOptions { timeout: connection.dial_timeout, keepalive: None };
    match dial(address, connection.client_tls().as_ref(), &options).await {
        Ok(_) => Finding::ok(what, "answers"),
        Err(error) => {
            let found = error.to_string();
            match error {
                DialError::Connect { .. } | DialError::Timeout { .. } => Finding::warn(
                    what,
                    found,
                    "start the chaincode server; it has to run before the chaincode is called",
                ),
                DialError::Address(_) => Finding::fail(what, found, "write the address as host:port"),
                DialError::Resolve { .. } => {
                    Finding::warn(what, found, "the peer resolves the name; see that it can, where it runs")
                }
                DialError::Material(_) => Finding::fail(what, found, "see the certificates and the key; they are PEM"),
                DialError::Handshake { .. } | DialError::Ended { .. } => Finding::fail(
                    what,
                    found,
                    "see root_cert, client_cert and client_key, `domain` for the name in the server's certificate, and \
                     whether the server has TLS",
                ),
                DialError::Protocol { .. } => {
                    Finding::fail(what, found, "see whether a chaincode server listens there, and whether it wants TLS")
                }
            }
        }
    }
}

fn is_template(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains("{{"))
}
