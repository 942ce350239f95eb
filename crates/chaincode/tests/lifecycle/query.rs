use std::collections::BTreeMap;

use prost::Message;
use windlass_proto::lifecycle::{
    QueryChaincodeDefinitionArgs, QueryChaincodeDefinitionResult, QueryChaincodeDefinitionsArgs,
    QueryChaincodeDefinitionsResult,
};

use crate::network::{APPROVE, COMMIT, Peer, approval, commit_of};

const QUERY: &str = "QueryChaincodeDefinition";

fn asking(name: &str) -> QueryChaincodeDefinitionArgs {
    QueryChaincodeDefinitionArgs { name: name.to_owned() }
}

// Fabric: lifecycle §13.4
#[test]
fn an_undefined_name_is_not_found() {
    let (response, _) = Peer::new().call(QUERY, &asking("cc"));
    assert_eq!((response.status, response.message.as_str()), (404, "namespace cc is not defined"));
}

#[test]
fn shows_who_agreed_to_the_committed_definition() {
    let org1 = Peer::new();
    let org2 = org1.of("Org2MSP");
    org1.must(APPROVE, &approval("cc", 1));
    org1.must(COMMIT, &commit_of(&approval("cc", 1)));
    // Agreement to the next sequence is no agreement to this one.
    org2.must(APPROVE, &approval("cc", 2));
    let found: QueryChaincodeDefinitionResult = org1.query(QUERY, &asking("cc"));
    assert_eq!((found.sequence, found.version.as_str()), (1, "1.0"));
    assert_eq!((found.endorsement_plugin.as_str(), found.validation_plugin.as_str()), ("escc", "vscc"));
    assert_eq!(found.validation_parameter, b"\x12\x20/Channel/Application/Endorsement".as_slice());
    assert_eq!(found.approvals, BTreeMap::from([("Org1MSP".into(), true), ("Org2MSP".into(), false)]));
}

#[test]
fn lists_definitions_by_name_through_one_range() {
    let peer = Peer::new();
    for name in ["zebra", "asset", "Token_1"] {
        peer.must(APPROVE, &approval(name, 1));
        peer.must(COMMIT, &commit_of(&approval(name, 1)));
    }
    let (response, simulation) = peer.call("QueryChaincodeDefinitions", &QueryChaincodeDefinitionsArgs {});
    let found = QueryChaincodeDefinitionsResult::decode(response.payload).expect("a result");
    let names: Vec<_> = found.chaincode_definitions.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["Token_1", "asset", "zebra"]);
    assert_eq!(
        simulation.ranges(),
        [("_lifecycle".to_owned(), "namespaces/metadata/".to_owned(), "namespaces/metadata/\x7f".to_owned())]
    );
}

#[test]
fn lists_nothing_on_a_new_channel() {
    let found: QueryChaincodeDefinitionsResult =
        Peer::new().query("QueryChaincodeDefinitions", &QueryChaincodeDefinitionsArgs {});
    assert!(found.chaincode_definitions.is_empty());
}

#[test]
fn reports_records_that_are_not_what_they_should_be() {
    let peer = Peer::new();
    peer.ledger.set("_lifecycle", "namespaces/metadata/cc", vec![0x0a, 0x01, b'X']);
    assert_eq!(
        peer.refusal(QUERY, &asking("cc")),
        "could not deserialize namespace cc as chaincode: type name mismatch 'ChaincodeDefinition' != 'X'"
    );
    peer.ledger.set("_lifecycle", "namespaces/metadata/cc", vec![0xff]);
    let refusal = peer.refusal(QUERY, &asking("cc"));
    assert!(refusal.contains("could not unmarshal metadata for namespace namespaces/cc: "), "{refusal}");
    peer.ledger.set("_lifecycle", "namespaces/metadata/cc", b"\x0a\x13ChaincodeDefinition".to_vec());
    peer.ledger.set("_lifecycle", "namespaces/fields/cc/Sequence", vec![0x12, 0x00]);
    assert_eq!(
        peer.refusal(QUERY, &asking("cc")),
        "could not deserialize namespace cc as chaincode: expected key namespaces/fields/cc/Sequence to encode a value of type Int64, but was *lifecycle.StateData_Bytes"
    );
}
