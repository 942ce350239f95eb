//! What clients do to get chaincode running: package, install, approve, commit, Init. Over gRPC, with proposals that
//! the organizations' admins sign. Running it again with nothing changed does nothing.
//!
//! - [`package`]: a package and a name, from a path
//! - [`terms`]: what is asked of a definition, and whether a committed one has it
//! - [`member`]: one organization's part
//! - [`answer`]: whether chaincode runs, as a call finds it
//!
//! Nothing is asked of the ordering service: each peer's Gateway service hands transactions to it.

pub(crate) mod answer;
pub(crate) mod member;
pub(crate) mod package;
pub(crate) mod terms;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use futures::future::{join_all, try_join_all};
use tonic::Code;
use windlass_chaincode::package::create::Created;
use windlass_proto::{
    Bytes,
    envelope::Call,
    gateway::ErrorDetail,
    lifecycle::{CheckCommitReadinessResult, QueryChaincodeDefinitionArgs, QueryChaincodeDefinitionResult},
    protos::TxValidationCode,
};

use crate::{
    client::{
        Client,
        gateway::{CallError, Committed, Refusal},
        lifecycle_call,
    },
    definition::Definition,
};
use answer::Answer;
use member::{Approved, Member};
use terms::Terms;

/// Between attempts to commit what peers do not agree on yet: seven attempts in 6.3 seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(3200);

/// A chaincode's definition on a channel, as a deployment leaves it.
#[derive(Clone, Debug)]
pub(crate) struct Defined {
    pub(crate) definition: Definition,
    pub(crate) outcome: Outcome,
    /// Who has approved it, where that was asked: every organization of the channel.
    pub(crate) approvals: BTreeMap<String, Approval>,
    /// The transaction that committed it, if this deployment did.
    pub(crate) committed: Option<Committed>,
}

/// What a deployment had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    New,
    Upgraded,
    /// The definition was there; organizations of ours approved it late.
    Joined,
    Unchanged,
    /// Approved by us, and not by enough for a commit.
    Pending,
    /// Approved by enough; the commit is left to somebody else.
    Ready,
}

/// Whether an organization has approved a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Approval {
    pub(crate) approved: bool,
    /// The fields in which it has approved something else, where the peer tells.
    pub(crate) mismatches: Vec<String>,
}

/// What a definition is to be.
#[derive(Clone, Copy)]
struct Asked<'a> {
    channel: &'a str,
    name: &'a str,
    package_id: &'a str,
    terms: &'a Terms,
    commit: bool,
}

/// Organizations that deploy together; at least one.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) members: Vec<Member>,
}

impl Deployment {
    fn first(&self) -> &Client {
        &self.members.first().expect("an organization takes part").client
    }

    /// Installs a package wherever it is missing, and says where that was.
    pub(crate) async fn install(&self, package: &Created) -> anyhow::Result<Vec<&str>> {
        let mut installed = Vec::new();
        // The first build fills the toolchains' caches, which makes the others quick.
        let (first, others) = self.members.split_at(1);
        for members in [first, others] {
            let news = try_join_all(members.iter().map(|member| member.install_once(package))).await?;
            installed
                .extend(members.iter().zip(news).filter(|(_, new)| *new).map(|(member, _)| member.msp_id.as_str()));
        }
        Ok(installed)
    }

    /// Makes the channel's definition of `name` one with this package and these terms, as far as these organizations
    /// can; without `commit`, approves it and no more.
    pub(crate) async fn define(
        &self,
        channel: &str,
        name: &str,
        package_id: &str,
        terms: &Terms,
        commit: bool,
    ) -> anyhow::Result<Defined> {
        let asked = Asked { channel, name, package_id, terms, commit };
        let current = self.committed(channel, name).await?;
        let sequence = current.as_ref().map(|current| current.sequence);
        let error = match self.define_over(asked, current).await {
            Ok(defined) => return Ok(defined),
            Err(error) => error,
        };
        // Somebody else may have committed meanwhile, or our commit may have been made and its answer lost.
        match self.committed(channel, name).await {
            Ok(Some(current)) if Some(current.sequence) != sequence => {
                let defined = self.define_over(asked, Some(current)).await?;
                let outcome = if defined.outcome == Outcome::Unchanged { Outcome::Joined } else { defined.outcome };
                Ok(Defined { outcome, ..defined })
            }
            _ => Err(error),
        }
    }

