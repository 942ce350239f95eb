//! `windlass logs`.

use clap::Args;

use super::{network::NetworkArgs, operations::OperationsArgs};

/// Show what a chaincode prints, or what its builder printed.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// A chaincode's name on a channel, a package's label, or the beginning of a package ID.
    pub(crate) name: String,

    /// Go on as more is printed.
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Show what its builder printed when it was built last, whether or not that succeeded.
    #[arg(long, conflicts_with = "instance")]
    pub(crate) build: bool,

    /// Show one instance only.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) instance: Option<u32>,

    /// Show only so many of the last lines.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) lines: Option<usize>,

    /// The organization whose peer is asked, by its MSP ID. [default: the first]
    #[arg(long, value_name = "MSP_ID")]
    pub(crate) org: Option<String>,

    #[command(flatten)]
    pub(crate) network: NetworkArgs,

    #[command(flatten)]
    pub(crate) operations: OperationsArgs,

    /// Print a JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}
