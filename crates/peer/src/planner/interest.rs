//! What decides who has to endorse a transaction: the policies of what it wrote, and the collections that it read.

use std::{collections::BTreeSet, sync::Arc};

use windlass_chaincode::{lifecycle::Lifecycle, simulation::Simulation};
use windlass_identity::{ChannelConfig, Identity};
use windlass_proto::{
    common::MspPrincipal,
    protos::{ChaincodeCall, ChaincodeInterest, collection_policy_config},
};

use super::{layouts::Plan, matching::Peers, policy::Policy};

/// Why nobody can be found who satisfies the policies. The texts reach clients, behind a prefix of the caller's.
// Fabric: endorsement-and-gateway §7, §9
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// Nothing is defined under a name.
    #[error("No metadata was found for chaincode {chaincode} in channel {channel}")]
    Undefined { chaincode: String, channel: String },
    /// A chaincode has no such collection.
    #[error("collection {collection} doesn't exist in collection config for chaincode {chaincode}")]
    NoCollection { chaincode: String, collection: String },
    /// The chaincode's policy is not to count, and there is no other.
    #[error(
        "requested to disregard chaincode {0}'s policy but key and collection policies are missing, either disable DisregardNamespacePolicy or specify at least one key policy or at least one collection policy"
    )]
    NothingElse(String),
    /// A policy is malformed, or the channel lacks it.
    #[error("endorsement policy cannot be satisfied")]
    NoPolicy,
    /// The peers that there are do not suffice.
    #[error("no peer combination can satisfy the endorsement policy")]
    Unsatisfiable,
    /// They would, but not all of them have the chaincode.
    #[error("required chaincodes are not installed on sufficient peers")]
    NotInstalled,
    /// The ledger cannot be read.
    #[error("{0}")]
    State(String),
}

/// What decides who has to endorse a transaction.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    chaincodes: BTreeSet<String>,
    policies: Vec<Policy>,
    /// For each collection read, its members: an endorser must be one of each.
    members: Vec<Vec<MspPrincipal>>,
}

impl Interest {
    /// Looks up what the calls of an interest are subject to.
    pub(crate) fn read(
        interest: &ChaincodeInterest,
        config: &ChannelConfig,
        lifecycle: &Lifecycle,
        state: &dyn Simulation,
    ) -> Result<Self, PlanError> {
        let mut found = Self::default();
        let reader = Reader { config, lifecycle, state };
        for call in &interest.chaincodes {
            found.add(&reader, call)?;
        }
        Ok(found)
    }

    fn add(&mut self, reader: &Reader<'_>, call: &ChaincodeCall) -> Result<(), PlanError> {
        let chaincode_policy = reader.chaincode_policy(&call.name)?;
        self.chaincodes.insert(call.name.clone());
        if call.disregard_namespace_policy && call.collection_names.is_empty() && call.key_policies.is_empty() {
            return Err(PlanError::NothingElse(call.name.clone()));
        }
        if call.collection_names.is_empty() && !call.disregard_namespace_policy {
            self.require(chaincode_policy);
        }
        for collection in &call.collection_names {
            self.require(reader.collection_policy(&call.name, collection)?);
            if !call.no_private_reads {
                self.members.push(reader.members(&call.name, collection)?);
            }
        }
        for policy in &call.key_policies {
            self.require(Policy::Signature(policy.clone()));
        }
        Ok(())
    }

    fn require(&mut self, policy: Policy) {
        if !self.policies.contains(&policy) {
            self.policies.push(policy);
        }
    }

    /// An interest that is subject to these policies.
    #[cfg(test)]
    pub(super) fn of_policies(policies: Vec<Policy>) -> Self {
        Self { policies, ..Self::default() }
    }

    /// The chaincodes that an endorser must have.
    pub(crate) fn chaincodes(&self) -> &BTreeSet<String> {
        &self.chaincodes
    }

    /// Whether a peer may see all that the transaction reads.
    pub(crate) fn admits(&self, config: &ChannelConfig, peer: &Identity) -> bool {
        let is = |principal: &MspPrincipal| config.msps().satisfies(peer, principal).is_ok();
        self.members.iter().all(|members| members.iter().any(is))
    }

