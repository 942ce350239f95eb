//! The authority for chaincode that dials the peer: made in memory at every start, never kept. Each launch gets
//! a certificate of its own, and only the chaincode it was made for may register with it.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use time::OffsetDateTime;
use windlass_proto::hash::{Digest, sha256};

/// How long a certificate may be registered with.
// Fabric: chaincode-protocol §3
const BINDING: Duration = Duration::from_secs(10 * 60);

// Fabric: chaincode-protocol §2
const BEFORE: time::Duration = time::Duration::hours(24);
const CLIENT_VALIDITY: time::Duration = time::Duration::hours(24);
const LONG_VALIDITY: time::Duration = time::Duration::days(3650);

/// Why certificates cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot make a certificate for chaincode: {0}")]
pub struct CertificateError(String);

impl From<rcgen::Error> for CertificateError {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

impl CertificateError {
    pub(crate) fn without_tls() -> Self {
        Self(String::from("TLS is off"))
    }
}

/// What the chaincode listener needs for TLS. All texts are PEM.
#[derive(Clone)]
pub struct ServerCertificate {
    /// The certificate of the listener.
    pub cert_pem: String,
    /// Its key, PKCS#8.
    pub key_pem: String,
    /// The authority whose certificates clients must have.
    pub client_root_pem: String,
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

/// A certificate and its key, PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    /// SHA-256 of the certificate.
    pub(crate) hash: Digest,
}

/// The authority, and whom its certificates were made for.
pub(crate) struct Certificates {
    issuer: Issuer<'static, KeyPair>,
    root: String,
    bindings: Mutex<HashMap<Digest, Binding>>,
}

struct Binding {
    id: String,
    until: Instant,
}

impl Certificates {
    /// A new authority.
    pub(crate) fn generate() -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(&key, Vec::new(), LONG_VALIDITY)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let root = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), root, bindings: Mutex::default() })
    }

    /// The authority's own certificate, PEM.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// A certificate for the listener that chaincode finds under `host`.
    pub(crate) fn server(&self, host: &str) -> Result<ServerCertificate, CertificateError> {
        let usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let (certificate, key) = self.leaf(vec![host.to_owned()], usages, LONG_VALIDITY)?;
        Ok(ServerCertificate {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            client_root_pem: self.root.clone(),
        })
    }

    /// A certificate for a launch of `id`.
    pub(crate) fn issue(&self, id: &str) -> Result<Issued, CertificateError> {
        self.issue_at(id, Instant::now())
    }

    fn issue_at(&self, id: &str, now: Instant) -> Result<Issued, CertificateError> {
        let (certificate, key) = self.leaf(Vec::new(), vec![ExtendedKeyUsagePurpose::ClientAuth], CLIENT_VALIDITY)?;
        let mut bindings = self.bindings.lock();
        bindings.retain(|_, binding| binding.until > now);
        let hash = sha256(certificate.der());
        bindings.insert(hash, Binding { id: id.to_owned(), until: now + BINDING });
        Ok(Issued { certificate: certificate.pem(), key: labelled_for_shims(&key), hash })
    }

    /// The ID that the certificate with this hash was made for, while it may register.
    pub(crate) fn owner(&self, hash: &Digest) -> Option<String> {
        self.owner_at(hash, Instant::now())
    }

    fn owner_at(&self, hash: &Digest, now: Instant) -> Option<String> {
        let bindings = self.bindings.lock();
        bindings.get(hash).filter(|binding| binding.until > now).map(|binding| binding.id.clone())
    }

    fn leaf(
        &self,
        names: Vec<String>,
        usages: Vec<ExtendedKeyUsagePurpose>,
        validity: time::Duration,
    ) -> Result<(Certificate, KeyPair), CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(&key, names, validity)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        Ok((params.signed_by(&key, &self.issuer)?, key))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("bindings", &self.bindings.lock().len()).finish_non_exhaustive()
    }
}

/// What all of these certificates have in common.
fn params(key: &KeyPair, names: Vec<String>, validity: time::Duration) -> Result<CertificateParams, CertificateError> {
    let serial = uuid::Uuid::new_v4();
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    // id-at-serialNumber, and nothing else.
    subject.push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial.as_u128().to_string());
    params.distinguished_name = subject;
    // The first bit is clear, so that DER needs no padding.
    let mut number = *serial.as_bytes();
    number[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&number));
    params.not_before = now - BEFORE;
    params.not_after = now + validity;
    params.key_identifier_method = KeyIdMethod::PreSpecified(sha256(key.public_key_raw()).to_vec());
    Ok(params)
}

/// PKCS#8 under the label that shims know from Fabric. Java takes nothing but PKCS#8, whatever the label says.
// Fabric: chaincode-protocol §2, trap 14
fn labelled_for_shims(key: &KeyPair) -> String {
    key.serialize_pem().replace("PRIVATE KEY", "EC PRIVATE KEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_may_register_for_ten_minutes() {
        let certificates = Certificates::generate().expect("an authority");
        let now = Instant::now();
        let issued = certificates.issue_at("basic:1", now).expect("a certificate");
        let der = windlass_transport::tls::certificates("the test", &issued.certificate).expect("PEM");
        let hash = sha256(&der[0]);
        let after = |seconds| certificates.owner_at(&hash, now + Duration::from_secs(seconds));
        assert_eq!(after(0).as_deref(), Some("basic:1"));
        assert_eq!(after(599).as_deref(), Some("basic:1"));
        assert_eq!(after(600), None);
        assert_eq!(certificates.owner(&[0; 32]), None);
        certificates.issue_at("basic:2", now + BINDING).expect("a certificate");
        assert_eq!(certificates.bindings.lock().len(), 1);
    }

    #[test]
    fn keys_are_pkcs8_under_the_label_that_shims_expect() {
        let certificates = Certificates::generate().expect("an authority");
        let key = certificates.issue("basic:1").expect("a certificate").key;
        assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----"));
        assert!(key.trim_end().ends_with("-----END EC PRIVATE KEY-----"));
        let body = key.replace("EC PRIVATE KEY", "PRIVATE KEY");
        assert!(KeyPair::from_pem(&body).is_ok());
    }
}
