//! A small chaincode library: write a [`Chaincode`], hand it to [`start`], and it serves transactions.
//!
//! - [`Chaincode`], [`Response`], [`Outcome`]: what an author implements and returns
//! - [`Stub`]: one transaction as chaincode sees it; state, [`Private`] data, [`Rows`], [`composite`] keys, events
//! - [`client`]: dials the peer, as chaincode that the peer launched does
//! - [`server`]: listens for the peer, as chaincode run as a service does
//! - [`sample`]: the bundled sample, an asset ledger
//!
//! Start reading at [`Chaincode`]; the protocol itself is in `session`.
//!
//! ```no_run
//! use windlass_shim::{Chaincode, Outcome, Response, Stub};
//!
//! struct Greeter;
//!
//! impl Chaincode for Greeter {
//!     async fn invoke(&self, stub: &Stub) -> Outcome {
//!         match stub.function() {
//!             "greet" => {
//!                 stub.put(stub.text(0)?, "hello").await?;
//!                 Ok(Response::ok("done"))
//!             }
//!             other => Err(format!("no function {other}").into()),
//!         }
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), windlass_shim::StartError> {
//!     windlass_shim::start(Greeter).await
//! }
//! ```

mod batch;
mod chaincode;
pub mod client;
pub mod composite;
mod environment;
mod error;
mod exchange;
mod private;
mod proposal;
mod rows;
pub mod sample;
pub mod server;
mod session;
mod start;
mod stub;

pub use chaincode::{Chaincode, Outcome, Response};
pub use environment::{ConfigError, local_msp_id};
pub use error::Error;
pub use private::Private;
pub use rows::{KeyValue, Modification, Page, Row, Rows};
pub use session::SessionError;
pub use start::{StartError, start, start_with};
pub use stub::Stub;

/// The largest message either side may send: 100 MiB.
// Fabric: chaincode-protocol §4
pub const MAX_MESSAGE_SIZE: usize = 100 * 1024 * 1024;
