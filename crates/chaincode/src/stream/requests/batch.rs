//! WRITE_BATCH_STATE: many writes in one message, in order, until the first that fails.

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::{DelState, PutState, WriteBatchState, WriteRecord, write_record::Type};

use super::Context;
use crate::stream::errors::RequestError;

impl Context {
    pub(super) fn write_batch(&self, payload: Bytes) -> Result<Bytes, RequestError> {
        for record in WriteBatchState::decode(payload)?.rec {
            self.write(record)?;
        }
        Ok(Bytes::new())
    }

    fn write(&self, record: WriteRecord) -> Result<Bytes, RequestError> {
        let WriteRecord { key, value, collection, metadata, r#type } = record;
        match Type::try_from(r#type) {
            Ok(Type::PutState) => self.put_state(PutState { key, value, collection }),
            Ok(Type::DelState) => self.delete_state(&DelState { key, collection }),
            Ok(Type::PutStateMetadata) => self.put_key_metadata(&collection, &key, metadata),
            Ok(Type::PurgePrivateData) => self.purge_key(&collection),
            Ok(Type::Undefined) | Err(_) => Err(RequestError::UnknownWrite),
        }
    }
}
