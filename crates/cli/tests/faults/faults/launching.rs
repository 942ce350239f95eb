//! Before there is a stream.

use crate::{
    chaincode::{LAST_WORDS, Launch},
    network::{FAULTY, Network},
};

impl Network {
    /// Starts the chaincode like this; returns its ID and what a transaction that needs it fails with.
    async fn does_not_launch(&self, launch: Launch) -> (String, String) {
        self.launch(launch).await;
        let error = self.fails(&["ok"]).await;
        (self.windlass.package_id(FAULTY).to_owned(), error)
    }
}

pub(super) async fn exits_first(network: &Network) {
    let (id, error) = network.does_not_launch(Launch::ExitsFirst).await;
    let cause = format!("could not launch chaincode {id}: chaincode registration failed: ");
    assert!(error.contains(&cause), "{error}");
    assert!(error.contains("exit status 3"), "{error}");
    let (_, output) = error.split_once("the chaincode's last output:\n").expect("its output");
    assert!(output.contains(LAST_WORDS), "{error}");
}

pub(super) async fn exits_afterwards(network: &Network) {
    let (_, error) = network.does_not_launch(Launch::ExitsAfterwards).await;
    // Whether the transaction was on its way already is a matter of luck.
    let named = error.ends_with("chaincode stream terminated") || error.ends_with("but could not find handler");
    assert!(named, "{error}");
    network
        .until("the peer knows why", || {
            network.status(FAULTY)["last_error"].as_str().is_some_and(|error| error.contains("exit status 4"))
        })
        .await;
}

pub(super) async fn under_another_id(network: &Network) {
    let (id, error) = network.does_not_launch(Launch::UnderAnotherId).await;
    let cause = format!(
        "could not launch chaincode {id}: chaincode registration failed: chaincode launched as '{id}' registered as \
         'somebody:else'; give it the package ID as its chaincode ID"
    );
    assert!(error.contains(&cause), "{error}");
}

pub(super) async fn never(network: &Network) {
    let (id, error) = network.does_not_launch(Launch::Never).await;
    assert!(error.contains(&format!("timeout expired while starting chaincode {id} for transaction")), "{error}");
}

pub(super) async fn slowly(network: &Network) {
    network.launch(Launch::Slowly).await;
    assert_eq!(network.client.text(FAULTY, &["ok"]).await, "ok");
}
