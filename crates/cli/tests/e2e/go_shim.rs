//! Chaincode on the bare `fabric-chaincode-go` shim: everything that the stub can do.
//!
//! - [`launching`]: from its source folder, and as a server in every manner of TLS
//! - [`initialising`]: calling Init once for each version
//! - [`state`], [`queries`], [`calls`], [`private`]: one group of functions each

mod calls;
mod initialising;
mod launching;
mod private;
mod queries;
mod state;

use crate::support::{client::Client, parts, place::Place, windlass::Windlass};

/// A network with the compiled chaincode as `shim`.
async fn serve(place: &Place) -> (Windlass, Client) {
    let windlass = place.dev().ephemeral().chaincode("shim", parts::go_program("go-shim")).start();
    let client = Client::user(&windlass.ready).await;
    (windlass, client)
}
