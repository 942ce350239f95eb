//! The sections of the configuration, each with its defaults.

use std::{path::PathBuf, time::Duration};

use windlass_proto::duration;

use super::{Origin, Warning, document::Node, reader::Reader};

/// `peer.*`.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerSection {
    /// The peer's name in logs.
    pub id: String,
    /// The network's name.
    pub network_id: String,
    /// The address under which others reach the peer.
    pub address: String,
    /// Where Endorser, Gateway and Deliver listen.
    pub listen_address: String,
    /// Where chaincode is listened for, if not derived from `address`.
    pub chaincode_listen_address: Option<String>,
    /// What chaincode is told to dial, if not derived.
    pub chaincode_address: Option<String>,
    /// The MSP that the peer belongs to.
    pub local_msp_id: String,
    /// The folder of the peer's own MSP.
    pub msp_config_path: PathBuf,
    /// Where everything is kept.
    pub file_system_path: PathBuf,
    /// TLS of the peer's listeners.
    pub tls: TlsFiles,
    /// How long a TLS handshake may take.
    pub connection_timeout: Duration,
    /// The least interval at which clients may ping.
    pub keepalive_minimum: Duration,
    /// How long an idle connection waits for the server's ping.
    pub keepalive_interval: Duration,
    /// How long the answer to a ping may take.
    pub keepalive_timeout: Duration,
    /// How far a proposal's timestamp may be off.
    pub authentication_window: Duration,
    /// The Gateway service.
    pub gateway: GatewaySection,
    /// Pulling blocks from orderers.
    pub delivery: DeliverySection,
    /// How many requests may be in progress.
    pub limits: ConcurrencyLimits,
    /// The longest message accepted, in bytes.
    pub max_receive_message_size: usize,
    /// The longest message sent, in bytes.
    pub max_send_message_size: usize,
}

/// Certificates and keys of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Whether TLS is on.
    pub enabled: bool,
    /// Whether clients must present a certificate that verifies.
    pub client_auth_required: bool,
    /// The certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// The private key, PEM.
    pub key: Option<PathBuf>,
    /// The roots under which this peer's own certificate verifies.
    pub root_certificate: Option<PathBuf>,
    /// The roots under which client certificates verify.
    pub client_root_certificates: Vec<PathBuf>,
    /// The certificate that the peer presents as a client; else its server certificate.
    pub client_certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub client_key: Option<PathBuf>,
}

/// `peer.gateway.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySection {
    /// Whether the service is offered.
    pub enabled: bool,
    /// How long endorsers may take.
    pub endorsement_timeout: Duration,
    /// How long orderers may take.
    pub broadcast_timeout: Duration,
    /// How long a dial may take.
    pub dial_timeout: Duration,
}

/// `peer.deliveryclient.*`, as far as it has effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySection {
    /// How long connecting to an orderer may take.
    pub connection_timeout: Duration,
}

/// `peer.limits.concurrency.*`. Zero is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcurrencyLimits {
    /// Proposals.
    pub endorser_service: usize,
    /// Deliver streams.
    pub deliver_service: usize,
    /// Gateway requests.
    pub gateway_service: usize,
}

/// `chaincode.*`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChaincodeSection {
    /// How long a transaction may execute.
    pub execute_timeout: Duration,
    /// How long an install, with its build, may take.
    pub install_timeout: Duration,
    /// How long a chaincode may take to register.
    pub startup_timeout: Duration,
    /// The interval of KEEPALIVE messages, if any.
    pub keepalive: Option<Duration>,
    /// Whether chaincode is started by hand (`mode: dev`).
    pub development_mode: bool,
    /// The builders, in the order in which they are asked.
    pub external_builders: Vec<ExternalBuilder>,
    /// What chaincode is told in its READY message.
    pub runtime: RuntimeParameters,
}

/// One external builder.
// Fabric: external-builders §3
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalBuilder {
    /// Its name.
    pub name: String,
    /// The folder with `bin/detect` and so on.
    pub path: PathBuf,
    /// The variables that its programs see beyond the usual ones.
    pub propagate_environment: Vec<String>,
}

/// `chaincode.runtimeParams.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeParameters {
    /// Whether writes may come in batches.
    pub use_write_batch: bool,
    /// The largest batch of writes.
    pub max_size_write_batch: u32,
    /// Whether several keys may be read at once.
    pub use_get_multiple_keys: bool,
    /// The largest number of such keys.
    pub max_size_get_multiple_keys: u32,
}

