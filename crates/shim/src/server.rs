//! Chaincode that listens for its peers: chaincode as a service.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, future, stream};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Request, Status, Streaming, transport};
use windlass_proto::protos::{
    ChaincodeMessage,
    chaincode_server::{Chaincode as Service, ChaincodeServer},
};
use windlass_transport::{ClientAuthentication, ServerTls, TlsError, incoming};

use crate::{Chaincode, ConfigError, MAX_MESSAGE_SIZE, environment::Environment, session::Session};

// Fabric: chaincode-protocol §4
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Where to listen, and as what.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The address to listen at, `host:port`; port 0 takes a free one.
    pub address: String,
    /// The ID to register under: the package ID.
    pub chaincode_id: String,
    /// Certificate and key, and the authority of client certificates where they are required; nothing: plaintext.
    pub tls: Option<ServerTls>,
}

/// Why a chaincode server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Certificate, key or roots cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server failed.
    #[error("the server failed: {0}")]
    Server(#[from] transport::Error),
}

impl ServerConfig {
    /// The configuration that the environment gives, if it asks for a server: `CHAINCODE_SERVER_ADDRESS` and
    /// `CHAINCODE_ID`; with `CHAINCODE_TLS_DISABLED` false, `CHAINCODE_TLS_KEY` and `CHAINCODE_TLS_CERT` (PEM files),
    /// and `CHAINCODE_CLIENT_CA_CERT` where clients must present a certificate.
    ///
    /// # Errors
    /// When the ID or TLS material is missing or cannot be read.
    pub fn from_environment() -> Result<Option<Self>, ConfigError> {
        Self::from_parts(&Environment::new(&|variable| std::env::var(variable).ok()))
    }

    fn from_parts(environment: &Environment<'_>) -> Result<Option<Self>, ConfigError> {
        let Some(address) = environment.get("CHAINCODE_SERVER_ADDRESS") else { return Ok(None) };
        let chaincode_id = environment.get("CHAINCODE_ID").or_else(|| environment.get("CORE_CHAINCODE_ID_NAME"));
        let chaincode_id = chaincode_id
            .ok_or(ConfigError::Missing { what: "the chaincode ID", how: "CHAINCODE_ID to the package ID" })?;
        // TLS is off unless asked for, as in the field's samples.
        let disabled = environment.bool("CHAINCODE_TLS_DISABLED")?.unwrap_or(true);
        let tls = if disabled { None } else { Some(tls(environment)?) };
        Ok(Some(Self { address, chaincode_id, tls }))
    }
}

fn tls(environment: &Environment<'_>) -> Result<ServerTls, ConfigError> {
    let key = environment
        .file("CHAINCODE_TLS_KEY")?
        .ok_or(ConfigError::Missing { what: "the TLS key", how: "CHAINCODE_TLS_KEY to a PEM file" })?;
    let certificate = environment
        .file("CHAINCODE_TLS_CERT")?
        .ok_or(ConfigError::Missing { what: "the TLS certificate", how: "CHAINCODE_TLS_CERT to a PEM file" })?;
    let clients = match environment.file("CHAINCODE_CLIENT_CA_CERT")? {
        Some(authority) => ClientAuthentication::Require(vec![authority]),
        None => ClientAuthentication::None,
    };
    Ok(ServerTls { certificate, key, clients })
}

/// Serves `chaincode` to every peer that connects, for as long as the future is polled.
///
/// # Errors
/// When the address or the TLS material cannot be used.
pub async fn serve(config: ServerConfig, chaincode: impl Chaincode) -> Result<(), ServeError> {
    Server::bind(config).await?.serve(chaincode, future::pending()).await
}

/// A chaincode server that listens already: peers that dial from here on are served once it [serves](Self::serve).
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
}

