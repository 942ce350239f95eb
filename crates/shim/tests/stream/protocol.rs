//! Registration, transactions, keepalive, and what ends a stream.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use tokio::sync::Notify;
use windlass_proto::{
    envelope::{Call, build_proposal},
    hash::sha256_of,
    msp::SerializedIdentity,
    protos::{GetState, SignedProposal, chaincode_message::Type},
};
use windlass_shim::{
    Chaincode, Error, Outcome, Response, Stub, client::RunError, server::Server, server::ServerConfig,
};
use windlass_transport::{ClientTls, DialOptions, dial};

use crate::peer::{ALL_ABILITIES, CHAINCODE_ID, Gate, Material, Peer, Way, message};

/// Echoes, reads, waits, fails.
struct Tester {
    gate: Gate,
}

impl Tester {
    fn new() -> Self {
        Self { gate: Arc::new(Notify::new()) }
    }
}

impl Chaincode for Tester {
    async fn init(&self, stub: &Stub) -> Outcome {
        if stub.function() == "fail" { Err("init failed".into()) } else { Ok(Response::ok("initialized")) }
    }

    async fn invoke(&self, stub: &Stub) -> Outcome {
        match stub.function() {
            "echo" => Ok(Response::ok(stub.parameters().concat())),
            "get" => Ok(Response::ok(stub.get(stub.text(0)?).await?.unwrap_or_default())),
            "wait" => {
                self.gate.notified().await;
                Ok(Response::ok("waited"))
            }
            "give up" => {
                // A request that its caller drops: its answer still comes, and must not reach the next one.
                let gone = tokio::time::timeout(Duration::from_millis(1), stub.get("first")).await;
                assert!(gone.is_err(), "the peer does not answer yet");
                self.gate.notify_one();
                Ok(Response::ok(stub.get("second").await?.unwrap_or_default()))
            }
            "together" => {
                let (a, b) = tokio::join!(stub.get("a"), stub.get("b"));
                Ok(Response::ok([a?.unwrap_or_default(), b?.unwrap_or_default()].concat()))
            }
            "describe" => Ok(Response::ok(describe(stub)?)),
            "event" => {
                stub.set_event("first", "1")?;
                stub.set_event("second", "2")?;
                Ok(Response::ok(""))
            }
            "status" => Ok(Response { status: 418, message: "teapot".into(), payload: Bytes::from("tea") }),
            "panic" => panic!("told to"),
            other => Err(Error::with_status(404, format!("no function {other}"))),
        }
    }
}

fn describe(stub: &Stub) -> Result<String, Error> {
    Ok(format!(
        "{} {} {} {} {} {:?}",
        stub.channel(),
        stub.tx_id(),
        stub.creator_msp_id()?,
        stub.timestamp().map_or(0, |timestamp| timestamp.seconds),
        stub.binding().iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        stub.transient(),
    ))
}

#[tokio::test]
async fn serves_a_transaction_in_both_directions_with_and_without_tls() {
    for way in Way::ALL {
        let mut peer = Peer::ready(way, Tester::new()).await;
        peer.transact("tx1", &["get", "key"]).await;
        let (request, get) = peer.expect_request::<GetState>(Type::GetState).await;
        assert_eq!(get, GetState { key: "key".to_owned(), collection: String::new() }, "{way:?}");
        assert_eq!((request.txid.as_str(), request.channel_id.as_str()), ("tx1", "channel"));
        peer.answer(&request, "value").await;
        let completed = peer.expect(Type::Completed).await;
        assert_eq!((completed.txid.as_str(), completed.channel_id.as_str()), ("tx1", "channel"));
        let response = windlass_proto::protos::Response::decode(completed.payload).expect("a response");
        assert_eq!(Response::from(response), Response::ok("value"));
    }
}

#[tokio::test]
async fn speaks_first_and_says_nothing_but_register_until_it_is_answered() {
    for way in Way::ALL {
        let mut peer = Peer::connect(way, Tester::new()).await;
        peer.expect(Type::Register).await;
        let more = tokio::time::timeout(Duration::from_millis(50), peer.next()).await;
        assert!(more.is_err(), "{way:?}");
    }
}

