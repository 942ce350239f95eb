//! The whole of `windlass dev`, as its users meet it: the built binary, real chaincode, real clients, TLS on.
//!
//! - [`support`]: what the tests stand on
//! - [`sample`], [`restart`], [`stopping`], [`stock_files`]: the network itself
//! - [`go_shim`], [`go_contract`], [`node_contract`], [`rust_server`]: unmodified chaincode, launched and as a server
//! - [`packages`]: contracts in every language, as packages
//! - [`by_hand`]: chaincode that its author starts
//! - [`gateway`]: an unmodified client SDK
//! - [`logs`]: what chaincode and its builders print
//! - [`kill`]: `kill -9` in the middle of load
//! - [`refusals`]: hostile packages, false signatures, and what is said to them
//! - [`builders`]: external builders of one's own
//! - [`system`]: the chaincode inside the peer
//! - [`operations`]: what operators look at
//!
//! Go, Node.js and their registries are needed; what is built is kept in Cargo's folder for such things.

mod support;

mod builders;
mod by_hand;
mod gateway;
mod go_contract;
mod go_shim;
mod kill;
mod logs;
mod node_contract;
mod operations;
mod packages;
mod refusals;
mod restart;
mod rust_server;
mod sample;
mod stock_files;
mod stopping;
mod system;
