//! X.509 certificates: what an MSP needs to know of one, owned and parsed once.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use windlass_proto::hash::{Digest, sha256};
use x509_parser::{
    extensions::ParsedExtension,
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_SIG_ECDSA_WITH_SHA256,
        OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, OID_SIG_ED25519,
    },
    prelude::{FromDer, X509Certificate},
    x509::SubjectPublicKeyInfo,
};

use crate::{
    der,
    keys::{Curve, KeyKind, VerifyingKey, low_s},
    pem,
};

/// The label of a certificate's PEM block.
pub(crate) const LABEL: &str = "CERTIFICATE";

/// A parsed certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Bytes,
    hash: Digest,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    common_name: Option<String>,
    organization: Option<String>,
    organizational_units: Vec<String>,
    serial: Vec<u8>,
    not_before: i64,
    not_after: i64,
    authority: Option<Authority>,
    may_sign_certificates: bool,
    serves: bool,
    unhandled_critical: bool,
    subject_key_id: Option<Vec<u8>>,
    key_kind: Option<KeyKind>,
    key_name: &'static str,
    public_key: Vec<u8>,
    ecdsa_signed: bool,
    signature: Vec<u8>,
}

/// The basic constraints of a CA.
#[derive(Clone, Copy, Debug)]
struct Authority {
    path_length: Option<u32>,
}

/// Why bytes are not a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no PEM block.
    #[error("could not decode the PEM structure")]
    NoPem,
    /// The PEM block is well formed but holds no X.509 certificate.
    #[error("parseCertificate failed: {0}")]
    Malformed(String),
}