    /// The channel's definition of `name`, if there is one.
    async fn committed(&self, channel: &str, name: &str) -> anyhow::Result<Option<QueryChaincodeDefinitionResult>> {
        let query = QueryChaincodeDefinitionArgs { name: name.to_owned() };
        self.first().lifecycle(channel, "QueryChaincodeDefinition", &query).await
    }

    /// Defines what is asked, where this is committed.
    async fn define_over(
        &self,
        asked: Asked<'_>,
        current: Option<QueryChaincodeDefinitionResult>,
    ) -> anyhow::Result<Defined> {
        let Asked { channel, name, package_id, terms, commit } = asked;
        let Some(current) = current else {
            let definition = terms.definition(channel, name, terms.sequence.unwrap_or(1), None);
            return self.agree(definition, package_id, commit, Outcome::New).await;
        };
        let differences = terms.differences(&current);
        if differences.is_empty() && terms.sequence.is_none_or(|sequence| sequence == current.sequence) {
            let approved = self.members.iter().map(|member| member.approved(channel, name, current.sequence));
            let approved = try_join_all(approved).await?;
            let here = |found: &Approved| *found == Approved::With(package_id.to_owned());
            let open = |found: &Approved| matches!(found, Approved::No | Approved::WithoutPackage);
            let definition = terms.definition(channel, name, current.sequence, Some(&current));
            if approved.iter().all(here) {
                let approvals = current.approvals.iter().map(|(org, yes)| (org.clone(), Approval::from(*yes)));
                let (approvals, outcome) = (approvals.collect(), Outcome::Unchanged);
                return Ok(Defined { definition, outcome, approvals, committed: None });
            }
            if terms.sequence.is_some() || approved.iter().all(|found| here(found) || open(found)) {
                let late = self.members.iter().zip(&approved).filter(|(_, found)| !here(found));
                self.approve(&definition, package_id, late.map(|(member, _)| member)).await?;
                let approvals = BTreeMap::new();
                return Ok(Defined { definition, outcome: Outcome::Joined, approvals, committed: None });
            }
        } else if terms.sequence == Some(current.sequence) {
            bail!(
                "sequence {} of {name} is committed on {channel} with other terms ({}); hint: leave --sequence out, and \
                 the next one is used",
                current.sequence,
                differences.join(", ")
            );
        }
        let sequence = terms.sequence.unwrap_or(current.sequence + 1);
        let definition = terms.definition(channel, name, sequence, Some(&current));
        self.agree(definition, package_id, commit, Outcome::Upgraded).await
    }

    /// Approves a definition, and commits it once enough organizations have.
    async fn agree(
        &self,
        definition: Definition,
        package_id: &str,
        commit: bool,
        outcome: Outcome,
    ) -> anyhow::Result<Defined> {
        self.approve(&definition, package_id, self.members.iter()).await?;
        let approvals = self.readiness(&definition).await?;
        let call = lifecycle_call(&definition.channel, "CommitChaincodeDefinition", &definition.clone().commit());
        let (outcome, committed) = match self.commit(&call, &approvals, commit).await {
            Ok(Some(committed)) => (outcome, Some(committed)),
            Ok(None) => (Outcome::Ready, None),
            Err(CallError::Refused(refusal)) if awaits_approvals(&refusal, &approvals) => (Outcome::Pending, None),
            // Approved it is, and whether it could be committed was not the question.
            Err(_) if !commit => (Outcome::Pending, None),
            Err(error) => return Err(error).context("the definition cannot be committed"),
        };
        if let Some(committed) = &committed {
            self.wait_everywhere(&definition.channel, &committed.transaction_id).await?;
        }
        Ok(Defined { definition, outcome, approvals, committed })
    }

