//! A whole lifecycle as people have it in their fingers, with nothing but the `peer` command. What it says is held
//! against snapshots, whose texts are those of lifecycle and endorsement-and-gateway §11.

use std::fs;

use crate::{
    description,
    e2e::support::{parts, place::Place, windlass::Windlass},
    terminal::Terminal,
};

/// A network of three organizations, and a terminal with `$SHIM`, the folder of a Go chaincode.
fn network(place: &Place) -> (Windlass, Terminal) {
    // So that an install is not the first to compile.
    parts::go_program("go-shim");
    let windlass = place.dev().arg("--orgs").arg("3").start();
    let mut terminal = Terminal::new(place, &windlass, &description(&windlass));
    terminal.set("SHIM", parts::example("go-shim").display().to_string());
    (windlass, terminal)
}

/// Packs the chaincode under a label and installs it on the peers of these organizations. The package's ID goes into a
/// variable.
fn install<const N: usize>(terminal: &mut Terminal, label: &str, organizations: [usize; N], variable: &str) {
    let pack = format!("peer lifecycle chaincode package {label}.tar.gz --path $SHIM --lang golang --label {label}");
    assert_eq!(terminal.runs(1, &pack).code, 0);
    for organization in organizations {
        let said = terminal.runs(organization, &format!("peer lifecycle chaincode install {label}.tar.gz"));
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    terminal.set_to_output_of(variable, &format!("peer lifecycle chaincode calculatepackageid {label}.tar.gz"));
}

#[test]
fn from_a_folder_to_transactions() {
    let place = Place::new();
    let (_windlass, mut terminal) = network(&place);

    terminal.types(1, "peer lifecycle chaincode package shim.tar.gz --path $SHIM --lang golang --label shim_1.0");
    terminal.types(1, "peer lifecycle chaincode calculatepackageid shim.tar.gz");
    terminal.types(1, "peer lifecycle chaincode calculatepackageid shim.tar.gz --output json");
    terminal.types(1, "peer lifecycle chaincode queryinstalled --output json");
    terminal.each_types([1, 2, 3], "peer lifecycle chaincode install shim.tar.gz");
    terminal.types(1, "peer lifecycle chaincode install shim.tar.gz");
    terminal.types(1, "peer lifecycle chaincode install $PEER1 $PEER2 shim.tar.gz 2>&1 | head -1");
    terminal.types(1, "peer lifecycle chaincode queryinstalled");
    let id = "$(peer lifecycle chaincode calculatepackageid shim.tar.gz)";
    terminal.types(1, &format!("peer lifecycle chaincode getinstalledpackage --package-id {id}"));
    terminal.types(1, "cmp shim.tar.gz shim_1.0:*.tar.gz");
    terminal.types(1, "peer lifecycle chaincode getinstalledpackage --package-id nothing:00");
    insta::assert_snapshot!("package_and_install", terminal.transcript());

    // One of two organizations approves something else.
    let definition = "-C mychannel -n shim -v 1.0 --sequence 1";
    let approve = format!("peer lifecycle chaincode approveformyorg $ORDERER {definition} --package-id {id}");
    let ready = format!("peer lifecycle chaincode checkcommitreadiness {definition}");
    let commit = format!("peer lifecycle chaincode commit $ORDERER {definition}");
    terminal.types(1, &approve);
    terminal.types(2, &format!("{approve} --init-required --signature-policy \"OR('Org2MSP.peer')\""));
    terminal.types(1, &ready);
    terminal.types(1, &format!("{ready} --inspect"));
    terminal.types(1, &format!("{ready} --output json"));
    terminal.types(1, &format!("{ready} --output json --inspect"));
    terminal.types(1, &format!("{commit} $PEER2"));
    terminal.types(1, &format!("{commit} $PEER1 $PEER2"));
    terminal.types(1, &format!("{commit} $PEER1"));
    terminal.types(1, "peer lifecycle chaincode commit $ORDERER -C mychannel -n shim -v 1.0 --sequence 2");
    terminal.types(1, "peer lifecycle chaincode querycommitted -C mychannel -n shim");
    insta::assert_snapshot!("approve_and_disagree", terminal.transcript());

    terminal.types(2, &approve);
    terminal.types(2, &approve);
    terminal.types(1, &ready);
    terminal.types(1, &format!("{commit} $PEER1 $PEER2"));
    terminal.types(1, "peer lifecycle chaincode querycommitted -C mychannel -n shim");
    terminal.types(1, "peer lifecycle chaincode querycommitted -C mychannel -n shim --output json");
    terminal.types(1, "peer lifecycle chaincode querycommitted -C mychannel");
    terminal.types(1, "peer lifecycle chaincode queryapproved -C mychannel -n shim");
    terminal.types(1, "peer lifecycle chaincode queryapproved -C mychannel -n shim --sequence 1 --output json");
    terminal.types(1, "peer lifecycle chaincode queryapproved -C mychannel");
    terminal.types(3, "peer lifecycle chaincode queryapproved -C mychannel -n shim");
    terminal.types(1, "peer lifecycle chaincode queryinstalled --output json");
    terminal.types(2, &approve);
    insta::assert_snapshot!("agree_and_commit", terminal.transcript());

    let both = "$PEER1 $PEER2 --waitForEvent";
    let invoke = "peer chaincode invoke $ORDERER -C mychannel -n shim";
    terminal.types(1, &format!(r#"{invoke} {both} -c '{{"Args":["Put","k","12"]}}'"#));
    terminal.types(1, r#"peer chaincode query -C mychannel -n shim -c '{"function":"Get","Args":["k"]}'"#);
    terminal.types(1, r#"peer chaincode query -C mychannel -n shim -c '{"Args":["Get","k"]}' --hex"#);
    terminal.types(2, r#"peer chaincode query -C mychannel -n shim -c '{"Args":["Get","k"]}' --raw"#);
    terminal.types(
        1,
        r#"peer chaincode query -C mychannel -n shim -c '{"Args":["Transient"]}' --transient '{"secret":"aGlkZGVu"}'"#,
    );
    terminal.types(1, &format!(r#"{invoke} {both} -c '{{"Args":["Fail","not today"]}}'"#));
    terminal.types(1, r#"peer chaincode query -C mychannel -n shim -c '{"Args":["Fail","not today"]}'"#);
    // Not enough have endorsed, those that have do not agree, or one has no part in it.
    terminal.types(1, &format!(r#"{invoke} $PEER1 --waitForEvent -c '{{"Args":["Put","k","13"]}}'"#));
    terminal.types(1, r#"peer chaincode query -C mychannel -n shim -c '{"Args":["Get","k"]}'"#);
    terminal.types(3, r#"peer chaincode query -C mychannel -n shim -c '{"Args":["Get","k"]}'"#);
    // The channel's configuration tells where the orderer is.
    let found = approve.replace("$ORDERER", "--tls --cafile $ORDERER_CA");
    terminal.types(3, &found);
    terminal.types(3, r#"peer chaincode query -C mychannel -n shim -c '{"Args":["Get","k"]}'"#);
    terminal.types(1, &format!(r#"{invoke} $ENDORSERS --waitForEvent -c '{{"Args":["Put","k","14"]}}'"#));
    terminal.types(1, r#"peer chaincode query -C mychannel -n nowhere -c '{"Args":["Get","k"]}'"#);
    terminal.types(1, r#"peer chaincode query -C nochannel -n shim -c '{"Args":["Get","k"]}'"#);
    insta::assert_snapshot!("invoke_and_query", terminal.transcript());
}

#[test]
fn definitions_change_and_share_packages() {
    let place = Place::new();
    let (_windlass, mut terminal) = network(&place);
    install(&mut terminal, "shim_1.0", [1, 2], "ONE");
    install(&mut terminal, "shim_2.0", [1], "TWO");
    let query = |name: &str| format!(r#"peer chaincode query -C mychannel -n {name} -c '{{"Args":["Noop"]}}'"#);
    let definition = |name: &str, version: &str, sequence: u32, more: &str| {
        format!("$ORDERER -C mychannel -n {name} -v {version} --sequence {sequence} {more}").trim_end().to_owned()
    };
    let approve = |definition: &str, package: &str| {
        format!("peer lifecycle chaincode approveformyorg {definition} --package-id {package}")
    };
    let commit = |definition: &str| format!("peer lifecycle chaincode commit {definition} $PEER1 $PEER2");

    // Init comes first, and once a version. The two definitions run the same package.
    let plain = definition("plain", "1.0", 1, "");
    let inited = definition("inited", "1.0", 1, "--init-required");
    for definition in [&plain, &inited] {
        for organization in [1, 2] {
            assert_eq!(terminal.runs(organization, &approve(definition, "$ONE")).code, 0);
        }
        assert_eq!(terminal.runs(1, &commit(definition)).code, 0);
    }
    let invoke = r#"peer chaincode invoke $ORDERER -C mychannel $PEER1 $PEER2 --waitForEvent"#;
    terminal.types(1, &query("inited"));
    terminal.types(1, &format!(r#"{invoke} -n inited --isInit -c '{{"Args":["Init","a"]}}'"#));
    terminal.types(1, &format!(r#"{invoke} -n inited --isInit -c '{{"Args":["Init","a"]}}'"#));
    terminal.types(1, r#"peer chaincode query -C mychannel -n inited -c '{"Args":["Get","init"]}'"#);
    terminal.types(1, &format!(r#"{invoke} -n plain --isInit -c '{{"Args":["Init","a"]}}'"#));
    terminal.types(1, &query("plain"));
    terminal.types(2, "peer lifecycle chaincode queryinstalled --output json");
    insta::assert_snapshot!("init_and_share", terminal.transcript());

    // An upgrade, in which the second organization has nothing to run yet.
    let second = definition("plain", "2.0", 2, "--channel-config-policy Endorsement");
    terminal.types(1, &approve(&second, "$TWO"));
    terminal.types(2, &format!("peer lifecycle chaincode approveformyorg {second}"));
    terminal.types(2, "peer lifecycle chaincode queryapproved -C mychannel -n plain");
    terminal.types(2, "peer lifecycle chaincode queryapproved -C mychannel -n plain --output json");
    terminal.types(1, &commit(&second));
    terminal.types(1, &query("plain"));
    terminal.types(2, &query("plain"));
    terminal.types(2, "peer lifecycle chaincode install shim_2.0.tar.gz");
    terminal.types(2, &query("plain"));
    terminal.types(2, &approve(&second, "$TWO"));
    terminal.types(2, &query("plain"));
    terminal.types(2, &approve(&second, "$TWO"));
    terminal.types(2, &approve(&second.replace("2.0", "2.1"), "$TWO"));
    terminal.types(1, &approve(&definition("plain", "2.0", 4, ""), "$TWO"));
    terminal.types(1, &approve(&definition("plain", "2.0", 1, ""), "$TWO"));
    insta::assert_snapshot!("upgrade", terminal.transcript());

    // Back to the first package, with a version of its own.
    let third = definition("plain", "1.0-again", 3, "");
    terminal.each_types([1, 2], &approve(&third, "$ONE"));
    terminal.types(1, &commit(&third));
    terminal.types(1, &query("plain"));
    terminal.types(2, "peer lifecycle chaincode querycommitted -C mychannel -n plain");
    terminal.types(2, "peer lifecycle chaincode queryapproved -C mychannel");
    terminal.types(2, "peer lifecycle chaincode queryinstalled --output json");
    insta::assert_snapshot!("rollback", terminal.transcript());
}

#[test]
fn collections_are_checked_and_kept() {
    let place = Place::new();
    let (_windlass, mut terminal) = network(&place);
    let write = |terminal: &Terminal, name: &str, text: &str| {
        fs::write(terminal.folder().join(name), text).expect("a file");
    };
    let (members, marbles, prices) = (
        "OR('Org1MSP.member', 'Org2MSP.member')",
        r#""name":"marbles","requiredPeerCount":0,"maxPeerCount":3,"blockToLive":1000000,"memberOnlyRead":true,"memberOnlyWrite":true"#,
        r#""name":"prices","maxPeerCount":3,"blockToLive":3,"endorsementPolicy":{"signaturePolicy":"OR('Org1MSP.member')"}"#,
    );
    let both = format!(r#"[{{{marbles},"policy":"{members}"}},{{{prices},"policy":"OR('Org1MSP.member')"}}]"#);
    write(&terminal, "both.json", &both);
    write(&terminal, "one.json", &format!(r#"[{{{marbles},"policy":"{members}"}}]"#));
    write(&terminal, "live.json", &both.replace("1000000", "7"));
    write(&terminal, "and.json", &both.replace(members, "AND('Org1MSP.member', 'Org2MSP.member')"));
    write(&terminal, "stranger.json", &both.replace("Org2MSP", "Org9MSP"));
    write(&terminal, "count.json", &both.replace(r#""requiredPeerCount":0"#, r#""requiredPeerCount":4"#));
    write(&terminal, "name.json", &both.replace("marbles", "_marbles"));
    write(&terminal, "twice.json", &both.replace("prices", "marbles"));
    write(&terminal, "policy.json", &both.replace(members, "nonsense"));
    write(&terminal, "broken.json", "[{");

    let definition = "$ORDERER -C mychannel -n keeper -v 1.0 --sequence 1 --collections-config";
    for file in ["missing", "broken", "policy", "and", "stranger", "count", "name", "twice"] {
        terminal.types(1, &format!("peer lifecycle chaincode approveformyorg {definition} {file}.json 2>&1 | head -1"));
    }
    terminal.each_types([1, 2], &format!("peer lifecycle chaincode approveformyorg {definition} both.json"));
    terminal.types(1, &format!("peer lifecycle chaincode commit {definition} one.json $PEER1 $PEER2"));
    terminal.types(1, &format!("peer lifecycle chaincode checkcommitreadiness {definition} one.json --inspect"));
    terminal.types(1, &format!("peer lifecycle chaincode commit {definition} both.json $PEER1 $PEER2"));
    terminal.types(1, "peer lifecycle chaincode querycommitted -C mychannel -n keeper --output json");
    let definition = "$ORDERER -C mychannel -n keeper -v 1.1 --sequence 2";
    for collections in ["", "--collections-config one.json", "--collections-config live.json"] {
        terminal.types(1, format!("peer lifecycle chaincode approveformyorg {definition} {collections}").trim_end());
    }
    insta::assert_snapshot!("collections", terminal.transcript());
}
