//! How a record is kept: one key that describes it (its metadata) and one key for each field.
//!
//! Only fields that differ are written, and the metadata only if the shape of the record changed, so that
//! an upgrade that changes one thing has a small write set.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{DecodeError, Message};
use windlass_proto::lifecycle::{StateData, StateMetadata, state_data::Type};

use super::state::{OrgState, State};
use crate::simulation::SimulationError;

/// Records of definitions and of approved parameters.
pub(crate) const NAMESPACES: &str = "namespaces";
/// Records of the packages that an organization approved.
pub(crate) const SOURCES: &str = "chaincode-sources";

/// Why a record could not be read or written. In the words of Fabric, since they reach clients.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StateError {
    /// The ledger refused a read or a write.
    #[error("could not {attempt}: {source}")]
    Ledger {
        /// What was attempted, such as `get state for key …`.
        attempt: String,
        /// The ledger's reason.
        #[source]
        source: SimulationError,
    },
    /// A range of keys could not be read.
    #[error("could not get state range for namespace {namespace}: {source}")]
    Range {
        /// The kind of record.
        namespace: &'static str,
        /// The ledger's reason.
        #[source]
        source: SimulationError,
    },
    /// A value is not the message that it should be.
    #[error("could not unmarshal {what}: {source}")]
    Decode {
        /// What should be such a message, such as `state for key …`.
        what: String,
        /// What is wrong with the bytes.
        #[source]
        source: DecodeError,
    },
    /// A value is of another kind than its field.
    #[error("expected key {key} to encode a value of type {expected}, but was {found}")]
    Kind {
        /// The key.
        key: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// The record is of another kind than the one asked for.
    #[error("type name mismatch '{expected}' != '{found}'")]
    Datatype {
        /// What was expected.
        expected: &'static str,
        /// What the metadata says.
        found: String,
    },
    /// The name of an approval is not `<chaincode>#<sequence>`.
    #[error("invalid private name format: {0}")]
    PrivateName(String),
    /// The call came without a ledger to work on.
    #[error("no ledger context")]
    NoLedger,
}

/// A record about to be written, or expected to be there: its kind and its fields in their fixed order.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) datatype: &'static str,
    pub(crate) fields: Vec<(&'static str, Bytes)>,
}

/// The outcome of comparing a record with an organization's hashes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Comparison {
    Same,
    /// Nothing of this kind was approved.
    Absent,
    /// Approved, but these fields differ.
    Different(Vec<&'static str>),
}

pub(crate) fn metadata_key(namespace: &str, name: &str) -> String {
    format!("{namespace}/metadata/{name}")
}

pub(crate) fn field_key(namespace: &str, name: &str, field: &str) -> String {
    format!("{namespace}/fields/{name}/{field}")
}

pub(crate) fn int64_value(value: i64) -> Bytes {
    encode(Type::Int64(value))
}

// An empty message is `12 00`: present, and not deleted as an empty value would be (lifecycle §13.3).
pub(crate) fn message_value(message: &impl Message) -> Bytes {
    encode(Type::Bytes(message.encode_to_vec().into()))
}

pub(crate) fn string_value(value: &str) -> Bytes {
    encode(Type::String(value.to_owned()))
}

