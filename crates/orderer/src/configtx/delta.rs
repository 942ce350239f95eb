//! What a client sends to get from one configuration to another.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use windlass_identity::SigningIdentity;
use windlass_proto::common::{
    Config, ConfigGroup, ConfigPolicy, ConfigSignature, ConfigUpdate, ConfigUpdateEnvelope, ConfigValue, Envelope,
    HeaderType, SignatureHeader,
};

use crate::blocks::{nonce, signed_envelope};

/// The update that leads from `current` to `wanted`, if they differ. Versions in `wanted` do not matter.
pub fn compute_update(channel: &str, current: &Config, wanted: &Config) -> Option<ConfigUpdate> {
    let empty = ConfigGroup::default();
    let current = current.channel_group.as_ref().unwrap_or(&empty);
    let wanted = wanted.channel_group.as_ref().unwrap_or(&empty);
    let difference = group_difference(current, wanted)?;
    Some(ConfigUpdate {
        channel_id: channel.to_owned(),
        read_set: Some(difference.read),
        write_set: Some(difference.write),
        isolated_data: BTreeMap::new(),
    })
}

/// Signs `update` by each of `signers` and wraps it into a message sent by the first.
///
/// Returns `None` when there is no signer.
// Fabric: ledger §7 (ConfigUpdateEnvelope)
pub fn sign_update(update: &ConfigUpdate, signers: &[&SigningIdentity]) -> Option<Envelope> {
    let sender = signers.first()?;
    let config_update: Bytes = update.encode_to_vec().into();
    let sign = |signer: &&SigningIdentity| {
        let header = SignatureHeader { creator: signer.serialized().clone(), nonce: nonce() };
        let signature_header: Bytes = header.encode_to_vec().into();
        let signature = signer.sign(&[signature_header.as_ref(), config_update.as_ref()].concat()).into();
        ConfigSignature { signature_header, signature }
    };
    let signatures = signers.iter().map(sign).collect();
    let envelope = ConfigUpdateEnvelope { config_update: config_update.clone(), signatures };
    Some(signed_envelope(HeaderType::ConfigUpdate, &update.channel_id, &envelope, sender))
}

/// What to read and what to write of a group.
struct Difference {
    read: ConfigGroup,
    write: ConfigGroup,
}

fn group_difference(current: &ConfigGroup, wanted: &ConfigGroup) -> Option<Difference> {
    let mut read = ConfigGroup { version: current.version, ..Default::default() };
    let mut write = ConfigGroup::default();
    // A group's own version counts its members, not what is in them.
    let renamed = names(&current.groups) != names(&wanted.groups)
        || names(&current.values) != names(&wanted.values)
        || names(&current.policies) != names(&wanted.policies)
        || current.mod_policy != wanted.mod_policy;
    let mut changed = renamed;
    for (name, wanted) in &wanted.values {
        match current.values.get(name) {
            Some(current) if same_value(current, wanted) => {
                // A group that is written names all that it keeps, at the version it has.
                if renamed {
                    read.values.insert(name.clone(), bare_value(current));
                    write.values.insert(name.clone(), bare_value(current));
                }
            }
            existing => {
                changed = true;
                let version = existing.map_or(0, |current| current.version + 1);
                write.values.insert(name.clone(), ConfigValue { version, ..wanted.clone() });
            }
        }
    }
    for (name, wanted) in &wanted.policies {
        match current.policies.get(name) {
            Some(current) if same_policy(current, wanted) => {
                if renamed {
                    read.policies.insert(name.clone(), bare_policy(current));
                    write.policies.insert(name.clone(), bare_policy(current));
                }
            }
            existing => {
                changed = true;
                let version = existing.map_or(0, |current| current.version + 1);
                write.policies.insert(name.clone(), ConfigPolicy { version, ..wanted.clone() });
            }
        }
    }
    for (name, wanted) in &wanted.groups {
        match current.groups.get(name) {
            None => {
                write.groups.insert(name.clone(), fresh(wanted));
            }
            Some(current) => match group_difference(current, wanted) {
                Some(difference) => {
                    changed = true;
                    read.groups.insert(name.clone(), difference.read);
                    write.groups.insert(name.clone(), difference.write);
                }
                None if renamed => {
                    let kept = ConfigGroup { version: current.version, ..Default::default() };
                    read.groups.insert(name.clone(), kept.clone());
                    write.groups.insert(name.clone(), kept);
                }
                None => {}
            },
        }
    }
    write.version = current.version + u64::from(renamed);
    write.mod_policy = if renamed { wanted.mod_policy.clone() } else { String::new() };
    changed.then_some(Difference { read, write })
}

fn names<T>(map: &BTreeMap<String, T>) -> BTreeSet<&str> {
    map.keys().map(String::as_str).collect()
}

fn same_value(current: &ConfigValue, wanted: &ConfigValue) -> bool {
    current.value == wanted.value && current.mod_policy == wanted.mod_policy
}

fn same_policy(current: &ConfigPolicy, wanted: &ConfigPolicy) -> bool {
    current.policy == wanted.policy && current.mod_policy == wanted.mod_policy
}

fn bare_value(current: &ConfigValue) -> ConfigValue {
    ConfigValue { version: current.version, ..Default::default() }
}

fn bare_policy(current: &ConfigPolicy) -> ConfigPolicy {
    ConfigPolicy { version: current.version, ..Default::default() }
}

/// A group that is new altogether: everything in it is at version 0.
fn fresh(group: &ConfigGroup) -> ConfigGroup {
    let mut group = group.clone();
    group.version = 0;
    group.values.values_mut().for_each(|value| value.version = 0);
    group.policies.values_mut().for_each(|policy| policy.version = 0);
    group.groups = group.groups.iter().map(|(name, child)| (name.clone(), fresh(child))).collect();
    group
}
