//! `windlass uninstall` and `windlass prune`.

use std::path::{Path, PathBuf};

use crate::{
    e2e::support::place::Place,
    person::{Person, Said, chaincode},
};

/// What a peer keeps of a package: its file, and its build.
fn kept(peer: &Path, package_id: &str) -> [PathBuf; 2] {
    let (label, hash) = package_id.split_once(':').expect("a package ID");
    [
        peer.join(format!("lifecycle/chaincodes/{label}.{hash}.tar.gz")),
        peer.join(format!("externalbuilder/builds/{label}-{hash}")),
    ]
}

/// Deploys, and tells the package ID.
fn deploy(ada: &Person) -> String {
    let said = ada.types(["deploy", "token", "--json"]);
    let id = said.json()["chaincodes"][0]["packageId"].as_str().map(str::to_owned);
    id.unwrap_or_else(|| panic!("{said}"))
}

#[track_caller]
fn refused(said: &Said, texts: &[&str]) {
    assert_eq!(said.code, Some(1), "{said}");
    texts.iter().for_each(|text| assert!(said.stderr.contains(text), "{text} in {said}"));
}

#[test]
fn removes_on_every_peer_exactly_what_no_channel_needs() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().arg("--orgs").arg("2").start();
    let ada = Person::at(&place);
    let peers = ["peer", "peer-org2"].map(|peer| windlass.ready.data.join(peer));
    chaincode(&place, "token", "first");
    let old = deploy(&ada);
    assert_eq!(ada.types(["prune", "--yes"]).stdout, "no package is unused\n");
    chaincode(&place, "token", "second");
    let new = deploy(&ada);
    assert_ne!(old, new);
    let is_there =
        |id: &str| peers.iter().flat_map(|peer| kept(peer, id)).map(|path| path.exists()).collect::<Vec<_>>();
    assert_eq!((is_there(&old), is_there(&new)), (vec![true; 4], vec![true; 4]));

    let needed = ada.types(["uninstall", &new]);
    let text = "is in use by chaincode 'token' on channel 'mychannel' (sequence 2, committed)";
    refused(
        &needed,
        &[&format!("Org1MSP: chaincode package '{new}' {text}"), &format!("Org2MSP: chaincode package '{new}' {text}")],
    );

    let shown = ada.types(["prune", "--dry-run"]);
    assert_eq!(shown.code, Some(0), "{shown}");
    for org in ["Org1MSP", "Org2MSP"] {
        assert!(shown.stdout.contains(&format!("{org}  {old}  package 0.0 MiB, build ")), "{shown}");
    }
    assert!(!shown.stdout.contains(&new) && shown.stderr.contains("nothing removed; "), "{shown}");
    refused(&ada.types(["prune"]), &["hint: --yes removes them, --dry-run only shows them"]);
    assert_eq!((is_there(&old), is_there(&new)), (vec![true; 4], vec![true; 4]));

    // One organization's peer, then the rest.
    let one = ada.types(["uninstall", &old[..old.len() - 8], "--org", "Org2MSP"]);
    assert_eq!((one.code, one.stdout.as_str()), (Some(0), format!("Org2MSP  {old}  removed\n").as_str()), "{one}");
    assert_eq!(is_there(&old), [true, true, false, false]);
    let pruned = ada.types(["prune", "--yes"]);
    assert!(pruned.code == Some(0) && pruned.stdout.ends_with(&format!("Org1MSP  {old}  removed\n")), "{pruned}");
    assert_eq!((is_there(&old), is_there(&new)), (vec![false; 4], vec![true; 4]));

    let gone = format!("no package '{old}' is installed; hint: there is basic:");
    refused(&ada.types(["uninstall", &old]), &[&gone, &format!(", {new}\n")]);
    let user = windlass.ready.users.user1.msp.display().to_string();
    let script = windlass.ready.data.join("env-org1.sh");
    let user = Person::at(&place).sourced(&script).without("WINDLASS_NETWORK").with("CORE_PEER_MSPCONFIGPATH", &user);
    refused(&user.types(["prune", "--yes"]), &["Org1MSP: "]);
    // What is left still runs.
    assert_eq!(ada.types(["query", "token", "AssetExists", "asset1"]).stdout, "false");
    windlass.stop();
}