impl Certificate {
    /// Parses the first block of a PEM text.
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        let (block, _) = pem::decode(text).ok_or(CertificateError::NoPem)?;
        Self::from_der(block.contents.into())
    }

    /// Parses DER; nothing may follow the certificate.
    pub fn from_der(der: Bytes) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(&der).map_err(|error| malformed(&error))?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed("trailing data".to_owned()));
        }
        if !der::has_canonical_shell(&der, &parsed.signature_value.data) {
            let reason = "not canonical DER around the signed part, or inner and outer signature algorithms differ";
            return Err(CertificateError::Malformed(reason.to_owned()));
        }
        let algorithm = &parsed.signature_algorithm.algorithm;
        let ecdsa_signed =
            [OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512].contains(algorithm);
        let text =
            |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| attribute.as_str().map(str::to_owned).ok();
        let (key_kind, key_name) = key_of(parsed.public_key());
        let mut certificate = Self {
            hash: sha256(&der),
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
            common_name: parsed.subject().iter_common_name().last().and_then(text),
            organization: parsed.subject().iter_organization().next().and_then(text),
            organizational_units: parsed.subject().iter_organizational_unit().filter_map(text).collect(),
            serial: parsed.raw_serial().to_vec(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            authority: None,
            may_sign_certificates: true,
            serves: true,
            unhandled_critical: false,
            subject_key_id: None,
            key_kind,
            key_name,
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            ecdsa_signed,
            signature: parsed.signature_value.data.to_vec(),
            der: der.clone(),
        };
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => {
                    let path_length = constraints.path_len_constraint;
                    certificate.authority = constraints.ca.then_some(Authority { path_length });
                }
                ParsedExtension::KeyUsage(usage) => certificate.may_sign_certificates = usage.key_cert_sign(),
                // Fabric verifies with Go's defaults, under which a certificate that limits its extended usage
                // has to allow TLS servers.
                ParsedExtension::ExtendedKeyUsage(usage) => certificate.serves = usage.any || usage.server_auth,
                ParsedExtension::SubjectKeyIdentifier(id) => certificate.subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(_)
                | ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::CRLDistributionPoints(_)
                | ParsedExtension::CertificatePolicies(_)
                | ParsedExtension::AuthorityInfoAccess(_) => {}
                // Among them name constraints: what is not enforced must not be passed over.
                _ => certificate.unhandled_critical |= extension.critical,
            }
        }
        Ok(certificate)
    }

    /// The DER.
    pub fn der(&self) -> &Bytes {
        &self.der
    }

    /// The certificate as PEM text.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der)
    }

    /// SHA-256 of the DER.
    pub fn hash(&self) -> &Digest {
        &self.hash
    }

    /// The subject's common name, the last if there are several.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The subject's organization, the first if there are several.
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// The subject's organizational units, in the certificate's order.
    pub fn organizational_units(&self) -> &[String] {
        &self.organizational_units
    }

    /// The serial number in lower-case hex.
    pub fn serial_hex(&self) -> String {
        hex::encode(&self.serial)
    }

    /// The end of its validity.
    pub fn expires_at(&self) -> SystemTime {
        system_time(self.not_after)
    }

    /// The public key: an EC point, or whatever the algorithm has.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether the basic constraints say CA.
    pub fn is_ca(&self) -> bool {
        self.authority.is_some()
    }

    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }

    pub(crate) fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    pub(crate) fn serial(&self) -> &[u8] {
        &self.serial
    }

    pub(crate) fn not_before(&self) -> i64 {
        self.not_before
    }

    pub(crate) fn is_valid_at(&self, time: i64) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    pub(crate) fn path_length(&self) -> Option<u32> {
        self.authority.and_then(|authority| authority.path_length)
    }

    pub(crate) fn may_sign_certificates(&self) -> bool {
        self.may_sign_certificates
    }

    /// Whether its extended key usage, if any, allows what Fabric asks for.
    pub(crate) fn allows_usage(&self) -> bool {
        self.serves
    }

    pub(crate) fn has_unhandled_critical_extension(&self) -> bool {
        self.unhandled_critical
    }

    pub(crate) fn subject_key_id(&self) -> Option<&[u8]> {
        self.subject_key_id.as_deref()
    }

    /// The kind of key, or the name of an algorithm that is not supported.
    pub(crate) fn key_kind(&self) -> Result<KeyKind, &'static str> {
        self.key_kind.ok_or(self.key_name)
    }

    pub(crate) fn verifying_key(&self) -> Option<VerifyingKey> {
        VerifyingKey::new(self.key_kind?, &self.public_key)
    }

    /// Whether an ECDSA signature on it is strict DER; other signatures have one form only.
    pub(crate) fn has_canonical_signature(&self) -> bool {
        // The widest curve takes whatever the narrower ones take.
        !self.ecdsa_signed || low_s::is_low(Curve::P521, &self.signature).is_some()
    }

    /// Whether `issuer`'s key made the signature on this certificate.
    pub(crate) fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let (Ok((_, this)), Ok((_, issuer))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&issuer.der))
        else {
            return false;
        };
        this.verify_signature(Some(issuer.public_key())).is_ok()
    }

    /// The certificate with the lower S in its own signature, so that one certificate has one hash.
    // Fabric: endorsement-and-gateway §13, trap 7
    pub(crate) fn normalized(self, issuer: &Certificate) -> Self {
        let Some(KeyKind::Ecdsa(curve)) = issuer.key_kind else { return self };
        if !self.ecdsa_signed || low_s::is_low(curve, &self.signature) != Some(false) {
            return self;
        }
        low_s::mirrored(curve, &self.signature)
            .and_then(|signature| der::with_signature(&self.der, &signature))
            .and_then(|der| Self::from_der(der.into()).ok())
            .unwrap_or(self)
    }
}

fn key_of(key: &SubjectPublicKeyInfo<'_>) -> (Option<KeyKind>, &'static str) {
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == OID_SIG_ED25519 {
        return (Some(KeyKind::Ed25519), "Ed25519");
    }
    if *algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return (None, "RSA");
    }
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let curve = curve.and_then(|curve| {
        [(OID_EC_P256, Curve::P256), (OID_NIST_EC_P384, Curve::P384), (OID_NIST_EC_P521, Curve::P521)]
            .into_iter()
            .find_map(|(oid, known)| (oid == curve).then_some(known))
    });
    (curve.map(KeyKind::Ecdsa), "ECDSA")
}

fn malformed(error: &x509_parser::nom::Err<x509_parser::error::X509Error>) -> CertificateError {
    let text = match error {
        x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => error.to_string(),
        x509_parser::nom::Err::Incomplete(_) => "truncated".to_owned(),
    };
    CertificateError::Malformed(text)
}

fn system_time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
