//! `@hyperledger/fabric-gateway` for Node.js, unmodified.
//!
//! - [`transactions`]: evaluate, submit, commit status, errors, conflicts, offline signing
//! - [`events`]: of chaincode and of blocks
//! - [`identities`]: signatures that are wrong

mod events;
mod identities;
mod transactions;

use crate::support::{gateway::Gateway, place::Place, windlass::Windlass};

/// A network with the bundled sample as `basic`, and a client of it.
fn connect(place: &Place) -> (Windlass, Gateway) {
    let windlass = place.dev().ephemeral().start();
    let gateway = Gateway::connect(&windlass);
    (windlass, gateway)
}
