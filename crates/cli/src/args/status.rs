//! What `windlass status` can be told.

use clap::Args;

use super::{network::NetworkArgs, operations::OperationsArgs};

/// Show what the chaincode of a network's peers is doing: instances, streams, errors, last output.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) network: NetworkArgs,

    #[command(flatten)]
    pub(crate) operations: OperationsArgs,

    /// Print what the peers say, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
