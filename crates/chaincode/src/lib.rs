//! From package to running contract, and what a channel has agreed about it.
//!
//! The road of code, in order:
//!
//! - [`package`]: what a package is, its ID, and making one from a folder
//! - [`install`]: the packages on this peer
//! - [`build`]: external builders and the built-in buildpacks that obey the same contract
//! - [`launch`]: starting a built chaincode, or dialing one that serves
//! - [`stream`]: the protocol between peer and chaincode, and executing transactions over it
//! - [`engine`]: all of the above behind one value; start reading here
//! - [`lifecycle`]: definitions, approvals, and the system chaincode `_lifecycle`
//!
//! The seams to the rest of a peer:
//!
//! - [`simulation`]: the ledger as a chaincode sees it
//! - [`transaction`]: what is being executed, and for whom
//! - [`channels`]: the channels of this peer, their configuration and access rules
//! - [`system`]: chaincode that is part of the peer

pub mod build;
pub mod channels;
pub mod engine;
pub mod install;
pub mod launch;
pub mod lifecycle;
pub mod package;
pub mod simulation;
pub mod stream;
pub mod system;
pub mod transaction;
