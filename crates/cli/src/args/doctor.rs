//! `windlass doctor`.

use std::path::PathBuf;

use clap::Args;

use super::network::NetworkArgs;

/// Check this machine, the configuration, the network, and chaincode that is to be deployed; say what to do about each
/// thing that is wrong.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Chaincode to look at: a folder of source, an executable, or a package.
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,

    /// The core.yaml to look at. [default: as a peer finds it, by FABRIC_CFG_PATH or here]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Print the findings as JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}
