//! One set of contract functions, one contract for each chaincode library, and the same checks over all of them:
//! launched by the peer from their source, and as servers without TLS, with it, and with mutual TLS.
//!
//! - [`contracts`]: the libraries, how their contracts are built and served, and in what they differ by nature
//! - [`network`]: a network with one contract in every manner
//! - [`checks`]: the table
//!
//! Go, Node.js, a JDK with Maven, Cargo and their registries are needed; what is built is kept in Cargo's folder for such
//! things.

mod checks;
mod contracts;
mod network;
#[path = "../e2e/support"]
#[allow(dead_code, unused_imports, reason = "the end-to-end tests need more of it")]
mod support {
    pub(crate) mod client;
    pub(crate) mod output;
    pub(crate) mod package;
    pub(crate) mod parts;
    pub(crate) mod place;
    pub(crate) mod processes;
    pub(crate) mod ready;
    pub(crate) mod refusal;
    pub(crate) mod server;
    pub(crate) mod windlass;
}

use contracts::Library;

#[tokio::test(flavor = "multi_thread")]
async fn go_shim_v2() {
    network::check_all(Library::GoV2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn go_shim_before_v2() {
    network::check_all(Library::GoV1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_shim_2_5() {
    network::check_all(Library::Node25).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_shim_2_2() {
    network::check_all(Library::Node22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn java_shim_2_5() {
    network::check_all(Library::Java).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_shim() {
    network::check_all(Library::Rust).await;
}
