//! The engine from end to end: real streams over real sockets, with a scripted chaincode at the other end and
//! a ledger in memory.

mod calls;
mod development;
mod handshake;
mod harness;
mod launches;
mod memory;
mod metadata;
mod pools;
mod queries;
mod requests;
mod serving;
mod soup;
mod transactions;
mod wire;
