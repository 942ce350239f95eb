//! `core.yaml` and the `CORE_…` environment over it, as one typed value.
//!
//! [`PeerConfig::load`] is the whole schema: it asks for each setting by its key and names the default in
//! the same line, so that every default is written once. A variable is found by its key's upper-cased
//! name (`peer.listenAddress` ← `CORE_PEER_LISTENADDRESS`), a variable wins over the file, and everything
//! that is wrong is reported together.

mod document;
mod endpoint;
mod fabric;
mod reader;
mod sandbox;
mod sections;
mod windlass;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

pub use endpoint::{EndpointError, join as join_address, split as split_address};
pub use sandbox::SandboxSection;
pub use sections::{
    ChaincodeSection, ConcurrencyLimits, DeliverySection, ExternalBuilder, GatewaySection, LedgerSection,
    MetricsProvider, OperationsSection, PeerSection, RuntimeParameters, TlsFiles,
};

pub use windlass::WindlassSection;

use document::Node;
use reader::Reader;

/// The configuration of one peer.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerConfig {
    /// `peer.*`.
    pub peer: PeerSection,
    /// `chaincode.*`.
    pub chaincode: ChaincodeSection,
    /// `ledger.*`.
    pub ledger: LedgerSection,
    /// `operations.*`.
    pub operations: OperationsSection,
    /// `metrics.provider`.
    pub metrics: MetricsProvider,
    /// `windlass.*`.
    pub windlass: WindlassSection,
    settings: Vec<Setting>,
}

/// One setting in force, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key, such as `peer.listenAddress`.
    pub key: String,
    /// The value, as written where it came from.
    pub value: String,
    /// Who decided.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was given.
    Default,
    /// The configuration file.
    File,
    /// This variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// Something given that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A key of the file that is no setting.
    #[error("unknown key {0} in the configuration file")]
    UnknownKey(String),
    /// A variable that is no setting.
    #[error("unknown variable {0}")]
    UnknownVariable(String),
    /// Settings and sections of Fabric's that change nothing here. A stock `core.yaml` has dozens of them.
    #[error("without effect here: {}", .0.join(", "))]
    WithoutEffect(Vec<String>),
    /// A value that was replaced, as Fabric replaces it.
    #[error("{key} is {value}, which is less than {least}; {used} is used")]
    TooSmall {
        /// The setting.
        key: String,
        /// What was given.
        value: String,
        /// The least that is allowed.
        least: String,
        /// What is in force.
        used: String,
    },
}

/// One wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key.
    pub key: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What was expected, and what was found.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Environment(name) => write!(f, "{} (from {name}): {}", self.key, self.problem),
            Origin::Default | Origin::File => write!(f, "{}: {}", self.key, self.problem),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not YAML.
    #[error("{} is not YAML: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the place.
        problem: String,
    },
    /// Settings are wrong; all of them are listed.
    #[error("invalid configuration:{}", .0.iter().map(|fault| format!("\n  {fault}")).collect::<String>())]
    Faults(Vec<Fault>),
}

impl PeerConfig {
    /// Reads the file, if one is given, and lays the environment over it. What is only needed to run a
    /// peer, and not to be a client of one, is checked by [`PeerConfig::check_node`].
    pub fn load(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let Some(path) = path else { return Self::read(Node::Empty, Path::new(""), environment) };
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let node = Node::parse(&text).map_err(|problem| ConfigError::Syntax { path: path.to_owned(), problem })?;
        Self::read(node, path.parent().unwrap_or(Path::new("")), environment)
    }

    /// Every setting in force with its origin, sorted by key.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Who decided on a setting.
    pub fn origin(&self, key: &str) -> Origin {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        setting.map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Checks what a peer needs before it can start: certificates where TLS is on, a state database that
    /// exists, an address for chaincode; one that others do not reach where they could pass for chaincode.
    pub fn check_node(&self) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        let mut missing = |key: &str, problem: &str| {
            faults.push(Fault { key: key.to_owned(), origin: self.origin(key), problem: problem.to_owned() });
        };
        for (section, tls) in [("peer", &self.peer.tls), ("operations", &self.operations.tls)] {
            if tls.enabled && tls.certificate.is_none() {
                missing(&format!("{section}.tls.cert.file"), "needed because TLS is enabled");
            }
            if tls.enabled && tls.key.is_none() {
                missing(&format!("{section}.tls.key.file"), "needed because TLS is enabled");
            }
        }
        let client = (&self.peer.tls.client_certificate, &self.peer.tls.client_key);
        if self.peer.tls.enabled && client.0.is_some() != client.1.is_some() {
            let set = if client.0.is_some() { "peer.tls.clientCert.file" } else { "peer.tls.clientKey.file" };
            missing(set, "peer.tls.clientCert.file and peer.tls.clientKey.file must both be set or both be empty");
        }
        if self.peer.tls.enabled && self.chaincode.development_mode && !self.chaincode_is_local() {
            let found = self.chaincode_listen_address();
            let problem = format!(
                "expected an address of this machine alone, found {found}: in development mode the chaincode port is \
                 without TLS, and whoever reaches it can answer for any chaincode; hint: set it to 127.0.0.1:7052"
            );
            missing("peer.chaincodeListenAddress", &problem);
        }
        if self.peer.local_msp_id.is_empty() {
            missing("peer.localMspId", "must not be empty");
        }
        if !self.ledger.state_database.eq_ignore_ascii_case("goleveldb") {
            missing("ledger.state.stateDatabase", "only goleveldb, the embedded database, is available");
        }
        if let Err(error) = self.chaincode_endpoint() {
            missing("peer.chaincodeAddress", &error.to_string());
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError::Faults(faults)) }
    }

    fn read(
        file: Node,
        folder: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut reader = Reader::new(file, folder, environment);
        let peer = PeerSection::read(&mut reader);
        let chaincode = ChaincodeSection::read(&mut reader);
        let ledger = LedgerSection::read(&mut reader);
        let operations = OperationsSection::read(&mut reader);
        let metrics = MetricsProvider::read(&mut reader);
        let windlass = WindlassSection::read(&mut reader);
        let (mut settings, faults, warnings) = reader.finish();
        if !faults.is_empty() {
            return Err(ConfigError::Faults(faults));
        }
        settings.sort_by(|a, b| a.key.cmp(&b.key));
        Ok((Self { peer, chaincode, ledger, operations, metrics, windlass, settings }, warnings))
    }
}

impl Default for PeerConfig {
    /// The defaults alone.
    fn default() -> Self {
        let (config, _) =
            Self::read(Node::Empty, Path::new(""), &BTreeMap::new()).expect("defaults have the form of their setting");
        config
    }
}

#[cfg(test)]
mod tests;
