use std::collections::BTreeMap;

use prost::Message;
use windlass_proto::lifecycle::{ApproveChaincodeDefinitionForMyOrgArgs, CheckCommitReadinessResult};

use crate::{
    collections::{collection, package},
    config::Spec,
    network::{APPROVE, COMMIT, Peer, READINESS, approval, commit_of, local_package, readiness_of},
};

const FOUR: [&str; 4] = [
    "namespaces/fields/cc#1/Collections",
    "namespaces/fields/cc#1/EndorsementInfo",
    "namespaces/fields/cc#1/ValidationInfo",
    "namespaces/metadata/cc#1",
];

fn hashed(msp_id: &str, mark: &str) -> Vec<String> {
    FOUR.iter().map(|key| format!("_implicit_org_{msp_id} {key}{mark}")).collect()
}

// Fabric: lifecycle §6.3, observed on a running network
#[test]
fn a_first_commit_reads_and_writes_what_every_peer_does() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    let (response, simulation) = peer.call(COMMIT, &commit_of(&approval("cc", 1)));
    assert_eq!((response.status, response.payload.len()), (200, 0), "{}", response.message);
    assert_eq!(
        simulation.reads(),
        ["_lifecycle namespaces/fields/cc/Sequence", "_lifecycle namespaces/metadata/cc", "lscc cc"]
    );
    let expected = [hashed("Org1MSP", " +"), hashed("Org2MSP", "")].concat();
    assert_eq!(simulation.hashed_reads(), expected);
    assert_eq!(simulation.private_writes(), []);
    let text = |text: &str| format!("{:02x}{}", text.len(), hex::encode(text));
    let fields: String = ["Sequence", "EndorsementInfo", "ValidationInfo", "Collections"]
        .map(|field| format!("12{}", text(field)))
        .concat();
    let policy = hex::encode("/Channel/Application/Endorsement");
    let expected = [
        ("namespaces/fields/cc/Collections", "1200".to_owned()),
        ("namespaces/fields/cc/EndorsementInfo", format!("120b0a{}1a{}", text("1.0"), text("escc"))),
        ("namespaces/fields/cc/Sequence", "0801".to_owned()),
        ("namespaces/fields/cc/ValidationInfo", format!("122a0a{}12221220{policy}", text("vscc"))),
        ("namespaces/metadata/cc", format!("0a{}{fields}", text("ChaincodeDefinition"))),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    assert_eq!(simulation.writes(), expected);
}

#[test]
fn an_upgrade_writes_only_what_changed() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    peer.must(COMMIT, &commit_of(&approval("cc", 1)));
    let mut upgrade = approval("cc", 2);
    upgrade.version = "2.0".to_owned();
    peer.must(APPROVE, &upgrade);
    let simulation = peer.must(COMMIT, &commit_of(&upgrade));
    let written: Vec<_> = simulation.writes().into_iter().map(|(key, _)| key).collect();
    assert_eq!(written, ["namespaces/fields/cc/EndorsementInfo", "namespaces/fields/cc/Sequence"]);
    assert_eq!(
        simulation.reads(),
        [
            "_lifecycle namespaces/fields/cc/Collections +",
            "_lifecycle namespaces/fields/cc/EndorsementInfo +",
            "_lifecycle namespaces/fields/cc/Sequence +",
            "_lifecycle namespaces/fields/cc/ValidationInfo +",
            "_lifecycle namespaces/metadata/cc +",
        ]
    );
    assert_eq!(peer.ledger.get("_lifecycle", "namespaces/fields/cc/Sequence").as_deref(), Some(&[8, 2][..]));
}

#[test]
fn a_record_of_another_shape_is_reshaped() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    peer.must(COMMIT, &commit_of(&approval("cc", 1)));
    // The same record with one more field, as a later version might write it.
    let mut metadata = peer.ledger.get("_lifecycle", "namespaces/metadata/cc").expect("metadata").to_vec();
    metadata.extend(b"\x12\x05Extra");
    peer.ledger.set("_lifecycle", "namespaces/metadata/cc", metadata);
    peer.ledger.set("_lifecycle", "namespaces/fields/cc/Extra", vec![0x12, 0x00]);
    peer.must(APPROVE, &approval("cc", 2));
    let simulation = peer.must(COMMIT, &commit_of(&approval("cc", 2)));
    let writes: BTreeMap<_, _> = simulation.writes().into_iter().collect();
    assert_eq!(writes["namespaces/fields/cc/Extra"], "deleted");
    assert_eq!(
        writes.keys().collect::<Vec<_>>(),
        ["namespaces/fields/cc/Extra", "namespaces/fields/cc/Sequence", "namespaces/metadata/cc"]
    );
}

#[test]
fn a_commit_needs_the_own_organization_only() {
    let org1 = Peer::new();
    let org2 = org1.of("Org2MSP");
    org1.must(APPROVE, &approval("cc", 1));
    assert_eq!(
        org2.refusal(COMMIT, &commit_of(&approval("cc", 1))),
        "chaincode definition not agreed to by this org (Org2MSP)"
    );
    org1.must(COMMIT, &commit_of(&approval("cc", 1)));
}

