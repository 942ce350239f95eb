//! `windlass deploy`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use windlass_proto::ids::Label;

use super::{
    call::duration,
    dev::{InitArguments, NamedPath},
    network::NetworkArgs,
};

/// Bring chaincode onto a channel of a running network: package, install on the peer of every organization that there
/// are identities for, approve for each, commit, and see that every one of these peers runs it. Done again with nothing
/// changed, it does nothing; changed code or terms get the next sequence. Terms that are not
/// given stay as they are committed.
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Chaincode: a folder of source, an executable, or a package (.tar.gz), with a name before it if it is not to be
    /// the folder's.
    #[arg(value_name = "[NAME=]PATH", required = true)]
    pub(crate) chaincode: Vec<NamedPath>,

    /// The channels. [default: the only one that the peer is on]
    #[arg(
        long = "channel",
        short = 'C',
        visible_alias = "channels",
        value_name = "A,B",
        value_delimiter = ',',
        env = "CHANNEL_NAME"
    )]
    pub(crate) channels: Vec<String>,

    /// The version. [default: made of the sequence: 1.0, 2.0, …]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,

    /// The package's label. [default: the chaincode's name]
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Option<Label>,

    /// The sequence. [default: the committed one if it will do, else the next]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) sequence: Option<i64>,

    /// The endorsement policy, such as "OR('Org1MSP.peer')". [default: the committed one, at first the
    /// channel's: a majority of organizations]
    #[arg(long, value_name = "POLICY", conflicts_with = "channel_config_policy")]
    pub(crate) signature_policy: Option<String>,

    /// The endorsement policy, by its place in the channel's configuration. The channel's default is
    /// /Channel/Application/Endorsement.
    #[arg(long, value_name = "PATH")]
    pub(crate) channel_config_policy: Option<String>,

    /// A JSON file of private data collections, as `peer lifecycle chaincode` takes it. [default: the committed ones]
    #[arg(long, value_name = "FILE")]
    pub(crate) collections_config: Option<PathBuf>,

    /// Define the chaincode so that Init must be called first, and call it where that was not done. With =false, Init
    /// need not be called any more.
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        hide_possible_values = true
    )]
    pub(crate) init_required: Option<bool>,

    /// The arguments for Init, as JSON: ["Init","a"] or {"Args":["Init","a"]}.
    #[arg(long, value_name = "JSON", requires = "init_required")]
    pub(crate) init_args: Option<InitArguments>,

    /// Install and approve, and leave the commit to somebody else.
    #[arg(long, visible_alias = "no-commit")]
    pub(crate) approve_only: bool,

    /// As whom: a user of each organization, or the folder of an MSP. [default: Admin]
    #[arg(long, value_name = "USER|DIR")]
    pub(crate) identity: Option<String>,

    /// How long each step may take; installing has the peer build the chaincode.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Print the outcome as JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

impl DeployArgs {
    /// Whether Init is called, unless it was.
    pub(crate) fn calls_init(&self) -> bool {
        self.init_required == Some(true) && !self.approve_only
    }
}
