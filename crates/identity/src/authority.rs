//! The development network's certificate authority, and the folders that cryptogen would write.

use std::{path::PathBuf, time::Duration};

use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use time::OffsetDateTime;
use windlass_proto::hash::sha256;

use crate::{
    certificate::{Certificate, CertificateError},
    keys::{KeyError, SigningKey},
};

mod layout;
mod organizations;

pub use organizations::{
    OrdererOrganization, OrdererOrganizationSpec, Organizations, OrganizationsSpec, PeerOrganization,
    PeerOrganizationSpec,
};

/// How long certificates are valid when nothing else is asked for: ten years, as cryptogen's.
const VALIDITY: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How long before now certificates begin: clocks differ.
const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// Why a certificate cannot be issued, or a network's folders cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A key could not be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate could not be made.
    #[error("could not issue a certificate for '{common_name}': {source}")]
    Issue {
        /// Whose.
        common_name: String,
        /// Why.
        source: rcgen::Error,
    },
    /// The authority's certificate cannot be read.
    #[error("the authority's certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// The authority's key and certificate do not belong together, or it is no authority.
    #[error("the certificate of '{0}' is no certificate authority's, or belongs to another key")]
    NotAnAuthority(String),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name that cannot be part of a path.
    #[error("'{0}' cannot be the name of a folder: expected letters, digits, '.', '-' and '_'")]
    Name(String),
}

/// A self-signed certificate authority on P-256.
#[derive(Debug)]
pub struct CertificateAuthority {
    certificate_pem: String,
    key: SigningKey,
    /// Goes into the subjects of what it issues.
    organization: String,
}

/// What a certificate is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeafRequest<'a> {
    /// The subject's common name.
    pub common_name: &'a str,
    /// The subject's organizational unit: for identities the role, such as `peer`.
    pub organizational_unit: Option<&'a str>,
    /// Host names and IP addresses.
    pub subject_alternative_names: &'a [&'a str],
    /// What for.
    pub usage: LeafUsage,
    /// How long it is valid, from now; ten years when not given.
    pub validity: Option<Duration>,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeafUsage {
    /// Signing proposals, endorsements, blocks.
    #[default]
    Signing,
    /// Serving TLS.
    TlsServer,
    /// Being a client with TLS.
    TlsClient,
    /// Both sides of TLS.
    TlsBoth,
}

impl CertificateAuthority {
    /// A new authority: a self-signed certificate for ten years.
    pub fn generate(common_name: &str, organization: &str) -> Result<Self, AuthorityError> {
        let key = SigningKey::generate()?;
        let params = authority_params(common_name, organization, &key);
        let certificate = params.self_signed(&Signer(&key)).map_err(issue_error(common_name))?;
        Ok(Self { certificate_pem: to_pem(&certificate), key, organization: organization.to_owned() })
    }

