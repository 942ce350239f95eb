//! The `windlass` command.
//!
//! - [`args`]: what can be typed
//! - [`commands`]: what is done then, one file a command
//! - [`dev`]: the network that `windlass dev` starts
//! - [`client`]: a client of a network, over gRPC with signed proposals
//! - [`printer`]: what a person sees

mod args;
mod client;
mod commands;
mod dev;
mod printer;

use std::process::ExitCode;

use clap::Parser;

use args::Arguments;
use printer::Printer;

fn main() -> ExitCode {
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