/// `ledger.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSection {
    /// The state database's name; `goleveldb` means the embedded one.
    pub state_database: String,
    /// The most rows that a query returns.
    pub total_query_limit: usize,
    /// Whether the history of keys is kept.
    pub history_enabled: bool,
}

/// `operations.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationsSection {
    /// Where health, metrics and log levels are served.
    pub listen_address: String,
    /// TLS of that listener.
    pub tls: TlsFiles,
}

/// `metrics.provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsProvider {
    /// No metrics are shown.
    Disabled,
    /// `/metrics` on the operations listener.
    Prometheus,
}

impl PeerSection {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            id: reader.text("peer.id", "jdoe"),
            network_id: reader.text("peer.networkId", "dev"),
            address: reader.address("peer.address", "0.0.0.0:7051"),
            listen_address: reader.address("peer.listenAddress", "0.0.0.0:7051"),
            chaincode_listen_address: reader.optional_address("peer.chaincodeListenAddress"),
            chaincode_address: reader.optional_address("peer.chaincodeAddress"),
            local_msp_id: reader.text("peer.localMspId", "SampleOrg"),
            msp_config_path: reader.path("peer.mspConfigPath", "msp"),
            file_system_path: reader.path("peer.fileSystemPath", "/var/hyperledger/production"),
            tls: TlsFiles {
                root_certificate: reader.optional_path("peer.tls.rootcert.file"),
                client_certificate: reader.optional_path("peer.tls.clientCert.file"),
                client_key: reader.optional_path("peer.tls.clientKey.file"),
                ..TlsFiles::read(reader, "peer")
            },
            connection_timeout: reader.duration("peer.connectiontimeout", "5s"),
            keepalive_minimum: reader.duration("peer.keepalive.minInterval", "60s"),
            keepalive_interval: reader.duration("peer.keepalive.interval", "7200s"),
            keepalive_timeout: reader.duration("peer.keepalive.timeout", "20s"),
            authentication_window: reader.duration("peer.authentication.timewindow", "15m"),
            gateway: GatewaySection {
                enabled: reader.flag("peer.gateway.enabled", true),
                endorsement_timeout: reader.duration("peer.gateway.endorsementTimeout", "30s"),
                broadcast_timeout: reader.duration("peer.gateway.broadcastTimeout", "30s"),
                dial_timeout: reader.duration("peer.gateway.dialTimeout", "2m"),
            },
            delivery: DeliverySection { connection_timeout: reader.duration("peer.deliveryclient.connTimeout", "3s") },
            limits: ConcurrencyLimits {
                endorser_service: reader.number("peer.limits.concurrency.endorserService", 2500),
                deliver_service: reader.number("peer.limits.concurrency.deliverService", 2500),
                gateway_service: reader.number("peer.limits.concurrency.gatewayService", 500),
            },
            max_receive_message_size: reader.number("peer.maxRecvMsgSize", 100 * 1024 * 1024),
            max_send_message_size: reader.number("peer.maxSendMsgSize", 100 * 1024 * 1024),
        }
    }
}

impl TlsFiles {
    /// The part that every listener has.
    fn read(reader: &mut Reader<'_>, section: &str) -> Self {
        let key = |name: &str| format!("{section}.tls.{name}");
        Self {
            enabled: reader.flag(&key("enabled"), false),
            client_auth_required: reader.flag(&key("clientAuthRequired"), false),
            certificate: reader.optional_path(&key("cert.file")),
            key: reader.optional_path(&key("key.file")),
            root_certificate: None,
            client_root_certificates: reader.paths(&key("clientRootCAs.files")),
            client_certificate: None,
            client_key: None,
        }
    }
}

impl ChaincodeSection {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            execute_timeout: execute_timeout(reader),
            install_timeout: reader.duration("chaincode.installTimeout", "300s"),
            startup_timeout: reader.duration("chaincode.startuptimeout", "300s"),
            keepalive: keepalive(reader),
            development_mode: development_mode(reader),
            external_builders: external_builders(reader),
            runtime: RuntimeParameters {
                use_write_batch: reader.flag("chaincode.runtimeParams.useWriteBatch", true),
                max_size_write_batch: reader.number("chaincode.runtimeParams.maxSizeWriteBatch", 1000),
                use_get_multiple_keys: reader.flag("chaincode.runtimeParams.useGetMultipleKeys", true),
                max_size_get_multiple_keys: reader.number("chaincode.runtimeParams.maxSizeGetMultipleKeys", 1000),
            },
        }
    }
}

