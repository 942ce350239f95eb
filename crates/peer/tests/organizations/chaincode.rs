//! The chaincode of these tests, served from this process.

use std::{net::SocketAddr, path::Path};

use tokio::task::AbortHandle;
use windlass_chaincode::package::create::{CreateOptions, Created, create};
use windlass_proto::{Bytes, envelope::decode};
use windlass_shim::{
    Chaincode, Outcome, Response, Stub,
    server::{Server, ServerConfig},
};

/// Answers with its own text, so that two of them disagree.
struct Parrot(String);

impl Chaincode for Parrot {
    async fn invoke(&self, stub: &Stub) -> Outcome {
        match stub.function() {
            // key
            "put" => {
                stub.put(stub.text(0)?, "value").await?;
                Ok(Response::ok(self.0.clone()))
            }
            // key, policy
            "guard" => {
                let policy: windlass_proto::common::SignaturePolicyEnvelope =
                    decode("policy", stub.parameter(1)?).map_err(|error| error.to_string())?;
                stub.set_validation_parameter(stub.text(0)?, prost::Message::encode_to_vec(&policy)).await?;
                Ok(Response::ok(""))
            }
            "noop" => Ok(Response::ok(self.0.clone())),
            // chaincode, key
            "other" => {
                let args = [Bytes::from_static(b"put"), stub.parameter(1)?.clone()];
                stub.put(stub.text(1)?, "value").await?;
                Ok(stub.invoke_chaincode(stub.text(0)?, args, "").await?)
            }
            // collection, key
            "hide" => {
                stub.private(stub.text(0)?).put(stub.text(1)?, "value").await?;
                Ok(Response::ok(""))
            }
            other => Err(format!("no function {other}").into()),
        }
    }
}

/// A chaincode that serves until it is dropped, and the package that leads to it.
pub(crate) struct Served {
    pub(crate) package: Created,
    server: AbortHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Served {
    /// Serves a chaincode that answers with `text`.
    pub(crate) async fn start(label: &str, text: &str) -> Self {
        // The package's ID, which the server must know, comes of its address.
        let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address: SocketAddr = address.expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        let connection = format!(r#"{{"address":"{address}","dial_timeout":"3s","tls_required":false}}"#);
        std::fs::write(folder.path().join("connection.json"), connection).expect("a file");
        let options = CreateOptions { label: Some(label.parse().expect("a label")), ..Default::default() };
        let package = create(folder.path(), &options).expect("a package");
        let config = ServerConfig { address: address.to_string(), chaincode_id: package.id.to_string(), tls: None };
        let server = Server::bind(config).await.expect("the port is still free");
        let parrot = Parrot(text.to_owned());
        let server = tokio::spawn(async move { server.serve(parrot, std::future::pending()).await });
        Self { package, server: server.abort_handle() }
    }
}

/// A builder for chaincode that runs by itself.
pub(crate) fn write_builder(folder: &Path) {
    let steps = [
        ("detect", "exit 0"),
        ("build", r#"cp "$1/connection.json" "$3/""#),
        ("release", r#"mkdir -p "$2/chaincode/server" && cp "$1/connection.json" "$2/chaincode/server/""#),
    ];
    std::fs::create_dir_all(folder.join("bin")).expect("a folder");
    for (step, script) in steps {
        let path = folder.join("bin").join(step);
        std::fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("its mode");
    }
}
