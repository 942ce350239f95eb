//! `windlass config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Look at the configuration of a peer: core.yaml and the CORE_… variables over it.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting in force, and where its value came from.
    Show(ShowArgs),

    /// Say what is wrong with the configuration; fails if anything is.
    Check(SourceArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Show only what is not the default.
    #[arg(long)]
    pub(crate) changed: bool,

    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The core.yaml. [default: as a peer finds it: in FABRIC_CFG_PATH, else here, else in /etc/hyperledger/fabric]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
