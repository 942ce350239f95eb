//! TLS listeners and dialers for gRPC.
//!
//! - [`tls`]: certificates, keys and trust, from PEM to rustls
//! - [`listen`]: accepted connections as a stream for a gRPC server
//! - [`dial`](mod@dial): one connection to a gRPC server, with errors that name the cause
//! - `greeting`: what a server says first, and when it says goodbye
//!
//! Fabric needs more than gRPC libraries offer: servers that ask for a client certificate but accept any,
//! and code that sees that certificate; hence a crate.

pub mod dial;
mod greeting;
pub mod listen;
pub mod tls;

pub use dial::{DialError, DialOptions, Dialed, Keepalive, Shown, Stage, dial, dial_at, resolve};
pub use greeting::Leaving;
pub use listen::{ConnectionInfo, incoming};
pub use tls::{ClientAuthentication, ClientTls, ServerTls, TlsError};

/// The largest gRPC message, both ways: 100 MiB.
// Fabric: chaincode-protocol §4, endorsement-and-gateway §1
pub const MAX_MESSAGE_SIZE: usize = 100 * 1024 * 1024;
