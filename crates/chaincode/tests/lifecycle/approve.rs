use prost::Message;
use windlass_proto::{
    hash::sha256,
    lifecycle::{
        QueryApprovedChaincodeDefinitionArgs, QueryApprovedChaincodeDefinitionResult,
        QueryApprovedChaincodeDefinitionsArgs, QueryApprovedChaincodeDefinitionsResult, chaincode_source,
    },
};

use crate::network::{APPROVE, CHANNEL, COMMIT, Peer, approval, commit_of, local_package};

const QUERY: &str = "QueryApprovedChaincodeDefinition";

fn asking(name: &str, sequence: i64) -> QueryApprovedChaincodeDefinitionArgs {
    QueryApprovedChaincodeDefinitionArgs { name: name.to_owned(), sequence }
}

fn written(writes: &[(String, String)]) -> Vec<&str> {
    writes.iter().map(|(key, _)| key.as_str()).collect()
}

// Fabric: lifecycle §6.3, observed on a running network
#[test]
fn a_first_approval_reads_and_writes_what_every_peer_does() {
    let peer = Peer::new();
    let (response, simulation) = peer.call(APPROVE, &approval("cc", 1));
    assert_eq!((response.status, response.payload.len()), (200, 0), "{}", response.message);
    assert_eq!(
        simulation.reads(),
        ["_lifecycle namespaces/fields/cc/Sequence", "_lifecycle namespaces/metadata/cc", "lscc cc"]
    );
    assert_eq!(
        simulation.hashed_reads(),
        ["_implicit_org_Org1MSP chaincode-sources/metadata/cc#1", "_implicit_org_Org1MSP namespaces/metadata/cc#1",]
    );
    assert_eq!(simulation.writes(), []);
    let policy = hex::encode("/Channel/Application/Endorsement");
    let text = |text: &str| format!("{:02x}{}", text.len(), hex::encode(text));
    let fields: String =
        ["EndorsementInfo", "ValidationInfo", "Collections"].map(|field| format!("12{}", text(field))).concat();
    let expected = [
        ("chaincode-sources/fields/cc#1/PackageID", "1a00".to_owned()),
        ("chaincode-sources/metadata/cc#1", format!("0a{}12{}", text("ChaincodeLocalPackage"), text("PackageID"))),
        ("namespaces/fields/cc#1/Collections", "1200".to_owned()),
        ("namespaces/fields/cc#1/EndorsementInfo", format!("120b0a{}1a{}", text("1.0"), text("escc"))),
        ("namespaces/fields/cc#1/ValidationInfo", format!("122a0a{}12221220{policy}", text("vscc"))),
        ("namespaces/metadata/cc#1", format!("0a{}{fields}", text("ChaincodeParameters"))),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    assert_eq!(simulation.private_writes(), expected);
    assert!(hex::encode(sha256(&[0x12, 0x00])).starts_with("08da7c45"));
    assert!(simulation.ranges().is_empty());
}

#[test]
fn an_approval_of_a_later_sequence_reads_the_whole_committed_definition() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    peer.must(COMMIT, &commit_of(&approval("cc", 1)));
    let (_, simulation) = peer.call(APPROVE, &approval("cc", 2));
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
    assert_eq!(simulation.private_writes().len(), 6);
}

#[test]
fn a_corrected_approval_writes_only_what_changed() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    let mut corrected = approval("cc", 1);
    corrected.version = "1.1".to_owned();
    let simulation = peer.must(APPROVE, &corrected);
    assert_eq!(written(&simulation.private_writes()), ["namespaces/fields/cc#1/EndorsementInfo"]);
    assert_eq!(
        simulation.hashed_reads(),
        [
            "_implicit_org_Org1MSP chaincode-sources/fields/cc#1/PackageID +",
            "_implicit_org_Org1MSP chaincode-sources/metadata/cc#1 +",
            "_implicit_org_Org1MSP namespaces/fields/cc#1/Collections +",
            "_implicit_org_Org1MSP namespaces/fields/cc#1/EndorsementInfo +",
            "_implicit_org_Org1MSP namespaces/fields/cc#1/ValidationInfo +",
            "_implicit_org_Org1MSP namespaces/metadata/cc#1 +",
        ]
    );
}

