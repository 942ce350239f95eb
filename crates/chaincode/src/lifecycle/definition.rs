//! What a channel agrees about a chaincode, and how it is kept.

use bytes::Bytes;
use prost::Message;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::{
    lifecycle::{ChaincodeEndorsementInfo, ChaincodeValidationInfo, StateMetadata},
    protos::{ApplicationPolicy, CollectionConfigPackage, application_policy},
};

use super::record::{self, NAMESPACES, Record, SOURCES, StateError};
use super::state::{PublicState, State};

// Fabric: lifecycle §5
pub(crate) const DEFAULT_ENDORSEMENT_PLUGIN: &str = "escc";
pub(crate) const DEFAULT_VALIDATION_PLUGIN: &str = "vscc";
const DEFAULT_POLICY: &str = "/Channel/Application/Endorsement";

// Fabric: lifecycle §6.1
pub(crate) const DEFINITION_TYPE: &str = "ChaincodeDefinition";
const PARAMETERS_TYPE: &str = "ChaincodeParameters";
const LOCAL_PACKAGE_TYPE: &str = "ChaincodeLocalPackage";
const SEQUENCE: &str = "Sequence";
const ENDORSEMENT_INFO: &str = "EndorsementInfo";
const VALIDATION_INFO: &str = "ValidationInfo";
const COLLECTIONS: &str = "Collections";
const PACKAGE_ID: &str = "PackageID";

/// A chaincode as a channel has defined it, or as someone proposes to define it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// The name by which it is called.
    pub name: String,
    /// Counts the definitions of this name on this channel, from 1.
    pub sequence: i64,
    /// Everything that organizations agree about.
    pub parameters: Parameters,
}

/// What organizations agree about, apart from name and sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// Free text; a change of it requires initialization anew where that is required at all.
    pub version: String,
    /// The plugin that endorses; `escc` unless said otherwise.
    pub endorsement_plugin: String,
    /// Whether the chaincode must be initialized before it can be invoked.
    pub init_required: bool,
    /// The plugin that validates; `vscc` unless said otherwise.
    pub validation_plugin: String,
    /// For `vscc` a serialized `ApplicationPolicy`.
    pub validation_parameter: Bytes,
    /// The private data collections.
    pub collections: CollectionConfigPackage,
}

/// A part in which two definitions that should be the same differ.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Difference {
    /// The versions.
    #[error("expected Version '{0}' does not match passed Version '{1}'")]
    Version(String, String),
    /// The endorsement plugins.
    #[error("expected EndorsementPlugin '{0}' does not match passed EndorsementPlugin '{1}'")]
    EndorsementPlugin(String, String),
    /// Whether initialization is required.
    #[error("expected InitRequired '{0}' does not match passed InitRequired '{1}'")]
    InitRequired(bool, bool),
    /// The validation plugins.
    #[error("expected ValidationPlugin '{0}' does not match passed ValidationPlugin '{1}'")]
    ValidationPlugin(String, String),
    /// The endorsement policies.
    #[error("expected ValidationParameter '{0:x}' does not match passed ValidationParameter '{1:x}'")]
    ValidationParameter(Bytes, Bytes),
    /// The collections.
    #[error("Collections do not match")]
    Collections,
}

/// The channel lacks the policy that definitions without a policy of their own rely on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "could not set defaults for chaincode definition in channel {channel}: policy '{DEFAULT_POLICY}' must be defined for channel '{channel}' before chaincode operations can be attempted"
)]
pub struct NoDefaultPolicy {
    /// The channel.
    pub channel: String,
}

impl Parameters {
    /// Fills what the client left empty.
    pub(crate) fn set_defaults(&mut self, channel: &ChannelConfig) -> Result<(), NoDefaultPolicy> {
        if self.endorsement_plugin.is_empty() {
            self.endorsement_plugin = DEFAULT_ENDORSEMENT_PLUGIN.to_owned();
        }
        if self.validation_plugin.is_empty() {
            self.validation_plugin = DEFAULT_VALIDATION_PLUGIN.to_owned();
        }
        if self.validation_parameter.is_empty() {
            if !channel.policies().contains(DEFAULT_POLICY) {
                return Err(NoDefaultPolicy { channel: channel.channel_id().to_owned() });
            }
            self.validation_parameter = policy_reference(DEFAULT_POLICY);
        }
        Ok(())
    }

    /// The first difference from what is committed or approved already, in the order in which they are
    /// reported.
    pub(crate) fn first_difference(&self, passed: &Self) -> Option<Difference> {
        let texts = |expected: &String, passed: &String| (expected.clone(), passed.clone());
        if self.version != passed.version {
            let (expected, passed) = texts(&self.version, &passed.version);
            Some(Difference::Version(expected, passed))
        } else if self.endorsement_plugin != passed.endorsement_plugin {
            let (expected, passed) = texts(&self.endorsement_plugin, &passed.endorsement_plugin);
            Some(Difference::EndorsementPlugin(expected, passed))
        } else if self.init_required != passed.init_required {
            Some(Difference::InitRequired(self.init_required, passed.init_required))
        } else if self.validation_plugin != passed.validation_plugin {
            let (expected, passed) = texts(&self.validation_plugin, &passed.validation_plugin);
            Some(Difference::ValidationPlugin(expected, passed))
        } else if self.validation_parameter != passed.validation_parameter {
            let (expected, passed) = (self.validation_parameter.clone(), passed.validation_parameter.clone());
            Some(Difference::ValidationParameter(expected, passed))
        } else if self.collections != passed.collections {
            Some(Difference::Collections)
        } else {
            None
        }
    }

