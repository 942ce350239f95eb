//! What each command does.

mod buildpack;
mod call;
mod channel;
mod config;
mod deploy;
mod doctor;
mod logs;
mod package;
mod status;
mod uninstall;

use std::{ffi::OsString, future::Future, process::ExitCode, time::Duration};

use anyhow::Context;

use crate::{
    args::{BuildpackCommand, Command, PlumbingArgs},
    dev, plumbing,
    printer::Printer,
};

/// Runs a command to its end.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        Command::Buildpack(BuildpackCommand::Step(words)) => Ok(buildpack::step(&words)),
        Command::Buildpack(BuildpackCommand::Install(args)) => {
            buildpack::install(&args, printer).map(|()| ExitCode::SUCCESS)
        }
        Command::Deploy(args) => block_on(deploy::run(&args, printer)),
        Command::Invoke(args) => block_on(call::invoke(&args, printer)),
        Command::Query(args) => block_on(call::query(&args, printer)),
        Command::Doctor(args) => block_on(doctor::run(&args, printer)),
        Command::Config(args) => config::run(&args.command, printer),
        Command::Completions(args) => {
            printer.raw(&args.script());
            Ok(ExitCode::SUCCESS)
        }
        Command::Sandbox(args) => Ok(windlass_chaincode::build::sandbox::main(&args.words)),
        Command::Status(args) => block_on(status::run(&args, printer)),
        Command::Logs(args) => block_on(logs::run(&args, printer)),
        Command::Uninstall(args) => block_on(uninstall::uninstall(&args, printer)),
        Command::Prune(args) => block_on(uninstall::prune(&args, printer)),
        Command::Package(args) => package::run(&args, printer).map(|()| ExitCode::SUCCESS),
        Command::Lifecycle(args) => Ok(plumbing("lifecycle", args, printer)),
        Command::Chaincode(args) => Ok(plumbing("chaincode", args, printer)),
        Command::Channel(args) => Ok(plumbing("channel", args, printer)),
        Command::Node(args) => Ok(plumbing("node", args, printer)),
        Command::Snapshot(args) => Ok(plumbing("snapshot", args, printer)),
        Command::Version(args) => Ok(plumbing("version", args, printer)),
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

fn plumbing(group: &str, args: PlumbingArgs, printer: &Printer) -> ExitCode {
    let words = std::iter::once(OsString::from(group)).chain(args.words);
    plumbing::run("windlass", words, printer)
}

fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new().context("cannot start the executor")?.block_on(command)
}

/// Gives up on `what` when the time is up.
async fn within<T>(limit: Duration, what: &str, work: impl Future<Output = T>) -> anyhow::Result<T> {
    let limited = tokio::time::timeout(limit, work).await;
    limited.map_err(|_| {
        anyhow::anyhow!("{what} was not done within {}s; hint: --timeout gives it longer", limit.as_secs_f32())
    })
}