impl LedgerSection {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            state_database: reader.text("ledger.state.stateDatabase", "goleveldb"),
            total_query_limit: reader.number("ledger.state.totalQueryLimit", 100_000),
            history_enabled: reader.flag("ledger.history.enableHistoryDatabase", true),
        }
    }
}

impl OperationsSection {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            listen_address: reader.address("operations.listenAddress", "127.0.0.1:9443"),
            tls: TlsFiles::read(reader, "operations"),
        }
    }
}

impl MetricsProvider {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const KEY: &str = "metrics.provider";
        match reader.text(KEY, "disabled").to_ascii_lowercase().as_str() {
            "prometheus" => Self::Prometheus,
            "disabled" => Self::Disabled,
            other => {
                let problem = format!("expected prometheus or disabled, found \"{other}\"");
                reader.refuse(KEY, reader.origin(KEY), problem);
                Self::Disabled
            }
        }
    }
}

/// Under a second it would end every transaction; Fabric then takes its default.
// Fabric: endorsement-and-gateway §2
fn execute_timeout(reader: &mut Reader<'_>) -> Duration {
    const KEY: &str = "chaincode.executetimeout";
    const DEFAULT: &str = "30s";
    const LEAST: Duration = Duration::from_secs(1);
    let given = reader.duration(KEY, DEFAULT);
    if given >= LEAST {
        return given;
    }
    reader.warn(Warning::TooSmall {
        key: KEY.to_owned(),
        value: duration::format(given),
        least: duration::format(LEAST),
        used: DEFAULT.to_owned(),
    });
    duration::parse(DEFAULT).expect("a duration")
}

/// Whole seconds. What is no number means off, and so do 0 and, by the sample configuration, what is below.
// Fabric: chaincode-protocol §4
fn keepalive(reader: &mut Reader<'_>) -> Option<Duration> {
    let text = reader.text("chaincode.keepalive", "0");
    text.trim().parse::<u64>().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

fn development_mode(reader: &mut Reader<'_>) -> bool {
    const KEY: &str = "chaincode.mode";
    match reader.text(KEY, "net").as_str() {
        "net" => false,
        "dev" => true,
        other => {
            let problem = format!("expected net or dev, found \"{other}\"");
            reader.refuse(KEY, reader.origin(KEY), problem);
            false
        }
    }
}

// Fabric: external-builders §3
fn external_builders(reader: &mut Reader<'_>) -> Vec<ExternalBuilder> {
    const KEY: &str = "chaincode.externalBuilders";
    let Some((node, origin)) = reader.subtree(KEY) else { return Vec::new() };
    let entries = match node {
        Node::List(entries) => entries,
        Node::Empty => return Vec::new(),
        other => {
            reader.refuse(KEY, origin, format!("expected a list of builders, found {}", other.kind()));
            return Vec::new();
        }
    };
    let mut builders = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        match external_builder(reader, entry, &format!("{KEY}[{index}]")) {
            Ok(builder) => builders.push(builder),
            Err(problem) => reader.refuse(KEY, Origin::clone(&origin), problem),
        }
    }
    builders
}

fn external_builder(reader: &mut Reader<'_>, entry: &Node, key: &str) -> Result<ExternalBuilder, String> {
    let Node::Section(fields) = entry else { return Err(format!("expected a builder, found {}", entry.kind())) };
    let text = |name| entry.entry(name).map(Node::text).filter(|text| !text.is_empty());
    let path =
        text("path").ok_or("invalid external builder configuration, path attribute missing in one or more builders")?;
    let name = text("name").ok_or_else(|| format!("external builder at path {path} has no name attribute"))?;
    // `environmentWhitelist` is what Fabric 2.0 and 2.1 called it. Later ones ignore the name in silence.
    let environment = entry.entry("propagateEnvironment").or_else(|| entry.entry("environmentWhitelist"));
    let propagate_environment = match environment {
        Some(Node::List(names)) => names.iter().map(Node::text).collect(),
        Some(Node::Scalar(names)) => names.split(',').map(|name| name.trim().to_owned()).collect(),
        Some(Node::Section(_)) => {
            return Err(format!("propagateEnvironment of {name}: expected a list, found a section"));
        }
        Some(Node::Empty) | None => Vec::new(),
    };
    const FIELDS: [&str; 4] = ["name", "path", "propagateEnvironment", "environmentWhitelist"];
    for (field, _) in fields {
        if !FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field)) {
            reader.warn(Warning::UnknownKey(format!("{key}.{field}")));
        }
    }
    Ok(ExternalBuilder { name, path: PathBuf::from(path), propagate_environment })
}
