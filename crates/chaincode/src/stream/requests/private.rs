//! Private data, on a peer without any: no definition here has collections, and the implicit ones of
//! organizations are not for chaincode yet.

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::{DelState, GetState};

use super::Context;
use crate::stream::errors::RequestError;

/// The capability that allows purging.
// Fabric: chaincode-protocol §10
const PURGE: &str = "V2_5";

impl Context {
    /// Refuses whatever names a collection.
    pub(super) fn only_public(&self, collection: &str) -> Result<(), RequestError> {
        if collection.is_empty() {
            return Ok(());
        }
        self.not_during_init()?;
        Err(self.unknown(collection))
    }

    /// GET_PRIVATE_DATA_HASH asks the ledger without looking at membership, hence the other text.
    // Fabric: chaincode-protocol §10
    pub(super) fn private_hash(&self, payload: Bytes) -> Result<Bytes, RequestError> {
        GetState::decode(payload)?;
        self.not_during_init()?;
        Err(RequestError::NoCollections(self.namespace.clone()))
    }

    /// PURGE_PRIVATE_DATA.
    pub(super) fn purge(&self, payload: Bytes) -> Result<Bytes, RequestError> {
        self.purge_key(&DelState::decode(payload)?.collection)
    }

    pub(super) fn purge_key(&self, collection: &str) -> Result<Bytes, RequestError> {
        self.capability(PURGE, RequestError::PurgeDisabled)?;
        if collection.is_empty() {
            return Err(RequestError::PurgeWithoutCollection);
        }
        self.not_during_init()?;
        Err(self.unknown(collection))
    }

    fn not_during_init(&self) -> Result<(), RequestError> {
        if self.init { Err(RequestError::PrivateDuringInit) } else { Ok(()) }
    }

    fn unknown(&self, collection: &str) -> RequestError {
        RequestError::UnknownCollection {
            channel: self.transaction.channel.clone(),
            namespace: self.namespace.clone(),
            collection: collection.to_owned(),
        }
    }
}
