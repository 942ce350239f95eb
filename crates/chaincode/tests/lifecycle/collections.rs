//! Private data collections for the tests.

use windlass_proto::{
    common::SignaturePolicyEnvelope,
    protos::{
        CollectionConfig, CollectionConfigPackage, CollectionPolicyConfig, StaticCollectionConfig, collection_config,
        collection_policy_config,
    },
};

use crate::config::any_member;

/// A legal collection of `Org1MSP`.
pub(crate) fn collection(name: &str) -> StaticCollectionConfig {
    StaticCollectionConfig {
        name: name.to_owned(),
        member_orgs_policy: members(any_member(&["Org1MSP"])),
        required_peer_count: 0,
        maximum_peer_count: 1,
        block_to_live: 100,
        ..Default::default()
    }
}

pub(crate) fn members(policy: SignaturePolicyEnvelope) -> Option<CollectionPolicyConfig> {
    Some(CollectionPolicyConfig { payload: Some(collection_policy_config::Payload::SignaturePolicy(policy)) })
}

pub(crate) fn package(collections: &[StaticCollectionConfig]) -> CollectionConfigPackage {
    let config = collections
        .iter()
        .map(|collection| CollectionConfig {
            payload: Some(collection_config::Payload::StaticCollectionConfig(collection.clone())),
        })
        .collect();
    CollectionConfigPackage { config }
}
