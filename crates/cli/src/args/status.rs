//! What `windlass status` can be told.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Where the peer's operations endpoint listens.
    #[arg(long, env = "CORE_OPERATIONS_LISTENADDRESS", default_value = "127.0.0.1:9443", value_name = "HOST:PORT")]
    pub(crate) operations: String,

    /// The root certificate of the endpoint, PEM, where it has TLS.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_root: Option<PathBuf>,

    /// The client certificate to show there, PEM.
    #[arg(long, requires = "tls_key", requires = "tls_root", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key of that certificate, PEM.
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Print what the peer says, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
