//! Which policies validate what a chaincode wrote, and what its collections are.

use bytes::Bytes;
use prost::Message;
use windlass_identity::{
    channel::ChannelConfig,
    policy::{members_policy, role_policy},
};
use windlass_proto::{
    common::msp_role::MspRoleType,
    protos::{
        ApplicationPolicy, CollectionConfig, CollectionPolicyConfig, StaticCollectionConfig, application_policy,
        collection_config, collection_policy_config,
    },
};

use super::{
    Lifecycle,
    definition::{DEFAULT_VALIDATION_PLUGIN, Definition, policy_reference},
    errors::CollectionPolicyError,
    legacy,
    record::StateError,
    state::{LIFECYCLE, PublicState, implicit_collection, implicit_collection_owner},
};
use crate::simulation::Simulation;

// Fabric: lifecycle §6.4
const LIFECYCLE_POLICY: &str = "/Channel/Application/LifecycleEndorsement";

/// How transactions of a chaincode are validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationInfo {
    /// The validation plugin.
    pub plugin: String,
    /// Its parameter; for `vscc` a serialized `ApplicationPolicy`.
    pub parameter: Bytes,
}

/// To how many peers an organization's own implicit collection is handed at endorsement.
// Fabric: lifecycle §6.4, the defaults of `implicitCollectionDisseminationPolicy`
const OWN_REQUIRED_PEERS: i32 = 0;
const OWN_MAXIMUM_PEERS: i32 = 1;

impl Lifecycle {
    /// How transactions that call or write `name` are validated; `None` if nothing is defined under the name.
    pub fn validation_info(
        &self,
        channel: &ChannelConfig,
        name: &str,
        state: &dyn Simulation,
    ) -> Result<Option<ValidationInfo>, StateError> {
        if name == LIFECYCLE {
            let parameter = lifecycle_policy(channel);
            return Ok(Some(ValidationInfo { plugin: DEFAULT_VALIDATION_PLUGIN.to_owned(), parameter }));
        }
        if let Some(Definition { parameters, .. }) = Definition::read(name, &PublicState(state))? {
            let (plugin, parameter) = (parameters.validation_plugin, parameters.validation_parameter);
            return Ok(Some(ValidationInfo { plugin, parameter }));
        }
        let record = legacy::chaincode(name, state)?;
        Ok(record.map(|record| ValidationInfo { plugin: record.validation_plugin, parameter: record.policy }))
    }

    /// The serialized `ApplicationPolicy` that writes of `name` to `collection` must satisfy.
    pub fn collection_policy(
        &self,
        channel: &ChannelConfig,
        name: &str,
        collection: &str,
        state: &dyn Simulation,
    ) -> Result<Bytes, CollectionPolicyError> {
        let no_such = || CollectionPolicyError::NoSuchCollection(collection.to_owned());
        let definition = match name {
            LIFECYCLE => Definition::default(),
            _ => Definition::read(name, &PublicState(state))?.ok_or_else(no_such)?,
        };
        if let Some(msp_id) = implicit_collection_owner(collection) {
            return implicit_policy(channel, msp_id);
        }
        let declared = find(&definition.parameters.collections.config, collection).ok_or_else(no_such)?;
        Ok(match &declared.endorsement_policy {
            Some(policy) => policy.encode_to_vec().into(),
            None => definition.parameters.validation_parameter,
        })
    }

    /// The configuration of `collection` of `name`, declared or implicit, or `None` if there is none. The
    /// lookup is part of the transaction whose simulation is given (lifecycle §6.5).
    pub fn collection(
        &self,
        channel: &ChannelConfig,
        name: &str,
        collection: &str,
        state: &dyn Simulation,
    ) -> Result<Option<StaticCollectionConfig>, StateError> {
        let declared = match name {
            LIFECYCLE => Vec::new(),
            _ => match Definition::read(name, &PublicState(state))? {
                Some(definition) => definition.parameters.collections.config,
                // Implicit collections came with `_lifecycle`; what it does not define has none.
                None => {
                    let package = legacy::collections(name, state)?.unwrap_or_default();
                    return Ok(find(&package.config, collection).cloned());
                }
            },
        };
        if let Some(msp_id) = implicit_collection_owner(collection) {
            let member = channel.application_orgs().iter().any(|org| org.msp_id == msp_id);
            return Ok(member.then(|| self.implicit_collection_config(msp_id)));
        }
        Ok(find(&declared, collection).cloned())
    }

