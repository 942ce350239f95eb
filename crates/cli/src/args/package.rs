//! `windlass package`.

use std::path::PathBuf;

use clap::Args;
use windlass_proto::ids::Label;

/// Make a chaincode package from a folder of code or from a program. The same code makes the same package, to the byte,
/// on any machine.
#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    /// A folder with Go, Node, Java or Rust source, with connection.json, or with a program; or the program itself.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,

    /// The type, which decides who builds the chaincode. [default: found from what is there]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,

    /// The label. [default: the folder's name]
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Option<Label>,

    /// Where to write the package. [default: LABEL.tar.gz in the current folder]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// List what goes into the package and what does not, and why.
    #[arg(long)]
    pub(crate) explain: bool,

    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
