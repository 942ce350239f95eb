//! A peer that runs as a process of its own, against the ordering service of a `windlass dev` network: it joins the
//! channel, gets chaincode, serves clients, survives `kill -9`, and its ledgers are worked on while it is down.

#[path = "../e2e"]
mod e2e {
    #[allow(dead_code)]
    pub(crate) mod support;
}

mod peer;

use std::{fs, process::Command, time::Duration};

use e2e::support::{
    parts,
    place::{self, Place, SAMPLE},
    windlass::Windlass,
};
use peer::NodePeer;
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

const CHANNEL: &str = "mychannel";

/// How long anything may take on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(120);

/// How many blocks the network's own peer of the same organization has.
fn network_height(peer: &NodePeer, windlass: &Windlass) -> u64 {
    peer.height_at(&peer.network_endpoint(windlass)).expect("the network's peer answers")
}

/// Has the peer join the channel, and waits until it has all blocks; how many that are.
fn join(peer: &NodePeer, windlass: &Windlass, place: &Place) -> u64 {
    let genesis = place.path().join("genesis.block").display().to_string();
    peer.client(&["channel", "fetch", "0", &genesis, "-c", CHANNEL, "-o", &windlass.ready.orderer.endpoint]);
    peer.client(&["channel", "join", "-b", &genesis]);
    let height = network_height(peer, windlass);
    peer.reaches(height);
    height
}

/// A client's call through the Gateway of the peer.
#[track_caller]
fn gateway(peer: &NodePeer, windlass: &Windlass, place: &Place, scenario: &str, options: &Value) -> String {
    let description = fs::read(windlass.ready.data.join("network-org2.json")).expect("a description");
    let mut description: Value = serde_json::from_slice(&description).expect("JSON");
    description["peer"]["endpoint"] = peer.endpoint().into();
    let ready = place.path().join("ready-node.json");
    fs::write(&ready, description.to_string()).expect("a file");
    let mut node = Command::new("node");
    node.arg("main.mjs").arg(ready).arg(scenario).arg(options.to_string()).current_dir(parts::gateway_client());
    let output = node.output().expect("Node.js starts");
    assert!(output.status.success(), "{output:?}\n{}", peer.said());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn create(id: &str) -> Value {
    json!({
        "channel": CHANNEL, "chaincode": "basic", "function": "CreateAsset", "args": [id, "blue", "5", "Ada", "100"],
    })
}

fn read(id: &str) -> Value {
    json!({ "channel": CHANNEL, "chaincode": "basic", "function": "ReadAsset", "args": [id] })
}

#[test]
fn a_peer_of_its_own_lives_through_everything() {
    let place = Place::new();
    let windlass = place.dev().args(["--orgs", "2"]).start();
    let mut peer = NodePeer::new(&place, &windlass);
    peer.start();
    assert!(
        peer.said().contains("ID=[peer0.org2.example.com], network ID=[dev], address=[localhost:"),
        "{}",
        peer.said()
    );

    // One process at a time, and nothing of the first is touched.
    let second = peer.command(&["node", "start"]);
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("Error: Failed to create peer server (listen tcp 127.0.0.1:"), "{second:?}");

    join(&peer, &windlass, &place);

    // The package that the network's own peers run; approved and committed it is already.
    let package = peer.package_from(&windlass, &place);
    peer.client(&["lifecycle", "chaincode", "install", &package]);

    // Both organizations must endorse: the other one's peer is known as the channel's anchor.
    peer.waits_for_line("an anchor peer answers");
    gateway(&peer, &windlass, &place, "submit", &create("first"));
    assert!(gateway(&peer, &windlass, &place, "evaluate", &read("first")).contains("Ada"));

    peer.kill();
    peer.start();
    let height = network_height(&peer, &windlass);
    peer.reaches(height);
    peer.waits_for_line("an anchor peer answers");
    gateway(&peer, &windlass, &place, "submit", &create("second"));
    let height = network_height(&peer, &windlass);

    for work in
        [["rollback", "-c", CHANNEL, "-b", "1"].as_slice(), &["reset"], &["pause", "-c", CHANNEL], &["rebuild-dbs"]]
    {
        let refused = peer.offline(work);
        assert_eq!(refused.code, Some(1), "{work:?}");
        assert!(
            refused.stderr.starts_with("Error: as another peer node command is executing, wait for that command to "),
            "{work:?}: {}",
            refused.stderr
        );
    }
    peer.stop();

    for work in [["rollback", "-c", CHANNEL, "-b", "2"].as_slice(), &["reset"], &["rebuild-dbs"]] {
        let done = peer.offline(work);
        assert_eq!(done.code, Some(0), "{done:?}");
        peer.start();
        peer.reaches(height);
        peer.waits_for_line("an anchor peer answers");
        assert!(gateway(&peer, &windlass, &place, "evaluate", &read("second")).contains("Ada"), "after {work:?}");
        peer.stop();
    }

    let paused = peer.offline(&["pause", "-c", CHANNEL]);
    assert!(paused.stderr.contains("The channel [mychannel] has been successfully paused"), "{paused:?}");
    peer.start();
    assert!(!peer.client(&["channel", "list"]).contains(CHANNEL));
    peer.stop();
    assert_eq!(peer.offline(&["resume", "-c", CHANNEL]).code, Some(0));
    peer.start();
    peer.reaches(height);
    peer.stop();

    assert_eq!(peer.offline(&["unjoin", "-c", CHANNEL]).code, Some(0));
    assert_eq!(peer.offline(&["upgrade-dbs"]).code, Some(1));
    peer.start();
    assert!(!peer.client(&["channel", "list"]).contains(CHANNEL));
    let genesis = place.path().join("genesis.block").display().to_string();
    peer.client(&["channel", "join", "-b", &genesis]);
    peer.reaches(height);
    peer.stop();
    windlass.stop();
}

