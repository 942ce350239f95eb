//! Endorse: collects the endorsements that a transaction needs and assembles it for the client to sign.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use rand::seq::SliceRandom;
use tonic::{Code, Status};
use windlass_chaincode::channels::Channels;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::Envelope,
    envelope::{UnpackedProposal, assemble_transaction},
    gateway::{EndorseRequest, EndorseResponse, ErrorDetail},
    protos::{ChaincodeCall, ChaincodeInterest, Endorsement, ProposalResponse, SignedProposal},
};

use super::{
    Gateway,
    endorsers::{Endorsers, detail},
    errors::with_details,
    plan::{Collecting, Next},
    unpack,
};
use crate::planner::{Interest, Layout, Plan, PlanError};

const NOT_ENOUGH: &str = "failed to collect enough transaction endorsements, see attached details for more info";

impl Gateway {
    // Fabric: endorsement-and-gateway §7 "Endorse"
    pub(super) async fn endorse_proposal(&self, request: EndorseRequest) -> Result<EndorseResponse, Status> {
        if request.proposed_transaction.as_ref().is_none_or(|signed| signed.proposal_bytes.is_empty()) {
            return Err(Status::invalid_argument("the proposed transaction must contain a signed proposal"));
        }
        let proposal = unpack(request.proposed_transaction.as_ref()).map_err(Status::invalid_argument)?;
        let channel = &proposal.channel_header.channel_id;
        let Some(channel) = self.parts.channels.get(channel) else {
            return Err(Status::unavailable(format!(
                "failed to get config for channel [{channel}]: channel does not exist"
            )));
        };
        let config = channel.config();
        let transaction = Transaction {
            gateway: self,
            endorsers: Endorsers::of(self, &config),
            config: &config,
            proposal: &proposal,
            signed: request.proposed_transaction.unwrap_or_default(),
        };
        let named = request.endorsing_organizations;
        let endorsed =
            if named.is_empty() { transaction.endorse().await? } else { transaction.endorse_by(&named).await? };
        Ok(EndorseResponse { prepared_transaction: Some(assemble(&proposal, endorsed)?) })
    }
}

/// A transaction that is to be endorsed.
struct Transaction<'a> {
    gateway: &'a Gateway,
    endorsers: Endorsers,
    config: &'a ChannelConfig,
    proposal: &'a UnpackedProposal,
    signed: SignedProposal,
}

/// What was endorsed, and by whom. The responses agree; the first stands for all.
type Endorsed = Vec<ProposalResponse>;

/// The first endorsement, and who gave it.
struct First {
    peer: usize,
    answer: ProposalResponse,
}

