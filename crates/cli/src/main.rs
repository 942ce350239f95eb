//! The `windlass` command.
//!
//! - [`args`]: what can be typed
//! - [`commands`]: what is done then, one file a command
//! - [`dev`]: the network that `windlass dev` starts
//! - [`plumbing`]: Fabric's `peer` command, which this program is when it is called so
//! - [`network`]: which network a command works with, and as whom
//! - [`profile`]: connection profiles, as SDKs have them
//! - [`definition`], [`deploy`]: from a package to chaincode that a channel has agreed on
//! - [`client`]: a client of a network, over gRPC with signed proposals
//! - [`printer`]: what a person sees
//! - [`suggest`]: what may have been meant

mod args;
mod client;
mod commands;
mod definition;
mod deploy;
mod dev;
mod network;
mod plumbing;
mod printer;
mod profile;
mod suggest;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Color};
use printer::Printer;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next();
    let mut words = words.peekable();
    // A peer runs its buildpacks by calling itself, whatever its name.
    let itself = words.peek().is_some_and(|word| word == "buildpack" || word == "sample");
    if plumbing::is_meant(called.as_ref()) && !itself {
        return plumbing::main_as_peer(words, &Printer::new(Color::Auto));
    }
    let arguments = Arguments::parse();
    let printer = Printer::new(arguments.color);
    match commands::run(arguments.command, &printer) {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            ExitCode::FAILURE
        }
    }
}
