//! The metadata of keys: mostly their own endorsement policies.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::{GetStateMetadata, PutStateMetadata, StateMetadata, StateMetadataResult};

use super::Context;
use crate::stream::{errors::RequestError, message::encode};

/// The capability that brings endorsement policies of keys.
// Fabric: chaincode-protocol §10
const KEY_LEVEL_ENDORSEMENT: &str = "V1_3";

impl Context {
    pub(super) fn get_metadata(&self, payload: Bytes) -> Result<Bytes, RequestError> {
        self.key_level_endorsement()?;
        let request = GetStateMetadata::decode(payload)?;
        self.only_public(&request.collection)?;
        let metadata = self.simulation()?.get_metadata(&self.namespace, &request.key)?;
        let entries = metadata.into_iter().map(|(metakey, value)| StateMetadata { metakey, value }).collect();
        Ok(encode(&StateMetadataResult { entries }))
    }

    pub(super) fn put_metadata(&self, payload: Bytes) -> Result<Bytes, RequestError> {
        let request = PutStateMetadata::decode(payload)?;
        self.put_key_metadata(&request.collection, &request.key, request.metadata)
    }

    /// Replaces the whole metadata of a key by this one entry.
    pub(super) fn put_key_metadata(
        &self,
        collection: &str,
        key: &str,
        entry: Option<StateMetadata>,
    ) -> Result<Bytes, RequestError> {
        self.key_level_endorsement()?;
        self.only_public(collection)?;
        let entry = entry.unwrap_or_default();
        let entries = BTreeMap::from([(entry.metakey, entry.value)]);
        self.simulation()?.put_metadata(&self.namespace, key, entries)?;
        Ok(Bytes::new())
    }

    fn key_level_endorsement(&self) -> Result<(), RequestError> {
        self.capability(KEY_LEVEL_ENDORSEMENT, RequestError::KeyLevelEndorsementDisabled)
    }
}
