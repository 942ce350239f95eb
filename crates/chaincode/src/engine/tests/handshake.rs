//! REGISTER, and what is refused in silence.

use std::time::Duration;

use bytes::Bytes;
use tonic::Code;
use windlass_proto::protos::{ChaincodeMessage, GetState, chaincode_message::Type};
use windlass_transport::ClientTls;

use super::{
    harness::{Harness, ok},
    wire::{Wire, text, until},
};
use crate::engine::ChaincodeState;

#[tokio::test]
async fn a_launched_chaincode_registers_and_serves() {
    let (harness, mut wire) = Harness::serving().await;
    let status = harness.engine.status();
    assert_eq!((status[0].id.as_str(), &status[0].state), ("cc:1", &ChaincodeState::Serving));
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("done")).await;
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("done"));
}

#[tokio::test]
async fn an_unsolicited_registration_meets_silence() {
    let harness = Harness::start().await;
    let mut wire = harness.dial().await;
    wire.say_register("stranger:1").await;
    wire.hears_nothing().await;
    // The stream stays as it was: once the launch is wanted, the same stream may register.
    harness.define("stranger");
    let launch = harness.launch("stranger:1");
    let _life = harness.run().await.keep();
    wire.register("stranger:1").await;
    launch.await.expect("no panic").expect("launched");
}

#[tokio::test]
async fn a_duplicate_meets_silence_and_takes_nothing_with_it() {
    let (harness, mut wire) = Harness::serving().await;
    let mut duplicate = harness.dial().await;
    duplicate.say_register("cc:1").await;
    duplicate.hears_nothing().await;
    drop(duplicate);
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("still here")).await;
    assert!(executed.await.expect("no panic").is_ok());
    assert_eq!(*harness.source.builds.lock(), 1);
}

