//! Certificate revocation lists.

use std::collections::HashSet;

use bytes::Bytes;
use x509_parser::{
    extensions::ParsedExtension,
    prelude::{CertificateRevocationList, FromDer, X509Certificate},
};

use crate::{certificate::Certificate, pem};

/// A parsed list. Whether it counts for a CA is decided when one of its serial numbers is met.
#[derive(Clone, Debug)]
pub(crate) struct RevocationList {
    der: Bytes,
    authority_key_id: Option<Vec<u8>>,
    serials: HashSet<Vec<u8>>,
}

impl RevocationList {
    /// Parses PEM or DER.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let der: Bytes = match pem::decode(bytes) {
            Some((block, _)) => block.contents.into(),
            None => Bytes::copy_from_slice(bytes),
        };
        let (rest, list) = CertificateRevocationList::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let authority_key_id = list.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        });
        let serials = list.iter_revoked_certificates().map(|entry| number(entry.raw_serial())).collect();
        Some(Self { authority_key_id, serials, der: der.clone() })
    }

    /// Whether this list, made by `issuer`, names the certificate. The date of the revocation does not matter:
    /// old transactions are judged by the lists of the current configuration.
    pub(crate) fn revokes(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.authority_key_id.is_some()
            && self.authority_key_id.as_deref() == issuer.subject_key_id()
            && self.serials.contains(&number(certificate.serial()))
            && self.is_signed_by(issuer)
    }

    fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let (Ok((_, list)), Ok((_, issuer))) =
            (CertificateRevocationList::from_der(&self.der), X509Certificate::from_der(issuer.der()))
        else {
            return false;
        };
        let signed = list.verify_signature(issuer.public_key()).is_ok();
        if !signed {
            tracing::warn!("a revocation list names a certificate, but the certificate's issuer did not sign it");
        }
        signed
    }
}

/// The digits of an INTEGER without leading zeros.
fn number(raw: &[u8]) -> Vec<u8> {
    raw.iter().copied().skip_while(|digit| *digit == 0).collect()
}
