//! Chaincode that runs as a server, and the package that says where.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use windlass_chaincode::package::create::{CreateOptions, create};
use windlass_identity::{CertificateAuthority, LeafRequest, LeafUsage};

use super::{
    package::{self, Entry},
    place::{Place, free_port},
    windlass::Running,
};

/// How peer and server meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Off,
    On,
    Mutual,
}

/// A server that is still to be started: its package is made first, for the server must know the package's ID.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What to give to `windlass dev`.
    pub(crate) package: PathBuf,
    pub(crate) package_id: String,
    pub(crate) tls: Tls,
    port: u16,
    certificates: PathBuf,
}

impl Plan {
    /// A folder with `connection.json`, which `windlass dev` packages.
    pub(crate) fn folder(place: &Place, name: &str, tls: Tls) -> Self {
        let (port, certificates) = (free_port(), place.path().join(format!("{name}-certificates")));
        let connection = connection(port, tls, &certificates);
        let package = place.folder_with(&format!("{name}-package"), &[("connection.json", &connection.to_string())]);
        let options = CreateOptions { label: Some(name.parse().expect("a label")), ..Default::default() };
        let package_id = create(&package, &options).expect("a package").id.to_string();
        Self { package, package_id, tls, port, certificates }
    }

    /// A ready package of type `ccaas`.
    pub(crate) fn package(place: &Place, name: &str, tls: Tls) -> Self {
        let (port, certificates) = (free_port(), place.path().join(format!("{name}-certificates")));
        let connection = connection(port, tls, &certificates).to_string();
        let bytes = package::package("ccaas", &format!("{name}_1.0"), &[Entry::file("connection.json", connection)]);
        let package = place.path().join(format!("{name}_1.0.tar.gz"));
        fs::write(&package, &bytes).expect("a file");
        let package_id = create(&package, &CreateOptions::default()).expect("a package").id.to_string();
        Self { package, package_id, tls, port, certificates }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A file with key or certificate of the server, or with the authority of the peer as its client.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.certificates.join(name)
    }

    /// Starts the server with the environment that the examples understand, and waits until it listens.
    pub(crate) fn serve(&self, command: Command) -> Running {
        self.serve_at(&self.address(), command)
    }

    /// The same at another address than the package says.
    pub(crate) fn serve_at(&self, address: &str, mut command: Command) -> Running {
        command.env("CHAINCODE_SERVER_ADDRESS", address).env("CHAINCODE_ID", &self.package_id);
        if self.tls == Tls::Off {
            command.env("CHAINCODE_TLS_DISABLED", "true");
        } else {
            command
                .env("CHAINCODE_TLS_DISABLED", "false")
                .env("CHAINCODE_TLS_KEY", self.file("server.key"))
                .env("CHAINCODE_TLS_CERT", self.file("server.crt"));
        }
        if self.tls == Tls::Mutual {
            command.env("CHAINCODE_CLIENT_CA_CERT", self.file("client-ca.crt"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = Running::spawn(command);
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(address).is_err() {
            let ended = server.try_wait();
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}\n{}", server.output().shown());
            // Servers have no common way to say that they listen.
            thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

/// The text of `connection.json`; certificates are made as needed.
fn connection(port: u16, tls: Tls, folder: &Path) -> Value {
    let mut connection = json!({
        "address": format!("localhost:{port}"),
        "dial_timeout": "10s",
        "tls_required": tls != Tls::Off,
        "client_auth_required": tls == Tls::Mutual,
    });
    if tls == Tls::Off {
        return connection;
    }
    fs::create_dir_all(folder).expect("a folder");
    let authority = CertificateAuthority::generate("chaincode-ca", "chaincode.example.com").expect("an authority");
    let issue = |common_name, usage| {
        let names = ["localhost", "127.0.0.1"];
        let request = LeafRequest { common_name, subject_alternative_names: &names, usage, ..Default::default() };
        let (certificate, key) = authority.issue(&request).expect("a certificate");
        (certificate, key.to_pkcs8_pem())
    };
    let (certificate, key) = issue("chaincode", LeafUsage::TlsServer);
    fs::write(folder.join("server.crt"), certificate).expect("a file");
    fs::write(folder.join("server.key"), key).expect("a file");
    connection["root_cert"] = json!(authority.certificate_pem());
    if tls == Tls::Mutual {
        let (certificate, key) = issue("peer", LeafUsage::TlsClient);
        fs::write(folder.join("client-ca.crt"), authority.certificate_pem()).expect("a file");
        connection["client_cert"] = json!(certificate);
        connection["client_key"] = json!(key);
    }
    connection
}