#[tokio::test]
async fn runs_transactions_beside_each_other() {
    let tester = Tester::new();
    let gate = Arc::clone(&tester.gate);
    let mut peer = Peer::ready(Way::PeerDials, tester).await;
    peer.transact("slow", &["wait"]).await;
    peer.transact("fast", &["echo", "a", "b"]).await;
    let completed = peer.expect(Type::Completed).await;
    assert_eq!(completed.txid, "fast");
    gate.notify_one();
    let completed = peer.expect(Type::Completed).await;
    assert_eq!(completed.txid, "slow");
}

#[tokio::test]
async fn has_one_request_of_a_transaction_under_way() {
    let mut peer = Peer::ready(Way::ChaincodeDials, Tester::new()).await;
    peer.transact("tx", &["together"]).await;
    let first = peer.expect(Type::GetState).await;
    let early = tokio::time::timeout(Duration::from_millis(50), peer.next()).await;
    assert!(early.is_err(), "the second request waits for the first answer");
    peer.answer(&first, "1").await;
    let second = peer.expect(Type::GetState).await;
    peer.answer(&second, "2").await;
    assert_eq!(peer.expect_response().await, Response::ok("12"));
}

#[tokio::test]
async fn keeps_the_answer_to_a_dropped_request_from_the_next() {
    let tester = Tester::new();
    let gate = Arc::clone(&tester.gate);
    let mut peer = Peer::ready(Way::PeerDials, tester).await;
    peer.transact("tx", &["give up"]).await;
    let first = peer.expect(Type::GetState).await;
    gate.notified().await;
    peer.answer(&first, "for the first").await;
    let (second, get) = peer.expect_request::<GetState>(Type::GetState).await;
    assert_eq!(get.key, "second");
    peer.answer(&second, "for the second").await;
    assert_eq!(peer.expect_response().await, Response::ok("for the second"));
}

#[tokio::test]
async fn passes_the_peers_error_on_word_for_word() {
    let mut peer = Peer::ready(Way::PeerDials, Tester::new()).await;
    peer.transact("tx", &["get", "key"]).await;
    let request = peer.expect(Type::GetState).await;
    peer.refuse(&request, "GET_STATE failed: transaction ID: tx: no ledger context").await;
    let expected = Response::error("GET_STATE failed: transaction ID: tx: no ledger context");
    assert_eq!(peer.expect_response().await, expected);
}

#[tokio::test]
async fn completes_transactions_whatever_their_status() {
    let mut peer = Peer::ready(Way::PeerDials, Tester::new()).await;
    peer.transact("tx1", &["status"]).await;
    let expected = Response { status: 418, message: "teapot".into(), payload: "tea".into() };
    assert_eq!(peer.expect_response().await, expected);
    peer.transact("tx2", &["nothing"]).await;
    let expected = Response { status: 404, ..Response::error("no function nothing") };
    assert_eq!(peer.expect_response().await, expected);
    peer.transact("tx3", &["get"]).await;
    assert_eq!(peer.expect_response().await, Response::error("parameter 0 is missing"));
}

#[tokio::test]
async fn answers_a_failed_init_with_an_error() {
    let mut peer = Peer::ready(Way::ChaincodeDials, Tester::new()).await;
    peer.call(Type::Init, "tx1", &["fine"], None).await;
    assert_eq!(peer.expect_response().await, Response::ok("initialized"));
    peer.call(Type::Init, "tx2", &["fail"], None).await;
    let error = peer.expect(Type::Error).await;
    assert_eq!(error.payload, "init failed");
    assert_eq!((error.txid.as_str(), error.channel_id.as_str()), ("tx2", "channel"));
}

