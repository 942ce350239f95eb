//! The node: one [`node::Peer`] value owns everything that a Fabric peer does.
//!
//! - [`node`]: starting and stopping a peer; start reading here
//! - [`config`]: `core.yaml` and the environment over it
//! - [`channel`]: a joined channel: its ledger, configuration and commit loop
//! - [`ledgers`]: the folder of all ledgers, and what operators do to it while no peer runs
//! - [`validate`]: signatures and policies of a block's transactions
//! - [`acl`]: who may use which resource
//! - [`services`]: endorser, gateway, deliver
//! - [`ordering`]: where blocks come from and transactions go: the orderer of this process, or a real service
//! - [`network`]: the other peers: who there is, what they have, how to call them
//! - `planner`: from policies to the peers that must endorse
//! - [`system`]: the system chaincodes `cscc` and `qscc`
//! - [`simulation`]: joins the ledger's simulator to the chaincode engine
//! - [`events`]: what happened to each transaction, for whoever watches
//! - [`operations`], [`telemetry`], [`logging`]: what operators look at
//! - [`listen`]: one gRPC server on one port

pub mod acl;
pub mod channel;
pub mod config;
pub mod events;
pub mod ledgers;
pub mod listen;
pub mod logging;
pub mod network;
pub mod node;
pub mod operations;
pub mod ordering;
mod planner;
pub mod services;
pub mod simulation;
pub mod system;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod validate;