#[test]
fn refuses_a_commit_out_of_sequence() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    for function in [COMMIT, READINESS] {
        let refusal = match function {
            COMMIT => peer.refusal(function, &commit_of(&approval("cc", 2))),
            _ => peer.refusal(function, &readiness_of(&approval("cc", 2))),
        };
        assert_eq!(refusal, "requested sequence is 2, but new definition must be sequence 1");
    }
    peer.must(COMMIT, &commit_of(&approval("cc", 1)));
    assert_eq!(
        peer.refusal(COMMIT, &commit_of(&approval("cc", 1))),
        "requested sequence is 1, but new definition must be sequence 2"
    );
}

#[test]
fn a_peer_of_no_organization_of_the_channel_refuses() {
    let stranger = Peer::new().of("Org9MSP");
    assert_eq!(
        stranger.refusal(COMMIT, &commit_of(&approval("cc", 1))),
        "impossibly, this peer's org is processing requests for a channel it is not a member of"
    );
}

#[test]
fn defaulting_needs_the_endorsement_policy_of_the_channel() {
    let peer = Peer::on(&Spec { policies: &[], ..Spec::default() });
    let text = "could not set defaults for chaincode definition in channel mychannel: policy '/Channel/Application/Endorsement' must be defined for channel 'mychannel' before chaincode operations can be attempted";
    assert_eq!(peer.refusal(APPROVE, &approval("cc", 1)), text);
    assert_eq!(peer.refusal(READINESS, &readiness_of(&approval("cc", 1))), text);
    assert_eq!(peer.refusal(COMMIT, &commit_of(&approval("cc", 1))), text);
    let mut with_policy = approval("cc", 1);
    with_policy.validation_parameter = b"mine".as_slice().into();
    peer.must(APPROVE, &with_policy);
}

fn readiness(peer: &Peer, args: &ApproveChaincodeDefinitionForMyOrgArgs) -> CheckCommitReadinessResult {
    peer.query(READINESS, &readiness_of(args))
}

fn mismatches(peer: &Peer, args: &ApproveChaincodeDefinitionForMyOrgArgs, org: &str) -> Vec<String> {
    readiness(peer, args).mismatches.remove(org).map(|mismatches| mismatches.items).unwrap_or_default()
}

#[test]
fn readiness_has_one_entry_for_each_organization() {
    let org1 = Peer::new();
    let org2 = org1.of("Org2MSP");
    org1.must(APPROVE, &approval("cc", 1));
    let result = readiness(&org1, &approval("cc", 1));
    assert_eq!(result.approvals, BTreeMap::from([("Org1MSP".into(), true), ("Org2MSP".into(), false)]));
    assert_eq!(result.mismatches.keys().collect::<Vec<_>>(), ["Org2MSP"]);
    assert_eq!(mismatches(&org1, &approval("cc", 1), "Org2MSP"), ["ChaincodeParameters"]);
    // Which package an organization runs is its own affair.
    let mut other_package = approval("cc", 1);
    other_package.source = local_package("other:abc");
    org2.must(APPROVE, &other_package);
    let result = readiness(&org1, &approval("cc", 1));
    assert_eq!(result.approvals, BTreeMap::from([("Org1MSP".into(), true), ("Org2MSP".into(), true)]));
    assert!(result.mismatches.is_empty());
}

#[test]
fn readiness_names_the_parts_that_differ() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    let mut asked = approval("cc", 1);
    asked.init_required = true;
    assert_eq!(mismatches(&peer, &asked, "Org1MSP"), ["EndorsementInfo"]);
    asked.validation_plugin = "mine".to_owned();
    assert_eq!(mismatches(&peer, &asked, "Org1MSP"), ["EndorsementInfo", "ValidationInfo"]);
    asked.collections = Some(package(&[collection("c")]));
    assert_eq!(mismatches(&peer, &asked, "Org1MSP"), ["EndorsementInfo", "ValidationInfo", "Collections"]);
}

#[test]
fn readiness_does_not_validate() {
    let peer = Peer::new();
    let args = approval("no good name", 1);
    assert_eq!(mismatches(&peer, &args, "Org1MSP"), ["ChaincodeParameters"]);
}

// Fabric: lifecycle §13.2
#[test]
fn readiness_makes_all_four_reads_whatever_it_finds() {
    let peer = Peer::new();
    let (response, simulation) = peer.call(READINESS, &readiness_of(&approval("cc", 1)));
    assert_eq!(response.status, 200);
    assert_eq!(simulation.hashed_reads(), [hashed("Org1MSP", ""), hashed("Org2MSP", "")].concat());
    assert_eq!(simulation.reads(), ["_lifecycle namespaces/fields/cc/Sequence"]);
    let result = CheckCommitReadinessResult::decode(response.payload).expect("a result");
    assert_eq!(result.approvals.values().collect::<Vec<_>>(), [&false, &false]);
}

#[test]
fn passes_failures_of_hashed_reads_on() {
    let peer = Peer::new();
    peer.ledger.break_key("namespaces/metadata/cc#1");
    assert_eq!(
        peer.refusal(READINESS, &readiness_of(&approval("cc", 1))),
        "serialization check failed for key cc#1: could not get state hash for metadata key namespaces/metadata/cc#1: the disk is on fire"
    );
}
