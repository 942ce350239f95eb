use prost::Message;
use windlass_proto::{
    common::{
        MspPrincipal, OrganizationUnit, SignaturePolicy, SignaturePolicyEnvelope, msp_principal::Classification,
        signature_policy,
    },
    protos::{CollectionConfig, CollectionConfigPackage, CollectionPolicyConfig, StaticCollectionConfig},
};

use crate::{
    collections::{collection, members, package},
    config::any_member,
    network::{APPROVE, COMMIT, Peer, approval, commit_of},
};

const PREFIX: &str = "error validating chaincode definition: ";

/// What approve and commit say to a definition; they must agree.
fn refusal(peer: &Peer, name: &str, version: &str, sequence: i64, collections: CollectionConfigPackage) -> String {
    let mut args = approval(name, sequence);
    args.version = version.to_owned();
    args.collections = Some(collections);
    let refusal = peer.refusal(APPROVE, &args);
    assert_eq!(peer.refusal(COMMIT, &commit_of(&args)), refusal);
    refusal.strip_prefix(PREFIX).unwrap_or_else(|| panic!("no prefix: {refusal}")).to_owned()
}

#[test]
fn checks_chaincode_names() {
    let peer = Peer::new();
    for name in ["", "_lifecycle", "my.cc", "a--b", "-a", "a-", "a_", "a b", "é", "a/b", "cc#1"] {
        assert_eq!(
            refusal(&peer, name, "1", 1, package(&[])),
            format!(
                "invalid chaincode name '{name}'. Names can only consist of alphanumerics, '_', and '-' and can only begin with alphanumerics"
            )
        );
    }
    for name in ["cscc", "escc", "lscc", "qscc", "vscc"] {
        let expected = format!("chaincode name '{name}' is the name of a system chaincode");
        assert_eq!(refusal(&peer, name, "1", 1, package(&[])), expected);
    }
    for name in ["my_cc-1", "A", "9"] {
        peer.must(APPROVE, &approval(name, 1));
    }
}

#[test]
fn checks_versions() {
    let peer = Peer::new();
    for version in ["", "1 0", "v/1", "é"] {
        assert_eq!(
            refusal(&peer, "cc", version, 1, package(&[])),
            format!(
                "invalid chaincode version '{version}'. Versions can only consist of alphanumerics, '_', '-', '+', and '.'"
            )
        );
    }
    for version in ["1.0+build-7_x", ".", "-"] {
        let mut args = approval("cc", 1);
        args.version = version.to_owned();
        peer.must(APPROVE, &args);
    }
}

