//! The embedded ordering service: durable, signed, chained blocks from whatever clients may submit.
//!
//! - [`orderer`]: the service as a value, with its channels
//! - [`service`]: the same over gRPC (`orderer.AtomicBroadcast`)
//! - [`broadcast`]: which messages are admitted, and the codes that refuse the others
//! - [`cutter`]: when a batch becomes a block
//! - `chain`: one task a channel that turns admitted messages into durable blocks
//! - `log`: a channel's blocks on disk, and what its last configuration is
//! - [`deliver`]: seeking and streaming blocks, shared with the peer
//! - [`genesis`]: block zero of a new channel
//! - [`configtx`]: configuration updates
//! - [`blocks`]: making and signing blocks
//!
//! Start reading at [`Orderer`].

pub mod blocks;
pub mod broadcast;
mod chain;
pub mod configtx;
pub mod cutter;
pub mod deliver;
mod error;
pub mod genesis;
mod log;
pub mod orderer;
pub mod service;

pub use chain::ChainState;
pub use error::OrdererError;
pub use orderer::{Orderer, OrdererConfig};
