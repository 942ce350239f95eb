//! Several organizations, each with a peer of its own, and one orderer, in this process: whose endorsements the Gateway
//! collects, what Discovery tells, and that every peer judges every transaction alike.

mod chaincode;
mod client;
mod discovery;
mod gateway;
mod lifecycle;
mod network;
