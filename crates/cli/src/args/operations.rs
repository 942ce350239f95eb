//! One peer's operations endpoint.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Default, Args)]
pub(crate) struct OperationsArgs {
    /// Ask this one peer, by the address of its operations endpoint. [default: every peer of the network, else
    /// 127.0.0.1:9443]
    #[arg(long, env = "CORE_OPERATIONS_LISTENADDRESS", value_name = "HOST:PORT")]
    pub(crate) operations: Option<String>,

    /// The root certificate of the endpoint, PEM, where it has TLS.
    #[arg(long, requires = "operations", value_name = "FILE")]
    pub(crate) tls_root: Option<PathBuf>,

    /// The client certificate to show there, PEM.
    #[arg(long, requires = "tls_key", requires = "tls_root", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key of that certificate, PEM.
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
}
