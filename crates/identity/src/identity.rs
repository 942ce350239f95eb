//! An identity as it arrives in a message: the MSP it claims, and a certificate.

use std::time::SystemTime;

use bytes::Bytes;
use prost::Message;
use windlass_proto::{hash::Digest, msp::SerializedIdentity};

use crate::{
    certificate::{Certificate, CertificateError, LABEL},
    keys::{VerifyError, VerifyingKey},
    pem,
};

/// A deserialized identity. Nothing is known yet of its validity: see [`MspManager`](crate::MspManager).
#[derive(Debug)]
pub struct Identity {
    msp_id: String,
    serialized: Bytes,
    pem: String,
    certificate: Certificate,
    key: VerifyingKey,
}

/// Why bytes are not an identity.
// Fabric: endorsement-and-gateway §4
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not a SerializedIdentity.
    #[error("could not deserialize a SerializedIdentity: {0}")]
    Serialization(String),
    /// Its MSP is not one of the channel's.
    #[error("MSP {0} is not defined on channel")]
    UnknownMsp(String),
    /// It belongs to another MSP than the one asked.
    #[error("expected MSP ID {expected}, received {received}")]
    OtherMsp {
        /// The MSP asked.
        expected: String,
        /// The MSP named by the identity.
        received: String,
    },
    /// No certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Something follows the PEM block.
    #[error("identity {pem} for MSP {msp} has trailing bytes")]
    TrailingBytes {
        /// The identity's text.
        pem: String,
        /// Its MSP.
        msp: String,
    },
    /// The PEM block is something else.
    #[error("pem type is {0}, should be 'CERTIFICATE' or missing")]
    PemType(String),
    /// The signature on the certificate could be written in other ways.
    #[error("identity {pem} for MSP {msp} has a non canonical signature")]
    NonCanonicalSignature {
        /// The identity's text.
        pem: String,
        /// Its MSP.
        msp: String,
    },
    /// Its key is of a kind that the MSP does not take.
    #[error("{0} is not supported")]
    UnsupportedKey(&'static str),
    /// The private key belongs to another certificate.
    #[error("the private key does not match the public key of the certificate of '{0}'")]
    KeyMismatch(String),
    /// A file of the MSP folder cannot be used.
    #[error("{path}: {reason}")]
    Folder {
        /// The file or folder.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl Identity {
    /// From the PEM of a message.
    pub(crate) fn parse(msp_id: &str, serialized: Bytes, text: &[u8]) -> Result<Self, IdentityError> {
        let (block, rest) = pem::decode(text).ok_or(CertificateError::NoPem)?;
        let shown = || String::from_utf8_lossy(text).into_owned();
        if !rest.is_empty() {
            return Err(IdentityError::TrailingBytes { pem: shown(), msp: msp_id.to_owned() });
        }
        if block.label != LABEL && !block.label.is_empty() {
            return Err(IdentityError::PemType(block.label));
        }
        let certificate = Certificate::from_der(block.contents.into())?;
        if !certificate.has_canonical_signature() {
            return Err(IdentityError::NonCanonicalSignature { pem: shown(), msp: msp_id.to_owned() });
        }
        Self::from_certificate(msp_id, serialized, certificate)
    }

    pub(crate) fn from_certificate(
        msp_id: &str,
        serialized: Bytes,
        certificate: Certificate,
    ) -> Result<Self, IdentityError> {
        certificate.key_kind().map_err(IdentityError::UnsupportedKey)?;
        let key = certificate.verifying_key().ok_or(IdentityError::UnsupportedKey("the public key"))?;
        Ok(Self { msp_id: msp_id.to_owned(), serialized, pem: certificate.to_pem(), certificate, key })
    }

    /// The MSP that it says it belongs to.
    pub fn msp_id(&self) -> &str {
        &self.msp_id
    }

    /// The SerializedIdentity bytes as they came.
    pub fn serialized(&self) -> &Bytes {
        &self.serialized
    }

    /// The certificate as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// SHA-256 of the certificate's DER. With the MSP it tells identities apart.
    pub fn certificate_hash(&self) -> &Digest {
        self.certificate.hash()
    }

    /// When the certificate ends to be valid. MSPs do not look at it; endorsers, orderers and event services do.
    pub fn expires_at(&self) -> SystemTime {
        self.certificate.expires_at()
    }

    /// The subject's common name.
    pub fn common_name(&self) -> Option<&str> {
        self.certificate.common_name()
    }

    /// Whether `signature` over `message` is this identity's. An ECDSA signature needs the lower S.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        self.key.verify(message, signature)
    }
}

/// SerializedIdentity bytes of a certificate.
pub fn serialize_identity(msp_id: &str, certificate_pem: &str) -> Bytes {
    let id_bytes = Bytes::copy_from_slice(certificate_pem.as_bytes());
    SerializedIdentity { mspid: msp_id.to_owned(), id_bytes }.encode_to_vec().into()
}
