//! TRANSACTION and INIT, their results, and what can get in between.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::{
    ChaincodeEvent, ChaincodeInput, ChaincodeMessage, GetState, GetStateByRange, PutState, Response,
    chaincode_message::Type,
};

use super::{
    harness::{CHANNEL, Echo, Harness, ok, proposal},
    memory::Memory,
    wire::{text, until},
};
use crate::{engine::resolve::INIT_KEY, transaction::Transaction};

fn init() -> ChaincodeInput {
    ChaincodeInput { is_init: true, ..Default::default() }
}

fn failed(tx_id: &str, text: &str) -> String {
    format!("failed to execute transaction {tx_id}: {text}")
}

#[tokio::test]
async fn a_transaction_carries_input_and_proposal() {
    let (harness, mut wire) = Harness::serving().await;
    let input = ChaincodeInput { args: vec![Bytes::from("f"), Bytes::from("x")], ..Default::default() };
    let executed = harness.call_on(Memory::with([]), "cc", "tx", input.clone());
    let call = wire.call(Type::Transaction).await;
    assert_eq!(
        call,
        ChaincodeMessage {
            r#type: Type::Transaction as i32,
            payload: input.encode_to_vec().into(),
            txid: String::from("tx"),
            channel_id: CHANNEL.to_owned(),
            proposal: Some(proposal()),
            ..Default::default()
        }
    );
    let event = ChaincodeEvent {
        chaincode_id: String::from("forged"),
        tx_id: String::from("forged"),
        event_name: String::from("e"),
        payload: Bytes::from("p"),
    };
    wire.send_message(ChaincodeMessage {
        r#type: Type::Completed as i32,
        payload: ok("r").encode_to_vec().into(),
        txid: call.txid.clone(),
        channel_id: call.channel_id.clone(),
        chaincode_event: Some(event.clone()),
        ..Default::default()
    })
    .await;
    let executed = executed.await.expect("no panic").expect("executed");
    assert_eq!(executed.response, ok("r"));
    let expected = ChaincodeEvent { chaincode_id: String::from("cc"), tx_id: String::from("tx"), ..event };
    assert_eq!(executed.event, Some(expected));
}

#[tokio::test]
async fn refusals_come_back_as_they_are_and_without_event() {
    let (harness, mut wire) = Harness::serving().await;
    for status in [400, 500] {
        let executed = harness.call("cc", "tx");
        let call = wire.call(Type::Transaction).await;
        let response = Response { status, message: String::from("no"), payload: Bytes::from("p") };
        wire.send_message(ChaincodeMessage {
            r#type: Type::Completed as i32,
            payload: response.encode_to_vec().into(),
            chaincode_event: Some(ChaincodeEvent::default()),
            ..call
        })
        .await;
        let executed = executed.await.expect("no panic").expect("executed");
        assert_eq!((executed.response, executed.event), (response, None));
    }
}

#[tokio::test]
async fn an_error_and_a_bad_response_are_failures() {
    let (harness, mut wire) = Harness::serving().await;
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.reply(&call, Type::Error, "it broke").await;
    let error = executed.await.expect("no panic").expect_err("an ERROR");
    assert_eq!(error.to_string(), "transaction returned with failure: it broke");

    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.reply(&call, Type::Completed, vec![0xff]).await;
    let error = executed.await.expect("no panic").expect_err("no response").to_string();
    assert!(error.starts_with("failed to unmarshal response for transaction tx: "), "{error}");
}

