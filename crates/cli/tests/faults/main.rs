//! What a chaincode can do wrong, and what comes of it: a real network, the built binary, TLS on, and a chaincode of ours
//! that misbehaves as it is told.
//!
//! One network for all faults, one fault after the other. Each has an outcome of its own; and for each, another chaincode
//! of the same peer that works all the while must not notice, and afterwards nothing of it may be left: transactions,
//! queries, snapshots, streams, tasks, files.
//!
//! - [`chaincode`]: the chaincode that misbehaves, which is this same program
//! - [`network`]: the network, and what is counted
//! - [`bystander`]: the chaincode that must not notice
//! - [`faults`]: the table
//! - [`soak`]: the same under load, for as long as is wanted
//! - [`proxy`]: the connection to a chaincode that serves, in the tests' hands

// The soak prints its figures, and the chaincode its last words.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bystander;
mod chaincode;
mod faults;
mod network;
mod proxy;
mod soak;
#[path = "../e2e/support"]
#[allow(dead_code, unused_imports, reason = "the end-to-end tests need more of it")]
mod support {
    pub(crate) mod client;
    pub(crate) mod http;
    pub(crate) mod output;
    pub(crate) mod package;
    pub(crate) mod parts;
    pub(crate) mod place;
    pub(crate) mod processes;
    pub(crate) mod ready;
    pub(crate) mod refusal;
    pub(crate) mod server;
    pub(crate) mod windlass;
}

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

use network::Network;

fn main() -> ExitCode {
    let runtime = Arc::new(Runtime::new().expect("an executor"));
    if let Some(folder) = chaincode::folder_of_this_process() {
        runtime.block_on(chaincode::run(folder));
        return ExitCode::SUCCESS;
    }
    if let Some(length) = soak::asked() {
        return runtime.block_on(soak::run(length));
    }
    // What a fault leaves is counted, so that nothing may run beside it.
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let network: Arc<Mutex<Option<Network>>> = Arc::default();
    let trials = faults::TABLE.iter().map(|&(name, fault)| {
        let (runtime, network) = (runtime.clone(), network.clone());
        Trial::test(name, move || {
            // A fault that failed has not broken the network for the others; whether it has, they will see.
            let mut network = network.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let network = network.get_or_insert_with(|| runtime.block_on(Network::start()));
            runtime.block_on(network.survives(fault));
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let Some(network) = network.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        network.stop();
    }
    conclusion.exit_code()
}
