//! Without arguments: the bundled sample.

use crate::support::{client::Client, place::Place, ready::Ready};

#[tokio::test(flavor = "multi_thread")]
async fn serves_the_bundled_sample_when_nothing_is_named() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;

    client.submit("basic", &["InitLedger"]).await.expect("six assets");
    let created =
        client.submit("basic", &["CreateAsset", "asset7", "blue", "5", "Ada", "300"]).await.expect("an asset");
    let asset: serde_json::Value = serde_json::from_slice(&created.response.payload).expect("JSON");
    assert_eq!(asset["Owner"], "Ada");
    let assets = client.json("basic", &["GetAllAssets"]).await;
    assert_eq!(assets.as_array().map(Vec::len), Some(7));
    let evaluated = client.evaluate("basic", &["AssetExists", "asset7"]).await.expect("a result");
    assert_eq!(evaluated, "true");
    assert_eq!(client.text("basic", &["TransferAsset", "asset7", "Bo"]).await, "Ada");
    assert_eq!(client.json("basic", &["ReadAsset", "asset7"]).await["Owner"], "Ada", "a query changes nothing");
    assert_eq!(client.error("basic", &["ReadAsset", "asset8"]).await, "the asset asset8 does not exist");

    // One line for each transaction, in order.
    let output = windlass.stop();
    let lines: Vec<_> = output.stdout().lines().map(str::to_owned).collect();
    let created = lines.iter().position(|line| line.starts_with("VALID  basic.CreateAsset(asset7, blue, 5, Ada, 300)"));
    let queried = lines.iter().position(|line| line.starts_with("query  basic.AssetExists(asset7)  status 200  "));
    assert!(created.is_some() && created < queried, "{}", output.shown());
    assert!(output.stdout().contains("block 4  reads 1  writes 1  "), "{}", output.shown());
}

#[test]
fn says_everything_that_is_needed_next() {
    let place = Place::new();
    let windlass = place.dev().start();
    let Ready { peer, orderer, chaincode, operations, users, env, .. } = &windlass.ready;
    let banner = windlass.output().stdout();
    let package_id = windlass.package_id("basic");
    for part in [
        "Windlass development network",
        "mychannel",
        "Org1MSP",
        "  windlass invoke basic InitLedger\n  windlass query basic GetAllAssets\n",
        "peer chaincode invoke -o $ORDERER_ADDRESS --tls --cafile $ORDERER_CA -C mychannel -n basic -c ",
        "peer chaincode query -C mychannel -n basic -c ",
        peer.endpoint.as_str(),
        orderer.endpoint.as_str(),
        chaincode.endpoint.as_str(),
        operations.url.as_str(),
        package_id,
        &users.admin.msp.display().to_string(),
        &users.user1.msp.display().to_string(),
        &peer.tls_root_cert.display().to_string(),
        &format!("source {}", env.display()),
    ] {
        assert!(banner.contains(part), "{part} is missing in\n{banner}");
    }
    let colours = banner.contains('\u{1b}');
    assert!(!colours, "no colours where nobody looks: {banner}");
    windlass.stop();
}

#[test]
fn describes_the_network_to_scripts() {
    let place = Place::new();
    let windlass = place.dev().start();
    let Ready { channel, msp_id, data, pid, peer, orderer, chaincode, operations, users, .. } = &windlass.ready;
    let at = |offset| format!("localhost:{}", place.port_base() + offset);
    assert_eq!((channel.as_str(), msp_id.as_str()), ("mychannel", "Org1MSP"));
    assert_eq!(*data, std::fs::canonicalize(place.data()).expect("the folder"));
    assert_eq!(*pid, windlass.pid());
    assert_eq!((&orderer.endpoint, &peer.endpoint), (&at(0), &at(1)));
    assert_eq!((&chaincode.endpoint, &operations.endpoint), (&at(2), &at(3)));
    assert_eq!((peer.hostname.as_str(), orderer.hostname.as_str()), ("peer0.org1.example.com", "orderer.example.com"));
    for user in [&users.admin, &users.user1] {
        assert!(user.msp.join("config.yaml").is_file());
        assert!(user.certificate.is_file() && user.key.is_file());
    }
    let [basic] = windlass.ready.chaincodes.as_slice() else { panic!("one chaincode") };
    assert_eq!((basic.name.as_str(), basic.kind.as_str()), ("basic", "binary"));
    assert_eq!((basic.version.as_str(), basic.sequence), ("1.0", 1));
    assert!(basic.package_id.starts_with("basic:") && basic.package_id.len() == "basic:".len() + 64);
    windlass.stop();
}

#[test]
fn keeps_everything_in_the_current_folder_unless_told_otherwise() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let data = std::fs::canonicalize(place.path().join(".windlass")).expect("the folder");
    assert_eq!(windlass.ready.data, data);
    windlass.stop();
    assert!(data.join("peer").is_dir());
}

#[test]
fn replaces_a_taken_port_and_says_so() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", place.port_base() + 1)).expect("a free port");
    let windlass = place.dev().ephemeral().start();
    let port = taken.local_addr().expect("an address").port();
    assert_ne!(windlass.ready.peer.endpoint, format!("localhost:{port}"));
    let said = windlass.output().stderr();
    let (_, instead) = windlass.ready.peer.endpoint.rsplit_once(':').expect("host:port");
    assert!(said.contains(&format!("port {port} is taken; the peer uses {instead} instead")), "{said}");
    windlass.stop();
}

#[test]
fn keeps_nothing_when_ephemeral() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().start();
    let data = windlass.ready.data.clone();
    assert!(data.starts_with(place.temporary()), "{}", data.display());
    windlass.stop();
    let left: Vec<_> = std::fs::read_dir(place.temporary()).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!place.data().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_the_channel_that_is_asked_for() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().arg("--channel").arg("trade.v2").start();
    let client = Client::user(&windlass.ready).await;
    assert_eq!(windlass.ready.channel, "trade.v2");
    client.submit("basic", &["Put", "k", "v"]).await.expect("a transaction");
    assert_eq!(client.text("basic", &["Get", "k"]).await, "v");
    windlass.stop();
}

#[test]
fn refuses_what_is_no_chaincode_with_a_hint() {
    let place = Place::new();
    let folder = place.folder_with("thesis", &[("chapter1.txt", "Once")]);
    let output = place.dev().chaincode("thesis", &folder).fail();
    let said = output.stderr();
    assert!(said.contains("cannot deploy chaincode thesis from "), "{said}");
    assert!(said.contains("is not chaincode that can be packaged: looked for go.mod (Go)"), "{said}");
}