#[tokio::test]
async fn survives_a_panic_and_bad_input() {
    let mut peer = Peer::ready(Way::PeerDials, Tester::new()).await;
    peer.transact("tx1", &["panic"]).await;
    assert_eq!(peer.expect(Type::Error).await.payload, "chaincode panicked: told to");
    peer.send(message(Type::Transaction, "channel", "tx2", Bytes::from_static(&[0xff]))).await;
    let error = peer.expect(Type::Error).await;
    assert!(error.payload.starts_with(b"the peer's answer is not a ChaincodeInput: "), "{error:?}");
    let proposal = SignedProposal { proposal_bytes: Bytes::from_static(&[0xff]), signature: Bytes::new() };
    peer.call(Type::Transaction, "tx3", &["echo"], Some(proposal)).await;
    assert_eq!(peer.expect(Type::Error).await.txid, "tx3");
    peer.transact("tx4", &["echo", "still here"]).await;
    assert_eq!(peer.expect_response().await, Response::ok("still here"));
}

#[tokio::test]
async fn sends_the_last_event_with_the_response() {
    let mut peer = Peer::ready(Way::PeerDials, Tester::new()).await;
    peer.transact("tx", &["event"]).await;
    let event = peer.expect(Type::Completed).await.chaincode_event.expect("an event");
    assert_eq!((event.event_name.as_str(), event.payload), ("second", Bytes::from("2")));
}

#[tokio::test]
async fn takes_the_callers_data_from_the_proposal() {
    let mut peer = Peer::ready(Way::PeerDials, Tester::new()).await;
    let creator = SerializedIdentity { mspid: "Org1MSP".into(), ..Default::default() }.encode_to_vec().into();
    let call = Call {
        channel: "channel".into(),
        chaincode: "sample".into(),
        transient: [("secret".to_owned(), Bytes::from("s"))].into(),
        ..Default::default()
    };
    let now = prost_types::Timestamp { seconds: 1234, nanos: 0 };
    let (proposal_bytes, _) = build_proposal(&call, &creator, b"nonce", now);
    let proposal = SignedProposal { proposal_bytes, signature: Bytes::new() };
    peer.call(Type::Transaction, "tx", &["describe"], Some(proposal)).await;
    let binding: String = sha256_of([&b"nonce"[..], &creator, &[0; 8]]).iter().map(|b| format!("{b:02x}")).collect();
    let expected = format!("channel tx Org1MSP 1234 {binding} {{\"secret\": b\"s\"}}");
    assert_eq!(peer.expect_response().await, Response::ok(expected));
}

#[tokio::test]
async fn echoes_keepalive_in_every_state() {
    for way in [Way::ChaincodeDials, Way::PeerDials] {
        let mut peer = Peer::connect(way, Tester::new()).await;
        peer.expect(Type::Register).await;
        let keepalive = || message(Type::Keepalive, "", "", Bytes::new());
        peer.send(keepalive()).await;
        peer.expect(Type::Keepalive).await;
        peer.send(message(Type::Registered, "", "", Bytes::new())).await;
        peer.send(keepalive()).await;
        peer.expect(Type::Keepalive).await;
        peer.send(message(Type::Ready, "", "", ALL_ABILITIES.encode_to_vec().into())).await;
        peer.send(keepalive()).await;
        peer.expect(Type::Keepalive).await;
    }
}

#[tokio::test]
async fn ends_the_stream_at_a_message_that_its_state_does_not_take() {
    let registered = message(Type::Registered, "", "", Bytes::new());
    for (before, wrong, state) in [
        (vec![], Type::Ready, "created"),
        (vec![], Type::Transaction, "created"),
        (vec![registered.clone()], Type::Registered, "established"),
        (vec![registered.clone()], Type::Response, "established"),
        (vec![registered.clone(), message(Type::Ready, "", "", Bytes::new())], Type::Register, "ready"),
        (vec![registered, message(Type::Ready, "", "", Bytes::new())], Type::Undefined, "ready"),
    ] {
        let mut peer = Peer::connect(Way::ChaincodeDials, Tester::new()).await;
        peer.expect(Type::Register).await;
        for message in before {
            peer.send(message).await;
        }
        peer.send(message(wrong, "channel", "0123456789", Bytes::new())).await;
        let error = peer.expect(Type::Error).await;
        let text = format!("[01234567] cannot handle message {} in state {state}", wrong.as_str_name());
        assert_eq!(String::from_utf8_lossy(&error.payload), text);
        assert_eq!((error.txid.as_str(), error.channel_id.as_str()), ("0123456789", ""));
        assert!(peer.next().await.is_none());
        let ended = peer.hang_up().await.expect_err("a broken protocol");
        assert_eq!(ended.to_string(), text);
    }
}

