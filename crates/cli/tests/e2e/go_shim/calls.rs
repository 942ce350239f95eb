//! What a transaction knows and says: chaincode to chaincode, events, transient data, responses, faults.

use serde_json::json;
use tonic::Code;

use super::serve;
use crate::support::{chain, client::Client, parts, place::Place, refusal::Refusal};

#[tokio::test(flavor = "multi_thread")]
async fn calls_other_chaincode() {
    let place = Place::new();
    let program = parts::go_program("go-shim");
    let windlass = place.dev().ephemeral().chaincode("caller", &program).chaincode("callee", &program).start();
    let client = Client::user(&windlass.ready).await;
    client.submit("callee", &["Put", "k", "of the callee"]).await.expect("a transaction");
    let called = client.json("caller", &["Call", "callee", "", "Get", "k"]).await;
    assert_eq!(called, json!({ "status": 200, "message": "", "payload": "of the callee" }));

    // Both write, each in its own namespace, in one transaction.
    client
        .submit("caller", &["PutThenCall", "k", "of the caller", "callee", "", "Put", "k", "changed"])
        .await
        .expect("a transaction");
    assert_eq!(client.text("caller", &["Get", "k"]).await, "of the caller");
    assert_eq!(client.text("callee", &["Get", "k"]).await, "changed");

    let failed = client.json("caller", &["Call", "callee", "", "Fail", "no"]).await;
    assert_eq!((failed["status"].as_i64(), failed["message"].as_str()), (Some(500), Some("no")));
    // What the peer refuses comes back as the payload: so the Go shim has it.
    let refused = async |args: &[&str]| {
        let answer = client.json("caller", args).await;
        assert_eq!(answer["status"], 500, "{answer}");
        answer["payload"].as_str().expect("a text").to_owned()
    };
    let again = refused(&["Call", "caller", "", "Noop"]).await;
    assert!(again.starts_with("INVOKE_CHAINCODE failed: transaction ID: "), "{again}");
    assert!(
        again.contains("execute failed: error sending: txid: ") && again.ends_with("(mychannel) exists"),
        "{again}"
    );
    let unknown = refused(&["Call", "nowhere", "", "Noop"]).await;
    assert!(unknown.ends_with("chaincode nowhere not found"), "{unknown}");
    let elsewhere = refused(&["Call", "callee", "nochannel", "Noop"]).await;
    assert!(elsewhere.ends_with(": Failed to get policy manager for channel [nochannel]"), "{elsewhere}");
    let system = client.json("caller", &["Call", "qscc", "", "GetChainInfo", "mychannel"]).await.to_string();
    assert!(system.contains("Rejecting invoke of QSCC from another chaincode"), "{system}");
    chain::verify_all(&client).await;
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_what_the_transaction_is() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    let (proposal, id) = client.sign(&client.call("shim", &["Describe", "a", ""]));
    let answer = client.endorse(proposal).await.expect("an answer").response.expect("a response");
    let described: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!(described["txId"], id);
    assert_eq!(described["channel"], "mychannel");
    assert_eq!(described["parameters"], json!(["a", ""]));
    assert_eq!((&described["mspId"], &described["localMspId"]), (&json!("Org1MSP"), &json!("Org1MSP")));
    assert_eq!(described["certificate"], client.identity.certificate_pem());
    assert_eq!((&described["signed"], &described["decorations"]), (&json!(true), &json!(0)));
    assert_eq!(described["binding"].as_str().map(str::len), Some(64));

    let mut call = client.call("shim", &["Transient"]);
    call.transient = [("secret".to_owned(), "hidden".into()), ("empty".to_owned(), "".into())].into();
    let transient = client.propose(&call).await.expect("an answer").payload;
    let transient: serde_json::Value = serde_json::from_slice(&transient).expect("JSON");
    assert_eq!(transient, json!({ "secret": "hidden", "empty": "" }));
    let committed = client.submit_call(&call).await.expect("a transaction");
    let blocks = chain::of_peer(&client).await;
    let block =
        blocks.iter().find(|block| block.header.as_ref().is_some_and(|header| header.number == committed.block));
    let data = &block.expect("the block").data.as_ref().expect("data").data;
    let leaks = |entry: &bytes::Bytes| entry.windows(6).filter(|window| window == b"secret").count();
    // The chaincode's own answer holds it once; the transient map itself is not ordered.
    assert_eq!(data.iter().map(leaks).sum::<usize>(), 1);
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_the_status_that_chaincode_chose() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    for (status, endorsed) in
        [("200", true), ("201", true), ("399", true), ("400", false), ("404", false), ("500", false)]
    {
        let (proposal, _) = client.sign(&client.call("shim", &["Status", status, "said so"]));
        let answer = client.endorse(proposal).await.expect("an answer");
        let response = answer.response.expect("a response");
        assert_eq!((response.status.to_string().as_str(), response.message.as_str()), (status, "said so"));
        assert_eq!(response.payload, format!("payload of {status}"));
        assert_eq!(answer.endorsement.is_some(), endorsed, "{status}");
        // Fabric: endorsement-and-gateway §2
        assert_eq!(answer.payload.is_empty(), (400..500).contains(&response.status), "{status}");
    }
    let refusal = client.submit("shim", &["Status", "404", "not here"]).await.expect_err("not endorsed");
    let Refusal::Status { code, message, details } = refusal else { panic!("expected a gRPC status: {refusal}") };
    assert_eq!(code, Code::Aborted);
    assert_eq!(message, "failed to endorse transaction, see attached details for more info");
    assert_eq!(details, ["chaincode response 404, not here"]);
    assert_eq!(client.error("shim", &["Nothing"]).await, "no function \"Nothing\"");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_chaincode_that_panics_or_leaves() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    client.submit("shim", &["Put", "k", "v"]).await.expect("a transaction");
    for function in ["Panic", "Exit", "Panic"] {
        let refusal = client.error("shim", &[function]).await;
        assert!(refusal.starts_with("error in simulation: failed to execute transaction "), "{refusal}");
        assert!(refusal.ends_with("error sending: chaincode stream terminated"), "{refusal}");
        assert_eq!(client.text("shim", &["Get", "k"]).await, "v", "it is launched again");
    }
    let mut programs = windlass.children();
    programs.retain(|process| !process.is_windlass());
    assert_eq!(programs.len(), 1, "one process of this chaincode: {programs:?}");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_a_transaction_that_takes_too_long() {
    let place = Place::new();
    let core = place.folder_with("config", &[("core.yaml", "chaincode:\n  executetimeout: 2s\n")]).join("core.yaml");
    let program = parts::go_program("go-shim");
    let windlass = place.dev().ephemeral().arg("--config").arg(core).chaincode("shim", program).start();
    let client = Client::user(&windlass.ready).await;
    let refusal = client.error("shim", &["Sleep", "60000"]).await;
    assert!(refusal.ends_with("error sending: timeout expired while executing transaction"), "{refusal}");
    client.query("shim", &["Noop"]).await.expect("others go on");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_many_transactions_at_once() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    let transactions = (0..60).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let (key, value) = (format!("key{number}"), format!("value{number}"));
            client.submit("shim", &["PutWithEvent", &key, &value, "put", &value]).await.expect("a transaction");
            assert_eq!(client.text("shim", &["Get", &key]).await, value);
        })
    });
    futures::future::try_join_all(transactions).await.expect("all of them");
    assert_eq!(client.text("shim", &["RangeCount", "key", "key~"]).await, "60");
    chain::verify_all(&client).await;
    windlass.stop();
}