impl Transaction<'_> {
    fn chaincode(&self) -> &str {
        &self.proposal.chaincode_id.name
    }

    fn has_transient_data(&self) -> bool {
        !self.proposal.payload.transient_map.is_empty()
    }

    /// One endorsement of each organization that the client names, who answers for that being enough.
    async fn endorse_by(&self, organizations: &[String]) -> Result<Endorsed, Status> {
        let mut groups: BTreeMap<&str, _> = BTreeMap::new();
        for (at, peer) in self.endorsers.with(self.gateway, self.chaincode()) {
            groups.entry(peer.member.msp_id.as_str()).or_insert_with(BTreeSet::new).insert(at);
        }
        let absent: Vec<_> =
            organizations.iter().filter(|org| !groups.contains_key(org.as_str())).map(String::as_str).collect();
        if !absent.is_empty() {
            return Err(Status::unavailable(format!(
                "failed to find any endorsing peers for org(s): {}",
                absent.join(", ")
            )));
        }
        groups.retain(|org, _| organizations.iter().any(|named| named == org));
        let layout: Layout = (0..groups.len()).map(|group| (group, 1)).collect();
        let plan = Plan { groups: groups.into_values().collect(), layouts: vec![layout] };
        self.collect(plan, None, |_| true).await
    }

    /// The endorsements that the policies ask for: one first, which says what they are about, then the others.
    async fn endorse(&self) -> Result<Endorsed, Status> {
        let own = self.endorsers.own_with(self.gateway, self.chaincode());
        let candidates = if own.is_empty() { self.of_other_organizations().await? } else { own };
        let first = self.first(&candidates).await?;

        let mut wanted = first.answer.interest.clone().unwrap_or_default();
        if wanted.chaincodes.is_empty() {
            wanted = self.bare();
        }
        let protected = if self.has_transient_data() { protect(&mut wanted) } else { Protected::default() };
        let interest = self.read(&wanted);
        if let Ok(interest) = &interest
            && self.is_enough(interest, &[first.peer])
        {
            return Ok(vec![first.answer]);
        }
        let plan = match interest.and_then(|interest| Ok((self.plan(&interest)?, interest))) {
            Ok((plan, interest)) => {
                let plan = self.reachable(plan, first.peer).await?;
                return self.collect(plan, Some(first), |peers| self.is_enough(&interest, peers)).await;
            }
            Err(error) => error,
        };
        Err(self.no_plan(&plan, &protected))
    }

    /// The interest of a transaction that touched nothing: just what it called.
    fn bare(&self) -> ChaincodeInterest {
        let call = ChaincodeCall { name: self.chaincode().to_owned(), ..Default::default() };
        ChaincodeInterest { chaincodes: vec![call] }
    }

    fn read(&self, interest: &ChaincodeInterest) -> Result<Interest, PlanError> {
        let parts = &self.gateway.parts;
        let state = Channels::simulate(&parts.channels, self.config.channel_id(), "")
            .ok_or_else(|| PlanError::State("the channel is gone".to_owned()))?
            .map_err(|error| PlanError::State(error.to_string()))?;
        Interest::read(interest, self.config, &parts.lifecycle, state.as_ref())
    }

    fn plan(&self, interest: &Interest) -> Result<Plan, PlanError> {
        let identities = self.endorsers.identities(self.config);
        let mut with: Vec<bool> = vec![true; identities.len()];
        for chaincode in interest.chaincodes() {
            let having: Vec<usize> = self.endorsers.with(self.gateway, chaincode).map(|(at, _)| at).collect();
            for (at, has) in with.iter_mut().enumerate() {
                *has &= having.contains(&at);
            }
        }
        interest.plan(self.config, &identities, |at| with[at])
    }

    /// Whether the endorsements of these peers satisfy every policy, and all of them may see what was read.
    fn is_enough(&self, interest: &Interest, peers: &[usize]) -> bool {
        let identities = self.endorsers.identities(self.config);
        let endorsers: Option<Vec<_>> = peers.iter().map(|at| identities[*at].clone()).collect();
        endorsers.is_some_and(|endorsers| {
            endorsers.iter().all(|endorser| interest.admits(self.config, endorser))
                && interest.holds(self.config, &endorsers)
        })
    }

    /// Whom to ask first where this peer's own organization cannot endorse.
    async fn of_other_organizations(&self) -> Result<Vec<usize>, Status> {
        if self.has_transient_data() {
            return Err(Status::failed_precondition(
                "no endorsers found in the gateway's organization; retry specifying endorsing organization(s) to protect transient data",
            ));
        }
        let plan = self.read(&self.bare()).and_then(|interest| self.plan(&interest));
        let plan = plan.map_err(|error| self.no_plan(&error, &Protected::default()))?;
        let plan = self.reachable(plan, usize::MAX).await?;
        let group = plan.layouts.first().and_then(|layout| layout.keys().next().copied());
        Ok(group.map(|group| plan.groups[group].iter().copied().collect()).unwrap_or_default())
    }

    /// The first endorsement that one of these peers gives.
    async fn first(&self, candidates: &[usize]) -> Result<First, Status> {
        let mut details = Vec::new();
        let mut in_time = true;
        for peer in candidates {
            let member = self.endorsers.get(*peer);
            match self.gateway.call(self.config, member, self.signed.clone()).await {
                Ok(answer) => return Ok(First { peer: *peer, answer }),
                Err(error) => {
                    in_time = !error.timeout;
                    details.push(detail(member, &error.message));
                }
            }
        }
        if !in_time {
            return Err(Status::deadline_exceeded("endorsement timeout expired while collecting first endorsement"));
        }
        let text = "failed to endorse transaction, see attached details for more info";
        Err(with_details(Code::Aborted, text, &details))
    }

    /// Leaves out peers that cannot be connected, and puts layouts with the first endorser first. Among layouts
    /// that are as good, chance decides.
    async fn reachable(&self, mut plan: Plan, first: usize) -> Result<Plan, Status> {
        let everyone: BTreeSet<usize> = plan.groups.iter().flatten().copied().collect();
        let network = &self.gateway.parts.network;
        let connecting = everyone.iter().filter(|at| !network.is_own(self.endorsers.get(**at))).map(|at| async move {
            let connecting = network.connect(self.config, self.endorsers.get(*at));
            let connected = tokio::time::timeout(self.gateway.parts.endorsement_timeout, connecting).await;
            (*at, matches!(connected, Ok(Ok(()))))
        });
        let lost: Vec<usize> =
            join_all(connecting).await.into_iter().filter(|(_, connected)| !connected).map(|(at, _)| at).collect();
        for group in &mut plan.groups {
            group.retain(|at| !lost.contains(at));
        }
        let sizes: Vec<usize> = plan.groups.iter().map(|group| group.len()).collect();
        plan.layouts.retain(|layout| layout.iter().all(|(group, count)| sizes[*group] >= *count as usize));
        if plan.layouts.is_empty() {
            let lost: Vec<_> = lost.iter().map(|at| self.endorsers.get(*at).endpoint.as_str()).collect();
            return Err(Status::failed_precondition(format!(
                "failed to select a set of endorsers that satisfy the endorsement policy due to unavailability of peers: [{}]",
                lost.join(" ")
            )));
        }
        plan.layouts.shuffle(&mut rand::rng());
        let groups = &plan.groups;
        plan.layouts.sort_by_key(|layout| !layout.keys().any(|group| groups[*group].contains(&first)));
        Ok(plan)
    }

    /// Asks peers until a layout is full.
    async fn collect(
        &self,
        plan: Plan,
        first: Option<First>,
        is_enough: impl Fn(&[usize]) -> bool,
    ) -> Result<Endorsed, Status> {
        let mut collecting = Collecting::new(plan, self.endorsers.all().count());
        let mut answers = BTreeMap::new();
        if let Some(First { peer, answer }) = first {
            collecting.endorsed(peer, &answer.payload);
            answers.insert(peer, answer);
        }
        let mut details: Vec<ErrorDetail> = Vec::new();
        let mut in_time = true;
        let mut waiting = FuturesUnordered::new();
        loop {
            match collecting.next() {
                Next::Done(peers) if is_enough(&peers) => {
                    return Ok(peers.iter().filter_map(|peer| answers.remove(peer)).collect());
                }
                Next::Done(peers) => {
                    collecting.reject(&peers);
                    continue;
                }
                Next::Ask(peers) => waiting.extend(peers.into_iter().map(|peer| async move {
                    let member = self.endorsers.get(peer);
                    (peer, self.gateway.call(self.config, member, self.signed.clone()).await)
                })),
                Next::GiveUp if !in_time => {
                    return Err(Status::deadline_exceeded("endorsement timeout expired while collecting endorsements"));
                }
                Next::GiveUp => return Err(with_details(Code::Aborted, NOT_ENOUGH, &details)),
            }
            let Some((peer, outcome)) = waiting.next().await else { continue };
            match outcome {
                Ok(answer) => {
                    if collecting.endorsed(peer, &answer.payload) {
                        answers.insert(peer, answer);
                    } else {
                        details.push(detail(self.endorsers.get(peer), "ProposalResponsePayloads do not match"));
                    }
                }
                Err(error) => {
                    in_time &= !error.timeout;
                    details.push(detail(self.endorsers.get(peer), &error.message));
                    collecting.failed(peer);
                }
            }
        }
    }

    fn no_plan(&self, error: &PlanError, protected: &Protected) -> Status {
        // The caution with transient data may be all that stands in the way.
        if !protected.collections.is_empty()
            && self.read(&protected.original).and_then(|interest| self.plan(&interest)).is_ok()
        {
            return Status::failed_precondition(format!(
                "requires endorsement from organisation(s) that are not in the distribution policy of the private data collection(s): [{}]; retry specifying trusted endorsing organizations to protect transient data",
                protected.collections.join(" ")
            ));
        }
        Status::failed_precondition(format!(
            "no combination of peers can be derived which satisfy the endorsement policy: {error}"
        ))
    }
}

