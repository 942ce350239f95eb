//! Who has to sign.
//!
//! - [`SignaturePolicy`]: a compiled signature policy
//! - [`text`]: the language of `AND('Org1MSP.peer', …)`
//! - [`tree`]: all policies of a channel, among them those that count the policies of their children
//!
//! Signatures are verified once, by [`verify_signature_set`]; everything else judges identities.
// Fabric: ledger §4

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use prost::Message;
use windlass_proto::common::{
    self, MspPrincipal, MspRole, SignaturePolicyEnvelope,
    msp_principal::Classification,
    msp_role::MspRoleType,
    signature_policy::{NOutOf, Type},
};

use crate::{
    identity::Identity,
    msp::{MspManager, Principal},
};

pub mod text;
pub mod tree;

pub use text::TextError;
pub use tree::PolicyTree;

/// How deep rules may nest.
const DEPTH: usize = 64;

/// Somebody's signature over something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedData {
    /// What was signed.
    pub data: Bytes,
    /// The signer, as SerializedIdentity.
    pub identity: Bytes,
    /// The signature.
    pub signature: Bytes,
}

/// Why a policy is not satisfied, or cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too few of the right signers.
    #[error("signature set did not satisfy policy")]
    NotSatisfied,
    /// Too few of the children's policies are satisfied.
    #[error(
        "implicit policy evaluation failed - {satisfied} sub-policies were satisfied, but this policy requires {required} of the '{sub_policy}' sub-policies to be satisfied"
    )]
    TooFewSubPolicies {
        /// How many are.
        satisfied: usize,
        /// How many have to be.
        required: usize,
        /// Their name.
        sub_policy: String,
    },
    /// Nothing is defined under this path.
    #[error("no such policy: '{0}'")]
    Unknown(String),
    /// A message is malformed.
    #[error("error unmarshalling {message}: {reason}")]
    Malformed {
        /// The message expected.
        message: &'static str,
        /// What protobuf says.
        reason: String,
    },
    /// A rule of neither kind.
    #[error("Empty policy element")]
    EmptyRule,
    /// A version other than 0.
    #[error("This evaluator only understands messages of version 0, but version was {0}")]
    Version(i32),
    /// A rule refers to an identity that is not listed.
    #[error("identity index out of range, requested {index}, but identities length is {length}")]
    IdentityIndex {
        /// The reference.
        index: i32,
        /// How many are listed.
        length: usize,
    },
    /// Rules within rules, beyond all use.
    #[error("policy rules nest deeper than {DEPTH} levels")]
    TooDeep,
    /// A policy of the tree is missing its content.
    #[error("policy {name} at path {path} was nil")]
    NilPolicy {
        /// The policy's name.
        name: String,
        /// Its group.
        path: String,
    },
    /// A policy of the tree is of a kind unknown here.
    #[error("policy {name} at path {path} has unknown policy type: {kind}")]
    UnknownType {
        /// The policy's name.
        name: String,
        /// Its group.
        path: String,
        /// The type's number.
        kind: i32,
    },
    /// A policy of the tree cannot be compiled.
    #[error("policy {name} at path {path} is malformed: {cause}")]
    Compile {
        /// The policy's name.
        name: String,
        /// Its group.
        path: String,
        /// What is wrong with it.
        cause: Box<PolicyError>,
    },
}

/// A compiled signature policy.
#[derive(Clone, Debug)]
pub struct SignaturePolicy {
    rule: Rule,
    /// The principals that the rule refers to. One that is malformed is satisfied by nobody.
    principals: Vec<Option<Principal>>,
}

#[derive(Clone, Debug)]
enum Rule {
    SignedBy(usize),
    /// A negative count is satisfied always, as is zero.
    OutOf(i32, Vec<Rule>),
}

impl SignaturePolicy {
    /// Compiles a policy.
    pub fn compile(envelope: &SignaturePolicyEnvelope) -> Result<Self, PolicyError> {
        if envelope.version != 0 {
            return Err(PolicyError::Version(envelope.version));
        }
        let rule = envelope.rule.as_ref().ok_or(PolicyError::EmptyRule)?;
        let rule = compile_rule(rule, envelope.identities.len(), 0)?;
        let principals = envelope.identities.iter().map(|principal| Principal::decode(principal).ok()).collect();
        Ok(Self { rule, principals })
    }

    /// Compiles the bytes of a SignaturePolicyEnvelope.
    pub fn compile_bytes(bytes: &Bytes) -> Result<Self, PolicyError> {
        Self::compile(&decoded("SignaturePolicyEnvelope", bytes)?)
    }

    /// Verifies the signatures and judges who made them. Signatures that do not hold are passed over.
    pub fn evaluate(&self, msps: &MspManager, signatures: &[SignedData]) -> Result<(), PolicyError> {
        self.evaluate_identities(msps, &verify_signature_set(msps, signatures))
    }

    /// Judges identities whose signatures have been verified, each of which should appear once.
    ///
    /// Every rule takes, in order, the first identity not yet taken that satisfies it; nothing is ever given
    /// back. So the order of the rules matters, and that of the identities may.
    pub fn evaluate_identities(&self, msps: &MspManager, identities: &[Arc<Identity>]) -> Result<(), PolicyError> {
        let mut used = vec![false; identities.len()];
        if self.satisfied(&self.rule, msps, identities, &mut used) { Ok(()) } else { Err(PolicyError::NotSatisfied) }
    }

