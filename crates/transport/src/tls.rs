//! Certificates, keys and trust, from PEM to rustls.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, ServerName, UnixTime,
    pem::{PemObject, SectionKind},
};

/// Why TLS material cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text holds no certificate.
    #[error("expected at least one PEM certificate for {0}, found none")]
    NoCertificate(&'static str),
    /// The text is not PEM.
    #[error("cannot read the PEM text of {what}: {reason}")]
    Pem {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No private key, or one of an unknown kind.
    #[error("expected a private key in PKCS#8, SEC1 or PKCS#1 form, found none that can be used")]
    Key,
    /// A certificate cannot be trusted as a root.
    #[error("cannot use a certificate as trust root: {0}")]
    Root(Error),
    /// Certificate and key do not go together, or the like.
    #[error("cannot use certificate and key: {0}")]
    Identity(Error),
    /// The name to verify is neither a DNS name nor an IP address.
    #[error("'{0}' is neither a DNS name nor an IP address")]
    ServerName(String),
}

/// What a server does about client certificates.
#[derive(Clone, Debug, Default)]
pub enum ClientAuthentication {
    /// Does not ask.
    #[default]
    None,
    /// Asks, and accepts none, any, and self-signed ones: clients only bind themselves to it.
    // Fabric: endorsement-and-gateway §1
    Request,
    /// Asks; one that is presented must chain to these roots (PEM).
    VerifyIfGiven(Vec<String>),
    /// Requires one that chains to these roots (PEM).
    Require(Vec<String>),
}

/// A server's certificate chain and key, PEM.
#[derive(Clone)]
pub struct ServerTls {
    /// The chain, leaf first.
    pub certificate: String,
    /// The key, under any PEM label.
    pub key: String,
    /// What to do about client certificates.
    pub clients: ClientAuthentication,
}

/// Whom a client trusts and who it is, PEM.
#[derive(Clone, Default)]
pub struct ClientTls {
    /// Trust roots; each text may hold several.
    pub roots: Vec<String>,
    /// Certificate chain and key for mutual TLS.
    pub identity: Option<(String, String)>,
    /// The name to verify, where it is not the host dialed.
    pub server_name: Option<String>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("clients", &self.clients).finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("mutual", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// The rustls configuration: TLS 1.2 and 1.3, HTTP/2.
    ///
    /// # Errors
    /// When certificate, key or roots cannot be read or do not go together.
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Identity)?;
        let builder = match &self.clients {
            ClientAuthentication::None => builder.with_no_client_auth(),
            ClientAuthentication::Request => {
                builder.with_client_cert_verifier(Arc::new(AnyClient(provider.signature_verification_algorithms)))
            }
            ClientAuthentication::VerifyIfGiven(roots) | ClientAuthentication::Require(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(root_store(roots)?), provider);
                let verifier = match &self.clients {
                    ClientAuthentication::VerifyIfGiven(_) => verifier.allow_unauthenticated(),
                    _ => verifier,
                };
                let verifier = verifier.build().map_err(|error| TlsError::Root(Error::General(error.to_string())))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = certificates("the server", &self.certificate)?;
        let mut config = builder.with_single_cert(chain, private_key(&self.key)?).map_err(TlsError::Identity)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ClientTls {
    /// The rustls configuration: TLS 1.2 and 1.3, HTTP/2.
    ///
    /// # Errors
    /// When certificate, key or roots cannot be read or do not go together.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = RootsOrPinned::new(&self.roots, provider.clone())?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Identity)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates("the client", certificate)?, private_key(key)?)
                .map_err(TlsError::Identity)?,
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    /// The name to verify when `host` is dialed.
    ///
    /// # Errors
    /// When it is neither a DNS name nor an IP address.
    pub fn name_for(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))
    }
}

/// The certificates of a PEM text.
///
/// # Errors
/// When there is none or the text is malformed; `what` names it in the message.
pub fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Pem { what, reason: error.to_string() })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate(what));
    }
    Ok(certificates)
}

/// The private key of a PEM text. Fabric labels PKCS#8 keys `EC PRIVATE KEY`, so the label decides nothing.
// Fabric: chaincode-protocol §2, trap 14
fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        let (_, der) = section.map_err(|error| TlsError::Pem { what: "the key", reason: error.to_string() })?;
        let candidates: [PrivateKeyDer<'static>; 3] = [
            PrivatePkcs8KeyDer::from(der.clone()).into(),
            PrivateSec1KeyDer::from(der.clone()).into(),
            PrivatePkcs1KeyDer::from(der).into(),
        ];
        for key in candidates {
            if aws_lc_rs::sign::any_supported_type(&key).is_ok() {
                return Ok(key);
            }
        }
    }
    Err(TlsError::Key)
}

fn root_store(roots: &[String]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for pem in roots {
        for certificate in certificates("the trust roots", pem)? {
            store.add(certificate).map_err(TlsError::Root)?;
        }
    }
    Ok(store)
}

/// Accepts every client certificate whose owner holds the key.
#[derive(Debug)]
struct AnyClient(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// The usual path validation, and beside it what Go does and webpki does not: a self-signed CA certificate
/// that is itself among the roots may serve. `openssl req -x509` makes just those for chaincode servers.
#[derive(Debug)]
struct RootsOrPinned {
    paths: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl RootsOrPinned {
    fn new(roots: &[String], provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut pinned = Vec::new();
        for pem in roots {
            pinned.extend(certificates("the trust roots", pem)?);
        }
        let paths = WebPkiServerVerifier::builder_with_provider(Arc::new(root_store(roots)?), provider)
            .build()
            .map_err(|_| TlsError::NoCertificate("the trust roots"))?;
        Ok(Self { paths, pinned })
    }
}

impl ServerCertVerifier for RootsOrPinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.paths.verify_server_cert(leaf, intermediates, name, ocsp, now) {
            // webpki checks the validity period before it looks at the certificate's role.
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
                if self.pinned.contains(&leaf.clone().into_owned()) && is_authority(&other.to_string()) =>
            {
                verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.supported_verify_schemes()
    }
}

/// Whether webpki's complaint is that the leaf is a certificate authority.
fn is_authority(complaint: &str) -> bool {
    complaint.contains("CaUsedAsEndEntity")
}