/// What was changed to keep transient data among the members of collections.
#[derive(Default)]
struct Protected {
    original: ChaincodeInterest,
    collections: Vec<String>,
}

/// Counts collections that were only written as read, so that nobody but their members is asked.
fn protect(interest: &mut ChaincodeInterest) -> Protected {
    let mut protected = Protected { original: interest.clone(), collections: Vec::new() };
    for call in interest.chaincodes.iter_mut().filter(|call| call.no_private_reads) {
        call.no_private_reads = false;
        protected.collections.extend(call.collection_names.iter().cloned());
    }
    protected
}

fn assemble(proposal: &UnpackedProposal, endorsed: Endorsed) -> Result<Envelope, Status> {
    let payload = endorsed.first().map(|answer| answer.payload.clone()).unwrap_or_default();
    let mut endorsements: Vec<Endorsement> = Vec::with_capacity(endorsed.len());
    for answer in endorsed {
        let endorsement = answer.endorsement.ok_or_else(|| {
            Status::aborted("failed to assemble transaction: the proposal response carries no endorsement")
        })?;
        if endorsements.iter().all(|other| other.endorser != endorsement.endorser) {
            endorsements.push(endorsement);
        }
    }
    let payload = assemble_transaction(&proposal.header, &proposal.payload, payload, endorsements);
    Ok(Envelope { payload, signature: Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_transient_data_among_members() {
        let call = |name: &str, blind| ChaincodeCall {
            name: "basic".into(),
            collection_names: vec![name.into()],
            no_private_reads: blind,
            ..Default::default()
        };
        let mut interest = ChaincodeInterest { chaincodes: vec![call("read", false), call("written", true)] };
        let original = interest.clone();
        let protected = protect(&mut interest);
        assert!(interest.chaincodes.iter().all(|call| !call.no_private_reads));
        assert_eq!(protected.collections, ["written"]);
        assert_eq!(protected.original, original);
    }
}
