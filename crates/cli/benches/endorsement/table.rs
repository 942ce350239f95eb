//! What is printed.

use std::time::Duration;

use crate::{
    load::Measured,
    network::{Memory, StartUp},
    round_trip::RoundTrip,
};

/// One line.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) function: &'static str,
    pub(crate) concurrency: usize,
    pub(crate) measured: Measured,
    /// The floor's endorsements per second at the same concurrency.
    pub(crate) floor: Option<f64>,
}

pub(crate) fn heading(duration: Duration) {
    println!("Endorsements over gRPC and TLS, {} s a line", duration.as_secs_f32());
    println!("The floor verifies a signature, makes one, and takes two gRPC hops over TLS.");
    println!();
    println!(
        "{:<12} {:<12} {:>8} {:>10} {:>10} {:>10} {:>13} {:>9}",
        "chaincode", "function", "at once", "per s", "p50", "p99", "CPU per 1000", "of floor"
    );
}

pub(crate) fn row(row: &Row) {
    let Measured { per_second, median, percentile_99, cpu_per_thousand } = row.measured;
    let share = row.floor.map_or_else(String::new, |floor| format!("{:.0} %", per_second / floor * 100.0));
    println!(
        "{:<12} {:<12} {:>8} {:>10.0} {:>10} {:>10} {:>13} {:>9}",
        row.name,
        row.function,
        row.concurrency,
        per_second,
        milliseconds(median),
        milliseconds(percentile_99),
        milliseconds(cpu_per_thousand),
        share
    );
}

pub(crate) fn memory(memory: &Memory) {
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    println!();
    println!(
        "resident memory    {} after the start, {} after the load, at most {}",
        mib(memory.idle),
        mib(memory.loaded),
        mib(memory.most)
    );
}

pub(crate) fn round_trip(round_trip: &RoundTrip) {
    let RoundTrip { get_state, floor } = *round_trip;
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    println!(
        "GET_STATE          {:.1} us a round trip, {:.2} of a bare gRPC ping-pong ({:.1} us)",
        micros(get_state),
        get_state.as_secs_f64() / floor.as_secs_f64(),
        micros(floor)
    );
}

pub(crate) fn instances_heading() {
    println!();
    println!("{:<12} {:>10} {:>10} {:>10} {:>9}", "Node, spins", "per s", "p50", "p99", "of one");
}

pub(crate) fn instances(instances: usize, measured: &Measured, one: f64) {
    println!(
        "{:<12} {:>10.0} {:>10} {:>10} {:>9.2}",
        format!("{instances} at once"),
        measured.per_second,
        milliseconds(measured.median),
        milliseconds(measured.percentile_99),
        measured.per_second / one
    );
}

pub(crate) fn start_up(start_up: &StartUp) {
    println!();
    println!(
        "start to ready     {:.0} ms from nothing, {:.0} ms on kept data (bundled sample)",
        start_up.fresh.as_secs_f64() * 1000.0,
        start_up.kept.as_secs_f64() * 1000.0
    );
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}
