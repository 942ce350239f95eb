//! `windlass doctor`: what is wrong, and what to do about it.
//!
//! A check is a file with a function from the [`Subject`] to [`Finding`]s, and a line in [`findings`]:
//!
//! - [`toolchains`]: what builds chaincode
//! - [`chaincode`]: the chaincode that was named
//! - [`connection`]: the server that it is, if it is one
//! - [`configuration`], [`builders`]: `core.yaml`, and the external builders in it
//! - [`sandbox`]: what packages are kept from
//! - [`ports`]: what `windlass dev` listens at
//! - [`certificates`]: those of the network, and when they end
//! - [`peers`]: the peers of the network

mod builders;
mod certificates;
mod chaincode;
mod configuration;
mod connection;
mod finding;
mod peers;
mod ports;
mod sandbox;
mod toolchains;

use std::{path::PathBuf, process::ExitCode};

use serde_json::json;

use super::config;
use crate::{args::doctor::DoctorArgs, network::Network, printer::Printer};
use chaincode::Chaincode;
use config::Loaded;
use finding::{Finding, Level};

/// What is examined.
struct Subject {
    /// The chaincode that was named.
    chaincode: Option<Chaincode>,
    configuration: Loaded,
    /// Whether its file was named on the command line.
    is_configuration_named: bool,
    /// The network, if there is one, or why it cannot be used.
    network: anyhow::Result<Option<Network>>,
}

/// Runs every check and prints what it finds; fails if anything is wrong that keeps something from working.
pub(super) async fn run(args: &DoctorArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let network = match Network::find_if_any(&args.network) {
        Err(error) if args.network.network.is_some() => return Err(error),
        // The rest can be examined all the same.
        found => found,
    };
    let subject = Subject {
        chaincode: args.path.clone().map(Chaincode::examine).transpose()?,
        configuration: Loaded::load(args.config.as_deref()),
        is_configuration_named: args.config.is_some(),
        network,
    };
    let findings = findings(&subject).await;
    if args.json {
        let checks: Vec<_> = findings.iter().map(Finding::json).collect();
        printer.line(serde_json::to_string_pretty(&json!({ "checks": checks }))?);
    } else {
        finding::print(&findings, printer);
    }
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// All checks, in the order in which they are shown.
async fn findings(subject: &Subject) -> Vec<Finding> {
    let mut findings = toolchains::check(subject).await;
    findings.extend(chaincode::check(subject));
    findings.extend(connection::check(subject).await);
    findings.extend(configuration::check(subject));
    findings.extend(builders::check(subject));
    findings.extend(sandbox::check(subject));
    findings.extend(ports::check(subject).await);
    findings.extend(certificates::check(subject));
    findings.extend(peers::check(subject).await);
    findings
}

impl Subject {
    /// The folder of `windlass dev`, if the network is one of its.
    fn folder(&self) -> Option<&PathBuf> {
        self.network()?.folder.as_ref()
    }

    fn network(&self) -> Option<&Network> {
        self.network.as_ref().ok()?.as_ref()
    }
}
