//! Init: required or not, once for each version.

use serde_json::json;

use crate::support::{client::Client, parts, place::Place, refusal::Refusal};

#[tokio::test(flavor = "multi_thread")]
async fn calls_init_when_it_is_required() {
    let place = Place::new();
    let program = parts::go_program("go-shim");
    let dev = || {
        place.dev().arg("--init-required").arg("--init-args").arg(r#"["Init","a","100"]"#).chaincode("shim", &program)
    };
    let windlass = dev().start();
    let client = Client::user(&windlass.ready).await;
    assert_eq!(client.json("shim", &["Get", "init"]).await, json!(["Init", "a", "100"]));

    let again = windlass_proto::envelope::Call { is_init: true, ..client.call("shim", &["Init"]) };
    let refusal = client.propose(&again).await.expect_err("it is initialised").text();
    assert!(refusal.ends_with("chaincode 'shim' is already initialized but called as init"), "{refusal}");
    windlass.stop();

    let windlass = dev().start();
    assert!(windlass.output().stdout().contains("unchanged"), "Init is not called again");
    let client = Client::user(&windlass.ready).await;
    assert_eq!(client.json("shim", &["Get", "init"]).await, json!(["Init", "a", "100"]));
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_init_arguments_as_the_peer_command_does() {
    let place = Place::new();
    let windlass = place
        .dev()
        .ephemeral()
        .args(["--init-required", "--init-args", r#"{"Args":["Init","b"]}"#])
        .chaincode("shim", parts::go_program("go-shim"))
        .start();
    let client = Client::user(&windlass.ready).await;
    assert_eq!(client.json("shim", &["Get", "init"]).await, json!(["Init", "b"]));
    windlass.stop();
}

#[test]
fn says_what_a_failing_init_said() {
    let place = Place::new();
    let said = place
        .dev()
        .ephemeral()
        .args(["--init-required", "--init-args", r#"["fail"]"#])
        .chaincode("shim", parts::go_program("go-shim"))
        .fail()
        .stderr();
    assert!(said.contains("Init failed"), "{said}");
    assert!(said.contains("init was told to fail"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_init_when_it_is_not_required() {
    let place = Place::new();
    let (windlass, client) = super::serve(&place).await;
    let call = windlass_proto::envelope::Call { is_init: true, ..client.call("shim", &["Init"]) };
    match client.propose(&call).await {
        Err(Refusal::Response { status: 500, message }) => {
            let end = "invalid invocation: chaincode 'shim' does not require initialization but called as init";
            assert!(message.starts_with("error in simulation: failed to execute transaction "), "{message}");
            assert!(message.ends_with(end), "{message}");
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    windlass.stop();
}