#[tokio::test]
async fn registrations_that_say_nothing_meet_silence() {
    let harness = Harness::start().await;
    let mut wire = harness.dial().await;
    wire.say_register("").await;
    let payload = Bytes::from_static(&[0xff]);
    wire.send_message(ChaincodeMessage { r#type: Type::Register as i32, payload, ..Default::default() }).await;
    wire.hears_nothing().await;
}

#[tokio::test]
async fn anything_but_register_ends_a_new_stream() {
    let harness = Harness::start().await;
    let mut wire = harness.dial().await;
    wire.send(Type::Keepalive, &()).await;
    wire.send(Type::GetState, &GetState::default()).await;
    let end = wire.end().await;
    assert_eq!(end.code(), Code::Unknown);
    assert_eq!(
        end.message(),
        "error handling message, ending stream: [] Fabric side handler cannot handle message (GET_STATE) while in \
         created state"
    );
}

#[tokio::test]
async fn unknown_types_and_a_second_register_end_a_ready_stream() {
    let unexpected = |kind: &str| {
        format!(
            "error handling message, ending stream: [t] Fabric side handler cannot handle message ({kind}) while in \
             ready state"
        )
    };
    for (number, name) in
        [(Type::Register as i32, "REGISTER"), (Type::Ready as i32, "READY"), (0, "UNDEFINED"), (12, "12"), (99, "99")]
    {
        let (_harness, mut wire) = Harness::serving().await;
        let message = ChaincodeMessage { r#type: number, txid: String::from("t"), ..Default::default() };
        wire.send_message(message).await;
        assert_eq!(wire.end().await.message(), unexpected(name));
    }
}

#[tokio::test]
async fn a_chaincode_that_hangs_up_sees_eof_and_is_launched_anew() {
    let (harness, wire) = Harness::serving().await;
    drop(wire);
    until("the session ends", || harness.engine.status()[0].state != ChaincodeState::Serving).await;
    let executed = harness.call("cc", "tx");
    let _life = harness.run().await.keep();
    let mut wire = harness.dial().await;
    wire.register("cc:1").await;
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("again")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn sends_keepalive_from_the_start_when_configured() {
    let harness = Harness::with(|config| config.keepalive = Some(Duration::from_millis(20))).await;
    let mut wire = harness.dial().await;
    let message = wire.next().await;
    assert_eq!(message, ChaincodeMessage { r#type: Type::Keepalive as i32, ..Default::default() });
    wire.send_message(message).await;
    assert_eq!(wire.next().await.r#type, Type::Keepalive as i32);
}

#[tokio::test]
async fn with_tls_the_certificate_names_the_chaincode() {
    let harness = Harness::with(|config| config.tls = true).await;
    harness.define("cc");
    let launch = harness.launch("cc:1");
    let run = harness.run().await;
    let metadata = run.metadata.clone();
    let _life = run.keep();
    assert_eq!((metadata.chaincode_id.as_str(), metadata.mspid.as_str()), ("cc:1", "Org1MSP"));
    assert_eq!(metadata.peer_address, format!("localhost:{}", harness.address.port()));
    let mut wire = harness.dial_with(&metadata).await;
    wire.register("cc:1").await;
    launch.await.expect("no panic").expect("launched");
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_wrong_id_fails_the_waiting_launch_at_once_with_both_names() {
    let harness = Harness::with(|config| config.tls = true).await;
    harness.define("cc");
    let launch = harness.launch("cc:1");
    let run = harness.run().await;
    let mut wire = harness.dial_with(&run.metadata).await;
    let _life = run.keep();
    wire.say_register("other:1").await;
    let end = wire.end().await;
    assert_eq!(end.code(), Code::Unknown);
    let text = end.message();
    assert!(text.starts_with("Chaincode other:1 with given certificate hash ["), "{text}");
    assert!(text.ends_with("] belongs to a different chaincode"), "{text}");
    let error = launch.await.expect("no panic").expect_err("refused").to_string();
    assert!(error.starts_with("could not launch chaincode cc:1: chaincode registration failed: "), "{error}");
    assert!(error.contains("'cc:1'") && error.contains("'other:1'") && error.contains("last words"), "{error}");
}

#[tokio::test]
async fn without_tls_a_stranger_is_taken_for_the_only_chaincode_that_is_waited_for() {
    let harness = Harness::start().await;
    for name in ["cc", "two"] {
        harness.define(name);
    }
    let launches = [harness.launch("cc:1"), harness.launch("two:1")];
    let _lives = [harness.run().await.keep(), harness.run().await.keep()];
    // Either could be meant: nobody is blamed.
    let mut stranger = harness.dial().await;
    stranger.say_register("typo:1").await;
    stranger.hears_nothing().await;
    let mut wire = harness.dial().await;
    wire.register("two:1").await;
    until("two serves", || harness.engine.status()[1].state == ChaincodeState::Serving).await;
    let [cc, two] = launches;
    two.await.expect("no panic").expect("launched");

    stranger.say_register("typo:1").await;
    let error = cc.await.expect("no panic").expect_err("refused").to_string();
    assert!(error.contains("'cc:1'") && error.contains("'typo:1'"), "{error}");
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn with_tls_the_first_message_must_register() {
    let harness = Harness::with(|config| config.tls = true).await;
    harness.define("cc");
    let _launch = harness.launch("cc:1");
    let run = harness.run().await;
    let mut wire = harness.dial_with(&run.metadata).await;
    let _life = run.keep();
    wire.send(Type::Keepalive, &()).await;
    assert_eq!(wire.end().await.message(), "First message needs to be a register");
}

#[tokio::test]
async fn certificates_of_another_start_are_strangers() {
    let harness = Harness::with(|config| config.tls = true).await;
    let earlier = Harness::with(|config| config.tls = true).await;
    earlier.define("cc");
    let _launch = earlier.launch("cc:1");
    let stale = earlier.run().await.metadata.clone();
    // The handshake itself fails: another authority.
    let root = harness.engine.server_certificate("localhost").expect("a certificate").client_root_pem;
    let tls = ClientTls { roots: vec![root], identity: Some((stale.client_cert, stale.client_key)), server_name: None };
    let dialed = tokio::spawn(Wire::dial(harness.address, Some(tls)));
    assert!(dialed.await.is_err());
}

#[tokio::test]
async fn a_certificate_nobody_was_given_is_not_in_the_registry() {
    let harness = Harness::with(|config| config.tls = true).await;
    let server = harness.engine.server_certificate("localhost").expect("a certificate");
    let identity = Some((server.cert_pem, server.key_pem));
    let tls = ClientTls { roots: vec![server.client_root_pem], identity, server_name: None };
    let mut wire = Wire::dial(harness.address, Some(tls)).await;
    wire.say_register("cc:1").await;
    let end = wire.end().await;
    let text = end.message();
    assert!(
        text.starts_with("Chaincode cc:1 with given certificate hash [") && text.ends_with("] not found in registry")
    );
}

#[tokio::test]
async fn answers_carry_the_addresses_as_they_came() {
    let (harness, mut wire) = Harness::serving().await;
    let stranger = ChaincodeMessage { txid: String::from("no such"), ..Default::default() };
    let answer = wire.ask(&stranger, Type::GetState, &GetState::default()).await;
    assert_eq!(text(&answer), "GET_STATE failed: transaction ID: no such: no ledger context");
    let answer = wire.ask(&stranger, Type::InvokeChaincode, &GetState::default()).await;
    assert_eq!(text(&answer), "INVOKE_CHAINCODE failed: transaction ID: no such: could not get valid transaction");
    assert!(harness.metrics.has("completed GET_STATE  cc:1 false"));
}
