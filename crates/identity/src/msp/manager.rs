//! The MSPs of one channel, or the single local one.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use prost::Message;
use windlass_proto::{common::MspPrincipal, msp::SerializedIdentity};

use super::{Msp, MspError, Principal};
use crate::{
    cache::BoundedMap,
    identity::{Identity, IdentityError},
};

/// How many identities a manager remembers; twice that at most, some 3 KiB each.
const IDENTITIES: usize = 1024;

/// The longest identity remembered, in bytes: nobody shall fill memory by sending long ones.
pub(super) const REMEMBERED_BYTES: usize = 16 * 1024;

/// The MSPs of one channel, or the single local one. Identities seen before are not parsed again.
#[derive(Debug)]
pub struct MspManager {
    msps: BTreeMap<String, Msp>,
    identities: BoundedMap<Bytes, Arc<Identity>>,
}

impl MspManager {
    /// A manager of these MSPs; of two with the same ID the later one counts.
    pub fn new(msps: impl IntoIterator<Item = Msp>) -> Self {
        let msps = msps.into_iter().map(|msp| (msp.id().to_owned(), msp)).collect();
        Self { msps, identities: BoundedMap::new(IDENTITIES) }
    }

    /// The MSP of this ID.
    pub fn msp(&self, id: &str) -> Option<&Msp> {
        self.msps.get(id)
    }

    /// The IDs, sorted.
    pub fn ids(&self) -> Vec<&str> {
        self.msps.keys().map(String::as_str).collect()
    }

    /// Reads an identity of one of these MSPs. It need not be valid: see [`MspManager::validate`].
    pub fn deserialize(&self, serialized: &[u8]) -> Result<Arc<Identity>, IdentityError> {
        if let Some(identity) = self.identities.get(serialized) {
            return Ok(identity);
        }
        let bytes = Bytes::copy_from_slice(serialized);
        let message = SerializedIdentity::decode(bytes.clone())
            .map_err(|error| IdentityError::Serialization(error.to_string()))?;
        let msp = self.msp(&message.mspid).ok_or_else(|| IdentityError::UnknownMsp(message.mspid.clone()))?;
        let parsed = Identity::parse(&message.mspid, bytes.clone(), &message.id_bytes)?;
        msp.check_key(parsed.certificate()).map_err(IdentityError::UnsupportedKey)?;
        let certificate = msp.normalized(parsed.certificate().clone());
        let identity = Arc::new(if certificate.hash() == parsed.certificate_hash() {
            parsed
        } else {
            Identity::from_certificate(&message.mspid, bytes.clone(), certificate)?
        });
        if bytes.len() <= REMEMBERED_BYTES {
            self.identities.insert(bytes, identity.clone());
        }
        Ok(identity)
    }

    /// Whether its MSP counts the identity as valid.
    pub fn validate(&self, identity: &Identity) -> Result<(), MspError> {
        self.msp_of(identity)?.validate(identity)
    }

    /// Whether the identity is what the principal asks for.
    pub fn satisfies(&self, identity: &Identity, principal: &MspPrincipal) -> Result<(), MspError> {
        self.msp_of(identity)?.satisfies(identity, principal)
    }

    pub(crate) fn satisfies_decoded(&self, identity: &Identity, principal: &Principal) -> Result<(), MspError> {
        self.msp_of(identity)?.satisfies_decoded(identity, principal)
    }

    fn msp_of(&self, identity: &Identity) -> Result<&Msp, MspError> {
        self.msp(identity.msp_id()).ok_or_else(|| MspError::UnknownMsp(identity.msp_id().to_owned()))
    }
}
