//! Becoming the chaincode: the variables that all shims look for, then `exec`.

use std::{
    env, fs,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    build::{
        buildpacks::{PARENT, base64, environment},
        scratch::write_private,
        spawner::retrying_while_busy,
    },
    package::json::Fields,
};

/// What a chaincode is told by its peer: `chaincode.json`.
pub(super) struct Chaincode {
    folder: PathBuf,
    /// Where the peer listens.
    pub(super) peer_address: String,
    id: String,
    msp_id: String,
    tls: Option<Tls>,
}

struct Tls {
    root: String,
    certificate: String,
    key: String,
}

impl Chaincode {
    /// Reads `chaincode.json` in the folder that `run` is given.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("chaincode.json");
        let text = fs::read(&path).map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
        let fields = Fields::parse(&text, "main", "chaincodeConfig")?;
        let text = |key| fields.text(key).map(Option::unwrap_or_default);
        let root = text("root_cert")?;
        // The keys are there without TLS, too, and empty. Fabric: external-builders §7
        let tls = match root.is_empty() {
            true => None,
            false => Some(Tls { root, certificate: text("client_cert")?, key: text("client_key")? }),
        };
        Ok(Self {
            folder: folder.to_owned(),
            peer_address: text("peer_address")?,
            id: text("chaincode_id")?,
            msp_id: text("mspid")?,
            tls,
        })
    }

    /// The chaincode's ID: that of its package.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// A home of its own, which goes away with it.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Makes this process the chaincode; returns only if that fails.
    pub(super) fn become_it(&self, mut command: Command) -> Result<(), String> {
        self.prepare(&mut command)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = retrying_while_busy(|| Err::<(), _>(command.exec()));
        failed.map_err(|error| format!("cannot start '{program}': {error}"))
    }

    /// Sets the variables and writes the files that they name. The folder goes away with the chaincode.
    // Fabric: chaincode-protocol §16-§18, lifecycle §9.2
    fn prepare(&self, command: &mut Command) -> Result<(), String> {
        let failed = |error| format!("cannot write to '{}': {error}", self.folder.display());
        for (name, _) in env::vars_os() {
            if name == PARENT || environment::is_for_builds(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        let home = self.home();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&home).map_err(failed)?;
        command
            .env("HOME", home)
            .env("CORE_CHAINCODE_ID_NAME", &self.id)
            .env("CORE_PEER_ADDRESS", &self.peer_address)
            .env("CORE_PEER_LOCALMSPID", &self.msp_id)
            .env("CORE_PEER_TLS_ENABLED", if self.tls.is_some() { "true" } else { "false" });
        if let Ok(executable) = env::current_exe() {
            command.env("WINDLASS_EXECUTABLE", executable);
        }
        let Some(tls) = &self.tls else { return Ok(()) };
        for (variable, name, content) in [
            ("CORE_PEER_TLS_ROOTCERT_FILE", "peer.crt", tls.root.clone()),
            ("CORE_TLS_CLIENT_KEY_FILE", "client_pem.key", tls.key.clone()),
            ("CORE_TLS_CLIENT_CERT_FILE", "client_pem.crt", tls.certificate.clone()),
            ("CORE_TLS_CLIENT_KEY_PATH", "client.key", base64::encode(tls.key.as_bytes())),
            ("CORE_TLS_CLIENT_CERT_PATH", "client.crt", base64::encode(tls.certificate.as_bytes())),
        ] {
            let path = self.folder.join(name);
            write_private(&path, content.as_bytes(), 0o600).map_err(failed)?;
            command.env(variable, path);
        }
        Ok(())
    }
}
