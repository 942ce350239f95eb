//! A chaincode's definition, as it is approved and committed.
//!
//! - [`collections`]: the file of private data collections
//! - [`policy`]: an endorsement policy as flags and files give it

pub(crate) mod collections;
pub(crate) mod policy;

use windlass_proto::{
    Bytes,
    lifecycle::{
        ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource, CheckCommitReadinessArgs,
        CommitChaincodeDefinitionArgs, chaincode_source,
    },
    protos::CollectionConfigPackage,
};

/// What organizations agree on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definition {
    pub(crate) channel: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sequence: i64,
    pub(crate) endorsement_plugin: String,
    pub(crate) validation_plugin: String,
    /// Empty for the default.
    pub(crate) validation_parameter: Bytes,
    pub(crate) collections: Option<CollectionConfigPackage>,
    pub(crate) init_required: bool,
}

impl Definition {
    /// With the package that this organization chose; empty for none.
    pub(crate) fn approve(self, package_id: &str) -> ApproveChaincodeDefinitionForMyOrgArgs {
        let source = match package_id {
            "" => chaincode_source::Type::Unavailable(chaincode_source::Unavailable {}),
            id => chaincode_source::Type::LocalPackage(chaincode_source::Local { package_id: id.to_owned() }),
        };
        ApproveChaincodeDefinitionForMyOrgArgs {
            sequence: self.sequence,
            name: self.name,
            version: self.version,
            endorsement_plugin: self.endorsement_plugin,
            validation_plugin: self.validation_plugin,
            validation_parameter: self.validation_parameter,
            collections: self.collections,
            init_required: self.init_required,
            source: Some(ChaincodeSource { r#type: Some(source) }),
        }
    }

    pub(crate) fn commit(self) -> CommitChaincodeDefinitionArgs {
        CommitChaincodeDefinitionArgs {
            sequence: self.sequence,
            name: self.name,
            version: self.version,
            endorsement_plugin: self.endorsement_plugin,
            validation_plugin: self.validation_plugin,
            validation_parameter: self.validation_parameter,
            collections: self.collections,
            init_required: self.init_required,
        }
    }

    pub(crate) fn check_readiness(self) -> CheckCommitReadinessArgs {
        CheckCommitReadinessArgs {
            sequence: self.sequence,
            name: self.name,
            version: self.version,
            endorsement_plugin: self.endorsement_plugin,
            validation_plugin: self.validation_plugin,
            validation_parameter: self.validation_parameter,
            collections: self.collections,
            init_required: self.init_required,
        }
    }
}
