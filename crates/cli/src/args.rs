//! What can be typed.

pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod deploy;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod logs;
pub(crate) mod network;
pub(crate) mod operations;
pub(crate) mod package;
pub(crate) mod plumbing;
pub(crate) mod status;
pub(crate) mod uninstall;

use std::{ffi::OsString, path::PathBuf};

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

    /// Bring chaincode onto a channel of a running network.
    // Its --version is the chaincode's.
    #[command(disable_version_flag = true)]
    Deploy(deploy::DeployArgs),

    /// Submit a transaction.
    Invoke(call::InvokeArgs),

    /// Call chaincode without changing anything.
    Query(call::QueryArgs),

    /// Show what the peers' chaincode is doing.
    Status(status::StatusArgs),

    /// Find out what is wrong, and what to do about it.
    Doctor(doctor::DoctorArgs),

    /// Show what a chaincode prints, or what its builder printed.
    Logs(logs::LogsArgs),

    /// Remove a chaincode package that no channel needs.
    Uninstall(uninstall::UninstallArgs),

    /// Remove every chaincode package that no channel needs.
    Prune(uninstall::PruneArgs),

    /// Make a chaincode package.
    Package(package::PackageArgs),

    /// Package, install, approve and commit chaincode, as `peer lifecycle` does.
    #[command(disable_help_flag = true)]
    Lifecycle(PlumbingArgs),

    /// Call chaincode, as `peer chaincode` does.
    #[command(disable_help_flag = true)]
    Chaincode(PlumbingArgs),

    /// Work on channels, as `peer channel` does.
    #[command(disable_help_flag = true)]
    Channel(PlumbingArgs),

    /// Run a peer, as `peer node` does.
    #[command(disable_help_flag = true, alias = "peer")]
    Node(PlumbingArgs),

    /// Work on snapshots of a ledger, as `peer snapshot` does.
    #[command(disable_help_flag = true)]
    Snapshot(PlumbingArgs),

    /// Print the version, as `peer version` does.
    #[command(disable_help_flag = true)]
    Version(PlumbingArgs),

    /// Look at a peer's configuration.
    Config(config::ConfigArgs),

    /// Print a script that completes commands and flags in a shell.
    Completions(completions::CompletionsArgs),

    /// Run one step of a built-in buildpack, as an external builder does: NAME STEP FOLDER…
    #[command(subcommand, arg_required_else_help = true)]
    Buildpack(BuildpackCommand),

    /// Run a program confined; peers do this.
    #[command(hide = true)]
    Sandbox(SandboxArgs),

    /// Run the bundled sample chaincode; peers do this.
    #[command(hide = true)]
    Sample(SampleArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum BuildpackCommand {
    /// Write the buildpacks as folders that any Fabric peer takes as external builders.
    Install(BuildpackInstallArgs),

    /// The buildpack (binary, ccaas, golang, java, node or rust), the step (detect, build, release or run), and the
    /// step's folders, as the external builder contract has them.
    #[command(external_subcommand)]
    Step(Vec<OsString>),
}

#[derive(Debug, Args)]
pub(crate) struct BuildpackInstallArgs {
    /// Where a folder for each is made.
    pub(crate) folder: PathBuf,

    /// The windlass program that the peer will find, if it is not this one.
    #[arg(long, value_name = "PATH")]
    pub(crate) executable: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    /// A stage, a policy, a program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}

/// Words that are read as Fabric's `peer` command reads them.
#[derive(Debug, Args)]
pub(crate) struct PlumbingArgs {
    /// A command and its flags; --help lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) words: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Settings that a peer passes to chaincode.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) settings: Vec<OsString>,
}
