//! Checks of a definition before an organization approves it or a channel commits it.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use windlass_identity::{channel::ChannelConfig, policy::SignaturePolicy};
use windlass_proto::{
    common::{
        MspPrincipal, MspRole, OrganizationUnit, SignaturePolicy as Rule, SignaturePolicyEnvelope,
        msp_principal::Classification, signature_policy,
    },
    protos::{CollectionConfigPackage, StaticCollectionConfig, collection_config, collection_policy_config},
};

use super::{definition::Definition, legacy, record::StateError, scope::Scope, state::PublicState};
use crate::simulation::Simulation;

// Fabric: lifecycle §4; `_lifecycle` is no legal name anyway
const SYSTEM_NAMES: [&str; 5] = ["cscc", "escc", "lscc", "qscc", "vscc"];

/// Why a definition is refused.
// Fabric: lifecycle §4
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant is described by its text; the strings name the collection")]
pub enum InvalidDefinition {
    #[error(
        "invalid chaincode name '{0}'. Names can only consist of alphanumerics, '_', and '-' and can only begin with alphanumerics"
    )]
    Name(String),
    #[error("chaincode name '{0}' is the name of a system chaincode")]
    SystemName(String),
    #[error("invalid chaincode version '{0}'. Versions can only consist of alphanumerics, '_', '-', '+', and '.'")]
    Version(String),
    #[error("could not get channelconfig for channel '{0}'")]
    NoChannel(String),
    #[error("collection configuration is empty")]
    EmptyCollection,
    #[error(
        "invalid collection name '{0}'. Names can only consist of alphanumerics, '_', and '-' and cannot begin with '_'"
    )]
    CollectionName(String),
    #[error("collection-name: {0} -- found duplicate in collection configuration")]
    DuplicateCollection(String),
    #[error(
        "collection-name: {name} -- maximum peer count ({maximum}) cannot be less than the required peer count ({required})"
    )]
    PeerCounts { name: String, maximum: i32, required: i32 },
    #[error("collection-name: {name} -- requiredPeerCount ({required}) cannot be less than zero")]
    RequiredPeerCount { name: String, required: i32 },
    #[error("collection member policy is not set for collection '{0}'")]
    NoMemberPolicy(String),
    #[error("collection member org policy is empty for collection '{0}'")]
    EmptyMemberPolicy(String),
    #[error("invalid member org policy for collection '{name}': {cause}")]
    MemberPolicy { name: String, cause: String },
    #[error(
        "collection-name: {name} -- error in member org policy: signature policy is not an OR concatenation, NOutOf {n}"
    )]
    NotAnOr { name: String, n: i32 },
    #[error("collection-name: {name} -- cannot unmarshal identity bytes into {kind}: {cause}")]
    Principal { name: String, kind: &'static str, cause: String },
    #[error("collection-name: {name} -- collection member '{msp_id}' is not part of the channel")]
    Stranger { name: String, msp_id: String },
    #[error("collection-name: {0} -- contains an identity that is not part of the channel")]
    StrangeIdentity(String),
    #[error("collection-name: {name} -- principal type {kind} is not supported")]
    PrincipalKind { name: String, kind: String },
    #[error("could not retrieve committed definition for chaincode '{name}': {source}")]
    Committed { name: String, source: StateError },
    #[error("the proposed collection config does not contain previously defined collections")]
    CollectionsDropped,
    #[error("unknown collection configuration type")]
    CommittedCollectionKind,
    #[error("existing collection [{0}] missing in the proposed collection configuration")]
    CollectionMissing(String),
    #[error("the BlockToLive in an existing collection [{name}] modified. Existing value [{existing}]")]
    BlockToLive { name: String, existing: u64 },
}

/// Checks a proposed definition, last of all against the collections that are committed already: that reads
/// the committed definition through the transaction, which belongs in its read set.
pub(crate) fn definition(definition: &Definition, scope: &Scope<'_>) -> Result<(), InvalidDefinition> {
    let name = &definition.name;
    if !is_chaincode_name(name) {
        return Err(InvalidDefinition::Name(name.clone()));
    }
    if SYSTEM_NAMES.contains(&name.as_str()) {
        return Err(InvalidDefinition::SystemName(name.clone()));
    }
    let version = &definition.parameters.version;
    if !is_version(version) {
        return Err(InvalidDefinition::Version(version.clone()));
    }
    let proposed = static_collections(&definition.parameters.collections)?;
    let channel = scope.channel.as_deref().ok_or_else(|| InvalidDefinition::NoChannel(scope.channel_id.to_owned()))?;
    collections(&proposed, channel)?;
    let committed = scope
        .simulation()
        .and_then(|simulation| committed_collections(name, simulation))
        .map_err(|source| InvalidDefinition::Committed { name: name.clone(), source })?;
    against_committed(&proposed, &committed)
}

// ^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$
fn is_chaincode_name(name: &str) -> bool {
    name.split(['-', '_']).all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

// ^[A-Za-z0-9_.+-]+$
fn is_version(version: &str) -> bool {
    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte))
}

// ^[A-Za-z0-9-]+([A-Za-z0-9_-]+)*$
fn is_collection_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn static_collections(package: &CollectionConfigPackage) -> Result<Vec<&StaticCollectionConfig>, InvalidDefinition> {
    package
        .config
        .iter()
        .map(|config| match &config.payload {
            Some(collection_config::Payload::StaticCollectionConfig(collection)) => Ok(collection),
            None => Err(InvalidDefinition::EmptyCollection),
        })
        .collect()
}

