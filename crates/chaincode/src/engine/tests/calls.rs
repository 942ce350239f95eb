//! Chaincode that calls chaincode.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::{
    ChaincodeId, ChaincodeInput, ChaincodeMessage, ChaincodeSpec, GetState, PutState, Response, chaincode_message::Type,
};

use super::{
    harness::{CHANNEL, Echo, Harness, ok, proposal},
    memory::Memory,
    wire::text,
};
use crate::transaction::Transaction;

pub(super) fn spec(name: &str, args: &[&str]) -> ChaincodeSpec {
    let args = args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect();
    ChaincodeSpec {
        chaincode_id: Some(ChaincodeId { name: name.to_owned(), ..Default::default() }),
        input: Some(ChaincodeInput {
            args,
            decorations: [(String::from("d"), Bytes::from("x"))].into(),
            is_init: false,
        }),
        ..Default::default()
    }
}

fn inner(answer: Bytes) -> (ChaincodeMessage, Response) {
    let message = ChaincodeMessage::decode(answer).expect("a message");
    let response = Response::decode(message.payload.clone()).expect("a response");
    (message, response)
}

fn put(key: &str) -> PutState {
    PutState { key: key.to_owned(), value: Bytes::from("v"), collection: String::new() }
}

#[tokio::test]
async fn on_the_same_channel_both_share_the_simulation() {
    let (harness, mut caller) = Harness::serving().await;
    let mut callee = harness.bring_up("callee").await;
    let ledger = Memory::with([("callee", "k", "of the callee")]);
    let executed = harness.call_on(ledger.clone(), "cc", "tx", ChaincodeInput::default());
    let call = caller.call(Type::Transaction).await;
    caller.get(&call, Type::PutState, &put("by caller")).await;
    caller.reply(&call, Type::InvokeChaincode, spec("callee:9.9", &["f"]).encode_to_vec()).await;

    let nested = callee.call(Type::Transaction).await;
    assert_eq!((nested.txid.as_str(), nested.channel_id.as_str()), ("tx", CHANNEL));
    assert_eq!(nested.proposal, Some(proposal()));
    let input = ChaincodeInput::decode(nested.payload.clone()).expect("an input");
    assert_eq!(input, ChaincodeInput { args: vec![Bytes::from("f")], ..Default::default() });
    let request = GetState { key: "k".into(), ..Default::default() };
    assert_eq!(callee.get(&nested, Type::GetState, &request).await, "of the callee");
    callee.get(&nested, Type::PutState, &put("by callee")).await;
    let refusal = Response { status: 404, message: String::from("none"), payload: Bytes::new() };
    let mut completed = ChaincodeMessage { r#type: Type::Completed as i32, ..nested };
    completed.payload = refusal.encode_to_vec().into();
    completed.chaincode_event = Some(Default::default());
    completed.proposal = None;
    callee.send_message(completed).await;

    let answer = caller.next().await;
    assert_eq!(answer.r#type, Type::Response as i32);
    let (message, response) = inner(answer.payload);
    assert_eq!((message.r#type, response), (Type::Completed as i32, refusal));
    caller.complete(&call, &ok("done")).await;
    // The callee's event is not the transaction's.
    assert_eq!(executed.await.expect("no panic").expect("executed").event, None);
    let written: Vec<_> = ledger.writes.lock().iter().map(|(ns, key, _)| format!("{ns}/{key}")).collect();
    assert_eq!(written, ["cc/by caller", "callee/by callee"]);
    assert_eq!((harness.executions("cc:1"), harness.executions("callee:1")), (0, 0));
}

#[tokio::test]
async fn an_error_of_the_callee_is_an_answer_too() {
    let (harness, mut caller) = Harness::serving().await;
    let mut callee = harness.bring_up("callee").await;
    let _executed = harness.call("cc", "tx");
    let call = caller.call(Type::Transaction).await;
    caller.reply(&call, Type::InvokeChaincode, spec("callee", &[]).encode_to_vec()).await;
    let nested = callee.call(Type::Transaction).await;
    callee.reply(&nested, Type::Error, "broken").await;
    let answer = caller.next().await;
    assert_eq!(answer.r#type, Type::Response as i32);
    let message = ChaincodeMessage::decode(answer.payload).expect("a message");
    assert_eq!((message.r#type, text(&message).as_str()), (Type::Error as i32, "broken"));
}

#[tokio::test]
async fn on_another_channel_the_callee_has_a_ledger_of_its_own() {
    let (harness, mut caller) = Harness::serving().await;
    let mut callee = harness.bring_up("callee").await;
    harness.definitions.define("elsewhere", "callee", "callee:1");
    let there = Memory::with([("callee", "k", "there")]);
    harness.channels.ledgers.lock().insert(String::from("elsewhere"), there.clone());
    let here = Memory::with([("callee", "k", "here")]);
    let _executed = harness.call_on(here.clone(), "cc", "tx", ChaincodeInput::default());
    let call = caller.call(Type::Transaction).await;
    caller.reply(&call, Type::InvokeChaincode, spec("callee/elsewhere", &[]).encode_to_vec()).await;
    let nested = callee.call(Type::Transaction).await;
    assert_eq!((nested.txid.as_str(), nested.channel_id.as_str()), ("tx", "elsewhere"));
    let request = GetState { key: "k".into(), ..Default::default() };
    assert_eq!(callee.get(&nested, Type::GetState, &request).await, "there");
    callee.get(&nested, Type::PutState, &put("lost")).await;
    callee.complete(&nested, &ok("from there")).await;
    assert_eq!(inner(caller.next().await.payload).1, ok("from there"));
    assert!(here.writes.lock().is_empty());
}

#[tokio::test]
async fn recursion_is_refused_and_so_is_whatever_cannot_be_called() {
    let (harness, mut wire) = Harness::serving().await;
    harness.definitions.define(CHANNEL, "alias", "cc:1");
    harness.channels.ledgers.lock().insert(String::from("closed"), Memory::with([]));
    harness.channels.closed.lock().insert(String::from("closed"));
    let _executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    for (target, expected) in [
        ("cc", "execute failed: error sending: txid: tx(ch) exists"),
        // Two names of one package share the stream.
        ("alias", "execute failed: error sending: txid: tx(ch) exists"),
        (
            "ghost",
            "execute failed: invalid invocation: [channel ch] failed to get chaincode container info for ghost: chaincode ghost not found",
        ),
        ("cc/nowhere", "failed to find ledger for channel: nowhere"),
        ("cc/closed", "peer/ChaincodeToChaincode is refused on closed"),
    ] {
        assert_eq!(wire.refused(&call, Type::InvokeChaincode, &spec(target, &[])).await, expected);
    }
    let nobody = ChaincodeSpec::default();
    assert_eq!(wire.refused(&call, Type::InvokeChaincode, &nobody).await, "panic during execution");
}

#[tokio::test]
async fn a_ring_of_calls_ends_where_it_began() {
    let (harness, mut a) = Harness::serving().await;
    let mut b = harness.bring_up("b").await;
    let executed = harness.call("cc", "tx");
    let call = a.call(Type::Transaction).await;
    a.reply(&call, Type::InvokeChaincode, spec("b", &[]).encode_to_vec()).await;
    let nested = b.call(Type::Transaction).await;
    let refusal = b.refused(&nested, Type::InvokeChaincode, &spec("cc", &[])).await;
    assert_eq!(refusal, "execute failed: error sending: txid: tx(ch) exists");
    b.complete(&nested, &ok("b")).await;
    assert_eq!(inner(a.next().await.payload).1, ok("b"));
    a.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn system_chaincode_is_called_without_asking_for_access() {
    let (harness, mut wire) = Harness::serving().await;
    harness.engine.register(Arc::new(Echo("qscc")));
    harness.channels.closed.lock().insert(CHANNEL.to_owned());
    let _executed = harness.call("cc", "tx");
    let call = wire.call(Type::Transaction).await;
    let answer = wire.get(&call, Type::InvokeChaincode, &spec("qscc", &["f", "x"])).await;
    assert_eq!(inner(answer).1, ok("qscc|ch|cc|f,x"));
    let refusal = wire.refused(&call, Type::InvokeChaincode, &spec("qscc/nowhere", &[])).await;
    assert_eq!(refusal, "failed to find ledger for channel: nowhere");
}

#[tokio::test]
async fn a_call_without_proposal_goes_nowhere_but_to_system_chaincode() {
    let (harness, mut wire) = Harness::serving().await;
    let transaction = Arc::new(Transaction {
        channel: CHANNEL.to_owned(),
        tx_id: String::from("tx"),
        proposal: None,
        called: String::from("cc"),
        simulation: Some(Memory::with([])),
    });
    let engine = harness.engine.clone();
    let executed = tokio::spawn(async move { engine.execute(&transaction, "cc", ChaincodeInput::default()).await });
    let call = wire.call(Type::Transaction).await;
    assert_eq!(call.proposal, None);
    let refusal = wire.refused(&call, Type::InvokeChaincode, &spec("x:1/other", &[])).await;
    assert_eq!(refusal, "signed proposal must not be nil from caller [other.x#1]");
    executed.abort();
}

#[tokio::test]
async fn without_repetition_the_callers_chaincode_learns_that_the_callees_stream_ended() {
    let harness = Harness::with(|config| {
        config.execute_timeout = Duration::from_millis(400);
        config.settings.all.retries = Some(0);
    })
    .await;
    let mut caller = harness.bring_up("cc").await;
    let mut callee = harness.bring_up("callee").await;
    let executed = harness.call("cc", "tx");
    let call = caller.call(Type::Transaction).await;
    caller.reply(&call, Type::InvokeChaincode, spec("callee", &[]).encode_to_vec()).await;
    callee.call(Type::Transaction).await;
    drop(callee);
    let answer = caller.next().await;
    assert_eq!(
        text(&answer),
        "INVOKE_CHAINCODE failed: transaction ID: tx: execute failed: error sending: chaincode stream terminated"
    );
    caller.complete(&call, &ok("")).await;
    assert!(executed.await.expect("no panic").is_ok());
}
