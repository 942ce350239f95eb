//! What each command does.

use std::process::ExitCode;

use anyhow::Context;

use crate::{args::Command, dev, printer::Printer};

/// Runs a command to its end.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        Command::Buildpack(args) => {
            Ok(windlass_chaincode::build::buildpacks::main(&args.name, &args.step, &args.folders))
        }
        Command::Sample(args) => {
            let settings = args.settings.into_iter().map(|setting| setting.to_string_lossy().into_owned());
            let runtime = tokio::runtime::Runtime::new().context("cannot start the executor")?;
            runtime.block_on(windlass_shim::sample::main(settings))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Dev(args) => {
            let runtime = tokio::runtime::Runtime::new().context("cannot start the executor")?;
            let outcome = runtime.block_on(dev::run(args, printer));
            // Whatever still runs belongs to a network that has ended.
            runtime.shutdown_background();
            outcome.map(|()| ExitCode::SUCCESS)
        }
    }
}
