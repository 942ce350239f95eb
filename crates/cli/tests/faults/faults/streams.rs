//! On the stream, or beside it.

use crate::network::{FAULTY, Network};

/// What follows every loss of a stream.
const TERMINATED: &str = "chaincode stream terminated";

impl Network {
    /// What came of a second stream that the chaincode opened.
    async fn second_stream(&self, how: &str) -> String {
        self.client.text(FAULTY, &["second stream", how]).await
    }

    /// The stream ends, twice, since the transaction is run again once; the caller reads why.
    async fn ends_the_stream(&self, act: &str, cause: &str) {
        let error = self.fails(&[act]).await;
        assert!(error.contains(cause), "{error}");
        assert!(error.ends_with(TERMINATED), "{error}");
        // The caller hears of it first.
        let said = || self.status(FAULTY)["last_error"].as_str().is_some_and(|last| last.contains(cause));
        self.until("the status says why", said).await;
    }
}

pub(super) async fn own(network: &Network) {
    assert_eq!(network.second_stream("own").await, "silence");
    assert_eq!(network.status(FAULTY)["streams"], 1);
}

pub(super) async fn early(network: &Network) {
    assert_eq!(network.second_stream("early").await, "ended: First message needs to be a register");
}

pub(super) async fn certificate_of_the_other(network: &Network) {
    let id = network.windlass.package_id(FAULTY);
    let heard = network.second_stream("certificate of the other").await;
    assert!(heard.starts_with(&format!("ended: Chaincode {id} with given certificate hash [")), "{heard}");
    assert!(heard.ends_with("] belongs to a different chaincode"), "{heard}");
}

pub(super) async fn id_of_the_other(network: &Network) {
    let id = network.windlass.package_id(crate::network::OTHER);
    let heard = network.second_stream("ID of the other").await;
    assert!(heard.starts_with(&format!("ended: Chaincode {id} with given certificate hash [")), "{heard}");
    assert!(heard.ends_with("] belongs to a different chaincode"), "{heard}");
}

pub(super) async fn no_certificate(network: &Network) {
    let heard = network.second_stream("no certificate").await;
    assert!(heard.starts_with("no stream: "), "{heard}");
    assert!(heard.ends_with("; it may require a client certificate, and none was given"), "{heard}");
}

pub(super) async fn register_again(network: &Network) {
    let cause = "Fabric side handler cannot handle message (REGISTER) while in ready state";
    network.ends_the_stream("register again", cause).await;
}

pub(super) async fn no_kind(network: &Network) {
    let cause = "Fabric side handler cannot handle message (99) while in ready state";
    network.ends_the_stream("no kind", cause).await;
}

pub(super) async fn end(network: &Network) {
    let error = network.fails(&["end"]).await;
    assert!(error.ends_with(&format!("error sending: {TERMINATED}")), "{error}");
}

pub(super) async fn big(network: &Network) {
    network.ends_the_stream("big", "the limit is: 104857600 bytes").await;
}

pub(super) async fn flood(network: &Network) {
    assert_eq!(network.client.text(FAULTY, &["flood"]).await, "flooded");
}

pub(super) async fn deaf(network: &Network) {
    let error = network.fails(&["deaf"]).await;
    assert!(error.ends_with("timeout expired while executing transaction"), "{error}");
    // Nothing gets through to it any more.
    let error = network.fails(&["ok"]).await;
    assert!(error.ends_with("timeout expired while executing transaction"), "{error}");
    network.kill(FAULTY).await;
}
