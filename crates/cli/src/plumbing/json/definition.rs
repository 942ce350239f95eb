//! Packages, definitions and approvals.

use std::collections::BTreeMap;

use serde_json::Value;
use windlass_proto::{
    common::{SignaturePolicy, SignaturePolicyEnvelope, signature_policy},
    lifecycle::{
        ChaincodeSource, CheckCommitReadinessResult, QueryApprovedChaincodeDefinitionResult,
        QueryApprovedChaincodeDefinitionsResult, QueryChaincodeDefinitionResult, QueryChaincodeDefinitionsResult,
        QueryInstalledChaincodesResult, chaincode_source,
    },
    protos::{
        ApplicationPolicy, CollectionConfig, CollectionConfigPackage, CollectionPolicyConfig, StaticCollectionConfig,
        application_policy, collection_config, collection_policy_config,
    },
};

use super::{Object, one};

/// The result of `calculatepackageid`.
pub(crate) fn package_id(id: &str) -> Value {
    one("package_id", id.into())
}

/// The result of `queryinstalled`.
pub(crate) fn installed(result: &QueryInstalledChaincodesResult) -> Value {
    let packages = result.installed_chaincodes.iter().map(|package| {
        let mut object = Object::default();
        object.text("package_id", &package.package_id);
        object.text("label", &package.label);
        if !package.references.is_empty() {
            let references = package.references.iter().map(|(channel, references)| {
                let definitions = references.chaincodes.iter().map(|chaincode| {
                    let mut object = Object::default();
                    object.text("name", &chaincode.name);
                    object.text("version", &chaincode.version);
                    object.done()
                });
                let mut object = Object::default();
                object.list("chaincodes", definitions.collect());
                (channel.clone(), object.done())
            });
            object.put("references", Value::Object(references.collect()));
        }
        object.done()
    });
    let mut object = Object::default();
    object.list("installed_chaincodes", packages.collect());
    object.done()
}

/// The result of `checkcommitreadiness`; what each organization lacks only if it was asked for.
pub(crate) fn readiness(result: &CheckCommitReadinessResult, inspect: bool) -> Value {
    let mut object = Object::default();
    put_approvals(&mut object, &result.approvals);
    if inspect && !result.mismatches.is_empty() {
        let mismatches = result.mismatches.iter().map(|(organization, mismatches)| {
            let mut object = Object::default();
            object.list("items", mismatches.items.iter().map(|item| described(item).into()).collect());
            (organization.clone(), object.done())
        });
        object.put("mismatches", Value::Object(mismatches.collect()));
    }
    object.done()
}

/// A part of a definition, with the flags that decide it.
fn described(item: &str) -> String {
    let hint = match item {
        "ChaincodeParameters" => "Check the Sequence, ChaincodeName",
        "EndorsementInfo" => "Check the Version, InitRequired, EndorsementPlugin",
        "ValidationInfo" => "Check the ValidationParameter, ValidationPlugin",
        "Collections" => "Check the Collections",
        _ => return item.to_owned(),
    };
    format!("{item} ({hint})")
}

/// The parts that every kind of definition has.
struct Definition<'a> {
    name: &'a str,
    sequence: i64,
    version: &'a str,
    endorsement_plugin: &'a str,
    validation_plugin: &'a str,
    validation_parameter: &'a [u8],
    collections: Option<&'a CollectionConfigPackage>,
    init_required: bool,
}

/// The parts of any of the messages that hold a definition.
macro_rules! definition {
    ($message:expr, $name:expr) => {
        Definition {
            name: $name,
            sequence: $message.sequence,
            version: &$message.version,
            endorsement_plugin: &$message.endorsement_plugin,
            validation_plugin: &$message.validation_plugin,
            validation_parameter: &$message.validation_parameter,
            collections: $message.collections.as_ref(),
            init_required: $message.init_required,
        }
        .object()
    };
}

impl Definition<'_> {
    fn object(self) -> Object {
        let mut object = Object::default();
        object.text("name", self.name);
        object.number("sequence", self.sequence);
        object.text("version", self.version);
        object.text("endorsement_plugin", self.endorsement_plugin);
        object.text("validation_plugin", self.validation_plugin);
        object.bytes("validation_parameter", self.validation_parameter);
        if let Some(package) = self.collections {
            let mut collections = Object::default();
            collections.list("config", package.config.iter().map(collection).collect());
            object.put("collections", collections.done());
        }
        object.flag("init_required", self.init_required);
        object
    }
}

/// The result of `querycommitted` with a name.
pub(crate) fn committed(result: &QueryChaincodeDefinitionResult) -> Value {
    let mut object = definition!(result, "");
    put_approvals(&mut object, &result.approvals);
    object.done()
}

