//! The network that `windlass dev` starts: from nothing to chaincode that serves.
//!
//! - [`folder`]: where everything lies
//! - [`ports`]: where everything listens
//! - [`network`]: the orderer and all peers, in this process
//! - [`organization`]: one organization: its peer and its files
//! - [`deploy`]: the chaincode of the command line
//! - [`artifacts`]: files for other tools: `env.sh`, connection profiles, the description
//! - [`progress`]: slow steps, as they go
//! - [`banner`], [`trace`]: what a person reads when it is ready, and from then on

mod artifacts;
mod banner;
mod deploy;
pub(crate) mod folder;
mod network;
mod organization;
pub(crate) mod ports;
mod progress;
mod trace;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{args::dev::DevArgs, printer::Printer};
use folder::Folder;
use network::Network;

/// Removing files that takes longer is worth a word.
const WORTH_SAYING: Duration = Duration::from_secs(1);

/// Runs the network until it is interrupted.
pub(crate) async fn run(args: DevArgs, printer: &Printer) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let mut stop = std::pin::pin!(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    });

    let folder = Arc::new(Folder::open(&args, printer)?);
    let network = Network::start(&args, folder.clone(), printer).await?;
    let up = started.elapsed();
    let outcome = tokio::select! {
        outcome = serve(&args, &network, printer, started, up) => outcome,
        () = &mut stop => {
            printer.note("stopping");
            Ok(())
        }
    };
    tokio::select! {
        () = end(network, &folder, printer) => {}
        // That means now. The next network removes what this one leaves.
        _ = signal_again() => std::mem::forget(folder),
    }
    outcome
}

/// Ends everything that runs, then removes the folder if it is to go.
async fn end(network: Network, folder: &Arc<Folder>, printer: &Printer) {
    network.shutdown().await;
    let folder = folder.clone();
    let mut cleared = tokio::task::spawn_blocking(move || folder.clear());
    let cleared = match timeout(WORTH_SAYING, &mut cleared).await {
        Ok(cleared) => cleared,
        Err(_) => {
            printer.note("everything has ended; removing its files");
            cleared.await
        }
    };
    if let Ok(Err(error)) = cleared {
        printer.warn(format_args!("{error:#}"));
    }
}

async fn serve(
    args: &DevArgs,
    network: &Network,
    printer: &Printer,
    started: Instant,
    up: Duration,
) -> anyhow::Result<()> {
    let output = trace::output(network);
    let chaincodes = deploy::all(args, network, printer).await?;
    // From here on, so that the deployment itself is not shown line by line.
    let events = trace::events(network);
    artifacts::write(network, &chaincodes)?;
    // Before the banner: a script that waits for its last line finds the file.
    if let Some(path) = &args.ready_file {
        artifacts::write_ready_file(path, network, &chaincodes)?;
    }
    banner::print(printer, network, &chaincodes, up, started.elapsed());
    trace::follow(printer, network, events, output).await;
    Ok(())
}

async fn signal_again() -> Option<()> {
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    tokio::select! {
        again = interrupt.recv() => again,
        again = terminate.recv() => again,
    }
}
