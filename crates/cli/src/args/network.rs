//! Which network a command works with.

use std::path::PathBuf;

use clap::Args;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct NetworkArgs {
    /// The network: the folder of `windlass dev`, a file of its --ready-file, or a connection profile (YAML or JSON).
    /// [default: the peer of CORE_PEER_ADDRESS, else .windlass here or in a folder above, else the peer of core.yaml]
    // `windlass dev` calls this folder --data.
    #[arg(long, alias = "data", value_name = "PATH", env = "WINDLASS_NETWORK")]
    pub(crate) network: Option<PathBuf>,
}
