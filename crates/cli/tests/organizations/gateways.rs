//! The Gateway clients of other languages than Node.js: the same tour, and the same to see on it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use windlass_proto::hash::sha256;

use crate::e2e::support::{parts, place::Place, windlass::Windlass};

fn source(client: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/organizations/parts").join(client)
}

fn network(place: &Place) -> Windlass {
    place.dev().ephemeral().arg("--orgs").arg("3").chaincode("shim", parts::go_program("go-shim")).start()
}

/// A Java program, compiled, with what it depends on: its class path.
fn java_classes(source: &Path, name: &str) -> PathBuf {
    let folder = parts::scratch("java").join(name);
    let compiled = folder.join("compiled");
    let digest = hex::encode(sha256(&everything_in(source)));
    if fs::read_to_string(&compiled).ok().as_ref() != Some(&digest) {
        let _ = fs::remove_dir_all(&folder);
        parts::copy(source, &folder);
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", "compile", "dependency:copy-dependencies"]);
        parts::run(maven.args(["-DincludeScope=runtime", "-DoutputDirectory=target/lib"]).current_dir(&folder));
        fs::write(compiled, digest).expect("a file");
    }
    folder.join("target")
}

/// Names and contents of the files in a folder, in order.
fn everything_in(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let entries: BTreeSet<_> = entries.collect();
    let mut everything = Vec::new();
    for path in entries {
        everything.extend(path.as_os_str().as_encoded_bytes());
        everything.extend(if path.is_dir() { everything_in(&path) } else { fs::read(&path).expect("a file") });
    }
    everything
}

/// What the client tells of its tour, stop by stop.
#[track_caller]
fn tour(mut client: Command, windlass: &Windlass) -> Vec<Value> {
    let output = client.arg(windlass.ready_file()).arg("shim").output().expect("the client starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Compares with what every client must see; `names` has the names that this one gives to codes of gRPC.
#[track_caller]
fn check(windlass: &Windlass, stops: Vec<Value>, names: [&str; 4]) {
    let [unknown, aborted, unavailable, failed_precondition] = names;
    let mut stops = stops.into_iter();
    let mut stop = |step: &str| {
        let mut facts = stops.next().unwrap_or_else(|| panic!("the tour ends before {step}"));
        assert_eq!(facts["step"], step, "{facts}");
        // Transaction IDs are random.
        let id = facts.as_object_mut().and_then(|facts| facts.remove("txId"));
        assert!(id.is_none_or(|id| id.as_str().is_some_and(|id| id.len() == 64)), "{facts}");
        facts
    };
    assert_eq!(stop("evaluate")["result"], "blue");
    assert_eq!(stop("transient")["result"], r#"{"secret":"hidden"}"#);
    let submitted = stop("submitAsync");
    assert_eq!((&submitted["status"], &submitted["successful"]), (&json!("VALID"), &json!(true)));
    assert_eq!((&submitted["result"], &submitted["sameTxId"]), (&json!(""), &json!(true)));
    stop("organizations");

    for (payload, written) in [("red", true), ("green", false), ("red", true)] {
        let event = json!({
            "step": "event", "name": "painted", "payload": payload, "chaincode": "shim", "written": written,
        });
        assert_eq!(stop("event"), event);
    }
    assert_eq!(stop("block"), json!({ "step": "block", "same": true, "transactions": 1 }));
    assert_eq!(
        stop("filteredBlock"),
        json!({ "step": "filteredBlock", "same": true, "event": "painted", "payload": "" })
    );
    assert_eq!(
        stop("privateData"),
        json!({ "step": "privateData", "namespace": "_lifecycle", "collection": "_implicit_org_Org1MSP" })
    );
    assert_eq!(stop("offline")["status"], "VALID");

    let text = "chaincode response 500, not today";
    let details = json!([{ "address": windlass.ready.peer.endpoint, "mspId": "Org1MSP", "message": text }]);
    let failed = stop("evaluateFails");
    assert_eq!((&failed["type"], &failed["code"]), (&json!("GatewayError"), &json!(unknown)));
    assert_eq!(failed["message"], format!("evaluate call to endorser returned error: {text}"));
    assert_eq!(failed["details"], details);
    let failed = stop("endorseFails");
    assert_eq!((&failed["type"], &failed["code"]), (&json!("EndorseError"), &json!(aborted)));
    assert_eq!(failed["message"], "failed to endorse transaction, see attached details for more info");
    assert_eq!(failed["details"], details);
    let failed = stop("commitFails");
    assert_eq!((&failed["type"], &failed["status"]), (&json!("CommitError"), &json!("ENDORSEMENT_POLICY_FAILURE")));
    let failed = stop("nobodyEndorses");
    assert_eq!((&failed["type"], &failed["code"]), (&json!("EndorseError"), &json!(unavailable)));
    assert_eq!(failed["message"], "failed to find any endorsing peers for org(s): Org7MSP");
    let failed = stop("unknownChaincode");
    assert_eq!(failed["code"], failed_precondition);
    assert_eq!(failed["message"], "no peers available to evaluate chaincode nowhere in channel mychannel");
}

#[test]
fn a_go_client_takes_the_tour() {
    let program = parts::once("go-client", || parts::go_build(&source("go-client"), "go-client"));
    let place = Place::new();
    let windlass = network(&place);
    let stops = tour(Command::new(program), &windlass);
    check(&windlass, stops, ["Unknown", "Aborted", "Unavailable", "FailedPrecondition"]);
}

#[test]
fn a_java_client_takes_the_tour() {
    let classes = parts::once("java-client", || java_classes(&source("java-client"), "java-client"));
    let place = Place::new();
    let windlass = network(&place);
    let mut java = Command::new("java");
    let path = format!("{0}/classes:{0}/lib/*", classes.display());
    java.args(["-cp", &path, "org.windlass.client.Main"]);
    let stops = tour(java, &windlass);
    check(&windlass, stops, ["UNKNOWN", "ABORTED", "UNAVAILABLE", "FAILED_PRECONDITION"]);
}
