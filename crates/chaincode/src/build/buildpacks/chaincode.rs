//! Becoming the chaincode: the variables that all shims look for, then `exec`.

use std::{
    env, fs,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    build::{
        buildpacks::{PARENT, base64},
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
            if is_for_toolchains(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        let home = self.folder.join("home");
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

/// Variables that helped to build, which may hold tokens of registries; none of a chaincode's business.
fn is_for_toolchains(name: &str) -> bool {
    const PREFIXES: [&str; 2] = ["npm_config_", "NPM_CONFIG_"];
    const NAMES: [&str; 11] = [
        "GOPATH",
        "GOCACHE",
        "GOMODCACHE",
        "GOPROXY",
        "GONOPROXY",
        "GOPRIVATE",
        "GOSUMDB",
        "GONOSUMDB",
        "GOFLAGS",
        "GOTOOLCHAIN",
        "GOROOT",
    ];
    name == PARENT || NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