fn rule(kind: signature_policy::Type) -> SignaturePolicy {
    SignaturePolicy { r#type: Some(kind) }
}

fn all_of(mut policy: SignaturePolicyEnvelope) -> SignaturePolicyEnvelope {
    let inner = rule(signature_policy::Type::NOutOf(signature_policy::NOutOf {
        n: 2,
        rules: vec![rule(signature_policy::Type::SignedBy(0)), rule(signature_policy::Type::SignedBy(1))],
    }));
    policy.rule = Some(rule(signature_policy::Type::NOutOf(signature_policy::NOutOf { n: 1, rules: vec![inner] })));
    policy
}

fn with_principal(kind: Classification, principal: Vec<u8>) -> SignaturePolicyEnvelope {
    let mut policy = any_member(&["Org1MSP"]);
    policy.identities = vec![MspPrincipal { principal_classification: kind.into(), principal: principal.into() }];
    policy
}

fn with_members(policy: SignaturePolicyEnvelope) -> StaticCollectionConfig {
    StaticCollectionConfig { member_orgs_policy: members(policy), ..collection("c") }
}

#[test]
fn checks_collections() {
    let peer = Peer::new();
    let unit =
        |msp_id: &str| OrganizationUnit { msp_identifier: msp_id.to_owned(), ..Default::default() }.encode_to_vec();
    let empty = CollectionConfigPackage { config: vec![CollectionConfig { payload: None }] };
    let cases = [
        (empty, "collection configuration is empty"),
        (
            package(&[collection("_implicit_org_Org1MSP")]),
            "invalid collection name '_implicit_org_Org1MSP'. Names can only consist of alphanumerics, '_', and '-' and cannot begin with '_'",
        ),
        (
            package(&[collection("")]),
            "invalid collection name ''. Names can only consist of alphanumerics, '_', and '-' and cannot begin with '_'",
        ),
        (
            package(&[collection("c"), collection("d"), collection("c")]),
            "collection-name: c -- found duplicate in collection configuration",
        ),
        (
            package(&[StaticCollectionConfig { required_peer_count: 2, ..collection("c") }]),
            "collection-name: c -- maximum peer count (1) cannot be less than the required peer count (2)",
        ),
        (
            package(&[StaticCollectionConfig { required_peer_count: -1, ..collection("c") }]),
            "collection-name: c -- requiredPeerCount (-1) cannot be less than zero",
        ),
        (
            package(&[StaticCollectionConfig { member_orgs_policy: None, ..collection("c") }]),
            "collection member policy is not set for collection 'c'",
        ),
        (
            package(&[StaticCollectionConfig {
                member_orgs_policy: Some(CollectionPolicyConfig { payload: None }),
                ..collection("c")
            }]),
            "collection member org policy is empty for collection 'c'",
        ),
        (
            package(&[with_members(all_of(any_member(&["Org1MSP", "Org2MSP"])))]),
            "collection-name: c -- error in member org policy: signature policy is not an OR concatenation, NOutOf 2",
        ),
        (
            package(&[with_members(any_member(&["Org1MSP", "Org9MSP"]))]),
            "collection-name: c -- collection member 'Org9MSP' is not part of the channel",
        ),
        (
            package(&[with_members(with_principal(Classification::OrganizationUnit, unit("Org9MSP")))]),
            "collection-name: c -- collection member 'Org9MSP' is not part of the channel",
        ),
        (
            package(&[with_members(with_principal(Classification::Identity, b"nobody".to_vec()))]),
            "collection-name: c -- contains an identity that is not part of the channel",
        ),
        (
            package(&[with_members(with_principal(Classification::Anonymity, Vec::new()))]),
            "collection-name: c -- principal type ANONYMITY is not supported",
        ),
    ];
    for (collections, expected) in cases {
        assert_eq!(refusal(&peer, "cc", "1", 1, collections), expected);
    }
}

#[test]
fn refuses_a_malformed_member_policy() {
    let mut policy = any_member(&["Org1MSP"]);
    policy.rule = Some(rule(signature_policy::Type::SignedBy(7)));
    let refusal = refusal(&Peer::new(), "cc", "1", 1, package(&[with_members(policy)]));
    assert!(refusal.starts_with("invalid member org policy for collection 'c': "), "{refusal}");
}

#[test]
fn takes_legal_collections() {
    let peer = Peer::new();
    let mut args = approval("cc", 1);
    let unit = OrganizationUnit { msp_identifier: "Org2MSP".to_owned(), ..Default::default() }.encode_to_vec();
    args.collections = Some(package(&[
        collection("-a_B-9"),
        with_members(any_member(&["Org1MSP", "Org2MSP"])),
        StaticCollectionConfig {
            name: "d".to_owned(),
            ..with_members(with_principal(Classification::OrganizationUnit, unit))
        },
    ]));
    peer.must(APPROVE, &args);
    peer.must(COMMIT, &commit_of(&args));
}

#[test]
fn keeps_committed_collections_through_upgrades() {
    let peer = Peer::new();
    let mut first = approval("cc", 1);
    first.collections = Some(package(&[collection("a"), collection("b")]));
    peer.must(APPROVE, &first);
    peer.must(COMMIT, &commit_of(&first));
    let longer = StaticCollectionConfig { block_to_live: 101, ..collection("b") };
    let cases = [
        (package(&[]), "the proposed collection config does not contain previously defined collections"),
        (
            package(&[collection("b"), collection("c")]),
            "existing collection [a] missing in the proposed collection configuration",
        ),
        (
            package(&[collection("a"), longer]),
            "the BlockToLive in an existing collection [b] modified. Existing value [100]",
        ),
    ];
    for (collections, expected) in cases {
        assert_eq!(refusal(&peer, "cc", "1.0", 2, collections), expected);
    }
    // No peer of this version commits such a one.
    let later = Peer::new();
    later.must(APPROVE, &first);
    later.must(COMMIT, &commit_of(&first));
    later.ledger.set("_lifecycle", "namespaces/fields/cc/Collections", b"\x12\x02\x0a\x00".to_vec());
    let refused = refusal(&later, "cc", "1.0", 2, package(&[collection("a")]));
    assert_eq!(refused, "unknown collection configuration type");
    // Another order and additions are fine.
    let mut second = approval("cc", 2);
    second.collections = Some(package(&[collection("new"), collection("b"), collection("a")]));
    peer.must(APPROVE, &second);
    peer.must(COMMIT, &commit_of(&second));
}

#[test]
fn keeps_collections_of_the_legacy_lifecycle() {
    let peer = Peer::new();
    peer.ledger.set("lscc", "cc", b"\x0a\x02cc\x12\x011".to_vec());
    peer.ledger.set("lscc", "cc~collection", package(&[collection("old")]).encode_to_vec());
    assert_eq!(
        refusal(&peer, "cc", "1", 1, package(&[collection("new")])),
        "existing collection [old] missing in the proposed collection configuration"
    );
}

// Fabric: lifecycle §13.13
#[test]
fn takes_a_policy_that_the_channel_does_not_have() {
    let mut args = approval("cc", 1);
    args.validation_parameter = b"\x12\x07/no/one".as_slice().into();
    Peer::new().must(APPROVE, &args);
}
