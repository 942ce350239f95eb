//! Fabric's `peer` command, a client of a network and a node: same flags, environment, texts and exit codes.
//!
//! It is reached as `windlass lifecycle chaincode …`, `windlass channel …` and so on, and when the program runs under
//! the name `peer`.
//!
//! - [`session`]: what every command needs: settings, identity, log, connections
//! - [`settings`]: `core.yaml` and `CORE_…` variables, as far as a client reads them
//! - [`connect`], [`profile`]: which peers and orderers, and how to reach them
//! - [`submit`]: endorsing at several peers, ordering, waiting for the commit
//! - [`lifecycle`], [`chaincode`], [`channel`], [`version`]: the commands
//! - [`node`]: a peer as a process of its own
//! - [`log`]: log lines
//! - [`failure`], [`golang`], [`json`]: how errors, messages and results are written
// Fabric: endorsement-and-gateway §11

mod chaincode;
mod channel;
mod connect;
mod failure;
pub(crate) mod golang;
mod json;
mod lifecycle;
mod log;
pub(crate) mod node;
mod profile;
mod session;
pub(crate) mod settings;
mod submit;
mod version;

use std::{ffi::OsString, path::Path, process::ExitCode};

use crate::{
    args::{
        completions::{CompletionsArgs, Program},
        plumbing::{Invocation, Parsed, parse, tree::Task},
    },
    printer::Printer,
};
use failure::Failure;
use session::Session;

/// The name under which the program is the plumbing and nothing else.
const NAME: &str = "peer";

/// Whether the program was called `peer`.
pub(crate) fn is_meant(program: Option<&OsString>) -> bool {
    program.and_then(|program| Path::new(program).file_name()).is_some_and(|name| name == NAME)
}

/// Runs the command line of a program called `peer`.
pub(crate) fn main_as_peer(arguments: impl Iterator<Item = OsString>, printer: &Printer) -> ExitCode {
    run(NAME, arguments, printer)
}

/// Runs a command line; `program` is what texts call it.
pub(crate) fn run(program: &str, arguments: impl Iterator<Item = OsString>, printer: &Printer) -> ExitCode {
    let arguments: Vec<_> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    let (task, invocation) = match parse(program, &arguments) {
        Parsed::Run(task, invocation) => (task, invocation),
        Parsed::Help(text) => {
            printer.raw(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Parsed::NoHelp(text) => {
            printer.raw_error(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong(text) => {
            printer.raw_error(text.as_bytes());
            return ExitCode::FAILURE;
        }
    };
    let usage = invocation.place.usage();
    match perform(task, invocation, printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match failure {
                Failure::Usage(text) => printer.raw_error(format!("Error: {text}\n{usage}\n").as_bytes()),
                Failure::Failed(text) => printer.raw_error(format!("Error: {text}\n").as_bytes()),
                Failure::Said => {}
            }
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task, invocation: Invocation, printer: &Printer) -> Result<(), Failure> {
    match task {
        Task::Version => return version::print(&invocation, printer),
        Task::Completion(shell) => {
            let peer = CompletionsArgs { shell, program: Program::Peer };
            let script = if invocation.values.is("no-descriptions") { peer.terse_script() } else { peer.script() };
            printer.raw(&script);
            return Ok(());
        }
        _ => {}
    }
    // Packaging needs no identity, and no network.
    // So does work on a peer's own files.
    let needs_identity = !matches!(task, Task::Package | Task::CalculatePackageId | Task::NodeOffline(_));
    let session = Session::start(invocation, needs_identity, printer)?;
    let mut runtime = match task {
        Task::NodeStart => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime =
        runtime.enable_all().build().map_err(|error| Failure::failed(format!("cannot start the executor: {error}")))?;
    let outcome = runtime.block_on(async {
        match task {
            Task::Package => lifecycle::package::run(&session),
            Task::CalculatePackageId => lifecycle::package_id::run(&session),
            Task::Install => lifecycle::install::run(&session).await,
            Task::QueryInstalled => lifecycle::installed::query(&session).await,
            Task::GetInstalledPackage => lifecycle::installed::get(&session).await,
            Task::Approve => lifecycle::define::approve(&session).await,
            Task::Commit => lifecycle::define::commit(&session).await,
            Task::CheckCommitReadiness => lifecycle::readiness::run(&session).await,
            Task::QueryApproved => lifecycle::approved::run(&session).await,
            Task::QueryCommitted => lifecycle::committed::run(&session).await,
            Task::Invoke => chaincode::invoke(&session).await,
            Task::Query => chaincode::query(&session).await,
            Task::ChannelCreate => channel::create::run(&session).await,
            Task::ChannelFetch => channel::fetch::run(&session).await,
            Task::ChannelInfo => channel::info(&session).await,
            Task::ChannelJoin => channel::join(&session).await,
            Task::ChannelList => channel::list(&session).await,
            Task::ChannelSign => channel::update::sign(&session),
            Task::ChannelUpdate => channel::update::run(&session).await,
            Task::NodeStart => node::start::run(&session).await,
            Task::NodeOffline(work) => node::offline::run(work, &session),
            // Understood before anything was started.
            Task::Version | Task::Completion(_) | Task::Refuse(_) => Ok(()),
        }
    });
    // Whatever still runs belongs to a command that has ended.
    runtime.shutdown_background();
    outcome
}
