//! Writes collected to be sent together.

use std::collections::BTreeMap;

use bytes::Bytes;
use windlass_proto::protos::{StateMetadata, WriteBatchState, WriteRecord, write_record::Type};

/// The writes of a transaction since its batch was opened: of several to a key, the last. Metadata is a record of its
/// own.
// Fabric: chaincode-protocol §16
#[derive(Debug, Default)]
pub(crate) struct Batch {
    values: BTreeMap<Place, WriteRecord>,
    metadata: BTreeMap<Place, WriteRecord>,
}

/// Collection and key.
type Place = (String, String);

impl Batch {
    pub(crate) fn put(&mut self, collection: &str, key: &str, value: Bytes) {
        self.value(WriteRecord { value, ..record(Type::PutState, collection, key) });
    }

    pub(crate) fn delete(&mut self, collection: &str, key: &str) {
        self.value(record(Type::DelState, collection, key));
    }

    pub(crate) fn purge(&mut self, collection: &str, key: &str) {
        self.value(record(Type::PurgePrivateData, collection, key));
    }

    pub(crate) fn set_metadata(&mut self, collection: &str, key: &str, metadata: StateMetadata) {
        let record = WriteRecord { metadata: Some(metadata), ..record(Type::PutStateMetadata, collection, key) };
        self.metadata.insert(place(&record), record);
    }

    /// The records as requests of at most `size`, sorted by key, values before metadata.
    pub(crate) fn portions(self, size: usize) -> Vec<WriteBatchState> {
        let mut records = self.values.into_values().chain(self.metadata.into_values()).peekable();
        let mut portions = Vec::new();
        while records.peek().is_some() {
            portions.push(WriteBatchState { rec: records.by_ref().take(size).collect() });
        }
        portions
    }

    fn value(&mut self, record: WriteRecord) {
        self.values.insert(place(&record), record);
    }
}

fn place(record: &WriteRecord) -> Place {
    (record.collection.clone(), record.key.clone())
}

fn record(kind: Type, collection: &str, key: &str) -> WriteRecord {
    let (collection, key) = (collection.to_owned(), key.to_owned());
    WriteRecord { key, collection, r#type: kind as i32, ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_write_of_a_key_and_metadata_beside_it() {
        let mut batch = Batch::default();
        batch.put("", "b", "1".into());
        batch.put("", "a", "2".into());
        batch.set_metadata("", "a", StateMetadata { metakey: "M".into(), value: "p".into() });
        batch.delete("", "b");
        let portions = batch.portions(100);
        let found: Vec<_> = portions[0].rec.iter().map(|record| (record.key.as_str(), record.r#type())).collect();
        assert_eq!(found, [("a", Type::PutState), ("b", Type::DelState), ("a", Type::PutStateMetadata)]);
    }

    #[test]
    fn sends_no_more_than_the_size_at_once() {
        let mut batch = Batch::default();
        for number in 0..250 {
            batch.put("", &number.to_string(), "v".into());
        }
        let sizes: Vec<_> = batch.portions(100).iter().map(|portion| portion.rec.len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
        assert!(Batch::default().portions(100).is_empty());
    }
}
