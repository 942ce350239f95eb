//! Who has to endorse a transaction: from policies to sets of peers. Shared by Gateway and Discovery.
//!
//! - `layouts`: the pure core: needs of signatures, and the combinations of peers that meet them
//! - `matching`: distinct peers for the groups of a layout
//! - `policy`: endorsement policies as needs
//! - `interest`: the policies, collections and peers of a transaction; start reading here
//!
//! Peers are numbers here. What a peer satisfies is asked once, of its identity; from there on, a principal is
//! the set of the peers that satisfy it, so one that implies another is a subset of it.

mod interest;
mod layouts;
mod matching;
mod policy;
#[cfg(test)]
mod tests;

pub(crate) use interest::{Interest, PlanError};
pub(crate) use layouts::{Layout, Plan};
pub(crate) use matching::choose;
