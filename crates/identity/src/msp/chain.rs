//! The path from a certificate to a root.
//!
//! Verified as of one second after the certificate's own beginning, whatever the clock says: a block that was valid
//! when it was written stays valid.
// Fabric: endorsement-and-gateway §4

use std::sync::Arc;

use windlass_proto::hash::{Digest, sha256_of};

use super::{ChainError, Msp, MspVersion, PathError, SetupError};
use crate::{
    certificate::Certificate,
    keys::{Curve, KeyKind},
};

/// How many signatures one search may check. Cross-signed CAs could make it exponential otherwise.
const SIGNATURE_BUDGET: usize = 100;

/// SHA-256 over a chain's certificates, the issuer first: the identifier of certifiers.
pub(super) fn identifier(chain: &[Arc<Certificate>]) -> Digest {
    sha256_of(chain.iter().map(|certificate| certificate.der().as_ref()))
}

impl Msp {
    /// The issuers of an identity's certificate, nearest first, root last.
    pub(super) fn identity_chain(&self, certificate: &Certificate) -> Result<Vec<Arc<Certificate>>, ChainError> {
        if certificate.is_ca() {
            return Err(ChainError::AuthorityAsIdentity);
        }
        let chain = self.unique_chain(certificate)?;
        let Some(parent) = chain.first() else { return Err(ChainError::TooShort(1)) };
        if self.internal_nodes.contains(parent.hash()) {
            let name = certificate.common_name().unwrap_or_default().to_owned();
            return Err(ChainError::ParentIsNoLeaf(name));
        }
        Ok(chain)
    }

    /// The only path from a certificate to a root, without the certificate itself; empty for a root.
    pub(super) fn unique_chain(&self, certificate: &Certificate) -> Result<Vec<Arc<Certificate>>, ChainError> {
        let mut search = Search::new(self, certificate.not_before().saturating_add(1));
        let mut chains = search.run(certificate)?;
        match chains.len() {
            1 => Ok(chains.remove(0)),
            several => Err(ChainError::Ambiguous(several)),
        }
    }

    /// The identifier of certifiers for units that name `certificate` as their CA.
    pub(super) fn certifiers_identifier(&self, certificate: &Certificate) -> Result<Digest, super::MspError> {
        let unknown = || SetupError::UnknownCertifier(certificate.common_name().unwrap_or_default().to_owned());
        let known = |list: &[Arc<Certificate>]| list.iter().find(|known| known.hash() == certificate.hash()).cloned();
        if let Some(root) = known(&self.roots) {
            return Ok(identifier(&[root]));
        }
        let intermediate = known(&self.intermediates).ok_or_else(unknown)?;
        let mut chain = vec![intermediate.clone()];
        chain.extend(self.unique_chain(&intermediate)?);
        Ok(identifier(&chain))
    }

    /// The certificate as this MSP keeps it: with the lower S of its issuer's curve.
    pub(crate) fn normalized(&self, certificate: Certificate) -> Certificate {
        let issuer = self.roots.iter().chain(&self.intermediates).find(|ca| ca.subject() == certificate.issuer());
        match issuer {
            Some(issuer) => certificate.normalized(issuer),
            None => certificate,
        }
    }

    /// Whether this MSP takes keys of this kind.
    pub(crate) fn check_key(&self, certificate: &Certificate) -> Result<(), &'static str> {
        match certificate.key_kind()? {
            KeyKind::Ecdsa(Curve::P256 | Curve::P384 | Curve::P521) => Ok(()),
            KeyKind::Ed25519 if self.version >= MspVersion::V3_0 => Ok(()),
            KeyKind::Ed25519 => Err("Ed25519"),
        }
    }
}

struct Search<'a> {
    msp: &'a Msp,
    time: i64,
    budget: usize,
    refused: Option<PathError>,
}

impl<'a> Search<'a> {
    fn new(msp: &'a Msp, time: i64) -> Self {
        Self { msp, time, budget: SIGNATURE_BUDGET, refused: None }
    }

    fn run(&mut self, certificate: &Certificate) -> Result<Vec<Vec<Arc<Certificate>>>, PathError> {
        if !certificate.is_valid_at(self.time) {
            return Err(PathError::NeverValid);
        }
        if certificate.has_unhandled_critical_extension() {
            return Err(PathError::CriticalExtension);
        }
        let mut chains = Vec::new();
        if self.msp.roots.iter().any(|root| root.hash() == certificate.hash()) {
            chains.push(Vec::new());
        } else {
            self.extend(certificate, &mut Vec::new(), &mut chains);
        }
        if chains.is_empty() {
            return Err(self.refused.take().unwrap_or(PathError::UnknownAuthority));
        }
        let allowed = |chain: &Vec<Arc<Certificate>>| chain.iter().all(|ca| ca.allows_usage());
        chains.retain(|chain| certificate.allows_usage() && allowed(chain));
        if chains.is_empty() { Err(PathError::KeyUsage) } else { Ok(chains) }
    }

    fn extend(
        &mut self,
        certificate: &Certificate,
        path: &mut Vec<Arc<Certificate>>,
        chains: &mut Vec<Vec<Arc<Certificate>>>,
    ) {
        let msp = self.msp;
        let candidates = msp.roots.iter().map(|ca| (ca, true)).chain(msp.intermediates.iter().map(|ca| (ca, false)));
        for (candidate, is_root) in candidates {
            let seen = path.iter().any(|ca| ca.hash() == candidate.hash()) || candidate.hash() == certificate.hash();
            if candidate.subject() != certificate.issuer() || seen {
                continue;
            }
            if let Err(reason) = self.check_issuer(certificate, candidate, path) {
                let candidate = candidate.common_name().unwrap_or_default().to_owned();
                self.refused.get_or_insert(PathError::CandidateRefused { reason, candidate });
                continue;
            }
            path.push(candidate.clone());
            if is_root {
                chains.push(path.clone());
            } else {
                self.extend(candidate, path, chains);
            }
            path.pop();
        }
    }

    fn check_issuer(
        &mut self,
        certificate: &Certificate,
        issuer: &Certificate,
        path: &[Arc<Certificate>],
    ) -> Result<(), &'static str> {
        if !issuer.is_ca() || !issuer.may_sign_certificates() {
            return Err("x509: invalid signature: parent certificate cannot sign this kind of certificate");
        }
        if !issuer.is_valid_at(self.time) {
            return Err("x509: certificate has expired or is not yet valid");
        }
        if issuer.has_unhandled_critical_extension() {
            return Err("x509: unhandled critical extension");
        }
        // The path so far holds the intermediates between the certificate and this issuer.
        if issuer.path_length().is_some_and(|limit| path.len() > limit as usize) {
            return Err("x509: too many intermediates for path length constraint");
        }
        self.budget = self.budget.checked_sub(1).ok_or("x509: signature check attempts limit reached")?;
        if certificate.is_signed_by(issuer) { Ok(()) } else { Err("x509: ECDSA verification failure") }
    }
}
