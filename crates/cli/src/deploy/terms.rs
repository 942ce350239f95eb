//! What is asked of a definition.

use anyhow::Context;
use prost::Message;
use windlass_identity::policy::text;
use windlass_proto::{
    Bytes,
    lifecycle::QueryChaincodeDefinitionResult,
    protos::{ApplicationPolicy, CollectionConfigPackage, application_policy},
};

use crate::definition::{Definition, policy::application_policy};

/// What is asked of a definition. Whatever is not said has Fabric's default, or follows from what is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// By default made of the sequence: 1.0, 2.0, …
    pub(crate) version: Option<String>,
    /// By default the committed one if it will do, else the next.
    pub(crate) sequence: Option<i64>,
    /// The endorsement policy.
    pub(crate) policy: Option<ApplicationPolicy>,
    pub(crate) collections: Option<CollectionConfigPackage>,
    pub(crate) init_required: bool,
}

impl Terms {
    /// A definition with these terms.
    pub(super) fn definition(&self, channel: &str, name: &str, sequence: i64) -> Definition {
        Definition {
            channel: channel.to_owned(),
            name: name.to_owned(),
            version: self.version.clone().unwrap_or_else(|| format!("{sequence}.0")),
            sequence,
            validation_parameter: self.policy.as_ref().map(|policy| policy.encode_to_vec().into()).unwrap_or_default(),
            collections: self.collections.clone(),
            init_required: self.init_required,
            ..Default::default()
        }
    }

    /// The committed definition, which has these terms.
    pub(super) fn again(&self, channel: &str, name: &str, current: &QueryChaincodeDefinitionResult) -> Definition {
        Definition {
            version: current.version.clone(),
            endorsement_plugin: current.endorsement_plugin.clone(),
            validation_plugin: current.validation_plugin.clone(),
            ..self.definition(channel, name, current.sequence)
        }
    }

    /// The terms that a committed definition does not have.
    pub(super) fn differences(&self, current: &QueryChaincodeDefinitionResult) -> Vec<&'static str> {
        let policy = match &self.policy {
            Some(policy) => policy.encode_to_vec().into(),
            None => default_policy(),
        };
        let collections = |package: &Option<CollectionConfigPackage>| package.clone().unwrap_or_default();
        [
            ("version", self.version.as_ref().is_some_and(|version| *version != current.version)),
            ("endorsement policy", policy != current.validation_parameter),
            ("collections", collections(&self.collections) != collections(&current.collections)),
            ("init-required", self.init_required != current.init_required),
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

/// What a definition without a policy gets.
// Fabric: lifecycle §5
fn default_policy() -> Bytes {
    let reference = "/Channel/Application/Endorsement".to_owned();
    let policy = ApplicationPolicy { r#type: Some(application_policy::Type::ChannelConfigPolicyReference(reference)) };
    policy.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(terms: &Terms) -> QueryChaincodeDefinitionResult {
        let definition = terms.definition("ch", "cc", 4);
        let defaulted =
            if definition.validation_parameter.is_empty() { default_policy() } else { definition.validation_parameter };
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
        for terms in
            [Terms::default(), Terms { version: Some("x".into()), policy, init_required: true, ..Default::default() }]
        {
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
            init_required: true,
        };
        assert_eq!(terms.differences(&current), ["version", "endorsement policy", "collections", "init-required"]);
    }

    #[test]
    fn the_channels_own_policy_is_the_default_however_it_is_said() {
        let policy = application_policy("", "/Channel/Application/Endorsement").expect("a policy");
        let current = committed(&Terms::default());
        assert!(Terms { policy, ..Default::default() }.differences(&current).is_empty());
    }
}