    /// An authority made earlier.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let key = SigningKey::from_pem(key)?;
        let parsed = Certificate::from_pem(certificate.as_bytes())?;
        let name = parsed.common_name().unwrap_or_default().to_owned();
        if !parsed.is_ca() || parsed.public_key() != key.public_point() {
            return Err(AuthorityError::NotAnAuthority(name));
        }
        let organization = parsed.organization().unwrap_or_default().to_owned();
        Ok(Self { certificate_pem: parsed.to_pem(), key, organization })
    }

    /// An authority below this one.
    pub fn issue_authority(&self, common_name: &str) -> Result<Self, AuthorityError> {
        let key = SigningKey::generate()?;
        let params = authority_params(common_name, &self.organization, &key);
        let certificate_pem = self.sign(common_name, params, &key)?;
        Ok(Self { certificate_pem, key, organization: self.organization.clone() })
    }

    /// The authority's certificate.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's private key, PKCS#8.
    pub fn key_pem(&self) -> String {
        self.key.to_pkcs8_pem()
    }

    /// Issues a certificate for a new key; returns the certificate as PEM and the key.
    pub fn issue(&self, request: &LeafRequest<'_>) -> Result<(String, SigningKey), AuthorityError> {
        let key = SigningKey::generate()?;
        let certificate = self.issue_for(request, &key)?;
        Ok((certificate, key))
    }

    /// Issues a certificate for a key that exists.
    pub fn issue_for(&self, request: &LeafRequest<'_>, key: &SigningKey) -> Result<String, AuthorityError> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let mut params = params(request.validity.unwrap_or(VALIDITY));
        params.distinguished_name = subject(request.common_name, &self.organization, request.organizational_unit);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if request.usage != LeafUsage::Signing {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages = match request.usage {
            LeafUsage::Signing => vec![],
            LeafUsage::TlsServer => vec![ServerAuth],
            LeafUsage::TlsClient => vec![ClientAuth],
            LeafUsage::TlsBoth => vec![ServerAuth, ClientAuth],
        };
        for name in request.subject_alternative_names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into().map_err(issue_error(request.common_name))?),
            });
        }
        self.sign(request.common_name, params, key)
    }

    /// A revocation list of these certificates, as PEM.
    pub fn revoke(&self, certificates: &[&Certificate]) -> Result<String, AuthorityError> {
        let now = OffsetDateTime::now_utc();
        let entry = |certificate: &&Certificate| rcgen::RevokedCertParams {
            serial_number: SerialNumber::from_slice(certificate.serial()),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: now,
            next_update: now + VALIDITY,
            crl_number: SerialNumber::from(now.unix_timestamp().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: certificates.iter().map(entry).collect(),
            key_identifier_method: key_identifier(&self.key),
        };
        let list = list.signed_by(&self.issuer()?).map_err(issue_error(&self.organization))?;
        Ok(crate::pem::encode("X509 CRL", list.der()))
    }

    fn sign(&self, name: &str, params: CertificateParams, key: &SigningKey) -> Result<String, AuthorityError> {
        let certificate = params.signed_by(&Signer(key), &self.issuer()?).map_err(issue_error(name))?;
        Ok(to_pem(&certificate))
    }

    fn issuer(&self) -> Result<Issuer<'static, Signer<'_>>, AuthorityError> {
        Issuer::from_ca_cert_pem(&self.certificate_pem, Signer(&self.key)).map_err(issue_error(&self.organization))
    }
}

/// Lets rcgen sign with our keys: it would sign with either S, and peers read an identity by its certificate's bytes.
struct Signer<'a>(&'a SigningKey);

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.0.sign(message))
    }
}

fn authority_params(common_name: &str, organization: &str, key: &SigningKey) -> CertificateParams {
    let mut params = params(VALIDITY);
    params.distinguished_name = subject(common_name, organization, None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.key_identifier_method = key_identifier(key);
    params
}

/// SHA-256 of the public point, whole: what cryptogen names keys by.
fn key_identifier(key: &SigningKey) -> KeyIdMethod {
    KeyIdMethod::PreSpecified(sha256(key.public_point()).to_vec())
}

fn params(validity: Duration) -> CertificateParams {
    let mut serial = [0; 16];
    rand::fill(&mut serial).expect("the system has random bytes");
    // Positive, and of full length.
    serial[0] = serial[0] & 0x7f | 0x40;
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.not_before = now - BACKDATE;
    params.not_after = now + validity;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params
}

/// The subject as cryptogen writes it.
fn subject(common_name: &str, organization: &str, unit: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "US");
    name.push(DnType::StateOrProvinceName, "California");
    name.push(DnType::LocalityName, "San Francisco");
    if !organization.is_empty() {
        name.push(DnType::OrganizationName, organization);
    }
    if let Some(unit) = unit {
        name.push(DnType::OrganizationalUnitName, unit);
    }
    name.push(DnType::CommonName, common_name);
    name
}

fn to_pem(certificate: &rcgen::Certificate) -> String {
    crate::pem::encode(crate::certificate::LABEL, certificate.der())
}

fn issue_error(common_name: &str) -> impl Fn(rcgen::Error) -> AuthorityError {
    let common_name = common_name.to_owned();
    move |source| AuthorityError::Issue { common_name: common_name.clone(), source }
}

#[cfg(test)]
mod tests;
