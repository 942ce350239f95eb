//! What is true: blocks, state, read-write sets and their validation.
//!
//! Block files are the source of truth: a block and its private data are durable before anyone hears of them.
//! State, history and indexes follow in one atomic batch per block and are made again from the blocks whenever
//! the two disagree. Endorsement reads snapshots and never waits for a commit. Everything here is synchronous.
//!
//! - [`ledger`](Ledger): one channel's ledger: create, open, ask for blocks and transactions
//! - `commit`: a block's way into the ledger; `apply`: what it changes; `rebuild`: making state again from blocks
//! - `mvcc`: which transactions of a block still hold; `commit_hash`: what peers compare after a block
//! - [`simulate`](Simulator): endorsement's view of state, recording what it reads and writes
//! - [`query`](Query): committed state without recording; [`history`](HistoryIterator): how a key came to be
//! - [`offline`]: going back to an earlier block, while nobody has the ledger open
//! - `private`: private writes between endorsement and commit
//! - [`rwset`]: read-write sets, taken apart and put together
//! - [`blocks`]: the block files, also an orderer's log
//! - [`store`]: the seam to the embedded database
//! - `state`, `keys`, `version`: how all of it lies in the store; `error`: what can go wrong
//!
//! Start reading at [`Ledger`].

mod apply;
pub mod blocks;
mod commit;
mod commit_hash;
mod error;
mod history;
mod keys;
mod ledger;
mod mvcc;
pub mod offline;
mod private;
mod query;
mod rebuild;
pub mod rwset;
mod savepoint;
mod simulate;
mod state;
pub mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod version;

pub use error::{BlockFault, LedgerError};
pub use history::HistoryIterator;
pub use ledger::{Committed, Ledger, LedgerOptions, StoreKind};
pub use private::PrivateWrites;
pub use query::Query;
pub use simulate::{CollectionInterest, NamespaceInterest, RangeIterator, SimulationResults, Simulator};
pub use state::Record;
pub use version::Version;
