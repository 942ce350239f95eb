//! The project's chores. `cargo xtask --help` lists them.

mod fuzz;
mod limits;
mod protobuf;
mod steps;
mod tools;

use std::{path::PathBuf, time::Duration};

use clap::Parser;

/// The project's chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Everything that must hold before a change lands: formatting, lints, docs, generated code, limits, all tests.
    Test,
    /// Generate the Rust code of crates/proto from proto/*.proto.
    Proto {
        /// Change nothing; fail if the committed code differs.
        #[arg(long)]
        check: bool,
    },
    /// Fail if a source file has grown over 1,000 lines.
    Limits,
    /// Run the benchmarks and print their table. Takes some minutes.
    Bench,
    /// Load a network of every kind of chaincode while something goes wrong every few seconds, and print what came of it.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 10)]
        minutes: u32,
    },
    /// Fuzz one of fuzz/targets.
    Fuzz {
        /// The target: package, archive or message.
        target: String,
        /// For how long.
        #[arg(long, default_value_t = 5)]
        minutes: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Chore::parse() {
        Chore::Test => steps::test(&root()),
        Chore::Proto { check } => protobuf::generate(&root(), check),
        Chore::Limits => limits::check(&root()),
        Chore::Bench => steps::bench(&root()),
        Chore::Soak { minutes } => steps::soak(&root(), minutes),
        Chore::Fuzz { target, minutes } => fuzz::run(&root(), &target, Duration::from_secs(60 * minutes)),
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path.pop();
    path
}
