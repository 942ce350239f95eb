//! Signatures that are wrong.

use serde_json::json;

use super::connect;
use crate::support::place::Place;

#[test]
fn refuses_signatures_that_are_not_the_users() {
    let place = Place::new();
    let (windlass, mut gateway) = connect(&place);
    let call = |signer: &str| json!({ "function": "Get", "args": ["k"], "signer": signer });
    for signer in ["wrong", "high-s"] {
        for scenario in ["evaluate", "submit"] {
            let error = gateway.fail(scenario, call(signer));
            let said = error.to_string();
            assert!(
                said.contains("access denied: channel [mychannel] creator org [Org1MSP]"),
                "{signer} {scenario}: {said}"
            );
        }
    }
    let error = gateway.fail("evaluate", json!({ "function": "Get", "args": ["k"], "mspId": "Org9MSP" }));
    let said = error.to_string();
    assert!(said.contains("access denied: channel [mychannel] creator org unknown, creator is malformed"), "{said}");
    windlass.stop();
}
