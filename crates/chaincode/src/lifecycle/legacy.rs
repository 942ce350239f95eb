//! What the lifecycle's predecessor `lscc` recorded. Nothing is written to it any more, but chaincode that
//! it knows keeps its definition until `_lifecycle` commits one under the same name.

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::CollectionConfigPackage;

use super::record::{self, StateError};
use crate::simulation::Simulation;

const LSCC: &str = "lscc";

/// A chaincode as `lscc` recorded it.
// Fabric: lifecycle §11.1
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChaincodeData {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) version: String,
    #[prost(string, tag = "3")]
    pub(crate) endorsement_plugin: String,
    #[prost(string, tag = "4")]
    pub(crate) validation_plugin: String,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) policy: Bytes,
}

/// The record of `name`. The read is part of the transaction even when it finds nothing.
pub(crate) fn chaincode(name: &str, simulation: &dyn Simulation) -> Result<Option<ChaincodeData>, StateError> {
    read(name.to_owned(), simulation)
}

/// The collections of `name`; `None` without a record or without collections.
pub(crate) fn collections(
    name: &str,
    simulation: &dyn Simulation,
) -> Result<Option<CollectionConfigPackage>, StateError> {
    if chaincode(name, simulation)?.is_none() {
        return Ok(None);
    }
    read(format!("{name}~collection"), simulation)
}

fn read<M: Message + Default>(key: String, simulation: &dyn Simulation) -> Result<Option<M>, StateError> {
    let value = simulation
        .get_state(LSCC, &key)
        .map_err(|source| record::failed(format!("get state for key {key}"), source))?;
    value
        .map(|value| {
            M::decode(value).map_err(|source| StateError::Decode { what: format!("state for key {key}"), source })
        })
        .transpose()
}
