//! A network by a connection profile.

use serde_json::json;

use crate::{
    e2e::support::{place::Place, ready::Ready},
    person::{Person, chaincode},
};

#[test]
fn a_connection_profile_names_a_network_and_who_acts() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().args(["--orgs", "2"]).start();
    let ada = Person::at(&place);

    // One that is written for SDKs tells of the peer. Who acts is said otherwise.
    let org2 = Ready::read(&windlass.ready.data.join("network-org2.json"));
    let by_hand = ada.with("WINDLASS_NETWORK", &org2.connection_profile.display().to_string());
    let said = by_hand.types(["query", "basic", "AssetExists", "a1"]);
    assert!(said.stderr.contains("there is no identity of Org2MSP; hint: give --identity DIR"), "{said}");
    let user = org2.users.user1.msp.display().to_string();
    assert_eq!(by_hand.types(["query", "basic", "AssetExists", "a1", "--identity", &user]).stdout, "false");
    let by_hand = by_hand.with("CORE_PEER_MSPCONFIGPATH", &org2.users.admin.msp.display().to_string());
    chaincode(&place, "token", "");
    let approved = by_hand.types(["deploy", "token", "--json"]).json()["chaincodes"][0]["channels"][0].clone();
    assert_eq!(
        (&approved["outcome"], &approved["approvals"]["Org2MSP"]["approved"]),
        (&json!("pending"), &json!(true)),
        "it acts for its organization alone"
    );

    // One with everything in it, in files beside it.
    let (server, user) = (&windlass.ready.peer, &windlass.ready.users.user1);
    let yaml = format!(
        "name: mine
client: {{organization: One}}
organizations:
  One:
    mspid: Org1MSP
    peers: [peer.one]
    users:
      ada:
        cert: {{path: {certificate}}}
        key: {{path: {key}}}
  Two:
peers:
  peer.one:
    url: grpcs://{endpoint}
    tlsCACerts: {{path: {root}}}
    grpcOptions:
      ssl-target-name-override: {hostname}
",
        certificate = user.certificate.display(),
        key = user.key.display(),
        endpoint = server.endpoint,
        root = server.tls_root_cert.display(),
        hostname = server.hostname
    );
    let folder =
        place.folder_with("profiles", &[("mine.yaml", &yaml), ("wrong.yaml", &yaml.replace("grpcs:", "http:"))]);
    let ada = Person::within(&folder).with("WINDLASS_NETWORK", "mine.yaml");
    let invoked = ada.types(["invoke", "basic", "Put", "k", "v", "--json"]).json();
    assert_eq!(invoked["code"], "VALID", "{invoked}");
    assert_eq!(ada.types(["query", "basic", "Get", "k", "--identity", "Ada"]).stdout, "v");
    let said = ada.types(["query", "basic", "Get", "k", "--identity", "Bo"]);
    assert!(said.stderr.contains("--identity Bo: expected the folder of an MSP or a user of Org1MSP: ada"), "{said}");
    let said = ada.types(["status"]);
    assert!(
        said.stderr.contains("the connection profile mine.yaml does not say where the peer's operations endpoint is"),
        "{said}"
    );
    let said = ada.types(["query", "basic", "Get", "k", "--network", "wrong.yaml"]);
    assert!(said.stderr.contains("peers.peer.one.url: expected grpcs://HOST:PORT or grpc://HOST:PORT"), "{said}");
    windlass.stop();
    let said = ada.types(["query", "basic", "Get", "k"]);
    assert!(said.stderr.contains("hint: check the peer's url and tlsCACerts in the profile"), "{said}");
}