    /// Has the commit endorsed, which the Gateway can do once as many have approved as the channel's policy wants; then
    /// commits, if that is to be done. Peers of others may be behind with approvals, and nothing tells when they no longer are.
    async fn commit(
        &self,
        call: &Call,
        approvals: &BTreeMap<String, Approval>,
        commit: bool,
    ) -> Result<Option<Committed>, CallError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = async {
                let prepared = self.first().prepare(call, &[]).await?;
                if commit { self.first().hand_in(prepared).await.map(Some) } else { Ok(None) }
            };
            match attempt.await {
                Err(error) if is_behind(&error, approvals) && pause <= LONGEST_PAUSE => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    async fn approve(
        &self,
        definition: &Definition,
        package_id: &str,
        members: impl Iterator<Item = &Member>,
    ) -> anyhow::Result<()> {
        let channel = &definition.channel;
        let args = definition.clone().approve(package_id);
        let call = lifecycle_call(channel, "ApproveChaincodeDefinitionForMyOrg", &args);
        let approvals = try_join_all(members.map(|member| member.approve(&call))).await?;
        // Who endorses the commit compares the approvals, so everyone must have seen them all.
        if let Some(last) = approvals.iter().flatten().max_by_key(|approval| approval.block) {
            self.wait_everywhere(channel, &last.transaction_id).await?;
        }
        Ok(())
    }

    async fn readiness(&self, definition: &Definition) -> anyhow::Result<BTreeMap<String, Approval>> {
        let args = definition.clone().check_readiness();
        let result: Option<CheckCommitReadinessResult> =
            self.first().lifecycle(&definition.channel, "CheckCommitReadiness", &args).await?;
        let mut result = result.unwrap_or_default();
        let approvals = result.approvals.into_iter().map(|(organization, approved)| {
            let mismatches = result.mismatches.remove(&organization).map(|found| found.items).unwrap_or_default();
            (organization, Approval { approved, mismatches })
        });
        Ok(approvals.collect())
    }

    /// Waits until every other peer has a transaction that the first one, or one of them, has.
    async fn wait_everywhere(&self, channel: &str, transaction_id: &str) -> anyhow::Result<()> {
        if self.members.len() > 1 {
            try_join_all(self.members.iter().map(|member| member.client.wait_for(channel, transaction_id))).await?;
        }
        Ok(())
    }

    /// Calls Init where the chaincode still waits for it, whoever committed its definition and when.
    pub(crate) async fn init_once(
        &self,
        channel: &str,
        name: &str,
        args: &[String],
    ) -> anyhow::Result<Option<Committed>> {
        let answers = join_all(self.members.iter().map(|member| Answer::ask(&member.client, channel, name))).await;
        if !answers.contains(&Answer::BeforeInit) {
            return Ok(None);
        }
        let call = Call {
            channel: channel.to_owned(),
            chaincode: name.to_owned(),
            args: args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect(),
            is_init: true,
            ..Default::default()
        };
        let committed = match self.first().submit(&call).await {
            // Fabric: lifecycle §8, Init. Somebody else was quicker.
            Err(error) if error.to_string().contains("is already initialized but called as init") => return Ok(None),
            outcome => outcome.context("Init failed")?,
        };
        if committed.response.status >= 400 {
            bail!("Init failed: {}", committed.response.message);
        }
        self.wait_everywhere(channel, &committed.transaction_id).await?;
        Ok(Some(committed))
    }
}

impl Defined {
    /// What the chaincode registers as when it is started by hand.
    pub(crate) fn chaincode_id(&self) -> String {
        format!("{}:{}", self.definition.name, self.definition.version)
    }
}

impl Outcome {
    /// The word for people and for scripts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::New => "deployed",
            Self::Upgraded => "upgraded",
            Self::Joined => "approved",
            Self::Unchanged => "unchanged",
            Self::Pending => "pending",
            Self::Ready => "ready",
        }
    }

    /// Whether the definition is on the ledger.
    pub(crate) fn is_committed(self) -> bool {
        !matches!(self, Self::Pending | Self::Ready)
    }
}

impl From<bool> for Approval {
    fn from(approved: bool) -> Self {
        Self { approved, mismatches: Vec::new() }
    }
}

impl Approval {
    /// What keeps it from being an approval, in the words of the flags.
    pub(crate) fn lacks(&self) -> String {
        let words: Vec<_> = self.mismatches.iter().map(|field| field_in_words(field)).collect();
        match self.mismatches.as_slice() {
            [] => "has not approved it".to_owned(),
            [only] if only == "ChaincodeParameters" => "has approved nothing at this sequence".to_owned(),
            _ => format!("has approved it with other {}", words.join("; other ")),
        }
    }
}