    /// Whether these endorsers are enough, as validation will see it.
    pub(crate) fn holds(&self, config: &ChannelConfig, endorsers: &[Arc<Identity>]) -> bool {
        self.policies.iter().all(|policy| policy.holds(config, endorsers))
    }

    /// The ways in which some of these peers are enough; a peer's number is its place in the list. Peers whose
    /// identity cannot be read are given as `None`.
    pub(crate) fn plan(
        &self,
        config: &ChannelConfig,
        peers: &[Option<Arc<Identity>>],
        has_chaincodes: impl Fn(usize) -> bool,
    ) -> Result<Plan, PlanError> {
        let admitted: Vec<Option<Arc<Identity>>> =
            peers.iter().map(|peer| peer.clone().filter(|peer| self.admits(config, peer))).collect();
        let endorsing: Vec<_> =
            admitted.iter().enumerate().map(|(at, peer)| peer.clone().filter(|_| has_chaincodes(at))).collect();
        let plan = self.plan_among(config, &endorsing)?;
        if !plan.layouts.is_empty() {
            return Ok(plan);
        }
        let installed_everywhere = self.plan_among(config, &admitted)?;
        let enough = !installed_everywhere.layouts.is_empty();
        Err(if enough { PlanError::NotInstalled } else { PlanError::Unsatisfiable })
    }

    fn plan_among(&self, config: &ChannelConfig, peers: &[Option<Arc<Identity>>]) -> Result<Plan, PlanError> {
        let needs = self.policies.iter().map(|policy| policy.need(config, peers));
        let needs = needs.collect::<Option<Vec<_>>>().ok_or(PlanError::NoPolicy)?;
        let there = peers.iter().enumerate().filter(|(_, peer)| peer.is_some());
        let there = there.map(|(at, _)| at).collect::<Peers>();
        let mut plan = Plan::meeting(&needs, &there);
        // The evaluator never gives back a signature that a rule has taken, even one that offers more than it needs,
        // such as OutOf(0, 'Org1MSP.member'): a few odd policies refuse what would be enough, and want more.
        plan.settle(&there, |chosen| {
            let chosen: Vec<_> = chosen.iter().filter_map(|at| peers[*at].clone()).collect();
            self.holds(config, &chosen)
        });
        Ok(plan)
    }
}

struct Reader<'a> {
    config: &'a ChannelConfig,
    lifecycle: &'a Lifecycle,
    state: &'a dyn Simulation,
}

impl Reader<'_> {
    fn chaincode_policy(&self, chaincode: &str) -> Result<Policy, PlanError> {
        let info = self.lifecycle.validation_info(self.config, chaincode, self.state);
        let info = info.map_err(|error| PlanError::State(error.to_string()))?.ok_or_else(|| PlanError::Undefined {
            chaincode: chaincode.to_owned(),
            channel: self.config.channel_id().to_owned(),
        })?;
        Policy::of_parameter(&info.parameter).ok_or(PlanError::NoPolicy)
    }

    fn collection_policy(&self, chaincode: &str, collection: &str) -> Result<Policy, PlanError> {
        let policy = self.lifecycle.collection_policy(self.config, chaincode, collection, self.state);
        let policy = policy.map_err(|_| no_collection(chaincode, collection))?;
        Policy::of_parameter(&policy).ok_or(PlanError::NoPolicy)
    }

    fn members(&self, chaincode: &str, collection: &str) -> Result<Vec<MspPrincipal>, PlanError> {
        let found = self.lifecycle.collection(self.config, chaincode, collection, self.state);
        let found = found.map_err(|error| PlanError::State(error.to_string()))?;
        let policy = found.and_then(|config| config.member_orgs_policy).and_then(|policy| policy.payload);
        match policy {
            Some(collection_policy_config::Payload::SignaturePolicy(envelope)) => Ok(envelope.identities),
            None => Err(no_collection(chaincode, collection)),
        }
    }
}

fn no_collection(chaincode: &str, collection: &str) -> PlanError {
    PlanError::NoCollection { chaincode: chaincode.to_owned(), collection: collection.to_owned() }
}
