//! The path of an endorsement, whole: a client over gRPC and TLS, the peer, chaincode on its stream, and back.
//!
//! Prints one table: endorsements per second, latency and the peer's CPU for the bundled sample and for a Go chaincode,
//! beside a floor that is measured in the same run; what one request of chaincode costs beside a bare ping-pong; what more
//! instances of a chaincode that computes are good for; then start-up times and memory. `WINDLASS_BENCH_SECONDS` is how long
//! each line is measured (3 unless set).
//!
//! - [`network`]: the network that is measured, its start-up times and memory
//! - [`load`]: clients that keep the endorser busy
//! - [`round_trip`]: one request of chaincode
//! - [`instances`]: several processes of one chaincode
//! - [`floor`]: the least that any endorser has to do
//! - [`table`]: what is printed

// A benchmark prints what it finds.
#![allow(clippy::print_stdout)]

mod floor;
mod instances;
mod load;
mod network;
mod process;
mod round_trip;
mod support;
mod table;

use std::time::Duration;

use load::Load;
use table::Row;

/// Proposals that are under way at once.
const CONCURRENCY: [usize; 3] = [1, 16, 64];

fn main() {
    if let Some(role) = floor::Role::of_this_process() {
        return runtime().block_on(floor::serve(role));
    }
    runtime().block_on(measure(seconds()));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("an executor")
}

fn seconds() -> Duration {
    let seconds = std::env::var("WINDLASS_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3.0);
    Duration::from_secs_f64(seconds)
}

async fn measure(duration: Duration) {
    table::heading(duration);
    let place = support::place::Place::new();
    let floor = floor::Floor::start(&place).await;
    let mut floors = Vec::new();
    for concurrency in CONCURRENCY {
        let load = Load { clients: floor.clients(concurrency).await, concurrency, duration };
        let measured = load.run(&floor.call(), floor.pid()).await;
        floors.push(measured.per_second);
        table::row(&Row { name: "floor", function: "verify+sign", concurrency, measured, floor: None });
    }
    drop(floor);

    let network = network::Network::start(&place).await;
    for (name, chaincode) in [("Rust sample", "sample"), ("Go shim", "goshim")] {
        for function in ["Noop", "Put", "Get"] {
            for (concurrency, floor) in CONCURRENCY.into_iter().zip(&floors) {
                let load = Load { clients: network.clients(concurrency).await, concurrency, duration };
                let measured = load.run(&network.call(chaincode, function), network.pid()).await;
                table::row(&Row { name, function, concurrency, measured, floor: Some(*floor) });
            }
        }
    }
    table::memory(&network.memory());
    network.stop();
    table::round_trip(&round_trip::measure(&place).await);
    table::instances_heading();
    let mut one = None;
    for instances in instances::INSTANCES {
        let measured = instances::measure(&place, instances, duration).await;
        table::instances(instances, &measured, *one.get_or_insert(measured.per_second));
    }
    drop(place);
    table::start_up(&network::start_up().await);
}
