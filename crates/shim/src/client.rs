//! Chaincode that dials the peer, as one that the peer launched does.

use std::{fmt, sync::Arc, time::Duration};

use futures::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use windlass_proto::protos::chaincode_support_client::ChaincodeSupportClient;
use windlass_transport::{ClientTls, DialError, DialOptions, Keepalive, dial};

use crate::{
    Chaincode, ConfigError, MAX_MESSAGE_SIZE, SessionError,
    environment::{Environment, flag},
    session::Session,
};

const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Peers take no more than one ping a minute.
// Fabric: chaincode-protocol §4
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long a peer may take to end a stream that we have given up.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where the peer is, and who we are.
#[derive(Clone)]
pub struct ClientConfig {
    /// The peer's chaincode endpoint, `host:port`.
    pub peer_address: String,
    /// The ID to register under: the package ID.
    pub chaincode_id: String,
    /// Trust and certificate, where the peer uses TLS.
    pub tls: Option<ClientTls>,
}

/// Why chaincode stopped serving its peer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The peer cannot be reached.
    #[error("cannot connect to the peer: {0}")]
    Dial(#[from] DialError),
    /// The peer refused the stream.
    #[error("the peer refused the stream: {0}")]
    Register(#[source] Box<Status>),
    /// The stream failed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl ClientConfig {
    /// The configuration that a peer, or its builder, gave this process: `CORE_CHAINCODE_ID_NAME`,
    /// `CORE_PEER_ADDRESS`, `CORE_PEER_TLS_ENABLED`, `CORE_PEER_TLS_ROOTCERT_FILE` and
    /// `CORE_TLS_CLIENT_{KEY,CERT}_{FILE,PATH}`, where `FILE` holds PEM and `PATH` the base64 of PEM. In `args`,
    /// `-peer.address` and `-chaincode-id-name` win over the environment.
    ///
    /// # Errors
    /// When an address, an ID or TLS material is missing or cannot be read.
    pub fn from_environment(args: impl IntoIterator<Item = String>) -> Result<Self, ConfigError> {
        let args: Vec<_> = args.into_iter().collect();
        Self::from_parts(&args, &Environment::new(&|variable| std::env::var(variable).ok()))
    }

    fn from_parts(args: &[String], environment: &Environment<'_>) -> Result<Self, ConfigError> {
        let chaincode_id =
            flag(args, "chaincode-id-name")?.or_else(|| environment.get("CORE_CHAINCODE_ID_NAME")).ok_or(
                ConfigError::Missing { what: "the chaincode ID", how: "CORE_CHAINCODE_ID_NAME to the package ID" },
            )?;
        let peer_address = flag(args, "peer.address")?.or_else(|| environment.get("CORE_PEER_ADDRESS")).ok_or(
            ConfigError::Missing { what: "the peer's address", how: "-peer.address or CORE_PEER_ADDRESS to host:port" },
        )?;
        let enabled = environment.bool("CORE_PEER_TLS_ENABLED")?.unwrap_or_default();
        let tls = if enabled { Some(tls(environment)?) } else { None };
        Ok(Self { peer_address, chaincode_id, tls })
    }
}

// Fabric: chaincode-protocol §16
fn tls(environment: &Environment<'_>) -> Result<ClientTls, ConfigError> {
    let root = environment.file("CORE_PEER_TLS_ROOTCERT_FILE")?.ok_or(ConfigError::Missing {
        what: "the peer's TLS root certificate",
        how: "CORE_PEER_TLS_ROOTCERT_FILE to a PEM file",
    })?;
    let (certificate, key) = match environment.get("CORE_TLS_CLIENT_KEY_FILE") {
        Some(_) => (environment.file("CORE_TLS_CLIENT_CERT_FILE")?, environment.file("CORE_TLS_CLIENT_KEY_FILE")?),
        None => {
            let certificate = environment.base64_file("CORE_TLS_CLIENT_CERT_PATH")?;
            (certificate, environment.base64_file("CORE_TLS_CLIENT_KEY_PATH")?)
        }
    };
    let missing = |what, how| ConfigError::Missing { what, how };
    let key = key.ok_or(missing("the TLS client key", "CORE_TLS_CLIENT_KEY_FILE to a PEM file"))?;
    let certificate =
        certificate.ok_or(missing("the TLS client certificate", "CORE_TLS_CLIENT_CERT_FILE to a PEM file"))?;
    Ok(ClientTls { roots: vec![root], identity: Some((certificate, key)), server_name: None })
}

/// Registers `chaincode` with the peer and serves until the peer ends the stream. There is no second try: a peer
/// launches chaincode again when it needs it.
///
/// # Errors
/// When the peer cannot be reached, refuses, or breaks the stream.
pub async fn run(config: ClientConfig, chaincode: impl Chaincode) -> Result<(), RunError> {
    let options = DialOptions { timeout: DIAL_TIMEOUT, keepalive: Some(Keepalive::after(KEEPALIVE)) };
    let channel = dial(&config.peer_address, config.tls.as_ref(), &options).await?;
    let mut peer = ChaincodeSupportClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_SIZE)
        .max_encoding_message_size(MAX_MESSAGE_SIZE);
    let (session, messages) = Session::new(Arc::new(chaincode), &config.chaincode_id);
    // A peer that does not want us stays silent, and this waits: as the protocol has it.
    let accepted = peer.register(ReceiverStream::new(messages)).await;
    let mut incoming = accepted.map_err(|status| RunError::Register(Box::new(status)))?.into_inner();
    let outcome = session.run(&mut incoming).await;
    if outcome.is_err() {
        // Dropping the stream at once would cancel it, and what we said last might never arrive. The session is gone,
        // so that our half is closed; a peer closes its own.
        let _ = tokio::time::timeout(FAREWELL, async { while let Some(Ok(_)) = incoming.next().await {} }).await;
    }
    Ok(outcome?)
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("peer_address", &self.peer_address)
            .field("chaincode_id", &self.chaincode_id)
            .field("tls", &self.tls)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs};

    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    fn config(args: &[&str], variables: &[(&str, &str)]) -> Result<ClientConfig, ConfigError> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        ClientConfig::from_parts(&args, &Environment::new(&lookup))
    }

    #[test]
    fn takes_the_address_from_the_flag_before_the_environment() {
        let id = ("CORE_CHAINCODE_ID_NAME", "basic:1");
        let found = config(&["-peer.address", "a:1"], &[id, ("CORE_PEER_ADDRESS", "b:2")]).expect("a configuration");
        assert_eq!((found.peer_address.as_str(), found.chaincode_id.as_str()), ("a:1", "basic:1"));
        assert!(found.tls.is_none());
        let found = config(&[], &[id, ("CORE_PEER_ADDRESS", "b:2")]).expect("a configuration");
        assert_eq!(found.peer_address, "b:2");
    }

    #[test]
    fn says_what_is_missing_and_how_to_set_it() {
        let error = config(&["-peer.address=a:1"], &[]).expect_err("no ID");
        assert_eq!(
            error.to_string(),
            "the chaincode ID is not set\nhint: set CORE_CHAINCODE_ID_NAME to the package ID"
        );
        let id = ("CORE_CHAINCODE_ID_NAME", "basic:1");
        assert!(config(&[], &[id]).expect_err("no address").to_string().starts_with("the peer's address is not set"));
        let error = config(&["-peer.address=a:1"], &[id, ("CORE_PEER_TLS_ENABLED", "true")]).expect_err("no root");
        assert!(error.to_string().starts_with("the peer's TLS root certificate is not set"), "{error}");
    }

    #[test]
    fn reads_tls_material_as_pem_and_as_base64_of_pem() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path.to_str().expect("UTF-8").to_owned()
        };
        let root = file("root", "ROOT");
        let (key, certificate) = (file("key", "KEY"), file("certificate", "CERT"));
        let (key64, certificate64) =
            (file("key64", &STANDARD.encode("KEY")), file("certificate64", &STANDARD.encode("CERT")));
        let common = [
            ("CORE_CHAINCODE_ID_NAME", "basic:1"),
            ("CORE_PEER_ADDRESS", "a:1"),
            ("CORE_PEER_TLS_ENABLED", "true"),
            ("CORE_PEER_TLS_ROOTCERT_FILE", root.as_str()),
        ];
        for material in [
            [("CORE_TLS_CLIENT_KEY_FILE", key.as_str()), ("CORE_TLS_CLIENT_CERT_FILE", certificate.as_str())],
            [("CORE_TLS_CLIENT_KEY_PATH", key64.as_str()), ("CORE_TLS_CLIENT_CERT_PATH", certificate64.as_str())],
        ] {
            let tls = config(&[], &[&common[..], &material].concat()).expect("a configuration").tls.expect("TLS");
            assert_eq!((tls.roots, tls.identity), (vec!["ROOT".to_owned()], Some(("CERT".into(), "KEY".into()))));
        }
        let raw = [("CORE_TLS_CLIENT_KEY_PATH", key.as_str()), ("CORE_TLS_CLIENT_CERT_PATH", root.as_str())];
        let error = config(&[], &[&common[..], &raw].concat()).expect_err("no base64");
        assert!(matches!(error, ConfigError::NotBase64 { .. }), "{error}");
    }
}
