//! `windlass uninstall` and `windlass prune`.

use clap::Args;

use super::network::NetworkArgs;

/// Remove a chaincode package and its build from the network's peers, unless a channel needs it.
#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    /// The package: its ID or the beginning of it, or its label.
    pub(crate) package: String,

    #[command(flatten)]
    pub(crate) peers: PeersArgs,
}

/// Remove every chaincode package that no channel needs, after showing which.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only show what would be removed.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) peers: PeersArgs,
}

/// Which peers.
#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    #[command(flatten)]
    pub(crate) network: NetworkArgs,

    /// Work with one organization's peer only. [default: every organization of the network]
    #[arg(long, value_name = "MSP_ID")]
    pub(crate) org: Option<String>,
}