#[test]
fn the_package_of_a_committed_sequence_may_change() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    peer.must(COMMIT, &commit_of(&approval("cc", 1)));
    let mut again = approval("cc", 1);
    again.source = local_package("cc_1:abc");
    let simulation = peer.must(APPROVE, &again);
    let value = format!("1a08{}", hex::encode("cc_1:abc"));
    assert_eq!(simulation.private_writes(), [("chaincode-sources/fields/cc#1/PackageID".to_owned(), value)]);
}

#[test]
fn explicit_defaults_are_the_same_as_empty_fields() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    let mut explicit = approval("cc", 1);
    explicit.endorsement_plugin = "escc".to_owned();
    explicit.validation_plugin = "vscc".to_owned();
    explicit.validation_parameter = b"\x12\x20/Channel/Application/Endorsement".as_slice().into();
    explicit.collections = Some(Default::default());
    assert_eq!(
        peer.refusal(APPROVE, &explicit),
        "attempted to redefine uncommitted sequence (1) for namespace cc with unchanged content"
    );
}

#[test]
fn refuses_sequences_out_of_range() {
    let peer = Peer::new();
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", 0)),
        "requested sequence is 0, but first definable sequence number is 1"
    );
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", 2)),
        "requested sequence 2 is larger than the next available sequence number 1"
    );
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", -1)),
        "currently defined sequence 0 is larger than requested sequence -1"
    );
    for sequence in 1..=2 {
        peer.must(APPROVE, &approval("cc", sequence));
        peer.must(COMMIT, &commit_of(&approval("cc", sequence)));
    }
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", 1)),
        "currently defined sequence 2 is larger than requested sequence 1"
    );
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", i64::MAX)),
        "requested sequence 9223372036854775807 is larger than the next available sequence number 3"
    );
}

#[test]
fn refuses_to_approve_a_committed_sequence_differently() {
    let peer = Peer::new();
    let committed = approval("cc", 1);
    peer.must(APPROVE, &committed);
    peer.must(COMMIT, &commit_of(&committed));
    type Change = fn(&mut windlass_proto::lifecycle::ApproveChaincodeDefinitionForMyOrgArgs);
    let cases: [(Change, &str); 6] = [
        (|args| args.version = "2".into(), "expected Version '1.0' does not match passed Version '2'"),
        (
            |args| args.endorsement_plugin = "mine".into(),
            "expected EndorsementPlugin 'escc' does not match passed EndorsementPlugin 'mine'",
        ),
        (|args| args.init_required = true, "expected InitRequired 'false' does not match passed InitRequired 'true'"),
        (
            |args| args.validation_plugin = "mine".into(),
            "expected ValidationPlugin 'vscc' does not match passed ValidationPlugin 'mine'",
        ),
        (
            |args| args.validation_parameter = vec![0xab, 0x01].into(),
            "expected ValidationParameter '12202f4368616e6e656c2f4170706c69636174696f6e2f456e646f7273656d656e74' does not match passed ValidationParameter 'ab01'",
        ),
        (
            |args| args.collections = Some(crate::collections::package(&[crate::collections::collection("c")])),
            "Collections do not match",
        ),
    ];
    for (change, difference) in cases {
        let mut args = committed.clone();
        change(&mut args);
        let prefix =
            "attempted to redefine the current committed sequence (1) for namespace cc with different parameters";
        assert_eq!(peer.refusal(APPROVE, &args), format!("{prefix}: {difference}"));
    }
}

#[test]
fn refuses_to_repeat_an_approval() {
    let peer = Peer::new();
    let mut args = approval("cc", 1);
    args.source = local_package("cc_1:abc");
    peer.must(APPROVE, &args);
    assert_eq!(
        peer.refusal(APPROVE, &args),
        "attempted to redefine uncommitted sequence (1) for namespace cc with unchanged content"
    );
    peer.must(COMMIT, &commit_of(&args));
    assert_eq!(
        peer.refusal(APPROVE, &args),
        "attempted to redefine the current committed sequence (1) for namespace cc"
    );
}

#[test]
fn an_organization_may_approve_after_the_commit() {
    let org1 = Peer::new();
    let org2 = org1.of("Org2MSP");
    org1.must(APPROVE, &approval("cc", 1));
    org1.must(COMMIT, &commit_of(&approval("cc", 1)));
    assert_eq!(org2.must(APPROVE, &approval("cc", 1)).private_writes().len(), 6);
}

