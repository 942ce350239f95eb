//! Development mode: chaincode that is started by hand.

use windlass_proto::protos::chaincode_message::Type;

use super::{
    harness::{CHANNEL, Harness, ok},
    wire::until,
};
use crate::engine::{ChaincodeState, InstanceState};

/// What is defined as `cc` in version 1.0 and not installed.
const ID: &str = "cc:1.0";

async fn harness() -> Harness {
    let harness = Harness::with(|config| config.development = true).await;
    harness.definitions.define(CHANNEL, "cc", ID);
    harness
}

#[tokio::test]
async fn whoever_registers_is_taken_in() {
    let harness = harness().await;
    let mut wire = harness.dial().await;
    wire.register(ID).await;
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("by hand")).await;
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("by hand"));
    assert_eq!(*harness.source.builds.lock(), 0);
    let status = harness.engine.status();
    assert_eq!((status[0].id.as_str(), &status[0].state), (ID, &ChaincodeState::Serving));
    let instance = &status[0].instances[0];
    assert_eq!((instance.place.as_str(), instance.state), ("started by hand", InstanceState::Serving));
}

#[tokio::test]
async fn the_newest_registration_gets_the_transactions() {
    let harness = harness().await;
    let mut old = harness.dial().await;
    old.register(ID).await;
    let first = harness.call("cc", "1");
    let begun = old.call(Type::Transaction).await;

    let mut new = harness.dial().await;
    new.register(ID).await;
    until("both streams are ready", || harness.engine.status()[0].streams == 2).await;
    let second = harness.call("cc", "2");
    let call = new.call(Type::Transaction).await;
    new.complete(&call, &ok("new")).await;
    assert_eq!(second.await.expect("no panic").expect("executed").response, ok("new"));

    // What had begun on the older stream ends there, and then the stream.
    old.complete(&begun, &ok("old")).await;
    assert_eq!(first.await.expect("no panic").expect("executed").response, ok("old"));
    old.end().await;
    until("one stream is left", || harness.engine.status()[0].instances.len() == 1).await;
    let third = harness.call("cc", "3");
    let call = new.call(Type::Transaction).await;
    new.complete(&call, &ok("still there")).await;
    assert!(third.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_transaction_waits_for_a_chaincode_that_is_being_started_again() {
    let harness = harness().await;
    let mut wire = harness.dial().await;
    wire.register(ID).await;
    drop(wire);
    until("the stream ends", || harness.engine.status()[0].state != ChaincodeState::Serving).await;
    let executed = harness.call("cc", "tx");
    let mut wire = harness.dial().await;
    wire.register(ID).await;
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("again")).await;
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("again"));
}

#[tokio::test]
async fn a_call_says_what_to_start() {
    let harness = harness().await;
    let error = harness.call("cc", "tx").await.expect("no panic").expect_err("nothing runs");
    let port = harness.address.port();
    assert_eq!(
        error.to_string(),
        format!(
            "failed to execute transaction tx: could not launch chaincode cc:1.0: in development mode it is started by \
             hand, and nothing has registered as cc:1.0; hint: start it with CORE_CHAINCODE_ID_NAME=cc:1.0 and \
             CORE_PEER_TLS_ENABLED=false in its environment and localhost:{port} as the peer's address"
        )
    );
}

#[tokio::test]
async fn an_installed_package_is_launched_as_ever_and_gives_way_to_the_author() {
    let id = format!("cc:{}", "0".repeat(64));
    let harness = Harness::with(|config| config.development = true).await;
    harness.definitions.define(CHANNEL, "cc", &id);
    harness.source.runs(&id);
    let launch = harness.launch(&id);
    let _life = harness.run().await.keep();
    let mut launched = harness.dial().await;
    launched.register(&id).await;
    launch.await.expect("no panic").expect("launches");

    let mut by_hand = harness.dial().await;
    by_hand.register(&id).await;
    launched.end().await;
    let executed = harness.call("cc", "tx");
    let call = by_hand.call(Type::Transaction).await;
    by_hand.complete(&call, &ok("debugged")).await;
    assert!(executed.await.expect("no panic").is_ok());
}