fn collections(proposed: &[&StaticCollectionConfig], channel: &ChannelConfig) -> Result<(), InvalidDefinition> {
    let mut names = BTreeSet::new();
    for collection in proposed {
        let name = &collection.name;
        if !is_collection_name(name) {
            return Err(InvalidDefinition::CollectionName(name.clone()));
        }
        if !names.insert(name) {
            return Err(InvalidDefinition::DuplicateCollection(name.clone()));
        }
        let (maximum, required) = (collection.maximum_peer_count, collection.required_peer_count);
        if maximum < required {
            return Err(InvalidDefinition::PeerCounts { name: name.clone(), maximum, required });
        }
        if required < 0 {
            return Err(InvalidDefinition::RequiredPeerCount { name: name.clone(), required });
        }
        member_policy(collection, channel)?;
    }
    Ok(())
}

fn member_policy(collection: &StaticCollectionConfig, channel: &ChannelConfig) -> Result<(), InvalidDefinition> {
    let name = &collection.name;
    let Some(policy) = &collection.member_orgs_policy else {
        return Err(InvalidDefinition::NoMemberPolicy(name.clone()));
    };
    let Some(collection_policy_config::Payload::SignaturePolicy(envelope)) = &policy.payload else {
        return Err(InvalidDefinition::EmptyMemberPolicy(name.clone()));
    };
    SignaturePolicy::compile(envelope)
        .map_err(|error| InvalidDefinition::MemberPolicy { name: name.clone(), cause: error.to_string() })?;
    if let Some(n) = envelope.rule.as_ref().and_then(not_an_or) {
        return Err(InvalidDefinition::NotAnOr { name: name.clone(), n });
    }
    members(name, envelope, channel)
}

/// The n of the first rule that asks for anything but one of its sub-rules.
fn not_an_or(rule: &Rule) -> Option<i32> {
    match &rule.r#type {
        Some(signature_policy::Type::NOutOf(gate)) if gate.n != 1 => Some(gate.n),
        Some(signature_policy::Type::NOutOf(gate)) => gate.rules.iter().find_map(not_an_or),
        _ => None,
    }
}

fn members(name: &str, envelope: &SignaturePolicyEnvelope, channel: &ChannelConfig) -> Result<(), InvalidDefinition> {
    for principal in &envelope.identities {
        match Classification::try_from(principal.principal_classification) {
            Ok(Classification::Role) => {
                known(name, decode::<MspRole>(name, "MSPRole", principal)?.msp_identifier, channel)?;
            }
            Ok(Classification::OrganizationUnit) => {
                let unit = decode::<OrganizationUnit>(name, "OrganizationUnit", principal)?;
                known(name, unit.msp_identifier, channel)?;
            }
            Ok(Classification::Identity) => {
                if channel.msps().deserialize(&principal.principal).is_err() {
                    return Err(InvalidDefinition::StrangeIdentity(name.to_owned()));
                }
            }
            other => {
                let kind = match other {
                    Ok(kind) => kind.as_str_name().to_owned(),
                    Err(_) => principal.principal_classification.to_string(),
                };
                return Err(InvalidDefinition::PrincipalKind { name: name.to_owned(), kind });
            }
        }
    }
    Ok(())
}

fn decode<M: Message + Default>(
    name: &str,
    kind: &'static str,
    principal: &MspPrincipal,
) -> Result<M, InvalidDefinition> {
    M::decode(principal.principal.clone()).map_err(|error| InvalidDefinition::Principal {
        name: name.to_owned(),
        kind,
        cause: error.to_string(),
    })
}

fn known(name: &str, msp_id: String, channel: &ChannelConfig) -> Result<(), InvalidDefinition> {
    match channel.msps().msp(&msp_id) {
        Some(_) => Ok(()),
        None => Err(InvalidDefinition::Stranger { name: name.to_owned(), msp_id }),
    }
}

/// The collections committed so far. A name that `_lifecycle` does not know may be known to its
/// predecessor, which is asked through the same transaction (lifecycle §6.3).
fn committed_collections(name: &str, simulation: &dyn Simulation) -> Result<CollectionConfigPackage, StateError> {
    match Definition::read(name, &PublicState(simulation))? {
        Some(definition) => Ok(definition.parameters.collections),
        None => Ok(legacy::collections(name, simulation)?.unwrap_or_default()),
    }
}

fn against_committed(
    proposed: &[&StaticCollectionConfig],
    committed: &CollectionConfigPackage,
) -> Result<(), InvalidDefinition> {
    if committed.config.is_empty() {
        return Ok(());
    }
    if proposed.is_empty() {
        return Err(InvalidDefinition::CollectionsDropped);
    }
    let existing = static_collections(committed).map_err(|_| InvalidDefinition::CommittedCollectionKind)?;
    let proposed: BTreeMap<_, _> = proposed.iter().map(|collection| (&collection.name, collection)).collect();
    for existing in existing {
        let Some(replacement) = proposed.get(&existing.name) else {
            return Err(InvalidDefinition::CollectionMissing(existing.name.clone()));
        };
        if replacement.block_to_live != existing.block_to_live {
            return Err(InvalidDefinition::BlockToLive {
                name: existing.name.clone(),
                existing: existing.block_to_live,
            });
        }
    }
    Ok(())
}
