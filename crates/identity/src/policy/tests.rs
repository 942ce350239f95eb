use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use windlass_proto::common::{
    ConfigGroup, ConfigPolicy, ImplicitMetaPolicy, Policy, implicit_meta_policy::Rule as MetaRule, policy::PolicyType,
};

use super::{tree::TreePolicy, *};
use crate::{
    sign::SigningIdentity,
    testing::{TestOrg, manager, signed},
};

fn compiled(text: &str) -> SignaturePolicy {
    SignaturePolicy::compile(&text::parse(text).expect("a policy")).expect("compiles")
}

fn signature_policy(envelope: &SignaturePolicyEnvelope) -> ConfigPolicy {
    policy(PolicyType::Signature, envelope)
}

fn meta(rule: MetaRule, sub_policy: &str) -> ConfigPolicy {
    policy(PolicyType::ImplicitMeta, &ImplicitMetaPolicy { sub_policy: sub_policy.to_owned(), rule: rule.into() })
}

fn policy(kind: PolicyType, message: &impl Message) -> ConfigPolicy {
    let policy = Policy { r#type: kind as i32, value: message.encode_to_vec().into() };
    ConfigPolicy { policy: Some(policy), ..Default::default() }
}

struct Two {
    a: TestOrg,
    b: TestOrg,
    msps: MspManager,
}

fn two() -> Two {
    let (a, b) = (TestOrg::new("A"), TestOrg::new("B"));
    let msps = manager(&[&a, &b]);
    Two { a, b, msps }
}

#[test]
fn counts_signers_that_satisfy() {
    let two = two();
    let (peer, admin, other) =
        (two.a.signer("p", Some("peer")), two.a.signer("a", Some("admin")), two.b.signer("q", Some("peer")));
    for (text, signers, satisfied) in [
        ("AND('A.peer', 'B.peer')", vec![&peer, &other], true),
        ("AND('A.peer', 'B.peer')", vec![&other, &peer], true),
        ("AND('A.peer', 'B.peer')", vec![&peer, &admin], false),
        ("OR('A.peer', 'B.peer')", vec![&other], true),
        ("OR('A.admin', 'B.admin')", vec![&peer, &other], false),
        ("OutOf(2, 'A.member', 'A.member', 'B.member')", vec![&peer, &admin], true),
        ("OutOf(0, 'A.member')", vec![], true),
        ("OutOf(2, 'A.member')", vec![&peer, &admin], false),
        ("AND('A.peer', OR('B.admin', 'B.peer'))", vec![&peer, &other], true),
    ] {
        let signatures: Vec<SignedData> = signers.iter().map(|signer| signed(signer, b"m")).collect();
        let expected = if satisfied { Ok(()) } else { Err(PolicyError::NotSatisfied) };
        assert_eq!(compiled(text).evaluate(&two.msps, &signatures), expected, "{text}");
    }
    assert_eq!(PolicyError::NotSatisfied.to_string(), "signature set did not satisfy policy");
}

#[test]
fn never_gives_back_what_a_rule_took() {
    // Fabric: ledger §12, trap 10
    let two = two();
    let (admin, member) = (two.a.signer("a", Some("admin")), two.a.signer("m", Some("client")));
    let policy = compiled("AND('A.member', 'A.admin')");
    assert_eq!(policy.evaluate(&two.msps, &[signed(&member, b"m"), signed(&admin, b"m")]), Ok(()));
    assert!(policy.evaluate(&two.msps, &[signed(&admin, b"m"), signed(&member, b"m")]).is_err());
    // A part that fails takes nothing; one that succeeds takes all that its rules met.
    let policy = compiled("AND(OutOf(1, 'A.member', 'A.member'), 'A.client')");
    assert!(policy.evaluate(&two.msps, &[signed(&admin, b"m"), signed(&member, b"m")]).is_err());
    let policy = compiled("OutOf(1, AND('A.member', 'B.member'), 'A.member')");
    assert_eq!(policy.evaluate(&two.msps, &[signed(&member, b"m")]), Ok(()));
}

#[test]
fn counts_an_identity_once_and_passes_over_bad_signatures() {
    let two = two();
    let (one, other) = (two.a.signer("1", Some("peer")), two.a.signer("2", Some("peer")));
    let stranger = TestOrg::new("C").signer("x", Some("peer"));
    let mut forged = signed(&other, b"m");
    forged.data = Bytes::from_static(b"n");
    let set = [signed(&one, b"m"), signed(&one, b"other"), forged.clone(), signed(&stranger, b"m")];
    let identities = verify_signature_set(&two.msps, &set);
    assert_eq!(identities.len(), 1);
    assert_eq!(identities[0].serialized(), one.serialized());
    assert!(compiled("OutOf(2, 'A.peer', 'A.peer')").evaluate(&two.msps, &set).is_err());
    // A bad signature does not spoil a good one of the same identity.
    assert_eq!(verify_signature_set(&two.msps, &[forged, signed(&other, b"m")]).len(), 1);
}

#[test]
fn refuses_what_it_cannot_compile() {
    let error = |envelope: SignaturePolicyEnvelope| SignaturePolicy::compile(&envelope).expect_err("bad").to_string();
    let good = members_policy(&["A"], 1);
    assert_eq!(
        error(SignaturePolicyEnvelope { version: 1, ..good.clone() }),
        "This evaluator only understands messages of version 0, but version was 1"
    );
    assert_eq!(error(SignaturePolicyEnvelope { rule: None, ..good.clone() }), "Empty policy element");
    assert_eq!(
        error(SignaturePolicyEnvelope { identities: vec![], ..good.clone() }),
        "identity index out of range, requested 0, but identities length is 0"
    );
    let mut rule = signed_by(0);
    for _ in 0..80 {
        rule = out_of(1, vec![rule]);
    }
    assert_eq!(error(SignaturePolicyEnvelope { rule: Some(rule), ..good }), "policy rules nest deeper than 64 levels");
    assert!(SignaturePolicy::compile_bytes(&Bytes::from_static(b"\xff")).is_err());
}

#[test]
fn makes_policies_of_members_and_roles() {
    assert_eq!(members_policy(&["B", "A"], 2), text::parse("AND('B.member', 'A.member')").expect("a policy"));
    let roles = [MspRoleType::Admin, MspRoleType::Peer];
    assert_eq!(role_policy("A", &roles), text::parse("OR('A.admin', 'A.peer')").expect("a policy"));
    assert_eq!(named_msps(&members_policy(&["B", "A", "B"], 2)), ["A", "B"]);
}

fn channel_group(orgs: &[&str], rule: MetaRule) -> ConfigGroup {
    let org = |name: &&str| {
        let policies = [("Writers".to_owned(), signature_policy(&members_policy(&[name], 1)))].into();
        ((*name).to_owned(), ConfigGroup { policies, ..Default::default() })
    };
    let application = ConfigGroup {
        groups: orgs.iter().map(org).collect(),
        policies: [("Writers".to_owned(), meta(rule, "Writers"))].into(),
        ..Default::default()
    };
    ConfigGroup {
        groups: [("Application".to_owned(), application)].into(),
        policies: [("Writers".to_owned(), meta(MetaRule::Any, "Writers"))].into(),
        ..Default::default()
    }
}

fn tree(group: &ConfigGroup) -> PolicyTree {
    PolicyTree::compile(group).expect("a tree")
}

#[test]
fn counts_the_policies_of_children() {
    let two = two();
    let signatures = [signed(&two.a.signer("x", Some("client")), b"m")];
    let path = "/Channel/Application/Writers";
    for (rule, orgs, refusal) in [
        (MetaRule::Any, &["A", "B"][..], None),
        (MetaRule::All, &["A"], None),
        (MetaRule::Majority, &["A"], None),
        (MetaRule::Majority, &["A", "B"], Some((1, 2))),
        (MetaRule::Majority, &["A", "B", "C"], Some((1, 2))),
        (MetaRule::All, &["A", "B", "C"], Some((1, 3))),
        (MetaRule::Any, &["B", "C"], Some((0, 1))),
        (MetaRule::All, &[], None),
    ] {
        let expected = match refusal {
            None => Ok(()),
            Some((satisfied, required)) => Err(format!(
                "implicit policy evaluation failed - {satisfied} sub-policies were satisfied, but this policy requires {required} of the 'Writers' sub-policies to be satisfied"
            )),
        };
        let tree = tree(&channel_group(orgs, rule));
        let outcome = tree.evaluate(path, &two.msps, &signatures).map_err(|error| error.to_string());
        assert_eq!(outcome, expected, "{rule:?} of {orgs:?}");
    }
}

#[test]
fn counts_children_without_the_policy_for_the_majority() {
    let two = two();
    let mut group = channel_group(&["A", "B", "C"], MetaRule::Majority);
    let application = group.groups.get_mut("Application").expect("the group");
    for name in ["B", "C"] {
        application.groups.get_mut(name).expect("the group").policies.clear();
    }
    let tree = tree(&group);
    let Some(TreePolicy::ImplicitMeta(policy)) = tree.get("/Channel/Application/Writers") else { panic!("a count") };
    assert_eq!((policy.threshold(), policy.children()), (2, &["/Channel/Application/A/Writers".to_owned()][..]));
    let signatures = [signed(&two.a.signer("x", Some("client")), b"m")];
    assert!(tree.evaluate("/Channel/Application/Writers", &two.msps, &signatures).is_err());
}

#[test]
fn passes_through_levels_and_refuses_unknown_paths() {
    let two = two();
    let tree = tree(&channel_group(&["A"], MetaRule::Any));
    let signatures = [signed(&two.a.signer("x", Some("client")), b"m")];
    assert_eq!(tree.evaluate("/Channel/Writers", &two.msps, &signatures), Ok(()));
    assert!(tree.contains("/Channel/Application/A/Writers") && !tree.contains("/Channel/Application/B/Writers"));
    assert_eq!(
        tree.evaluate("/Channel/Nope", &two.msps, &signatures).expect_err("unknown").to_string(),
        "no such policy: '/Channel/Nope'"
    );
    assert_eq!(tree.paths(), ["/Channel/Application/A/Writers", "/Channel/Application/Writers", "/Channel/Writers"]);
}

#[test]
fn names_the_policy_that_does_not_compile() {
    let mut group = channel_group(&["A"], MetaRule::Any);
    let error = |group: &ConfigGroup| PolicyTree::compile(group).expect_err("bad").to_string();
    group.policies.insert("X".to_owned(), ConfigPolicy::default());
    assert_eq!(error(&group), "policy X at path /Channel was nil");
    group.policies.insert("X".to_owned(), policy(PolicyType::Msp, &()));
    assert_eq!(error(&group), "policy X at path /Channel has unknown policy type: 2");
    group.policies.insert("X".to_owned(), signature_policy(&SignaturePolicyEnvelope::default()));
    assert_eq!(error(&group), "policy X at path /Channel is malformed: Empty policy element");
}

/// A policy over organizations 0 to 2.
#[derive(Clone, Debug)]
enum Model {
    Org(usize),
    OutOf(i32, Vec<Model>),
}

impl Model {
    fn rule(&self) -> common::SignaturePolicy {
        match self {
            Self::Org(index) => signed_by(*index as i32),
            Self::OutOf(n, parts) => out_of(*n, parts.iter().map(Model::rule).collect()),
        }
    }

    /// Signers left for each organization are all that matters when they are alike.
    fn satisfied(&self, left: &mut [usize; 3]) -> bool {
        match self {
            Self::Org(index) => {
                let found = left[*index] > 0;
                left[*index] -= usize::from(found);
                found
            }
            Self::OutOf(n, parts) => {
                let mut satisfied = 0;
                for part in parts {
                    let mut tentative = *left;
                    if part.satisfied(&mut tentative) {
                        *left = tentative;
                        satisfied += 1;
                    }
                }
                satisfied >= *n
            }
        }
    }
}

fn models() -> impl Strategy<Value = Model> {
    (0..3_usize).prop_map(Model::Org).prop_recursive(4, 20, 4, |inner| {
        (0..4_i32, prop::collection::vec(inner, 1..5)).prop_map(|(n, parts)| Model::OutOf(n, parts))
    })
}

#[test]
fn agrees_with_a_model_of_counting() {
    let orgs = [TestOrg::new("A"), TestOrg::new("B"), TestOrg::new("C")];
    let msps = manager(&[&orgs[0], &orgs[1], &orgs[2]]);
    let identities: Vec<Vec<Arc<Identity>>> = orgs
        .iter()
        .map(|org| {
            let signers: Vec<SigningIdentity> = (0..3).map(|n| org.signer(&n.to_string(), Some("peer"))).collect();
            signers.iter().map(|signer| msps.deserialize(signer.serialized()).expect("an identity")).collect()
        })
        .collect();
    proptest!(|(model in models(), counts in prop::array::uniform3(0..4_usize), order in any::<u64>())| {
        let envelope = SignaturePolicyEnvelope { rule: Some(model.rule()), ..members_policy(&["A", "B", "C"], 1) };
        let mut signers: Vec<_> = identities
            .iter()
            .zip(counts)
            .flat_map(|(identities, count)| identities.iter().take(count).cloned())
            .collect();
        // Any order: signers of one organization are alike, so it must not matter.
        signers.sort_by_key(|identity| identity.certificate_hash()[0] ^ order as u8);
        let policy = SignaturePolicy::compile(&envelope).expect("compiles");
        let satisfied = policy.evaluate_identities(&msps, &signers).is_ok();
        prop_assert_eq!(satisfied, model.satisfied(&mut counts.map(|count| count.min(3))));
    });
}