/// Whether a commit failed because peers have seen different approvals, or others came meanwhile.
// Fabric: lifecycle §3, endorsement-and-gateway §3
fn is_behind(error: &CallError, approvals: &BTreeMap<String, Approval>) -> bool {
    match error {
        CallError::Invalid { code, .. } => *code == TxValidationCode::MvccReadConflict,
        CallError::Refused(refusal) => refusal.details.iter().any(|detail| {
            let disagrees = detail.message.contains("not agreed to by this org");
            detail.message.contains("ProposalResponsePayloads do not match")
                || (disagrees && has_approved(detail, approvals))
        }),
        _ => false,
    }
}

/// Whether a commit was refused for want of approvals, and not by or for somebody who has approved. Which peers have a
/// say is not known to us; where the Gateway finds too few, those count that have not approved either.
// Fabric: lifecycle §6.4, endorsement-and-gateway §7
fn awaits_approvals(refusal: &Refusal, approvals: &BTreeMap<String, Approval>) -> bool {
    let is_open = approvals.values().any(|approval| !approval.approved);
    let nobody_to_ask = refusal.code == Code::FailedPrecondition;
    is_open
        && (nobody_to_ask || !refusal.details.is_empty())
        && !refusal.details.iter().any(|detail| has_approved(detail, approvals))
}

fn has_approved(detail: &ErrorDetail, approvals: &BTreeMap<String, Approval>) -> bool {
    approvals.get(&detail.msp_id).is_some_and(|approval| approval.approved)
}

// Fabric: lifecycle §3, CheckCommitReadiness
fn field_in_words(field: &str) -> &str {
    match field {
        "EndorsementInfo" => "version, init-required or endorsement plugin",
        "ValidationInfo" => "endorsement policy or validation plugin",
        "Collections" => "collections",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: Code, details: &[(&str, &str)]) -> Refusal {
        let detail = |(msp_id, message): &(&str, &str)| ErrorDetail {
            address: "p:1".into(),
            msp_id: (*msp_id).into(),
            message: format!("chaincode response 500, {message}"),
        };
        Refusal { code, message: "see details".into(), details: details.iter().map(detail).collect() }
    }

    fn approvals(organizations: &[(&str, bool)]) -> BTreeMap<String, Approval> {
        organizations.iter().map(|(org, yes)| ((*org).to_owned(), Approval::from(*yes))).collect()
    }

    const DISAGREES: &str = "chaincode definition not agreed to by this org (Org2MSP)";

    #[test]
    fn a_commit_awaits_approvals_only_where_nobody_who_has_approved_refuses() {
        let two = approvals(&[("Org1MSP", true), ("Org2MSP", false)]);
        let awaits = |code, details: &[_]| awaits_approvals(&refusal(code, details), &two);
        assert!(awaits(Code::Aborted, &[("Org2MSP", DISAGREES)]));
        assert!(awaits(Code::FailedPrecondition, &[]), "the Gateway finds no peers that would be enough");
        assert!(!awaits(Code::Unavailable, &[]), "the Gateway itself is away");
        assert!(!awaits(Code::Aborted, &[("Org2MSP", DISAGREES), ("Org1MSP", "connection refused")]));
        let all = approvals(&[("Org1MSP", true), ("Org2MSP", true)]);
        assert!(!awaits_approvals(&refusal(Code::FailedPrecondition, &[]), &all));
    }

    #[test]
    fn a_peer_is_behind_that_does_not_know_what_its_organization_has_approved() {
        let error = |details: &[_]| CallError::Refused(refusal(Code::Aborted, details));
        let behind =
            |agreed, details: &[_]| is_behind(&error(details), &approvals(&[("Org1MSP", true), ("Org2MSP", agreed)]));
        assert!(behind(true, &[("Org2MSP", DISAGREES)]));
        assert!(!behind(false, &[("Org2MSP", DISAGREES)]));
        assert!(behind(true, &[("Org2MSP", "ProposalResponsePayloads do not match")]));
        assert!(!behind(true, &[("Org2MSP", "connection refused")]));
    }

    #[test]
    fn says_which_field_an_organization_lacks() {
        let lacks = |items: &[&str]| {
            let mismatches = items.iter().map(|item| (*item).to_owned()).collect();
            Approval { approved: false, mismatches }.lacks()
        };
        assert_eq!(lacks(&[]), "has not approved it");
        assert_eq!(lacks(&["ChaincodeParameters"]), "has approved nothing at this sequence");
        assert_eq!(
            lacks(&["EndorsementInfo", "Collections"]),
            "has approved it with other version, init-required or endorsement plugin; other collections"
        );
    }
}
