//! The whole ledger: what is committed, what conflicts, what is there after a crash.

mod chain;
mod conflicts;
mod history;
mod model;
mod private;
mod recovery;
