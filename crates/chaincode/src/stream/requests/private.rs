//! Private data, which chaincode does not have here yet: every collection is refused, one that is defined with
//! the reason.

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
        Err(self.refusal(collection))
    }

    /// GET_PRIVATE_DATA_HASH asks the ledger without looking at membership, hence the other text.
    // Fabric: chaincode-protocol §10
    pub(super) fn private_hash(&self, payload: Bytes) -> Result<Bytes, RequestError> {
        let request = GetState::decode(payload)?;
        self.not_during_init()?;
        Err(match self.refusal(&request.collection) {
            RequestError::UnknownCollection { namespace, .. } => RequestError::NoCollections(namespace),
            not_here => not_here,
        })
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
        Err(self.refusal(collection))
    }

    fn not_during_init(&self) -> Result<(), RequestError> {
        if self.init { Err(RequestError::PrivateDuringInit) } else { Ok(()) }
    }

    fn refusal(&self, collection: &str) -> RequestError {
        let (channel, namespace) = (self.transaction.channel.clone(), self.namespace.clone());
        let is_defined = self.host.has_collection(&self.transaction, &namespace, collection);
        let collection = collection.to_owned();
        if is_defined {
            RequestError::NoPrivateData { channel, namespace, collection }
        } else {
            RequestError::UnknownCollection { channel, namespace, collection }
        }
    }
}
