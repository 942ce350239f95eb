//! `windlass deploy`.

use insta::assert_snapshot;

use crate::{
    e2e::support::{parts, place::Place},
    person::{Person, chaincode},
};

#[test]
fn deploys_upgrades_and_leaves_alone_what_has_not_changed() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let ada = Person::at(&place);
    chaincode(&place, "token", "first");
    assert_snapshot!("new", ada.types(["deploy", "token"]));
    assert_snapshot!("unchanged", ada.types(["deploy", "token"]));

    chaincode(&place, "token", "second");
    assert_snapshot!("changed_code", ada.types(["deploy", "token"]));

    let policy = "OR('Org1MSP.peer')";
    let again = ["deploy", "token", "--signature-policy", policy, "--json"];
    let channel = |said: &crate::person::Said| said.json()["chaincodes"][0]["channels"][0].clone();
    let upgraded = channel(&ada.types(again));
    assert_eq!(
        (&upgraded["outcome"], &upgraded["sequence"], &upgraded["version"]),
        (&"upgraded".into(), &3.into(), &"3.0".into())
    );
    assert_eq!(upgraded["peers"][0]["runs"], true, "{upgraded}");
    // Without the flag, the policy stays.
    let unchanged = channel(&ada.types(["deploy", "token", "--json"]));
    assert_eq!((&unchanged["outcome"], &unchanged["sequence"]), (&"unchanged".into(), &3.into()));
    assert_eq!(unchanged["approvals"]["Org1MSP"]["approved"], true);

    let default = "/Channel/Application/Endorsement";
    let said = ada.types(["deploy", "token", "--sequence", "3", "--channel-config-policy", default]);
    assert!(
        said.stderr.contains("sequence 3 of token is committed on mychannel with other terms (endorsement policy)"),
        "{said}"
    );
    assert_eq!(said.code, Some(1));

    // Init is called once for a version, however often it failed before.
    chaincode(&place, "ledger", "");
    let init = ["deploy", "ledger", "--init-required", "--init-args", r#"["InitLedger"]"#];
    let failed = ada.types(["deploy", "ledger", "--init-required", "--init-args", r#"["NoSuchFunction"]"#, "--json"]);
    assert_eq!(failed.code, Some(1), "{failed}");
    assert_eq!(channel(&failed)["outcome"], "deployed", "{failed}");
    assert!(failed.json()["chaincodes"][0]["error"].to_string().contains("Init failed"), "{failed}");
    assert_snapshot!("init", ada.types(init));
    assert_eq!(ada.types(["query", "ledger", "AssetExists", "asset1"]).stdout, "true");
    assert_eq!(channel(&ada.types(["deploy", "ledger", "--init-required", "--json"]))["outcome"], "unchanged");
    // Nor is it called for new code of the same version.
    chaincode(&place, "ledger", "second");
    let said = ada.types(["deploy", "ledger", "--version", "1.0", "--init-required", "--json"]);
    assert_eq!((said.code, &channel(&said)["sequence"]), (Some(0), &2.into()), "{said}");
    windlass.stop();
}

#[test]
fn deploys_for_three_organizations_and_tells_one_alone_who_has_to_approve() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().arg("--orgs").arg("3").arg("--channels").arg("north,south").start();
    chaincode(&place, "token", "first");
    let all = Person::at(&place);
    assert_snapshot!("which_channel", all.types(["deploy", "token"]));
    assert_snapshot!("three_organizations", all.types(["deploy", "token", "--channels", "north,south"]));

    let script = windlass.ready.data.join("env-org2.sh");
    let org2 = Person::at(&place).sourced(&script);
    let alone = ["deploy", "late=token", "-C", "south", "--version", "7"];
    assert_snapshot!("alone", org2.types(alone));
    let said = org2.types(["deploy", "late=token", "-C", "south", "--version", "7", "--approve-only"]);
    assert_eq!(said.code, Some(0), "{said}");
    // The others approve something else first.
    let org3 = Person::at(&place).sourced(&windlass.ready.data.join("env-org3.sh"));
    let other = ["deploy", "late=token", "-C", "south", "--version", "8", "--approve-only", "--json"];
    let approvals = org3.types(other).json()["chaincodes"][0]["channels"][0]["approvals"].clone();
    assert_eq!(approvals["Org2MSP"]["mismatches"][0], "EndorsementInfo", "{approvals}");
    assert_eq!(approvals["Org3MSP"]["approved"], true);
    // With what most agree on it is committed, and who comes late approves that.
    let committed = org3.types(alone);
    assert_snapshot!("majority", committed);
    let org1 = Person::at(&place).sourced(&windlass.ready.data.join("env-org1.sh"));
    assert_snapshot!("late", org1.types(alone));
    assert_snapshot!("late_again", org1.types(alone));

    // All at once: one of them commits, and nobody fails over it.
    let at_once = ["deploy", "busy=token", "-C", "north", "--json"];
    let said = std::thread::scope(|scope| {
        let deploying = [&org1, &org2, &org3].map(|one| scope.spawn(move || one.types(at_once)));
        deploying.map(|one| one.join().expect("no panic"))
    });
    let outcomes = said.each_ref().map(|said| said.json()["chaincodes"][0]["channels"][0]["outcome"].clone());
    let count = |word: &str| outcomes.iter().filter(|outcome| *outcome == word).count();
    assert_eq!((count("deployed"), count("approved") + count("pending")), (1, 2), "{said:?}");
    assert_eq!(all.types(at_once).code, Some(0));
    windlass.stop();
}

#[test]
fn says_why_chaincode_does_not_come_up() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let ada = Person::at(&place);
    let folder = place.folder_with("broken", &[("chaincode", "#!/bin/sh\necho no luck >&2\nexit 3\n")]);
    crate::e2e::support::place::make_executable(&folder.join("chaincode"));
    let said = ada.types(["deploy", "broken"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("\n  fails Org1MSP at localhost:") && said.stdout.contains("no luck"), "{said}");

    place.folder_with("thesis", &[("chapter1.txt", "Once")]);
    let said = ada.types(["deploy", "thesis"]);
    assert!(said.stderr.contains("error: cannot deploy chaincode thesis from thesis"), "{said}");
    assert!(said.stderr.contains("caused by: '"), "{said}");
    let said = ada.types(["deploy", "x=broken", "y=broken", "--label", "z"]);
    assert!(said.stderr.contains("--label is for one chaincode"), "{said}");
    let said = ada.types(["deploy", "broken", "--channel", "mychanel"]);
    assert!(said.stderr.contains("Org1MSP: the peer is not on the channel mychanel; it is on mychannel"), "{said}");
    windlass.stop();
    assert_snapshot!("down", ada.types(["deploy", "broken"]));
}

#[test]
fn knows_a_contract_by_its_own_description() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let ada = Person::at(&place);
    let contract = parts::example("go-contract");
    let package = place.path().join("assets.tar.gz").display().to_string();
    ada.types(["package", &contract.display().to_string(), "--output", &package]);
    assert_snapshot!("contract", ada.types(["deploy", "assets=assets.tar.gz"]));
    let said = ada.types(["query", "assets", "ReadAset", "a"]);
    assert!(said.stderr.contains("\n  hint: did you mean ReadAsset? assets has "), "{said}");
    windlass.stop();
}