impl Server {
    /// Listens at the configured address.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn bind(config: ServerConfig) -> Result<Self, ServeError> {
        let bound = async {
            let listener = TcpListener::bind(&config.address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        match bound.await {
            Ok((listener, address)) => Ok(Self { listener, address, config }),
            Err(source) => Err(ServeError::Listen { address: config.address, source }),
        }
    }

    /// The address it listens at, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `chaincode` until `shutdown`, then ends all streams and returns. Dropping the future does the same,
    /// without waiting.
    ///
    /// # Errors
    /// When the TLS material cannot be used or the server fails.
    pub async fn serve(
        self,
        chaincode: impl Chaincode,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let tls = self.config.tls.as_ref().map(ServerTls::config).transpose()?;
        let closing = CancellationToken::new();
        let _close = closing.clone().drop_guard();
        let streams = Streams {
            chaincode: Arc::new(chaincode),
            chaincode_id: self.config.chaincode_id,
            closing: closing.clone(),
        };
        let service = ChaincodeServer::new(streams)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        tracing::info!(address = %self.address, tls = tls.is_some(), "chaincode server is listening");
        transport::Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .add_service(service)
            .serve_with_incoming_shutdown(incoming(self.listener, tls), async move {
                shutdown.await;
                closing.cancel();
            })
            .await?;
        Ok(())
    }
}

/// The service: each call is a session of its own.
struct Streams<C> {
    chaincode: Arc<C>,
    chaincode_id: String,
    closing: CancellationToken,
}

#[tonic::async_trait]
impl<C: Chaincode> Service for Streams<C> {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<ChaincodeMessage, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<tonic::Response<Self::ConnectStream>, Status> {
        let (session, messages) = Session::new(Arc::clone(&self.chaincode), &self.chaincode_id);
        // Owned by the stream that answers: a peer that goes takes its session with it.
        let mut incoming = request.into_inner();
        let session = AbortOnDropHandle::new(tokio::spawn(async move { session.run(&mut incoming).await }));
        let end = stream::once(async move {
            match session.await {
                Ok(outcome) => outcome.err().map(|error| Err(Status::from(error))),
                Err(error) => Some(Err(Status::internal(error.to_string()))),
            }
        });
        let messages = ReceiverStream::new(messages).map(Ok).chain(end.filter_map(future::ready));
        Ok(tonic::Response::new(Box::pin(messages.take_until(self.closing.clone().cancelled_owned()))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Option<ServerConfig>, ConfigError> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        ServerConfig::from_parts(&Environment::new(&lookup))
    }

    #[test]
    fn is_no_server_without_an_address() {
        assert!(config(&[("CHAINCODE_ID", "basic:1")]).expect("legal").is_none());
        assert!(config(&[("CHAINCODE_SERVER_ADDRESS", "")]).expect("legal").is_none());
    }

    #[test]
    fn uses_tls_only_when_asked() {
        let base = [("CHAINCODE_SERVER_ADDRESS", "0.0.0.0:9999"), ("CHAINCODE_ID", "basic:1")];
        let found = config(&base).expect("legal").expect("a server");
        assert_eq!((found.address.as_str(), found.chaincode_id.as_str()), ("0.0.0.0:9999", "basic:1"));
        assert!(found.tls.is_none());
        let error = config(&[&base[..], &[("CHAINCODE_TLS_DISABLED", "false")]].concat()).expect_err("no key");
        assert_eq!(error.to_string(), "the TLS key is not set\nhint: set CHAINCODE_TLS_KEY to a PEM file");
        let file = "/nonexistent/key.pem";
        let variables = [("CHAINCODE_TLS_DISABLED", "false"), ("CHAINCODE_TLS_KEY", file)];
        let error = config(&[&base[..], &variables].concat()).expect_err("no file");
        assert!(error.to_string().starts_with("cannot read the file that CHAINCODE_TLS_KEY names, "), "{error}");
    }

    #[test]
    fn needs_an_id() {
        let error = config(&[("CHAINCODE_SERVER_ADDRESS", "0.0.0.0:9999")]).expect_err("no ID");
        assert!(error.to_string().starts_with("the chaincode ID is not set"), "{error}");
    }
}
