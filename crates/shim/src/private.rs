//! Private data of one collection.

use bytes::Bytes;
use windlass_proto::protos::{DelState, GetState, chaincode_message::Type};

use crate::{
    Error, KeyValue, Rows, Stub, composite,
    rows::{self, Scan},
    stub::present,
};

/// The private data of a collection, within a transaction. The functions are those of [`Stub`].
#[derive(Clone, Copy, Debug)]
pub struct Private<'a> {
    stub: &'a Stub,
    collection: &'a str,
}

impl<'a> Private<'a> {
    pub(crate) fn new(stub: &'a Stub, collection: &'a str) -> Self {
        Self { stub, collection }
    }

    /// A key's value; nothing if the key is absent.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        self.stub.get_from(self.collection()?, key).await
    }

    /// The values of several keys, in their order.
    pub async fn get_multiple(&self, keys: &[impl AsRef<str>]) -> Result<Vec<Option<Bytes>>, Error> {
        let keys = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        self.stub.get_multiple_from(self.collection()?, keys).await
    }

    /// The hash of a key's value, which peers outside the collection have as well.
    pub async fn hash(&self, key: &str) -> Result<Option<Bytes>, Error> {
        let request = GetState { key: key.to_owned(), collection: self.collection()?.to_owned() };
        self.stub.caller().ask(Type::GetPrivateDataHash, &request).await.map(present)
    }

    /// Writes a key.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>) -> Result<(), Error> {
        self.stub.put_into(self.collection()?, key, value.into()).await
    }

    /// Deletes a key; its history stays.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        self.stub.delete_from(self.collection()?, key).await
    }

    /// Deletes a key and its history.
    pub async fn purge(&self, key: &str) -> Result<(), Error> {
        let collection = self.collection()?;
        if self.stub.batched(|batch| batch.purge(collection, key)) {
            return Ok(());
        }
        let request = DelState { key: key.to_owned(), collection: collection.to_owned() };
        self.stub.caller().ask(Type::PurgePrivateData, &request).await.map(drop)
    }

    /// The endorsement policy of a key, if it has one.
    pub async fn validation_parameter(&self, key: &str) -> Result<Option<Bytes>, Error> {
        self.stub.validation_parameter_from(self.collection()?, key).await
    }

    /// Sets the endorsement policy of a key.
    pub async fn set_validation_parameter(&self, key: &str, policy: impl Into<Bytes>) -> Result<(), Error> {
        self.stub.set_validation_parameter_in(self.collection()?, key, policy.into()).await
    }

    /// The simple keys from `start` (included) to `end` (excluded).
    pub async fn range(&self, start: &str, end: &str) -> Result<Rows<'a, KeyValue>, Error> {
        let (start, end) = rows::simple_range(start, end)?;
        Rows::open(self.stub.caller(), Scan::range(self.collection()?, start, end, None)).await
    }

    /// The composite keys of a type that begin with these attributes.
    pub async fn composite_range(
        &self,
        object_type: &str,
        attributes: &[impl AsRef<str> + Sync],
    ) -> Result<Rows<'a, KeyValue>, Error> {
        let (start, end) = composite::range(object_type, attributes)?;
        Rows::open(self.stub.caller(), Scan::range(self.collection()?, start, end, None)).await
    }

    /// A rich query.
    pub async fn query(&self, query: &str) -> Result<Rows<'a, KeyValue>, Error> {
        Rows::open(self.stub.caller(), Scan::query(self.collection()?, query, None)).await
    }

    // An empty name would reach public state.
    fn collection(&self) -> Result<&'a str, Error> {
        if self.collection.is_empty() { Err(Error::EmptyCollection) } else { Ok(self.collection) }
    }
}