fn encode(value: Type) -> Bytes {
    StateData { r#type: Some(value) }.encode_to_vec().into()
}

impl Record {
    fn metadata(&self) -> StateMetadata {
        StateMetadata {
            datatype: self.datatype.to_owned(),
            fields: self.fields.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }
    }

    /// Makes the stored record equal to this one.
    pub(crate) fn write(&self, namespace: &'static str, name: &str, state: &dyn State) -> Result<(), StateError> {
        let stored = read_metadata(namespace, name, state)?.unwrap_or_default();
        let mut current = BTreeMap::new();
        for field in &stored.fields {
            let key = field_key(namespace, name, field);
            let value = state.get(&key).map_err(|source| failed(format!("get value for key {key}"), source))?;
            current.insert(key, value);
        }
        for (field, value) in &self.fields {
            let key = field_key(namespace, name, field);
            let unchanged = current.remove(&key).flatten().is_some_and(|stored| stored == *value);
            if !unchanged {
                state.put(&key, value.clone()).map_err(|source| failed("write key into state".to_owned(), source))?;
            }
        }
        let reshaped =
            !current.is_empty() || stored.datatype != self.datatype || stored.fields.len() != self.fields.len();
        if reshaped {
            state
                .put(&metadata_key(namespace, name), self.metadata().encode_to_vec().into())
                .map_err(|source| failed(format!("store metadata for namespace {namespace}/{name}"), source))?;
        }
        for key in current.into_keys() {
            state.delete(&key).map_err(|source| failed(format!("delete unneeded key {key}"), source))?;
        }
        Ok(())
    }

    /// Compares with what an organization approved, by hash. All reads are made whatever the first of them
    /// find: they end up in the read set, which must be the same on every peer.
    pub(crate) fn compare(
        &self,
        namespace: &'static str,
        name: &str,
        state: &OrgState<'_>,
    ) -> Result<Comparison, StateError> {
        let key = metadata_key(namespace, name);
        let metadata =
            state.hash(&key).map_err(|source| failed(format!("get state hash for metadata key {key}"), source))?;
        let mut differing = Vec::new();
        for (field, expected) in &self.fields {
            let key = field_key(namespace, name, field);
            let found = state.hash(&key).map_err(|source| failed(format!("get value for key {key}"), source))?;
            if !OrgState::hash_matches(found.as_ref(), expected) {
                differing.push(*field);
            }
        }
        Ok(if !OrgState::hash_matches(metadata.as_ref(), &self.metadata().encode_to_vec()) {
            Comparison::Absent
        } else if differing.is_empty() {
            Comparison::Same
        } else {
            Comparison::Different(differing)
        })
    }
}

/// What is stored about the record `name`, if anything.
pub(crate) fn read_metadata(
    namespace: &'static str,
    name: &str,
    state: &dyn State,
) -> Result<Option<StateMetadata>, StateError> {
    let what = format!("metadata for namespace {namespace}/{name}");
    let value = state.get(&metadata_key(namespace, name)).map_err(|source| failed(format!("query {what}"), source))?;
    value.map(|value| StateMetadata::decode(value).map_err(|source| StateError::Decode { what, source })).transpose()
}

/// The names and descriptions of all records, in the order of their keys.
pub(crate) fn read_all_metadata(
    namespace: &'static str,
    state: &dyn State,
) -> Result<Vec<(String, StateMetadata)>, StateError> {
    let prefix = metadata_key(namespace, "");
    let rows = state.scan(&prefix).map_err(|source| StateError::Range { namespace, source })?;
    rows.into_iter()
        .map(|(key, value)| match StateMetadata::decode(value) {
            Ok(metadata) => Ok((key[prefix.len()..].to_owned(), metadata)),
            Err(source) => Err(StateError::Decode { what: format!("metadata for key {key}"), source }),
        })
        .collect()
}

/// Refuses a record of another kind.
pub(crate) fn expect_datatype(metadata: &StateMetadata, expected: &'static str) -> Result<(), StateError> {
    if metadata.datatype == expected {
        return Ok(());
    }
    Err(StateError::Datatype { expected, found: metadata.datatype.clone() })
}

/// A number; zero if there is none.
pub(crate) fn read_int64(
    namespace: &'static str,
    name: &str,
    field: &str,
    state: &dyn State,
) -> Result<i64, StateError> {
    let key = field_key(namespace, name, field);
    match read_data(&key, state)? {
        None => Ok(0),
        Some(Type::Int64(value)) => Ok(value),
        Some(other) => Err(StateError::Kind { key, expected: "Int64", found: kind(&other) }),
    }
}

/// A message; an empty one if there is none.
pub(crate) fn read_message<M: Message + Default>(
    namespace: &'static str,
    name: &str,
    field: &str,
    state: &dyn State,
) -> Result<M, StateError> {
    let key = field_key(namespace, name, field);
    match read_data(&key, state)? {
        None => Ok(M::default()),
        Some(Type::Bytes(bytes)) => {
            M::decode(bytes).map_err(|source| StateError::Decode { what: format!("key {key}"), source })
        }
        Some(other) => Err(StateError::Kind { key, expected: "[]byte", found: kind(&other) }),
    }
}

/// A text; an empty one if there is none.
pub(crate) fn read_string(
    namespace: &'static str,
    name: &str,
    field: &str,
    state: &dyn State,
) -> Result<String, StateError> {
    let key = field_key(namespace, name, field);
    match read_data(&key, state)? {
        None => Ok(String::new()),
        Some(Type::String(text)) => Ok(text),
        Some(other) => Err(StateError::Kind { key, expected: "String", found: kind(&other) }),
    }
}

fn read_data(key: &str, state: &dyn State) -> Result<Option<Type>, StateError> {
    let value = state.get(key).map_err(|source| failed(format!("get state for key {key}"), source))?;
    let Some(value) = value else { return Ok(None) };
    StateData::decode(value)
        .map(|data| data.r#type)
        .map_err(|source| StateError::Decode { what: format!("state for key {key}"), source })
}

// Under the names that Fabric's messages have for them.
fn kind(value: &Type) -> &'static str {
    match value {
        Type::Int64(_) => "*lifecycle.StateData_Int64",
        Type::Bytes(_) => "*lifecycle.StateData_Bytes",
        Type::String(_) => "*lifecycle.StateData_String_",
    }
}

pub(crate) fn failed(attempt: String, source: SimulationError) -> StateError {
    StateError::Ledger { attempt, source }
}