    /// All collections of `name`: those declared, and the implicit one of each organization.
    pub fn collections(
        &self,
        channel: &ChannelConfig,
        name: &str,
        state: &dyn Simulation,
    ) -> Result<Vec<StaticCollectionConfig>, StateError> {
        let declared = match name {
            LIFECYCLE => Vec::new(),
            _ => match Definition::read(name, &PublicState(state))? {
                Some(definition) => definition.parameters.collections.config,
                None => {
                    let package = legacy::collections(name, state)?.unwrap_or_default();
                    return Ok(package.config.iter().filter_map(static_config).cloned().collect());
                }
            },
        };
        let implicit = channel.application_orgs().iter().map(|org| self.implicit_collection_config(&org.msp_id));
        Ok(declared.iter().filter_map(static_config).cloned().chain(implicit).collect())
    }

    fn implicit_collection_config(&self, msp_id: &str) -> StaticCollectionConfig {
        let is_own = msp_id == self.msp_id();
        let members = role_policy(msp_id, &[MspRoleType::Member]);
        StaticCollectionConfig {
            name: implicit_collection(msp_id),
            member_orgs_policy: Some(CollectionPolicyConfig {
                payload: Some(collection_policy_config::Payload::SignaturePolicy(members)),
            }),
            required_peer_count: if is_own { OWN_REQUIRED_PEERS } else { 0 },
            maximum_peer_count: if is_own { OWN_MAXIMUM_PEERS } else { 0 },
            ..Default::default()
        }
    }
}

/// The policy for writes of `_lifecycle`: the channel's, or else a majority of its organizations.
fn lifecycle_policy(channel: &ChannelConfig) -> Bytes {
    if channel.policies().contains(LIFECYCLE_POLICY) {
        return policy_reference(LIFECYCLE_POLICY);
    }
    let mut msp_ids: Vec<&str> = channel.application_orgs().iter().map(|org| org.msp_id.as_str()).collect();
    msp_ids.sort_unstable();
    let majority = i32::try_from(msp_ids.len() / 2 + 1).unwrap_or(i32::MAX);
    let policy = application_policy::Type::SignaturePolicy(members_policy(&msp_ids, majority));
    ApplicationPolicy { r#type: Some(policy) }.encode_to_vec().into()
}

/// The policy for writes to an organization's implicit collection: its own endorsement policy, which is found
/// under the name of its group in the configuration, or else any of its members.
fn implicit_policy(channel: &ChannelConfig, msp_id: &str) -> Result<Bytes, CollectionPolicyError> {
    let Some(org) = channel.application_orgs().iter().find(|org| org.msp_id == msp_id) else {
        return Err(CollectionPolicyError::NoSuchOrganization(msp_id.to_owned()));
    };
    let path = format!("/Channel/Application/{}/Endorsement", org.group);
    if channel.policies().contains(&path) {
        return Ok(policy_reference(&path));
    }
    let members = application_policy::Type::SignaturePolicy(role_policy(msp_id, &[MspRoleType::Member]));
    Ok(ApplicationPolicy { r#type: Some(members) }.encode_to_vec().into())
}

fn static_config(config: &CollectionConfig) -> Option<&StaticCollectionConfig> {
    match &config.payload {
        Some(collection_config::Payload::StaticCollectionConfig(collection)) => Some(collection),
        None => None,
    }
}

fn find<'a>(configs: &'a [CollectionConfig], name: &str) -> Option<&'a StaticCollectionConfig> {
    configs.iter().filter_map(static_config).find(|collection| collection.name == name)
}
