//! A definition as flags give it.

use prost::Message;
use windlass_proto::{
    Bytes,
    lifecycle::{
        ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource, CheckCommitReadinessArgs,
        CommitChaincodeDefinitionArgs, chaincode_source,
    },
    protos::CollectionConfigPackage,
};

use super::{collections, policy::application_policy};
use crate::{args::plumbing::flags::Values, plumbing::failure::Failure};

/// What `approveformyorg`, `checkcommitreadiness` and `commit` have in common.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) channel: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sequence: i64,
    endorsement_plugin: String,
    validation_plugin: String,
    /// Empty for the default.
    validation_parameter: Bytes,
    collections: Option<CollectionConfigPackage>,
    init_required: bool,
}

impl Definition {
    /// Reads the flags, and the collections from their file.
    pub(super) fn read(values: &Values) -> Result<Self, Failure> {
        let policy = application_policy(values.text("signature-policy"), values.text("channel-config-policy"));
        let policy = policy.map_err(Failure::usage)?;
        let collections = match values.text("collections-config") {
            "" => None,
            path => {
                let package = collections::read(path);
                Some(package.map_err(|error| {
                    Failure::usage(format!("invalid collection configuration in file {path}: {error}"))
                })?)
            }
        };
        let text = |name| values.text(name).to_owned();
        Ok(Self {
            channel: text("channelID"),
            name: text("name"),
            version: text("version"),
            sequence: values.integer("sequence"),
            endorsement_plugin: text("endorsement-plugin"),
            validation_plugin: text("validation-plugin"),
            validation_parameter: policy.map(|policy| policy.encode_to_vec().into()).unwrap_or_default(),
            collections,
            init_required: values.is("init-required"),
        })
    }

    /// Refuses a definition that lacks what every definition has.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let missing = [
            (self.channel.is_empty(), "channelID", "-C"),
            (self.name.is_empty(), "name", "-n"),
            (self.version.is_empty(), "version", "-v"),
            (self.sequence == 0, "sequence", "--sequence"),
        ];
        match missing.into_iter().find(|(missing, ..)| *missing) {
            None => Ok(()),
            Some((_, name, flag)) => Err(Failure::usage(format!(
                "The required parameter '{name}' is empty. Rerun the command with {flag} flag"
            ))),
        }
    }

    /// With the package that this organization chose; empty for none.
    pub(super) fn approve(self, package_id: &str) -> ApproveChaincodeDefinitionForMyOrgArgs {
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

    pub(super) fn commit(self) -> CommitChaincodeDefinitionArgs {
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

    pub(super) fn check_readiness(self) -> CheckCommitReadinessArgs {
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