/// The result of `querycommitted` without a name.
pub(crate) fn committed_list(result: &QueryChaincodeDefinitionsResult) -> Value {
    let mut object = Object::default();
    let definitions = result.chaincode_definitions.iter().map(|one| definition!(one, &one.name).done());
    object.list("chaincode_definitions", definitions.collect());
    object.done()
}

/// The result of `queryapproved` with a name.
pub(crate) fn approved(result: &QueryApprovedChaincodeDefinitionResult) -> Value {
    let mut object = definition!(result, "");
    put_source(&mut object, result.source.as_ref());
    object.done()
}

/// The result of `queryapproved` without a name.
pub(crate) fn approved_list(result: &QueryApprovedChaincodeDefinitionsResult) -> Value {
    let mut object = Object::default();
    let definitions = result.approved_chaincode_definitions.iter().map(|one| {
        let mut object = definition!(one, &one.name);
        put_source(&mut object, one.source.as_ref());
        object.done()
    });
    object.list("approved_chaincode_definitions", definitions.collect());
    object.done()
}

fn put_approvals(object: &mut Object, approvals: &BTreeMap<String, bool>) {
    if !approvals.is_empty() {
        let approvals = approvals.iter().map(|(organization, approved)| (organization.clone(), (*approved).into()));
        object.put("approvals", Value::Object(approvals.collect()));
    }
}

fn put_source(object: &mut Object, source: Option<&ChaincodeSource>) {
    let Some(source) = source else { return };
    let choice = match &source.r#type {
        None => Value::Null,
        Some(chaincode_source::Type::Unavailable(_)) => one("Unavailable", Object::default().done()),
        Some(chaincode_source::Type::LocalPackage(local)) => {
            let mut package = Object::default();
            package.text("package_id", &local.package_id);
            one("LocalPackage", package.done())
        }
    };
    object.put("source", one("Type", choice));
}

fn collection(collection: &CollectionConfig) -> Value {
    let choice = match &collection.payload {
        None => Value::Null,
        Some(collection_config::Payload::StaticCollectionConfig(collection)) => {
            one("StaticCollectionConfig", static_collection(collection))
        }
    };
    one("Payload", choice)
}

fn static_collection(collection: &StaticCollectionConfig) -> Value {
    let mut object = Object::default();
    object.text("name", &collection.name);
    if let Some(policy) = &collection.member_orgs_policy {
        object.put("member_orgs_policy", members(policy));
    }
    object.number("required_peer_count", collection.required_peer_count);
    object.number("maximum_peer_count", collection.maximum_peer_count);
    object.number("block_to_live", collection.block_to_live);
    object.flag("member_only_read", collection.member_only_read);
    object.flag("member_only_write", collection.member_only_write);
    if let Some(policy) = &collection.endorsement_policy {
        object.put("endorsement_policy", application_policy(policy));
    }
    object.done()
}

fn members(policy: &CollectionPolicyConfig) -> Value {
    let choice = match &policy.payload {
        None => Value::Null,
        Some(collection_policy_config::Payload::SignaturePolicy(policy)) => one("SignaturePolicy", envelope(policy)),
    };
    one("Payload", choice)
}

fn application_policy(policy: &ApplicationPolicy) -> Value {
    let choice = match &policy.r#type {
        None => Value::Null,
        Some(application_policy::Type::SignaturePolicy(policy)) => one("SignaturePolicy", envelope(policy)),
        Some(application_policy::Type::ChannelConfigPolicyReference(reference)) => {
            one("ChannelConfigPolicyReference", reference.as_str().into())
        }
    };
    one("Type", choice)
}

fn envelope(policy: &SignaturePolicyEnvelope) -> Value {
    let mut object = Object::default();
    object.number("version", policy.version);
    if let Some(policy) = &policy.rule {
        object.put("rule", rule(policy));
    }
    let identities = policy.identities.iter().map(|principal| {
        let mut object = Object::default();
        object.number("principal_classification", principal.principal_classification);
        object.bytes("principal", &principal.principal);
        object.done()
    });
    object.list("identities", identities.collect());
    object.done()
}

fn rule(policy: &SignaturePolicy) -> Value {
    let choice = match &policy.r#type {
        None => Value::Null,
        Some(signature_policy::Type::SignedBy(index)) => one("SignedBy", (*index).into()),
        Some(signature_policy::Type::NOutOf(several)) => {
            let mut object = Object::default();
            object.number("n", several.n);
            object.list("rules", several.rules.iter().map(rule).collect());
            one("NOutOf", object.done())
        }
    };
    one("Type", choice)
}
