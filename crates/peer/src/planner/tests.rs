//! Plans against the evaluator that judges transactions.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use windlass_identity::{
    ChannelConfig, Identity, Organizations, OrganizationsSpec, SigningIdentity, folder_to_config,
    policy::{role_principal, text},
};
use windlass_orderer::genesis::{Consenter, NetworkSpec, OrgSpec, PeerOrgSpec, genesis_block};
use windlass_proto::common::{
    MspPrincipal, SignaturePolicy, SignaturePolicyEnvelope,
    msp_role::MspRoleType,
    signature_policy::{NOutOf, Type},
};

use super::{Interest, PlanError, choose, policy::Policy};

/// A channel of three organizations with two, one and one peers.
struct World {
    config: ChannelConfig,
    peers: Vec<Arc<Identity>>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = OrganizationsSpec::development(3);
    spec.peer_organizations[0].peers = 2;
    let files = Organizations::create_or_open(folder.path(), &spec).expect("organizations");
    let organizations = files.peer_organizations();
    let orgs = organizations.iter().map(|org| PeerOrgSpec {
        group: format!("Group of {}", org.msp_id()),
        msp_id: org.msp_id().to_owned(),
        msp: folder_to_config(org.msp_id(), &org.msp()).expect("an MSP"),
        anchor_peers: Vec::new(),
    });
    let ordering = files.orderer_organization();
    let orderer_org = OrgSpec {
        group: "OrdererOrg".into(),
        msp_id: ordering.msp_id().to_owned(),
        msp: folder_to_config(ordering.msp_id(), &ordering.msp()).expect("an MSP"),
        endpoints: vec!["127.0.0.1:7050".into()],
    };
    let consenter = Consenter { host: "127.0.0.1".into(), port: 7050, ..Default::default() };
    let genesis = genesis_block(&NetworkSpec::new("ch", orderer_org, orgs.collect(), consenter));
    let config = ChannelConfig::from_block(&genesis).expect("a configuration");
    let peers =
        organizations.iter().flat_map(|org| (0..org.peers()).map(move |peer| (org.msp_id(), org.peer_msp(peer))));
    let peers = peers.map(|(id, folder)| {
        let signer = SigningIdentity::from_msp_folder(id, &folder).expect("an identity");
        config.msps().deserialize(signer.serialized()).expect("an identity")
    });
    let peers = peers.collect();
    World { config, peers }
});

impl World {
    /// The plan for all of these policies with the peers of these numbers.
    fn layouts(&self, policies: &[Policy], present: &[usize]) -> Vec<Vec<usize>> {
        let peers: Vec<_> =
            self.peers.iter().enumerate().map(|(at, peer)| present.contains(&at).then(|| peer.clone())).collect();
        let plan = Interest::of_policies(policies.to_vec()).plan(&self.config, &peers, |_| true);
        let plan = match plan {
            Ok(plan) => plan,
            Err(PlanError::Unsatisfiable) => return Vec::new(),
            Err(other) => panic!("{other}"),
        };
        plan.layouts
            .iter()
            .map(|layout| choose(&plan.places(layout), present.iter().copied()).expect("layouts can be filled"))
            .collect()
    }

    fn holds(&self, policies: &[Policy], peers: &[usize]) -> bool {
        let mut peers = peers.to_vec();
        peers.sort_unstable();
        let endorsers: Vec<_> = peers.iter().map(|at| self.peers[*at].clone()).collect();
        policies.iter().all(|policy| policy.holds(&self.config, &endorsers))
    }
}

fn signature(policy: &str) -> Policy {
    Policy::Signature(text::parse(policy).expect("a policy"))
}

fn sorted(layouts: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut layouts: Vec<_> = layouts
        .into_iter()
        .map(|mut layout| {
            layout.sort_unstable();
            layout
        })
        .collect();
    layouts.sort();
    layouts
}

#[test]
fn plans_policies_as_people_write_them() {
    let everyone = [0, 1, 2, 3];
    for (policy, expected) in [
        ("AND('Org1MSP.peer', 'Org2MSP.peer')", vec![vec![0, 2]]),
        ("OR('Org1MSP.peer', 'Org3MSP.member')", vec![vec![0], vec![3]]),
        ("OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')", vec![vec![0, 2], vec![0, 3], vec![2, 3]]),
        ("OutOf(2, 'Org1MSP.peer', 'Org1MSP.peer')", vec![vec![0, 1]]),
        ("OutOf(2, 'Org2MSP.peer', 'Org2MSP.peer')", vec![]),
        ("AND('Org1MSP.member', OR('Org2MSP.admin', 'Org3MSP.peer'))", vec![vec![0, 3]]),
        ("AND('Org9MSP.peer', 'Org1MSP.peer')", vec![]),
    ] {
        assert_eq!(sorted(WORLD.layouts(&[signature(policy)], &everyone)), expected, "{policy}");
    }
}