    fn satisfied(&self, rule: &Rule, msps: &MspManager, identities: &[Arc<Identity>], used: &mut [bool]) -> bool {
        match rule {
            Rule::SignedBy(index) => {
                let Some(Some(principal)) = self.principals.get(*index) else { return false };
                let satisfies = |at: &usize| !used[*at] && msps.satisfies_decoded(&identities[*at], principal).is_ok();
                let found = (0..identities.len()).find(satisfies);
                if let Some(at) = found {
                    used[at] = true;
                }
                found.is_some()
            }
            // All rules are tried, even when enough are satisfied: what they take is gone for later ones.
            Rule::OutOf(needed, rules) => {
                let mut satisfied = 0;
                for rule in rules {
                    let mut tentative = used.to_vec();
                    if self.satisfied(rule, msps, identities, &mut tentative) {
                        satisfied += 1;
                        used.copy_from_slice(&tentative);
                    }
                }
                satisfied >= *needed
            }
        }
    }
}

/// Who made these signatures: each identity once, in order, leaving out whatever does not hold.
pub fn verify_signature_set(msps: &MspManager, signatures: &[SignedData]) -> Vec<Arc<Identity>> {
    let mut seen = HashSet::new();
    let mut identities = Vec::with_capacity(signatures.len());
    for (index, signed) in signatures.iter().enumerate() {
        let identity = match msps.deserialize(&signed.identity) {
            Ok(identity) => identity,
            Err(error) => {
                tracing::warn!(index, %error, "passing over a signature whose identity cannot be read");
                continue;
            }
        };
        let key = (identity.msp_id().to_owned(), *identity.certificate_hash());
        if seen.contains(&key) {
            continue;
        }
        if identity.verify(&signed.data, &signed.signature).is_err() {
            tracing::warn!(index, msp = identity.msp_id(), "passing over a signature that is invalid");
            continue;
        }
        seen.insert(key);
        identities.push(identity);
    }
    identities
}

/// `n` out of one member of each MSP, in the order given.
pub fn members_policy(msp_ids: &[&str], n: i32) -> SignaturePolicyEnvelope {
    envelope(msp_ids.iter().map(|id| role_principal(id, MspRoleType::Member)).collect(), n)
}

/// Anyone of an MSP who has one of the roles.
pub fn role_policy(msp_id: &str, roles: &[MspRoleType]) -> SignaturePolicyEnvelope {
    envelope(roles.iter().map(|role| role_principal(msp_id, *role)).collect(), 1)
}

/// The principal of a role.
pub fn role_principal(msp_id: &str, role: MspRoleType) -> MspPrincipal {
    let role = MspRole { msp_identifier: msp_id.to_owned(), role: role.into() };
    MspPrincipal { principal_classification: Classification::Role.into(), principal: role.encode_to_vec().into() }
}

/// The IDs of the MSPs that a policy's principals name, sorted, each once.
pub fn named_msps(envelope: &SignaturePolicyEnvelope) -> Vec<String> {
    let mut ids: Vec<String> = envelope
        .identities
        .iter()
        .filter_map(|principal| Principal::decode(principal).ok())
        .filter_map(|principal| match principal {
            Principal::Role { msp_id, .. } | Principal::Unit { msp_id, .. } => Some(msp_id),
            Principal::Identity { .. } | Principal::Nominal | Principal::Combined(_) => None,
        })
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

fn envelope(identities: Vec<MspPrincipal>, n: i32) -> SignaturePolicyEnvelope {
    let rules = (0..identities.len()).map(|index| signed_by(index as i32)).collect();
    SignaturePolicyEnvelope { version: 0, rule: Some(out_of(n, rules)), identities }
}

fn signed_by(index: i32) -> common::SignaturePolicy {
    common::SignaturePolicy { r#type: Some(Type::SignedBy(index)) }
}

fn out_of(n: i32, rules: Vec<common::SignaturePolicy>) -> common::SignaturePolicy {
    common::SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n, rules })) }
}

fn compile_rule(rule: &common::SignaturePolicy, identities: usize, depth: usize) -> Result<Rule, PolicyError> {
    if depth > DEPTH {
        return Err(PolicyError::TooDeep);
    }
    match rule.r#type.as_ref().ok_or(PolicyError::EmptyRule)? {
        Type::SignedBy(index) => match usize::try_from(*index) {
            Ok(at) if at < identities => Ok(Rule::SignedBy(at)),
            _ => Err(PolicyError::IdentityIndex { index: *index, length: identities }),
        },
        Type::NOutOf(NOutOf { n, rules }) => {
            let rules = rules.iter().map(|rule| compile_rule(rule, identities, depth + 1));
            Ok(Rule::OutOf(*n, rules.collect::<Result<_, _>>()?))
        }
    }
}

pub(crate) fn decoded<M: Message + Default>(message: &'static str, bytes: &Bytes) -> Result<M, PolicyError> {
    M::decode(bytes.clone()).map_err(|error| PolicyError::Malformed { message, reason: error.to_string() })
}

#[cfg(test)]
mod tests;
