//! Who we are: a certificate with its private key.

use std::{fmt, path::Path, sync::Arc};

use bytes::Bytes;

use crate::{
    certificate::Certificate,
    identity::{IdentityError, serialize_identity},
    keys::{KeyError, SigningKey},
};

/// An identity that can sign. Clones are cheap and share everything.
#[derive(Clone)]
pub struct SigningIdentity(Arc<Inner>);

struct Inner {
    msp_id: String,
    certificate_pem: String,
    certificate: Certificate,
    serialized: Bytes,
    key: SigningKey,
}

impl SigningIdentity {
    /// A certificate and the key it was issued for.
    pub fn new(msp_id: &str, certificate_pem: &str, key: SigningKey) -> Result<Self, IdentityError> {
        let certificate = Certificate::from_pem(certificate_pem.as_bytes())?;
        if certificate.public_key() != key.public_point() {
            let name = certificate.common_name().unwrap_or("(no name)").to_owned();
            return Err(IdentityError::KeyMismatch(name));
        }
        // Re-encoded, for the text may have a preamble or trailing lines that peers refuse.
        let certificate_pem = certificate.to_pem();
        let serialized = serialize_identity(msp_id, &certificate_pem);
        Ok(Self(Arc::new(Inner { msp_id: msp_id.to_owned(), certificate_pem, certificate, serialized, key })))
    }

    /// From `signcerts` and `keystore` of an MSP folder. The key is whichever file of `keystore` belongs to the
    /// certificate, under any name.
    // Fabric: endorsement-and-gateway §4
    pub fn from_msp_folder(msp_id: &str, folder: &Path) -> Result<Self, IdentityError> {
        let signcerts = folder.join("signcerts");
        let certificates = texts(&signcerts)?;
        let (_, certificate_pem) = certificates
            .iter()
            .find(|(_, text)| Certificate::from_pem(text.as_bytes()).is_ok())
            .ok_or_else(|| refused(&signcerts, "no certificate found"))?;
        let public = Certificate::from_pem(certificate_pem.as_bytes())?.public_key().to_vec();
        let keystore = folder.join("keystore");
        let mut unreadable: Option<KeyError> = None;
        for (_, text) in texts(&keystore)? {
            match SigningKey::from_pem(&text) {
                Ok(key) if key.public_point() == public => return Self::new(msp_id, certificate_pem, key),
                Ok(_) => {}
                Err(error) => unreadable = Some(error),
            }
        }
        let reason = match unreadable {
            Some(error) => format!("no private key for the certificate in signcerts ({error})"),
            None => "no private key for the certificate in signcerts".to_owned(),
        };
        Err(refused(&keystore, &reason))
    }

    /// The MSP's identifier.
    pub fn msp_id(&self) -> &str {
        &self.0.msp_id
    }

    /// The SerializedIdentity bytes.
    pub fn serialized(&self) -> &Bytes {
        &self.0.serialized
    }

    /// Signs SHA-256 of `message`: DER, lower S.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.key.sign(message)
    }

    /// The certificate as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.0.certificate_pem
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// The private key.
    pub fn key(&self) -> &SigningKey {
        &self.0.key
    }
}

impl fmt::Debug for SigningIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.certificate.common_name().unwrap_or_default();
        write!(f, "SigningIdentity({}, {name})", self.0.msp_id)
    }
}

/// The files of a folder that are text, by name.
fn texts(folder: &Path) -> Result<Vec<(String, String)>, IdentityError> {
    let unreadable = |error: std::io::Error| refused(folder, &error.to_string());
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.path().is_dir() {
            continue;
        }
        if let Ok(text) = std::fs::read_to_string(entry.path()) {
            texts.push((entry.file_name().to_string_lossy().into_owned(), text));
        }
    }
    texts.sort();
    Ok(texts)
}

fn refused(path: &Path, reason: &str) -> IdentityError {
    IdentityError::Folder { path: path.display().to_string(), reason: reason.to_owned() }
}
