//! All policies of a channel, under paths such as `/Channel/Application/Writers`.

use std::{collections::HashMap, sync::Arc};

use windlass_proto::common::{
    ConfigGroup, ImplicitMetaPolicy, implicit_meta_policy::Rule as MetaRule, policy::PolicyType,
};

use super::{PolicyError, SignaturePolicy, SignedData, decoded, verify_signature_set};
use crate::{identity::Identity, msp::MspManager};

/// The compiled policies of a tree of configuration groups.
#[derive(Clone, Debug, Default)]
pub struct PolicyTree {
    policies: Vec<TreePolicy>,
    paths: HashMap<String, usize>,
}

/// One policy of a tree.
#[derive(Clone, Debug)]
pub enum TreePolicy {
    /// Signatures.
    Signature(SignaturePolicy),
    /// A count of the children's policies of one name.
    ImplicitMeta(ImplicitMeta),
}

/// A policy that is satisfied when enough of its children's are.
#[derive(Clone, Debug)]
pub struct ImplicitMeta {
    sub_policy: String,
    rule: MetaRule,
    /// How many children have to be satisfied. Children without the policy count for the majority as well.
    threshold: usize,
    /// The paths of the children that have the policy, sorted.
    paths: Vec<String>,
    children: Vec<usize>,
}

impl ImplicitMeta {
    /// The name of the children's policy.
    pub fn sub_policy(&self) -> &str {
        &self.sub_policy
    }

    /// Any, all, or the majority.
    pub fn rule(&self) -> MetaRule {
        self.rule
    }

    /// How many children have to be satisfied.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The paths of the children's policies, sorted.
    pub fn children(&self) -> &[String] {
        &self.paths
    }
}

impl PolicyTree {
    /// Compiles the policies of a channel's group.
    pub fn compile(channel_group: &ConfigGroup) -> Result<Self, PolicyError> {
        Self::compile_under("/Channel", channel_group)
    }

    /// Compiles the policies of a group that has this path.
    pub fn compile_under(path: &str, group: &ConfigGroup) -> Result<Self, PolicyError> {
        let mut tree = Self::default();
        tree.add(path, group)?;
        Ok(tree)
    }

    /// The policy of this absolute path.
    pub fn get(&self, path: &str) -> Option<&TreePolicy> {
        self.policies.get(*self.paths.get(path)?)
    }

    /// Whether there is a policy of this absolute path.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// The paths of all policies, sorted.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = self.paths.keys().map(String::as_str).collect();
        paths.sort_unstable();
        paths
    }

    /// Verifies the signatures and judges who made them.
    pub fn evaluate(&self, path: &str, msps: &MspManager, signatures: &[SignedData]) -> Result<(), PolicyError> {
        self.evaluate_identities(path, msps, &verify_signature_set(msps, signatures))
    }

    /// Judges identities whose signatures have been verified. A path without policy refuses.
    pub fn evaluate_identities(
        &self,
        path: &str,
        msps: &MspManager,
        identities: &[Arc<Identity>],
    ) -> Result<(), PolicyError> {
        match self.paths.get(path) {
            Some(index) => self.evaluate_at(*index, msps, identities),
            None => Err(PolicyError::Unknown(path.to_owned())),
        }
    }

    fn evaluate_at(&self, index: usize, msps: &MspManager, identities: &[Arc<Identity>]) -> Result<(), PolicyError> {
        match &self.policies[index] {
            TreePolicy::Signature(policy) => policy.evaluate_identities(msps, identities),
            TreePolicy::ImplicitMeta(policy) => {
                let mut satisfied = 0;
                for child in &policy.children {
                    if satisfied == policy.threshold {
                        break;
                    }
                    satisfied += usize::from(self.evaluate_at(*child, msps, identities).is_ok());
                }
                if satisfied == policy.threshold {
                    return Ok(());
                }
                Err(PolicyError::TooFewSubPolicies {
                    satisfied,
                    required: policy.threshold,
                    sub_policy: policy.sub_policy.clone(),
                })
            }
        }
    }

    /// Children first, since policies refer to those of their children only: there are no cycles.
    fn add(&mut self, path: &str, group: &ConfigGroup) -> Result<(), PolicyError> {
        for (name, child) in &group.groups {
            self.add(&format!("{path}/{name}"), child)?;
        }
        for (name, config) in &group.policies {
            let nil = || PolicyError::NilPolicy { name: name.clone(), path: path.to_owned() };
            let policy = config.policy.as_ref().ok_or_else(nil)?;
            let malformed =
                |cause| PolicyError::Compile { name: name.clone(), path: path.to_owned(), cause: Box::new(cause) };
            let compiled = match PolicyType::try_from(policy.r#type) {
                Ok(PolicyType::Signature) => {
                    TreePolicy::Signature(SignaturePolicy::compile_bytes(&policy.value).map_err(malformed)?)
                }
                Ok(PolicyType::ImplicitMeta) => {
                    let meta = decoded("ImplicitMetaPolicy", &policy.value).map_err(malformed)?;
                    TreePolicy::ImplicitMeta(self.implicit_meta(path, group, &meta))
                }
                _ => {
                    let (name, path) = (name.clone(), path.to_owned());
                    return Err(PolicyError::UnknownType { name, path, kind: policy.r#type });
                }
            };
            self.paths.insert(format!("{path}/{name}"), self.policies.len());
            self.policies.push(compiled);
        }
        Ok(())
    }

    fn implicit_meta(&self, path: &str, group: &ConfigGroup, meta: &ImplicitMetaPolicy) -> ImplicitMeta {
        let groups = group.groups.len();
        // Fabric: ledger §4. Without child groups the threshold is zero whatever the rule.
        let threshold = match meta.rule() {
            _ if groups == 0 => 0,
            MetaRule::Any => 1,
            MetaRule::All => groups,
            MetaRule::Majority => groups / 2 + 1,
        };
        let paths = group.groups.keys().map(|child| format!("{path}/{child}/{}", meta.sub_policy));
        let (paths, children) = paths.filter_map(|path| self.paths.get(&path).copied().map(|at| (path, at))).unzip();
        ImplicitMeta { sub_policy: meta.sub_policy.clone(), rule: meta.rule(), threshold, paths, children }
    }
}