    /// As an organization's approval keeps them.
    pub(crate) fn record(&self) -> Record {
        Record { datatype: PARAMETERS_TYPE, fields: self.fields().into() }
    }

    /// Reads what `metadata` of the approval `private_name` describes.
    pub(crate) fn read(metadata: &StateMetadata, private_name: &str, state: &dyn State) -> Result<Self, StateError> {
        record::expect_datatype(metadata, PARAMETERS_TYPE)?;
        Self::read_fields(private_name, state)
    }

    fn fields(&self) -> [(&'static str, Bytes); 3] {
        let endorsement = ChaincodeEndorsementInfo {
            version: self.version.clone(),
            init_required: self.init_required,
            endorsement_plugin: self.endorsement_plugin.clone(),
        };
        let validation = ChaincodeValidationInfo {
            validation_plugin: self.validation_plugin.clone(),
            validation_parameter: self.validation_parameter.clone(),
        };
        [
            (ENDORSEMENT_INFO, record::message_value(&endorsement)),
            (VALIDATION_INFO, record::message_value(&validation)),
            (COLLECTIONS, record::message_value(&self.collections)),
        ]
    }

    fn read_fields(name: &str, state: &dyn State) -> Result<Self, StateError> {
        let endorsement: ChaincodeEndorsementInfo = record::read_message(NAMESPACES, name, ENDORSEMENT_INFO, state)?;
        let validation: ChaincodeValidationInfo = record::read_message(NAMESPACES, name, VALIDATION_INFO, state)?;
        let collections = record::read_message(NAMESPACES, name, COLLECTIONS, state)?;
        Ok(Self {
            version: endorsement.version,
            endorsement_plugin: endorsement.endorsement_plugin,
            init_required: endorsement.init_required,
            validation_plugin: validation.validation_plugin,
            validation_parameter: validation.validation_parameter,
            collections,
        })
    }
}

impl Definition {
    /// As the channel keeps it.
    pub(crate) fn record(&self) -> Record {
        let mut fields = vec![(SEQUENCE, record::int64_value(self.sequence))];
        fields.extend(self.parameters.fields());
        Record { datatype: DEFINITION_TYPE, fields }
    }

    /// The committed definition of `name`, if there is one.
    pub(crate) fn read(name: &str, state: &PublicState<'_>) -> Result<Option<Self>, StateError> {
        match record::read_metadata(NAMESPACES, name, state)? {
            None => Ok(None),
            Some(metadata) => Self::read_described(&metadata, name, state).map(Some),
        }
    }

    /// Reads what `metadata` describes.
    pub(crate) fn read_described(
        metadata: &StateMetadata,
        name: &str,
        state: &PublicState<'_>,
    ) -> Result<Self, StateError> {
        record::expect_datatype(metadata, DEFINITION_TYPE)?;
        let sequence = read_sequence(name, state)?;
        Ok(Self { name: name.to_owned(), sequence, parameters: Parameters::read_fields(name, state)? })
    }

    /// The name under which an organization's approval of this definition is kept.
    pub(crate) fn private_name(&self) -> String {
        private_name(&self.name, self.sequence)
    }
}

/// The committed sequence of `name`; 0 if it was never defined.
pub(crate) fn read_sequence(name: &str, state: &PublicState<'_>) -> Result<i64, StateError> {
    record::read_int64(NAMESPACES, name, SEQUENCE, state)
}

// Fabric: lifecycle §6.1
pub(crate) fn private_name(name: &str, sequence: i64) -> String {
    format!("{name}#{sequence}")
}

pub(crate) fn parse_private_name(private_name: &str) -> Result<(&str, i64), StateError> {
    let bad = || StateError::PrivateName(private_name.to_owned());
    let (name, sequence) = private_name.split_once('#').ok_or_else(bad)?;
    Ok((name, sequence.parse().map_err(|_| bad())?))
}

/// The package that an organization approved; the empty ID is none.
pub(crate) fn package_record(package_id: &str) -> Record {
    Record { datatype: LOCAL_PACKAGE_TYPE, fields: vec![(PACKAGE_ID, record::string_value(package_id))] }
}

/// Reads the package ID that `metadata` of the approval `private_name` describes.
pub(crate) fn read_package_id(
    metadata: &StateMetadata,
    private_name: &str,
    state: &dyn State,
) -> Result<String, StateError> {
    record::expect_datatype(metadata, LOCAL_PACKAGE_TYPE)?;
    record::read_string(SOURCES, private_name, PACKAGE_ID, state)
}

/// The key whose hash tells which package an organization approved.
pub(crate) fn package_key(private_name: &str) -> String {
    record::field_key(SOURCES, private_name, PACKAGE_ID)
}

/// The validation parameter that refers to a policy of the channel.
pub(crate) fn policy_reference(path: &str) -> Bytes {
    let reference = application_policy::Type::ChannelConfigPolicyReference(path.to_owned());
    ApplicationPolicy { r#type: Some(reference) }.encode_to_vec().into()
}
