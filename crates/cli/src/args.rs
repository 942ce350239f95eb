//! What can be typed.

pub(crate) mod dev;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Hyperledger Fabric chaincode, from source to a running, invocable process.
#[derive(Debug, Parser)]
#[command(name = "windlass", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole Fabric network for your chaincode.
    Dev(dev::DevArgs),

    /// Run one step of a built-in buildpack, as an external builder does.
    Buildpack(BuildpackArgs),

    /// Run the bundled sample chaincode; peers do this.
    #[command(hide = true)]
    Sample(SampleArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BuildpackArgs {
    /// The buildpack: binary, ccaas, golang or node.
    pub(crate) name: String,

    /// The step: detect, build, release or run.
    pub(crate) step: String,

    /// The step's folders, as the external builder contract has them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) folders: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Settings that a peer passes to chaincode.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) settings: Vec<OsString>,
}