#[test]
fn gives_the_evaluator_what_it_uses_up() {
    // A rule that needs nobody takes a signature all the same, and no later rule gets it back.
    let greedy = "AND(OutOf(0, 'Org1MSP.member'), 'Org1MSP.peer', 'Org3MSP.peer')";
    let rule = text::parse("OutOf(1, 'Org1MSP.member', 'Org1MSP.peer', 'Org3MSP.peer')").expect("a policy");
    let of = |n, rules| SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n, rules })) };
    let by = |index| SignaturePolicy { r#type: Some(Type::SignedBy(index)) };
    let envelope = SignaturePolicyEnvelope { rule: Some(of(3, vec![of(0, vec![by(0)]), by(1), by(2)])), ..rule };
    let policy = [Policy::Signature(envelope)];
    assert_eq!(WORLD.layouts(&policy, &[0, 1, 2, 3]), [[0, 1, 3]], "{greedy}");
    assert!(WORLD.layouts(&policy, &[0, 2, 3]).is_empty(), "{greedy}");
}

#[test]
fn plans_policies_of_the_channel() {
    let channel = |path: &str| Policy::Channel(path.to_owned());
    let majority = [channel("/Channel/Application/Endorsement")];
    assert_eq!(sorted(WORLD.layouts(&majority, &[0, 1, 2, 3])), [[0, 2], [0, 3], [2, 3]]);
    assert_eq!(sorted(WORLD.layouts(&majority, &[1, 3])), [[1, 3]]);
    assert!(WORLD.layouts(&majority, &[0, 1]).is_empty());
    let own = [channel("/Channel/Application/Group of Org2MSP/Endorsement")];
    assert_eq!(WORLD.layouts(&own, &[0, 1, 2, 3]), [[2]]);

    let peers: Vec<_> = WORLD.peers.iter().cloned().map(Some).collect();
    let missing = Interest::of_policies(vec![channel("/Channel/Application/Nope")]);
    let error = missing.plan(&WORLD.config, &peers, |_| true).expect_err("no such policy");
    assert_eq!(error.to_string(), "endorsement policy cannot be satisfied");
}

#[test]
fn one_signature_counts_for_several_policies() {
    let policies =
        [signature("AND('Org1MSP.peer', 'Org2MSP.peer')"), signature("OR('Org2MSP.member', 'Org3MSP.peer')")];
    assert_eq!(sorted(WORLD.layouts(&policies, &[0, 1, 2, 3])), [[0, 2]]);
}

#[test]
fn tells_peers_that_are_missing_from_chaincode_that_is() {
    let peers: Vec<_> = WORLD.peers.iter().cloned().map(Some).collect();
    let interest = Interest::of_policies(vec![signature("AND('Org1MSP.peer', 'Org3MSP.peer')")]);
    let error = interest.plan(&WORLD.config, &peers, |at| at != 3).expect_err("not installed");
    assert_eq!(error.to_string(), "required chaincodes are not installed on sufficient peers");
    let error = interest.plan(&WORLD.config, &peers[..3], |_| true).expect_err("no peer of Org3");
    assert_eq!(error.to_string(), "no peer combination can satisfy the endorsement policy");
}

/// A rule over the principals with these numbers.
fn rule(principals: i32) -> impl Strategy<Value = SignaturePolicy> {
    let signed_by = (0..principals).prop_map(|index| SignaturePolicy { r#type: Some(Type::SignedBy(index)) });
    signed_by.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 1..=4).prop_flat_map(|rules| {
            let most = rules.len() as i32 + 1;
            (0..=most, Just(rules))
                .prop_map(|(n, rules)| SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n, rules })) })
        })
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let roles = [MspRoleType::Member, MspRoleType::Peer, MspRoleType::Admin];
    let identities: Vec<MspPrincipal> =
        (1..=3).flat_map(|org| roles.map(|role| role_principal(&format!("Org{org}MSP"), role))).collect();
    rule(identities.len() as i32).prop_map(move |rule| {
        let identities = identities.clone();
        Policy::Signature(SignaturePolicyEnvelope { version: 0, rule: Some(rule), identities })
    })
}

fn subsets(present: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (1..1_usize << present.len())
        .map(|bits| present.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, peer)| *peer).collect())
}

// The cases are the same in every run: beyond a bound of combinations the planner gives up.
proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_layout_satisfies_the_evaluator(
        policies in prop::collection::vec(policy(), 1..=3),
        present in prop::sample::subsequence(vec![0, 1, 2, 3], 1..=4),
    ) {
        for layout in WORLD.layouts(&policies, &present) {
            prop_assert!(WORLD.holds(&policies, &layout), "{layout:?}");
        }
    }

    #[test]
    fn whatever_satisfies_the_evaluator_has_a_layout(
        policies in prop::collection::vec(policy(), 1..=2),
        present in prop::sample::subsequence(vec![0, 1, 2, 3], 1..=4),
    ) {
        let enough = subsets(&present).find(|peers| WORLD.holds(&policies, peers));
        if let Some(enough) = enough {
            prop_assert!(!WORLD.layouts(&policies, &present).is_empty(), "{enough:?} is enough");
        }
    }
}
