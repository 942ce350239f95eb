//! The whole output of Fabric's `peer` command as this program has it. No network is needed: with one, the end-to-end
//! tests go further.

mod help;
mod offline;
mod packages;
mod support;
