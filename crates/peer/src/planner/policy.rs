//! Endorsement policies as needs.

use std::sync::Arc;

use prost::Message;
use windlass_identity::{ChannelConfig, Identity, SignaturePolicy, policy::tree::TreePolicy};
use windlass_proto::{
    Bytes,
    common::{self, ConfigGroup, MspPrincipal, SignaturePolicyEnvelope, signature_policy},
    protos::{ApplicationPolicy, application_policy},
};

use super::{layouts::Need, matching::Peers};

/// How deep rules may nest; the evaluator stops there too.
const DEPTH: usize = 64;

/// An endorsement policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Policy {
    /// Of its own.
    Signature(SignaturePolicyEnvelope),
    /// One of the channel's configuration, by its absolute path.
    Channel(String),
}

impl Policy {
    /// The policy of a chaincode or collection, as a definition holds it.
    // Fabric: ledger §4 "Endorsement policy evaluation"
    pub(super) fn of_parameter(bytes: &Bytes) -> Option<Self> {
        let legacy = || SignaturePolicyEnvelope::decode(bytes.clone()).ok().map(Self::Signature);
        let Ok(policy) = ApplicationPolicy::decode(bytes.clone()) else { return legacy() };
        match &policy.r#type {
            Some(application_policy::Type::SignaturePolicy(envelope)) => Some(Self::Signature(envelope.clone())),
            // A bare signature policy reads as a reference with something behind it.
            Some(application_policy::Type::ChannelConfigPolicyReference(_)) if policy.encoded_len() != bytes.len() => {
                legacy()
            }
            Some(application_policy::Type::ChannelConfigPolicyReference(reference)) => {
                Some(Self::Channel(ChannelConfig::absolute_policy(reference)))
            }
            None => None,
        }
    }

    /// Whether these endorsers satisfy it, as validation will see it.
    pub(super) fn holds(&self, config: &ChannelConfig, endorsers: &[Arc<Identity>]) -> bool {
        let outcome = match self {
            Self::Signature(envelope) => SignaturePolicy::compile(envelope)
                .and_then(|policy| policy.evaluate_identities(config.msps(), endorsers)),
            Self::Channel(path) => config.policies().evaluate_identities(path, config.msps(), endorsers),
        };
        outcome.is_ok()
    }

    /// What it asks of these peers; `None` if it cannot be evaluated.
    pub(super) fn need(&self, config: &ChannelConfig, peers: &[Option<Arc<Identity>>]) -> Option<Need> {
        let reader = Reader { config, peers };
        match self {
            Self::Signature(envelope) => reader.signature(envelope),
            Self::Channel(path) => reader.channel(path),
        }
    }
}

struct Reader<'a> {
    config: &'a ChannelConfig,
    peers: &'a [Option<Arc<Identity>>],
}

impl Reader<'_> {
    fn signature(&self, envelope: &SignaturePolicyEnvelope) -> Option<Need> {
        let satisfying: Vec<Peers> = envelope.identities.iter().map(|principal| self.satisfying(principal)).collect();
        rule(envelope.rule.as_ref()?, &satisfying, 0)
    }

    fn satisfying(&self, principal: &MspPrincipal) -> Peers {
        let peers = self.peers.iter().enumerate();
        let satisfies = |identity: &Arc<Identity>| self.config.msps().satisfies(identity, principal).is_ok();
        peers.filter(|(_, identity)| identity.as_ref().is_some_and(satisfies)).map(|(peer, _)| peer).collect()
    }

    fn channel(&self, path: &str) -> Option<Need> {
        match self.config.policies().get(path)? {
            TreePolicy::Signature(_) => self.signature(&signature_at(self.config.group(), path)?),
            TreePolicy::ImplicitMeta(meta) => {
                let children = meta.children().iter().map(|child| self.channel(child));
                let threshold = i64::try_from(meta.threshold()).unwrap_or(i64::MAX);
                Some(Need::OutOf(threshold, children.collect::<Option<_>>()?))
            }
        }
    }
}

/// The signature policy of this path, such as `/Channel/Application/Org1MSP/Endorsement`.
fn signature_at(channel: &ConfigGroup, path: &str) -> Option<SignaturePolicyEnvelope> {
    let mut names = path.strip_prefix("/Channel/")?.split('/');
    let name = names.next_back()?;
    let group = names.try_fold(channel, |group, name| group.groups.get(name))?;
    let policy = group.policies.get(name)?.policy.as_ref()?;
    SignaturePolicyEnvelope::decode(policy.value.clone()).ok()
}

fn rule(rule: &common::SignaturePolicy, satisfying: &[Peers], depth: usize) -> Option<Need> {
    if depth > DEPTH {
        return None;
    }
    Some(match rule.r#type.as_ref()? {
        signature_policy::Type::SignedBy(index) => {
            Need::Signature(satisfying.get(usize::try_from(*index).ok()?)?.clone())
        }
        signature_policy::Type::NOutOf(out_of) => {
            let rules = out_of.rules.iter().map(|one| self::rule(one, satisfying, depth + 1));
            Need::OutOf(out_of.n.into(), rules.collect::<Option<_>>()?)
        }
    })
}