#[test]
fn reports_a_definition_that_lost_its_metadata() {
    let peer = Peer::new();
    peer.ledger.set("_lifecycle", "namespaces/fields/cc/Sequence", vec![0x08, 0x01]);
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", 1)),
        "missing metadata for currently committed sequence number (1)"
    );
}

#[test]
fn passes_failures_of_the_ledger_on() {
    let peer = Peer::new();
    peer.ledger.break_key("namespaces/fields/cc/Sequence");
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", 1)),
        "could not get current sequence: could not get state for key namespaces/fields/cc/Sequence: the disk is on fire"
    );
    let peer = Peer::new();
    peer.ledger.break_key("namespaces/metadata/cc");
    assert_eq!(
        peer.refusal(APPROVE, &approval("cc", 1)),
        "error validating chaincode definition: could not retrieve committed definition for chaincode 'cc': could not query metadata for namespace namespaces/cc: the disk is on fire"
    );
}

#[test]
fn returns_what_was_approved() {
    let peer = Peer::new();
    let mut args = approval("cc", 1);
    args.init_required = true;
    args.source = local_package("cc_1:abc");
    peer.must(APPROVE, &args);
    let found: QueryApprovedChaincodeDefinitionResult = peer.query(QUERY, &asking("cc", 1));
    assert_eq!((found.sequence, found.version.as_str(), found.init_required), (1, "1.0", true));
    assert_eq!((found.endorsement_plugin.as_str(), found.validation_plugin.as_str()), ("escc", "vscc"));
    assert_eq!(found.source, local_package("cc_1:abc"));
}

#[test]
fn sequence_zero_asks_for_the_next_sequence_or_else_the_committed_one() {
    let peer = Peer::new();
    let newest = |peer: &Peer| peer.query::<QueryApprovedChaincodeDefinitionResult>(QUERY, &asking("cc", 0)).sequence;
    peer.must(APPROVE, &approval("cc", 1));
    assert_eq!(newest(&peer), 1);
    peer.must(COMMIT, &commit_of(&approval("cc", 1)));
    assert_eq!(newest(&peer), 1);
    peer.must(APPROVE, &approval("cc", 2));
    assert_eq!(newest(&peer), 2);
}

#[test]
fn an_approval_without_package_has_an_unavailable_source() {
    let peer = Peer::new();
    peer.must(APPROVE, &approval("cc", 1));
    let found: QueryApprovedChaincodeDefinitionResult = peer.query(QUERY, &asking("cc", 1));
    let source = found.source.and_then(|source| source.r#type);
    assert_eq!(source, Some(chaincode_source::Type::Unavailable(chaincode_source::Unavailable {})));
}

#[test]
fn names_the_approval_that_it_did_not_find() {
    let peer = Peer::new();
    for sequence in [0, 3] {
        assert_eq!(
            peer.refusal(QUERY, &asking("cc", sequence)),
            format!(
                "could not fetch approved chaincode definition (name: 'cc', sequence: '{sequence}') on channel '{CHANNEL}'"
            )
        );
    }
}

#[test]
fn lists_all_approvals_of_the_own_organization_in_order() {
    let peer = Peer::new();
    for sequence in 1..=10 {
        peer.must(APPROVE, &approval("cc", sequence));
        peer.must(COMMIT, &commit_of(&approval("cc", sequence)));
    }
    peer.must(APPROVE, &approval("asset", 1));
    peer.of("Org2MSP").must(APPROVE, &approval("other", 1));
    let (response, simulation) =
        peer.call("QueryApprovedChaincodeDefinitions", &QueryApprovedChaincodeDefinitionsArgs {});
    let found = QueryApprovedChaincodeDefinitionsResult::decode(response.payload).expect("a result");
    let found: Vec<_> =
        found.approved_chaincode_definitions.into_iter().map(|found| (found.name, found.sequence)).collect();
    let mut expected = vec![("asset".to_owned(), 1)];
    expected.extend((1..=10).map(|sequence| ("cc".to_owned(), sequence)));
    assert_eq!(found, expected);
    assert_eq!(
        simulation.ranges(),
        [(
            "_implicit_org_Org1MSP".to_owned(),
            "namespaces/metadata/".to_owned(),
            "namespaces/metadata/\x7f".to_owned()
        )]
    );
}