#[tokio::test]
async fn ends_the_stream_at_an_answer_to_no_request() {
    let mut peer = Peer::ready(Way::PeerDials, Tester::new()).await;
    peer.send(message(Type::Response, "channel", "0123456789", Bytes::new())).await;
    let status = peer.next().await.expect("a status").expect_err("an error");
    assert_eq!(status.message(), "[01234567] received RESPONSE, but no request is waiting for an answer");
    assert!(peer.is_served(), "a chaincode server goes on for other peers");
}

#[tokio::test]
async fn ends_when_the_peer_hangs_up() {
    let mut peer = Peer::ready(Way::ChaincodeDials, Tester::new()).await;
    peer.transact("tx", &["wait"]).await;
    peer.send(message(Type::Keepalive, "", "", Bytes::new())).await;
    peer.expect(Type::Keepalive).await;
    peer.hang_up().await.expect("an orderly end");
}

#[tokio::test]
async fn carries_values_of_many_megabytes() {
    for way in [Way::ChaincodeDialsWithTls, Way::PeerDials] {
        let mut peer = Peer::ready(way, Tester::new()).await;
        peer.transact("tx", &["get", "big"]).await;
        let request = peer.expect(Type::GetState).await;
        let big = Bytes::from(vec![7; 20 << 20]);
        peer.answer(&request, big.clone()).await;
        assert!(peer.expect_response().await == Response::ok(big), "{way:?}");
    }
}

#[tokio::test]
async fn serves_several_peers_and_stops_when_asked() {
    let config = ServerConfig { address: "127.0.0.1:0".into(), chaincode_id: CHAINCODE_ID.into(), tls: None };
    let server = Server::bind(config).await.expect("a port");
    let address = server.address().to_string();
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let serving = tokio::spawn(server.serve(Tester::new(), async move { stopped.notified().await }));
    let mut streams = Vec::new();
    for _ in 0..2 {
        let channel = dial(&address, None, &DialOptions::default()).await.expect("a connection");
        let mut client = windlass_proto::protos::chaincode_client::ChaincodeClient::new(channel);
        let mut stream = client.connect(futures::stream::pending()).await.expect("a stream").into_inner();
        let register = stream.message().await.expect("a message").expect("an open stream");
        assert_eq!(register.r#type(), Type::Register);
        streams.push(stream);
    }
    stop.notify_one();
    for mut stream in streams {
        assert_eq!(stream.message().await.expect("an orderly end"), None);
    }
    serving.await.expect("no panic").expect("an orderly end");
}

#[tokio::test]
async fn refuses_peers_without_a_certificate_where_one_is_required() {
    let material = Material::new();
    let config =
        ServerConfig { address: "127.0.0.1:0".into(), chaincode_id: CHAINCODE_ID.into(), tls: Some(material.server()) };
    let server = Server::bind(config).await.expect("a port");
    let address = format!("localhost:{}", server.address().port());
    tokio::spawn(server.serve(Tester::new(), std::future::pending()));
    for tls in [ClientTls { identity: None, ..material.client() }, Material::new().client()] {
        let refused = async {
            let channel = dial(&address, Some(&tls), &DialOptions::default()).await.map_err(|_| ())?;
            let mut client = windlass_proto::protos::chaincode_client::ChaincodeClient::new(channel);
            client.connect(futures::stream::pending()).await.map_err(|_| ())
        };
        assert!(refused.await.is_err());
    }
}

#[tokio::test]
async fn says_why_the_peer_cannot_be_reached() {
    let config = windlass_shim::client::ClientConfig {
        peer_address: "localhost:1".into(),
        chaincode_id: CHAINCODE_ID.into(),
        tls: None,
    };
    let error = windlass_shim::client::run(config, Tester::new()).await.expect_err("nobody listens");
    assert!(matches!(error, RunError::Dial(_)), "{error}");
    assert!(error.to_string().starts_with("cannot connect to the peer: "), "{error}");
}
