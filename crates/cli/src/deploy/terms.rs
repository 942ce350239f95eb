//! What is asked of a definition.

use anyhow::Context;
use prost::Message;
use windlass_identity::policy::text;
use windlass_proto::{
    lifecycle::QueryChaincodeDefinitionResult,
    protos::{ApplicationPolicy, CollectionConfigPackage, application_policy},
};

use crate::definition::{Definition, policy::application_policy};

/// What is asked of a definition. Whatever is not said stays as it is committed; where nothing is, it has Fabric's
/// default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// By default made of the sequence: 1.0, 2.0, …
    pub(crate) version: Option<String>,
    /// By default the committed one if it will do, else the next.
    pub(crate) sequence: Option<i64>,
    /// The endorsement policy.
    pub(crate) policy: Option<ApplicationPolicy>,
    pub(crate) collections: Option<CollectionConfigPackage>,
    pub(crate) init_required: Option<bool>,
}

impl Terms {
    /// A definition with these terms, and otherwise those of the committed one.
    pub(super) fn definition(
        &self,
        channel: &str,
        name: &str,
        sequence: i64,
        current: Option<&QueryChaincodeDefinitionResult>,
    ) -> Definition {
        let committed = current.cloned().unwrap_or_default();
        let version = if committed.sequence == sequence { committed.version } else { format!("{sequence}.0") };
        // A peer says that there are no collections with a package that has none.
        let collections = committed.collections.filter(|package| !package.config.is_empty());
        Definition {
            channel: channel.to_owned(),
            name: name.to_owned(),
            version: self.version.clone().unwrap_or(version),
            sequence,
            endorsement_plugin: committed.endorsement_plugin,
            validation_plugin: committed.validation_plugin,
            validation_parameter: match &self.policy {
                Some(policy) => policy.encode_to_vec().into(),
                None => committed.validation_parameter,
            },
            collections: self.collections.clone().or(collections),
            init_required: self.init_required.unwrap_or(committed.init_required),
        }
    }

    /// The terms that a committed definition does not have.
    pub(super) fn differences(&self, current: &QueryChaincodeDefinitionResult) -> Vec<&'static str> {
        let wanted = self.definition("", "", current.sequence, Some(current));
        [
            ("version", wanted.version != current.version),
            ("endorsement policy", wanted.validation_parameter != current.validation_parameter),
            ("collections", wanted.collections.unwrap_or_default() != current.collections.clone().unwrap_or_default()),
            ("init-required", wanted.init_required != current.init_required),
        ]
        .into_iter()
        .filter_map(|(term, differs)| differs.then_some(term))
        .collect()
    }
}

/// The endorsement policy of `--signature-policy` or `--channel-config-policy`.
pub(crate) fn policy(signature: Option<&str>, reference: Option<&str>) -> anyhow::Result<Option<ApplicationPolicy>> {
    if let Some(signature) = signature {
        text::parse(signature).with_context(|| format!("--signature-policy {signature}"))?;
    }
    application_policy(signature.unwrap_or_default(), reference.unwrap_or_default()).map_err(anyhow::Error::msg)
}

/// The policy of a definition for which none was ever given.
// Fabric: lifecycle §5
pub(crate) fn channel_policy() -> ApplicationPolicy {
    let reference = "/Channel/Application/Endorsement".to_owned();
    ApplicationPolicy { r#type: Some(application_policy::Type::ChannelConfigPolicyReference(reference)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(terms: &Terms) -> QueryChaincodeDefinitionResult {
        let definition = terms.definition("ch", "cc", 4, None);
        let defaulted = match definition.validation_parameter {
            none if none.is_empty() => channel_policy().encode_to_vec().into(),
            given => given,
        };
        QueryChaincodeDefinitionResult {
            sequence: 4,
            version: definition.version,
            validation_parameter: defaulted,
            collections: Some(definition.collections.unwrap_or_default()),
            init_required: definition.init_required,
            ..Default::default()
        }
    }

    #[test]
    fn a_definition_has_the_terms_it_was_made_of() {
        let policy = application_policy("OR('Org1MSP.peer')", "").expect("a policy");
        for terms in [
            Terms::default(),
            Terms { version: Some("x".into()), policy, init_required: Some(true), ..Default::default() },
        ] {
            assert!(terms.differences(&committed(&terms)).is_empty(), "{terms:?}");
        }
        assert_eq!(committed(&Terms::default()).version, "4.0");
    }

    #[test]
    fn names_the_terms_that_differ() {
        let current = committed(&Terms::default());
        let collection = CollectionConfigPackage { config: vec![Default::default()] };
        let terms = Terms {
            version: Some("2".into()),
            sequence: None,
            policy: application_policy("", "/Channel/Application/Admins").expect("a policy"),
            collections: Some(collection),
            init_required: Some(true),
        };
        assert_eq!(terms.differences(&current), ["version", "endorsement policy", "collections", "init-required"]);
    }

    #[test]
    fn terms_that_are_not_given_stay_as_they_are_committed() {
        let collections = CollectionConfigPackage { config: vec![Default::default()] };
        let given = Terms {
            policy: application_policy("OR('Org1MSP.peer')", "").expect("a policy"),
            collections: Some(collections),
            init_required: Some(true),
            ..Default::default()
        };
        let current = committed(&given);
        let none = Terms::default();
        assert!(none.differences(&current).is_empty());
        let next = none.definition("ch", "cc", 5, Some(&current));
        assert_eq!(next.version, "5.0");
        assert_eq!(next.validation_parameter, current.validation_parameter);
        assert_eq!(next.collections, current.collections);
        assert!(next.init_required);

        let without = Terms { policy: Some(channel_policy()), init_required: Some(false), ..Default::default() };
        assert_eq!(without.differences(&current), ["endorsement policy", "init-required"]);
        assert!(!without.definition("ch", "cc", 5, Some(&current)).init_required);
        assert_eq!(none.definition("ch", "cc", 4, Some(&committed(&none))).collections, None);
    }

    #[test]
    fn the_channels_own_policy_is_the_default_however_it_is_said() {
        let policy = application_policy("", "/Channel/Application/Endorsement").expect("a policy");
        let current = committed(&Terms::default());
        assert!(Terms { policy, ..Default::default() }.differences(&current).is_empty());
    }
}
