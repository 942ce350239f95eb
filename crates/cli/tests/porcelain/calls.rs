//! `windlass invoke` and `windlass query`.

use insta::assert_snapshot;
use serde_json::json;

use crate::{e2e::support::place::Place, person::Person};

#[test]
fn gives_results_to_programs_and_the_rest_to_people() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let ada = Person::at(&place);
    assert_snapshot!("invoked", ada.types(["invoke", "basic", "CreateAsset", "a1", "blue", "-5", "Ada", "100"]));
    let args = r#"["a2","red",7,"Bo",1]"#;
    let invoked = ada.types(["invoke", "basic", "CreateAsset", "--args-json", args, "--json"]).json();
    assert_eq!(
        (&invoked["code"], &invoked["status"], &invoked["result"]["Owner"]),
        (&json!("VALID"), &json!(200), &json!("Bo"))
    );
    let id = invoked["transactionId"].as_str().expect("an ID");
    assert_eq!(id.len(), 64);
    let on_the_ledger = ada.types(["query", "qscc", "GetTransactionByID", "mychannel", id, "--json"]).json();
    assert_eq!(on_the_ledger["status"], 200, "the hint where a fate is not known");
    assert_eq!(ada.types(["query", "basic", "AssetExists", "a1"]).stdout, "true");
    let queried = ada.types(["query", "basic", "ReadAsset", "a1", "--json"]).json();
    assert_eq!(queried["result"]["Size"], -5, "{queried}");
    let as_user = ada.types(["query", "basic", "ReadAsset", "a1", "--identity", "User1", "--org", "Org1"]);
    assert_eq!(as_user.code, Some(0), "{as_user}");
    windlass.stop();
}

#[test]
fn says_what_is_wrong_with_a_call() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().arg("--orgs").arg("2").start();
    let ada = Person::at(&place);
    assert_snapshot!("refused", ada.types(["invoke", "basic", "ReadAsset", "a9"]));
    assert_snapshot!("refused_query", ada.types(["query", "basic", "ReadAsset", "a9"]));
    assert_snapshot!("refused_json", ada.types(["query", "basic", "ReadAsset", "a9", "--json"]));
    assert_snapshot!("wrong_name", ada.types(["query", "basci", "ReadAsset", "a9"]));
    assert_snapshot!("wrong_channel", ada.types(["query", "basic", "ReadAsset", "a9", "-C", "yourchannel"]));
    assert_snapshot!("wrong_organization", ada.types(["query", "basic", "ReadAsset", "a9", "--org", "Org7"]));
    assert_snapshot!("wrong_identity", ada.types(["query", "basic", "ReadAsset", "a9", "--identity", "Bob"]));
    let too_few = ["invoke", "basic", "Put", "k", "v", "--endorsing-organizations", "Org1MSP"];
    assert_snapshot!("too_few_endorse", ada.types(too_few));
    let json = ada.types(["invoke", "basic", "Put", "k", "v", "--endorsing-organizations", "Org1MSP", "--json"]).json();
    assert_eq!(json["code"], "ENDORSEMENT_POLICY_FAILURE");
    let both = ["invoke", "basic", "Put", "k", "v", "--endorsing-organizations", "Org1MSP,Org2MSP"];
    assert_eq!(ada.types(both).code, Some(0));

    // The variables of the peer command do as well, and TLS that does not fit is told apart.
    let script = windlass.ready.data.join("env-org2.sh");
    let bo = || Person::within(&std::env::temp_dir()).sourced(&script).without("WINDLASS_NETWORK");
    assert_eq!(bo().types(["query", "basic", "Get", "k"]).stdout, "v");
    let said = bo().with("CORE_PEER_TLS_ENABLED", "false").types(["query", "basic", "Get", "k"]);
    assert!(said.stderr.contains("hint: check CORE_PEER_ADDRESS and CORE_PEER_TLS_ENABLED"), "{said}");
    windlass.stop();
    assert_snapshot!("network_down", ada.types(["query", "basic", "Get", "k"]));
}
