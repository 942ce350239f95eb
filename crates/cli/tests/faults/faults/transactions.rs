//! In the middle of a transaction.

use crate::{
    network::{FAULTY, Network, OTHER},
    support::client::within,
};

impl Network {
    /// What the peer answered to what should not have been asked.
    async fn heard(&self, enough: usize) -> Vec<String> {
        let mut heard = Vec::new();
        within(async {
            while heard.len() < enough {
                let text = self.client.text(FAULTY, &["heard"]).await;
                heard.extend(text.lines().map(str::to_owned));
            }
        })
        .await;
        heard
    }
}

pub(super) async fn die(network: &Network) {
    let before = network.process(FAULTY);
    let error = network.fails(&["die"]).await;
    assert!(error.ends_with("error sending: chaincode stream terminated"), "{error}");
    network
        .until("the peer knows why", || {
            network.status(FAULTY)["last_error"].as_str().is_some_and(|error| error.contains("exit status 9"))
        })
        .await;
    assert_eq!(network.client.text(FAULTY, &["ok"]).await, "ok");
    assert_ne!(network.process(FAULTY), before, "another process");
}

pub(super) async fn hang(network: &Network) {
    let error = network.fails(&["hang"]).await;
    assert!(error.ends_with("error sending: timeout expired while executing transaction"), "{error}");
    assert_eq!(network.status(FAULTY)["executions"], 0);
}

pub(super) async fn twice(network: &Network) {
    assert_eq!(network.client.text(FAULTY, &["twice"]).await, "first");
    let heard = network.heard(1).await;
    assert!(heard[0].ends_with(": no ledger context"), "{heard:?}");
}

pub(super) async fn late(network: &Network) {
    let error = network.fails(&["late"]).await;
    assert!(error.ends_with("timeout expired while executing transaction"), "{error}");
    network.client.query(FAULTY, &["release"]).await.expect("an answer of its own");
    let heard = network.heard(1).await;
    assert!(heard[0].starts_with("GET_STATE failed: transaction ID: "), "{heard:?}");
    assert!(heard[0].ends_with(": no ledger context"), "{heard:?}");
}

pub(super) async fn made_up(network: &Network) {
    assert_eq!(network.client.text(FAULTY, &["made up"]).await, "ok");
    let heard = network.heard(3).await;
    let refused = |kind: &str, why: &str| format!("{kind} failed: transaction ID: made-up-0: {why}");
    assert_eq!(
        heard,
        [
            refused("GET_STATE", "no ledger context"),
            refused("PUT_STATE", "no ledger context"),
            refused("INVOKE_CHAINCODE", "could not get valid transaction"),
        ]
    );
}

pub(super) async fn garbage(network: &Network) {
    let answer = network.client.text(FAULTY, &["garbage"]).await;
    assert!(answer.starts_with("PUT_STATE failed: transaction ID: "), "{answer}");
    assert!(answer.contains(": unmarshal failed: "), "{answer}");
}

pub(super) async fn iterate(network: &Network) {
    assert_eq!(network.client.text(FAULTY, &["iterate"]).await, "left open");
}

pub(super) async fn callee_dies(network: &Network) {
    let error = network.client.error(OTHER, &["call", FAULTY, "die"]).await;
    assert!(error.ends_with("error sending: chaincode stream terminated"), "{error}");
    assert_eq!(network.status(OTHER)["streams"], 1, "the caller is not harmed");
}

pub(super) async fn restart(network: &Network) {
    // Not the one whose transactions have only seconds: they are in flight for as long as it takes all to arrive.
    network.restart_in_flight(OTHER, async { network.kill_process(OTHER) }).await;
}
