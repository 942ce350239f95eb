//! Files for other tools: cryptogen's layout, `env.sh`, the connection profile.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::place::Place;

#[test]
fn lays_certificates_out_as_cryptogen_does() {
    let place = Place::new();
    let windlass = place.dev().start();
    let root = windlass.ready.data.join("organizations");
    let mut expected = Vec::new();
    for (organization, domain, node, users) in [
        ("peerOrganizations", "org1.example.com", "peers/peer0.org1.example.com", &["Admin", "User1"][..]),
        ("ordererOrganizations", "example.com", "orderers/orderer.example.com", &["Admin"]),
    ] {
        let folder = format!("{organization}/{domain}");
        for (authority, prefix) in [("ca", "ca"), ("tlsca", "tlsca")] {
            expected.push(format!("{folder}/{authority}/{prefix}.{domain}-cert.pem"));
            expected.push(format!("{folder}/{authority}/priv_sk"));
        }
        expected.extend(msp(&format!("{folder}/msp"), domain));
        let host = node.rsplit('/').next().expect("a name");
        let users = users.iter().map(|user| (format!("users/{user}@{domain}"), format!("{user}@{domain}"), "client"));
        for (member, name, tls) in users.chain([(node.to_owned(), host.to_owned(), "server")]) {
            expected.extend(msp(&format!("{folder}/{member}/msp"), domain));
            expected.push(format!("{folder}/{member}/msp/signcerts/{name}-cert.pem"));
            expected.push(format!("{folder}/{member}/msp/keystore/priv_sk"));
            for file in ["ca.crt".to_owned(), format!("{tls}.crt"), format!("{tls}.key")] {
                expected.push(format!("{folder}/{member}/tls/{file}"));
            }
        }
    }
    expected.sort();
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort();
    assert_eq!(found, expected);
    windlass.stop();
}

/// What every MSP folder has.
fn msp(folder: &str, domain: &str) -> Vec<String> {
    vec![
        format!("{folder}/config.yaml"),
        format!("{folder}/cacerts/ca.{domain}-cert.pem"),
        format!("{folder}/tlscacerts/tlsca.{domain}-cert.pem"),
    ]
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).expect("below").display().to_string());
        }
    }
}

#[test]
fn hides_private_keys_from_others() {
    let place = Place::new();
    let windlass = place.dev().start();
    let root = &windlass.ready.data;
    let mut files = Vec::new();
    collect(root, &root.join("organizations"), &mut files);
    let keys: Vec<_> = files.iter().filter(|file| file.ends_with("_sk") || file.ends_with(".key")).collect();
    assert!(keys.len() >= 10, "{keys:?}");
    for key in keys {
        let mode = fs::metadata(root.join(key)).expect("a key").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{key}");
    }
    let store = root.join("peer/lifecycle/chaincodes");
    let mode = |path: PathBuf| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(store.clone()), 0o750);
    for package in fs::read_dir(store).expect("a folder") {
        assert_eq!(mode(package.expect("an entry").path()), 0o600);
    }
    windlass.stop();
}

#[test]
fn sets_the_environment_of_the_peer_command() {
    let place = Place::new();
    let windlass = place.dev().start();
    let ready = &windlass.ready;
    let names = [
        "CORE_PEER_ADDRESS",
        "CORE_PEER_LOCALMSPID",
        "CORE_PEER_MSPCONFIGPATH",
        "CORE_PEER_TLS_ENABLED",
        "CORE_PEER_TLS_ROOTCERT_FILE",
        "ORDERER_ADDRESS",
        "ORDERER_CA",
        "CHANNEL_NAME",
        "FABRIC_CFG_PATH",
    ];
    let script = names.iter().fold(". \"$0\"".to_owned(), |script, name| format!("{script}; echo \"${name}\""));
    let output = Command::new("sh").args(["-euc", &script]).arg(&ready.env).output().expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let values = String::from_utf8(output.stdout).expect("text");
    let values: Vec<_> = values.lines().collect();
    let text = |path: &Path| path.display().to_string();
    assert_eq!(
        values[..8],
        [
            &ready.peer.endpoint,
            "Org1MSP",
            &text(&ready.users.admin.msp),
            "true",
            &text(&ready.peer.tls_root_cert),
            &ready.orderer.endpoint,
            &text(&ready.orderer.tls_root_cert),
            "mychannel",
        ]
    );
    let core = fs::read_to_string(Path::new(values[8]).join("core.yaml")).expect("a core.yaml");
    assert!(core.contains("BCCSP:"), "{core}");
    windlass.stop();
}

#[test]
fn writes_a_connection_profile_for_older_sdks() {
    let place = Place::new();
    let windlass = place.dev().start();
    let ready = &windlass.ready;
    assert_eq!(ready.connection_profile, ready.data.join("connection-org1.json"));
    let text = fs::read_to_string(&ready.connection_profile).expect("a profile");
    let profile: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(profile["client"]["organization"], "Org1");
    assert_eq!(profile["organizations"]["Org1"]["mspid"], "Org1MSP");
    assert_eq!(profile["organizations"]["Org1"]["peers"][0], "peer0.org1.example.com");
    let peer = &profile["peers"]["peer0.org1.example.com"];
    assert_eq!(peer["url"], format!("grpcs://{}", ready.peer.endpoint));
    let root = fs::read_to_string(&ready.peer.tls_root_cert).expect("a certificate");
    assert_eq!(peer["tlsCACerts"]["pem"].as_str(), Some(root.as_str()));
    assert_eq!(peer["grpcOptions"]["ssl-target-name-override"], "peer0.org1.example.com");
    let orderer = &profile["orderers"]["orderer.example.com"];
    assert_eq!(orderer["url"], format!("grpcs://{}", ready.orderer.endpoint));
    assert_eq!(profile["channels"]["mychannel"]["orderers"][0], "orderer.example.com");
    windlass.stop();
}