#[tokio::test]
async fn the_same_transaction_cannot_run_twice_on_one_stream() {
    let (harness, mut wire) = Harness::serving().await;
    let first = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    let error = harness.call("cc", "tx").await.expect("no panic").expect_err("exists");
    assert_eq!(error.to_string(), failed("tx", "error sending: txid: tx(ch) exists"));
    wire.complete(&call, &ok("")).await;
    assert!(first.await.expect("no panic").is_ok());
    let again = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(again.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_stream_lost_in_mid_transaction_fails_all_its_transactions_at_once() {
    let (harness, mut wire) = Harness::serving().await;
    let calls = ["t1", "t2", "t3"].map(|tx_id| (tx_id, harness.call("cc", tx_id)));
    for _ in &calls {
        wire.call(Type::Transaction).await;
    }
    drop(wire);
    for (tx_id, call) in calls {
        let error = call.await.expect("no panic").expect_err("lost").to_string();
        assert_eq!(error, failed(tx_id, "error sending: chaincode stream terminated"));
        assert!(error.ends_with("chaincode stream terminated"));
    }
    assert_eq!(harness.executions("cc:1"), 0);
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_leaves_nothing_behind() {
    let harness = Harness::with(|config| config.execute_timeout = Duration::from_millis(100)).await;
    let mut wire = harness.bring_up("cc").await;
    let ledger = Memory::numbered(300);
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    wire.get(&call, Type::GetStateByRange, &GetStateByRange::default()).await;
    assert_eq!(*ledger.open.lock(), 1);
    let error = executed.await.expect("no panic").expect_err("late");
    assert_eq!(error.to_string(), failed("tx", "error sending: timeout expired while executing transaction"));
    assert!(harness.metrics.has("execute timeout cc:1"));
    assert_eq!((*ledger.open.lock(), harness.executions("cc:1")), (0, 0));
    // The chaincode learns of it when it asks; its result is dropped, and the stream goes on.
    assert_eq!(wire.refused(&call, Type::GetState, &GetState::default()).await, "no ledger context");
    wire.complete(&call, &ok("late")).await;
    let next = harness.call("cc", "next");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(next.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_transaction() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::numbered(300);
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    wire.get(&call, Type::GetStateByRange, &GetStateByRange::default()).await;
    executed.abort();
    until("the transaction ends", || *ledger.open.lock() == 0 && harness.executions("cc:1") == 0).await;
    assert_eq!(Arc::strong_count(&ledger), 1);
    assert_eq!(wire.refused(&call, Type::GetState, &GetState::default()).await, "no ledger context");
}

#[tokio::test]
async fn whatever_comes_after_the_result_finds_no_context() {
    let (harness, mut wire) = Harness::serving().await;
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("one")).await;
    wire.complete(&call, &ok("two")).await;
    let refusal = wire.refused(&call, Type::PutState, &PutState::default()).await;
    assert_eq!(refusal, "no ledger context");
    assert_eq!(executed.await.expect("no panic").expect("executed").response, ok("one"));
}

#[tokio::test]
async fn init_must_come_first_and_only_once() {
    let (harness, mut wire) = Harness::serving().await;
    harness.definitions.define_with_init(CHANNEL, "fresh", "cc:1");
    let ledger = Memory::with([]);
    let error = harness.call_on(ledger.clone(), "fresh", "t1", ChaincodeInput::default());
    assert_eq!(
        error.await.expect("no panic").expect_err("too early").to_string(),
        failed(
            "t1",
            "invalid invocation: chaincode 'fresh' has not been initialized for this version, must call as init first"
        )
    );

    let executed = harness.call_on(ledger.clone(), "fresh", "t2", init());
    let call = wire.call(Type::Init).await;
    let key = INIT_KEY.to_owned();
    assert_eq!(key.as_bytes()[..5], [0x00, 0xf4, 0x8f, 0xbf, 0xbf]);
    let recorded = (String::from("fresh"), key.clone(), Some(Bytes::from("1.0")));
    assert_eq!(*ledger.writes.lock(), [recorded]);
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());

    ledger.state.lock().insert((String::from("fresh"), key), Bytes::from("1.0"));
    let error = harness.call_on(ledger.clone(), "fresh", "t3", init());
    assert_eq!(
        error.await.expect("no panic").expect_err("twice").to_string(),
        failed("t3", "invalid invocation: chaincode 'fresh' is already initialized but called as init")
    );
    let executed = harness.call_on(ledger, "fresh", "t4", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());

    let error = harness.call_on(Memory::with([]), "cc", "t5", init());
    assert_eq!(
        error.await.expect("no panic").expect_err("not required").to_string(),
        failed("t5", "invalid invocation: chaincode 'cc' does not require initialization but called as init")
    );
}

#[tokio::test]
async fn an_undefined_chaincode_is_refused_before_anything_runs() {
    let harness = Harness::start().await;
    let error = harness.call("ghost", "tx").await.expect("no panic").expect_err("undefined");
    let text =
        "invalid invocation: [channel ch] failed to get chaincode container info for ghost: chaincode ghost not found";
    assert_eq!(error.to_string(), failed("tx", text));
    assert_eq!(*harness.source.builds.lock(), 0);
}

#[tokio::test]
async fn system_chaincode_answers_inside_the_peer() {
    let harness = Harness::with(|config| {
        config.execute_timeout = Duration::from_millis(100);
        config.install_timeout = Duration::from_secs(5);
    })
    .await;
    harness.engine.register(Arc::new(Echo("_lifecycle")));
    assert!(harness.engine.is_system("_lifecycle") && !harness.engine.is_system("cc"));
    let call = |function: &'static str| {
        let args = vec![Bytes::from(function)];
        harness.call_on(Memory::with([]), "_lifecycle", "tx", ChaincodeInput { args, ..Default::default() })
    };
    let executed = call("f").await.expect("no panic").expect("executed");
    assert_eq!(executed.response, ok("_lifecycle|ch||f"));
    let error = call("sleep").await.expect("no panic").expect_err("late");
    assert_eq!(error.to_string(), failed("tx", "error sending: timeout expired while executing transaction"));
    assert!(harness.metrics.has("execute timeout _lifecycle.syscc"));
    // Installing has a time of its own.
    assert!(call("InstallChaincode").await.expect("no panic").is_ok());
    let error = call("panic").await.expect("no panic").expect_err("a panic");
    assert_eq!(error.to_string(), failed("tx", "error sending: panic during execution"));

    let transaction = Transaction {
        channel: String::new(),
        tx_id: String::from("tx"),
        proposal: None,
        called: String::from("_lifecycle"),
        simulation: None,
    };
    let resolved = harness.engine.resolve(&transaction, "_lifecycle").expect("resolved");
    assert_eq!((resolved.version.as_str(), resolved.chaincode_id.as_str()), ("syscc", "_lifecycle.syscc"));
    let error = harness.engine.resolve(&transaction, "cc").expect_err("no channel");
    assert_eq!(error.to_string(), "chaincode cc not found");
}

#[tokio::test]
async fn a_call_that_no_message_can_carry_spares_the_stream() {
    let (harness, mut wire) = Harness::serving().await;
    let input = ChaincodeInput { args: vec![Bytes::from(vec![0; 101 << 20])], ..Default::default() };
    let error = harness.call_on(Memory::with([]), "cc", "0123456789", input).await.expect("no panic");
    let error = error.expect_err("too large").to_string();
    assert!(
        error.starts_with(
            "transaction returned with failure: [01234567] error sending TRANSACTION: rpc error: code = \
             ResourceExhausted desc = trying to send message larger than max ("
        ),
        "{error}"
    );
    let executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn carries_values_far_beyond_four_mebibytes() {
    let (harness, mut wire) = Harness::serving().await;
    let value = Bytes::from(vec![7; 20 << 20]);
    let ledger = Memory::with([]);
    ledger.state.lock().insert((String::from("cc"), String::from("big")), value.clone());
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = wire.call(Type::Transaction).await;
    let request = GetState { key: String::from("big"), collection: String::new() };
    assert_eq!(wire.get(&call, Type::GetState, &request).await, value);
    let request = PutState { key: String::from("big"), value: value.clone(), collection: String::new() };
    wire.get(&call, Type::PutState, &request).await;
    assert_eq!(ledger.writes.lock()[0].2.as_ref(), Some(&value));
    wire.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn many_transactions_share_one_stream() {
    let (harness, mut wire) = Harness::serving().await;
    let ledger = Memory::with([("cc", "k", "v")]);
    let calls: Vec<_> =
        (0..64).map(|n| harness.call_on(ledger.clone(), "cc", &format!("t{n}"), ChaincodeInput::default())).collect();
    let mut open = Vec::new();
    for _ in &calls {
        open.push(wire.call(Type::Transaction).await);
    }
    // All ask at once; the answers come in any order.
    let request = GetState { key: String::from("k"), collection: String::new() };
    for call in &open {
        wire.reply(call, Type::GetState, request.encode_to_vec()).await;
    }
    for _ in &open {
        let answer = wire.next().await;
        assert_eq!(text(&answer), "v");
        wire.complete(&answer, &ok(&answer.txid)).await;
    }
    for (n, call) in calls.into_iter().enumerate() {
        let executed = call.await.expect("no panic").expect("executed");
        assert_eq!(executed.response, ok(&format!("t{n}")));
    }
    assert_eq!(harness.executions("cc:1"), 0);
}
