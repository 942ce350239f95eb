//! Without a network.

use std::{fs, net::TcpListener, path::Path};

use insta::assert_snapshot;

use crate::person::Person;

fn person() -> (tempfile::TempDir, Person) {
    let folder = tempfile::tempdir().expect("a folder");
    let person = Person::within(folder.path());
    (folder, person)
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

#[test]
fn says_that_there_is_no_network_and_how_to_come_by_one() {
    let (_folder, ada) = person();
    assert_snapshot!("no_network", ada.types(["query", "basic", "Get", "k"]));
    let said = ada.types(["query", "basic", "Get", "k", "--network", "nowhere"]);
    assert!(said.stderr.contains("there is no nowhere; expected the folder of a network of `windlass dev`"), "{said}");
    let said = ada.with("CORE_PEER_ADDRESS", "localhost:1").types(["query", "basic", "Get", "k"]);
    assert!(said.stderr.contains("peer.localMspId is not set; hint: set CORE_PEER_LOCALMSPID"), "{said}");
}

#[test]
fn takes_no_default_where_what_is_named_is_not_there() {
    let (_folder, ada) = person();
    let ada = ada.with("FABRIC_CFG_PATH", "/typo");
    let said = ada.types(["config", "show"]);
    assert!(said.code == Some(1) && said.stderr.contains("cannot read /typo/core.yaml"), "{said}");
    for said in [ada.types(["status"]), ada.types(["logs", "basic"])] {
        assert!(said.code == Some(1) && said.stderr.contains("FABRIC_CFG_PATH /typo does not exist"), "{said}");
    }
    let checks = ada.types(["doctor", "--json"]).json()["checks"].clone();
    let network = checks.as_array().and_then(|checks| checks.iter().find(|one| one["check"] == "network"));
    let found = network.map(|one| (one["level"].clone(), one["found"].clone()));
    assert_eq!(found, Some(("fail".into(), "FABRIC_CFG_PATH /typo does not exist".into())), "{checks:#}");
}

#[test]
fn suggests_what_was_meant_on_the_command_line() {
    let (_folder, ada) = person();
    assert_snapshot!("command_typo", ada.types(["dploy"]));
    let said = ada.types(["invoke", "basic", "Put", "--chanel", "x"]);
    assert!(said.stderr.contains("a similar argument exists: '--channel'"), "{said}");
}

#[test]
fn shows_what_is_in_force_and_where_it_came_from() {
    let (folder, ada) = person();
    let ada = ada.with("FABRIC_CFG_PATH", &folder.path().display().to_string());
    write(
        folder.path(),
        "core.yaml",
        "peer:\n  id: peer0\n  address: localhost:7051\n  localMspId: Org1MSP\n  adress: typo\n  gossip: {bootstrap: x}\n",
    );
    let ada = ada.with("CORE_CHAINCODE_EXECUTETIMEOUT", "1m");
    assert_snapshot!("config_changed", ada.types(["config", "show", "--changed"]));
    let json = ada.types(["config", "show", "--json"]).json();
    let settings = json["settings"].as_array().expect("a list");
    let one = |key: &str| settings.iter().find(|one| one["key"] == key).expect("a setting");
    assert_eq!(one("chaincode.executetimeout")["variable"], "CORE_CHAINCODE_EXECUTETIMEOUT");
    assert_eq!((&one("peer.id")["origin"], &one("metrics.provider")["origin"]), (&"file".into(), &"default".into()));
    assert_snapshot!("config_check", ada.types(["config", "check"]));

    write(folder.path(), "core.yaml", "peer:\n  address: nowhere\n  tls: {enabled: maybe}\n");
    let said = ada.types(["status"]);
    assert!(said.stderr.contains("peer.localMspId is not set"), "{said}");
    assert_snapshot!("config_wrong", ada.types(["config", "check"]));
    let faults = ada.types(["config", "check", "--json"]).json()["faults"].clone();
    assert_eq!(faults.as_array().map(Vec::len), Some(2), "{faults}");
    assert_eq!(ada.types(["config", "show"]).code, Some(1));
    let said = ada.types(["config", "check", "--config", "nosuch.yaml"]);
    assert!(said.stderr.contains("cannot read nosuch.yaml"), "{said}");
}

#[test]
fn examines_chaincode_that_is_a_server() {
    let (folder, ada) = person();
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("an address").port();
    drop(server);
    let connection = |fields: &str| write(folder.path(), "cc/connection.json", &format!("{{{fields}}}"));
    let finding = |check: &str| {
        let checks = ada.types(["doctor", "cc", "--json"]).json()["checks"].clone();
        checks
            .as_array()
            .expect("a list")
            .iter()
            .find(|one| one["check"].as_str().is_some_and(|name| name.starts_with(check)))
            .cloned()
            .unwrap_or_default()
    };
    connection(&format!(r#""address":"127.0.0.1:{port}","dial_timeout":"2s""#));
    assert_eq!(finding("connection.json")["found"], "without TLS, 2s for a dial");
    let nobody = finding("server ");
    assert_eq!(nobody["level"], "warn", "a server may come later: {nobody}");
    assert!(nobody["found"].as_str().is_some_and(|found| found.contains("cannot be connected")), "{nobody}");
    connection(r#""address":"x:1","tls_required":true"#);
    assert_eq!(finding("connection.json")["found"], "chaincode tls root cert not provided");
    connection(r#""address":"{{.peername}}:9999""#);
    assert!(finding("connection.json")["found"].as_str().is_some_and(|found| found.contains("the peer fills in")));
    connection(r#""address":"x""#);
    assert_eq!(finding("server ")["level"], "fail");
    assert_eq!(ada.types(["doctor", "cc"]).code, Some(1));
}

#[test]
fn examines_toolchains_and_external_builders() {
    let (folder, ada) = person();
    write(folder.path(), "cc/go.mod", "module example.com/cc\n\ngo 1.24\n");
    write(folder.path(), "cc/main.go", "package main\n\nfunc main() {}\n");
    write(folder.path(), "core.yaml", "chaincode:\n  externalBuilders:\n    - {name: mine, path: builder}\n");
    // Whatever this machine has, with an empty PATH there is nothing.
    let said = ada.with("PATH", "").types(["doctor", "cc", "--config", "core.yaml"]);
    assert_eq!(said.code, Some(1));
    let line =
        |start: &str| said.stdout.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{said}"));
    assert!(line("fail  go ").ends_with("not found on PATH; it is for Go chaincode"), "{said}");
    assert!(line("fail  builder mine").ends_with("there is no folder builder"), "{said}");
    assert!(!said.stdout.contains("node"), "Go chaincode needs no Node: {said}");
}

#[test]
fn completes_commands_in_shells() {
    let (_folder, ada) = person();
    for shell in ["bash", "zsh", "fish"] {
        let said = ada.types(["completions", shell]);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.stdout.contains("approveformyorg") && said.stdout.contains("deploy"), "{shell}");
    }
    assert!(ada.types(["completions", "bash", "--for", "peer"]).stdout.contains("complete -F _peer"));
}

#[test]
fn every_command_has_help() {
    let (_folder, ada) = person();
    for command in ["deploy", "invoke", "query", "doctor", "status", "logs", "uninstall", "prune"] {
        assert_snapshot!(format!("help_{command}"), ada.types([command, "-h"]));
    }
}
