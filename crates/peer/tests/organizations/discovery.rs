//! What Discovery tells, and whom.

use prost::Message;
use tonic::Code;
use windlass_proto::{
    discovery::{
        ChaincodeQuery, ConfigQuery, LocalPeerQuery, Peer, PeerMembershipQuery, query::Query,
        query_result::Result as Found,
    },
    gossip::{GossipMessage, gossip_message::Content},
    protos::{ChaincodeCall, ChaincodeInterest},
};

use crate::{
    client::Client,
    network::{CHANNEL, Definition, Network, org},
};

async fn ask(client: &Client, channel: &str, query: Query) -> Found {
    client.discover(channel, query).await.expect("an answer").result.expect("a result")
}

async fn refusal(client: &Client, channel: &str, query: Query) -> String {
    match ask(client, channel, query).await {
        Found::Error(error) => error.content,
        other => panic!("expected an error: {other:?}"),
    }
}

fn interest(names: &[&str]) -> ChaincodeInterest {
    let call = |name: &&str| ChaincodeCall { name: (*name).to_owned(), ..Default::default() };
    ChaincodeInterest { chaincodes: names.iter().map(call).collect() }
}

fn endorsers(names: &[&str]) -> Query {
    Query::CcQuery(ChaincodeQuery { interests: vec![interest(names)] })
}

fn endpoint(peer: &Peer) -> String {
    let envelope = peer.membership_info.as_ref().expect("membership");
    match GossipMessage::decode(envelope.payload.clone()).expect("a message").content {
        Some(Content::AliveMsg(alive)) => alive.membership.expect("a member").endpoint,
        other => panic!("{other:?}"),
    }
}

/// Height, and chaincodes with their sequences.
fn state(peer: &Peer) -> (u64, Vec<String>) {
    let envelope = peer.state_info.as_ref().expect("state");
    match GossipMessage::decode(envelope.payload.clone()).expect("a message").content {
        Some(Content::StateInfo(state)) => {
            let properties = state.properties.expect("properties");
            let chaincodes = properties.chaincodes.iter().map(|one| format!("{} {}", one.name, one.version));
            (properties.ledger_height, chaincodes.collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_members_of_configuration_peers_and_endorsers() {
    let mut network = Network::start(3).await;
    network.deploy(&Definition::new("basic", None), &[0, 1, 2]).await;
    network.deploy(&Definition::new("narrow", Some("AND('Org1MSP.peer', 'Org2MSP.peer')")), &[0, 1]).await;
    let user = network.user(0).await;

    let Found::ConfigResult(config) = ask(&user, CHANNEL, Query::ConfigQuery(ConfigQuery {})).await else { panic!() };
    assert_eq!(config.msps.keys().collect::<Vec<_>>(), ["OrdererMSP", "Org1MSP", "Org2MSP", "Org3MSP"]);
    assert_eq!(config.orderers["OrdererMSP"].endpoint[0].port, 7050);

    let everyone = Query::PeerQuery(PeerMembershipQuery { filter: None });
    let Found::Members(members) = ask(&user, CHANNEL, everyone).await else { panic!() };
    for organization in 0..3 {
        let peers = &members.peers_by_org[&org(organization)].peers;
        assert_eq!(peers.iter().map(endpoint).collect::<Vec<_>>(), [network.endpoint(organization)]);
        let (height, chaincodes) = state(&peers[0]);
        assert_eq!(height, 9, "a block for the channel, and four for each definition");
        let narrow = (organization < 2).then_some("narrow 1");
        let expected: Vec<_> = ["basic 1"].into_iter().chain(narrow).chain(["_lifecycle 1"]).collect();
        assert_eq!(chaincodes, expected);
        assert!(!peers[0].identity.is_empty());
    }
    let having = Query::PeerQuery(PeerMembershipQuery { filter: Some(interest(&["narrow"])) });
    let Found::Members(members) = ask(&user, CHANNEL, having).await else { panic!() };
    let having: Vec<usize> = members.peers_by_org.values().map(|peers| peers.peers.len()).collect();
    assert_eq!(having, [1, 1, 0]);

    let Found::CcQueryRes(found) = ask(&user, CHANNEL, endorsers(&["narrow"])).await else { panic!() };
    let [descriptor] = &found.content[..] else { panic!("{found:?}") };
    assert_eq!((descriptor.chaincode.as_str(), descriptor.layouts.len()), ("narrow", 1));
    let groups: Vec<&String> = descriptor.layouts[0].quantities_by_group.keys().collect();
    assert_eq!(groups, ["G0", "G1"]);
    assert!(descriptor.layouts[0].quantities_by_group.values().all(|quantity| *quantity == 1));
    let mut found: Vec<String> =
        descriptor.endorsers_by_groups.values().flat_map(|group| group.peers.iter().map(endpoint)).collect();
    found.sort();
    let mut expected = [network.endpoint(0), network.endpoint(1)];
    expected.sort_unstable();
    assert_eq!(found, expected);

    for (names, layouts) in [(&["basic"][..], 3), (&["_lifecycle"], 3), (&["basic", "narrow"], 1)] {
        let Found::CcQueryRes(found) = ask(&user, CHANNEL, endorsers(names)).await else { panic!("{names:?}") };
        assert_eq!(found.content[0].layouts.len(), layouts, "{names:?}");
    }
    let text = refusal(&user, CHANNEL, endorsers(&["nope"])).await;
    assert_eq!(text, r#"failed constructing descriptor for chaincodes:{name:"nope"}"#);
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_nothing_to_those_who_may_not_know() {
    let network = Network::start(2).await;
    let config = || Query::ConfigQuery(ConfigQuery {});
    let local = || Query::LocalPeers(LocalPeerQuery {});
    let (user, admin) = (network.user(0).await, network.admin(0).await);
    assert_eq!(refusal(&user, "elsewhere", config()).await, "access denied");
    assert_eq!(refusal(&user, "", local()).await, "access denied");
    assert_eq!(refusal(&admin, "", config()).await, "unknown or missing request type");
    assert_eq!(refusal(&admin, CHANNEL, local()).await, "unknown or missing request type");
    let Found::Members(members) = ask(&admin, "", local()).await else { panic!() };
    assert_eq!(members.peers_by_org.keys().collect::<Vec<_>>(), ["Org1MSP", "Org2MSP"]);
    assert!(members.peers_by_org["Org2MSP"].peers[0].state_info.is_none());

    // Signed by somebody else than is claimed.
    let forger = Client { identity: network.user(1).await.identity, ..user.clone() };
    let mut forged = forger.clone();
    forged.tls_hash = user.tls_hash.clone();
    assert!(
        matches!(ask(&forged, CHANNEL, config()).await, Found::ConfigResult(_)),
        "any member of the channel may ask"
    );
    // Bound to another connection.
    let unbound = Client { tls_hash: network.user(1).await.tls_hash, ..user };
    let status = unbound.discover(CHANNEL, config()).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unknown);
    assert_eq!(status.message(), "client claimed TLS hash doesn't match computed TLS hash from gRPC stream");
    network.end().await;
}