#[test]
fn a_peer_waits_for_an_orderer_that_is_away() {
    let place = Place::new();
    let start = || place.dev().args(["--orgs", "2"]).start();
    let windlass = start();
    let mut peer = NodePeer::new(&place, &windlass);
    peer.start();
    let height = join(&peer, &windlass, &place);
    windlass.stop();
    peer.waits_for_line("the ordering service");
    assert_eq!(peer.height(), Some(height), "it serves what it has");
    let windlass = start();
    peer.invoke_at(&windlass, "basic", r#"{"Args":["InitLedger"]}"#);
    peer.reaches(height + 1);
    peer.stop();
    windlass.stop();
}

/// Passes on what comes to a port where the network is no more.
async fn forward(from: u16, to: u16) {
    let listener = TcpListener::bind(("127.0.0.1", from)).await.expect("a free port");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_down_stops_no_commit_that_needs_it_not() {
    let place = Place::new();
    let dev = || place.dev().args(["--orgs", "3"]);
    dev().start().stop();
    // The channel names ports where nobody listens any more: neither orderer nor peer, unless we let them.
    let (before, now) = (place.port_base(), place::free_block());
    let windlass = dev().at_ports_from(now).start();
    for of in [0, 1] {
        forward(before + of, now + of).await;
    }
    let mut peer = NodePeer::new(&place, &windlass);
    peer.start();
    let height = join(&peer, &windlass, &place);
    peer.waits_for_line("an anchor peer answers");

    // The first organization approves; with the second one those are enough, and the third one's peer is away.
    let token = place.program("token", SAMPLE).display().to_string();
    let network = windlass.ready.data.join("network-org1.json").display().to_string();
    let approved = peer.command(&["deploy", &token, "--approve-only", "--network", &network]);
    assert_eq!(approved.code, Some(0), "{approved:?}");
    peer.reaches(height + 1);
    let said = peer.client(&["deploy", &token, "--json"]);
    assert!(said.contains(r#""outcome": "deployed""#), "{said}");
    peer.stop();
    windlass.stop();
}
