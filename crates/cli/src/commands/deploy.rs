//! `windlass deploy`: chaincode onto the channels of a running network.
//!
//! - [`report`]: what was done, for people and for programs

mod report;

use std::{process::ExitCode, time::Instant};

use anyhow::{Context, bail};
use futures::future::{join_all, try_join_all};
use windlass_chaincode::package::create::Created;

use super::{channel, within};
use crate::{
    args::{deploy::DeployArgs, dev::NamedPath},
    definition::collections,
    deploy::{
        Defined, Deployment, Outcome,
        answer::Answer,
        member::Member,
        package::{is_package, name_of, package},
        terms::{self, Terms},
    },
    network::Network,
    printer::Printer,
};
use report::{Deployed, OnChannel, OnPeer, Packaged};

/// Deploys everything that was named, one after the other.
pub(super) async fn run(args: &DeployArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let terms = terms(args)?;
    let names = args.chaincode.iter().map(name_of).collect::<anyhow::Result<Vec<_>>>()?;
    let network = Network::find(&args.network)?;
    let members = try_join_all(network.organizations.iter().map(|organization| async {
        let client = organization.connect(args.identity.as_deref()).await?;
        anyhow::Ok(Member { msp_id: organization.msp_id.clone(), client })
    }));
    let deployment = Deployment { members: members.await? };
    let channels = channels(args, &deployment).await?;
    let work = Work { args, printer, network: &network, deployment, channels, terms };
    let mut deployed = Vec::new();
    let mut failure = None;
    for (name, chaincode) in names.iter().zip(&args.chaincode) {
        let mut one = Deployed::new(name, &chaincode.path);
        let outcome = work.deploy(chaincode, &mut one).await;
        if let Err(error) = outcome {
            let error = error.context(format!("cannot deploy chaincode {name} from {}", chaincode.path.display()));
            one.error = Some(format!("{error:#}"));
            failure = Some(error);
        } else if !args.json {
            one.lines(args, printer).into_iter().for_each(|line| printer.line(line));
        }
        deployed.push(one);
        if failure.is_some() {
            break;
        }
    }
    if args.json {
        printer.line(serde_json::to_string_pretty(&report::json(&deployed))?);
    }
    if let Some(error) = failure {
        return Err(error);
    }
    let done = deployed.iter().all(|one| one.is_done(args));
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn terms(args: &DeployArgs) -> anyhow::Result<Terms> {
    let several = args.chaincode.len() > 1;
    for (flag, given) in [
        ("--label", args.label.is_some()),
        ("--sequence", args.sequence.is_some()),
        ("--init-args", args.init_args.is_some()),
    ] {
        if several && given {
            bail!("{flag} is for one chaincode, and there are several; hint: deploy them one by one");
        }
    }
    let policy = terms::policy(args.signature_policy.as_deref(), args.channel_config_policy.as_deref())?;
    let collections = args.collections_config.as_ref().map(|path| {
        let read = collections::read(&path.display().to_string()).map_err(anyhow::Error::msg);
        read.with_context(|| format!("--collections-config {}", path.display()))
    });
    Ok(Terms {
        version: args.version.clone(),
        sequence: args.sequence,
        policy,
        collections: collections.transpose()?,
        init_required: args.init_required,
    })
}

/// The channels that are meant; every peer is on them.
async fn channels(args: &DeployArgs, deployment: &Deployment) -> anyhow::Result<Vec<String>> {
    let mut channels = args.channels.clone();
    channels.retain(|channel| !channel.is_empty());
    if let ([], [first, ..]) = (channels.as_slice(), deployment.members.as_slice()) {
        channels.push(channel::only(&first.client, None).await?);
    }
    for member in &deployment.members {
        let known = member.client.channels().await?;
        if let Some(missing) = channels.iter().find(|channel| !known.contains(channel)) {
            bail!("{}: {}", member.msp_id, channel::unknown(missing, &known));
        }
    }
    Ok(channels)
}

struct Work<'a> {
    args: &'a DeployArgs,
    printer: &'a Printer,
    network: &'a Network,
    deployment: Deployment,
    channels: Vec<String>,
    terms: Terms,
}

impl Work<'_> {
    /// Deploys one chaincode; what came of it before a failure is in `deployed` too.
    async fn deploy(&self, chaincode: &NamedPath, deployed: &mut Deployed) -> anyhow::Result<()> {
        let started = Instant::now();
        let name = deployed.name.clone();
        let package = self.package(&name, chaincode).await?;
        let package_id = package.id.to_string();
        self.step("packaged", &format!("{package_id} ({}, {} bytes)", package.kind, package.bytes.len()));
        deployed.package = Some(Packaged { id: package_id.clone(), kind: package.kind.clone() });
        deployed.installed = self.install(&name, &package).await?;
        for channel in &self.channels {
            let defined = self.define_on(channel, &name, &package_id).await?;
            let is_committed = defined.outcome.is_committed();
            deployed.channels.push(OnChannel { defined, peers: Vec::new() });
            if let (true, Some(on_channel)) = (is_committed, deployed.channels.last_mut()) {
                on_channel.peers = self.start_on(channel, &name).await?;
            }
        }
        deployed.took = started.elapsed();
        Ok(())
    }

    async fn package(&self, name: &str, chaincode: &NamedPath) -> anyhow::Result<Created> {
        let label = match &self.args.label {
            Some(label) if is_package(&chaincode.path) => {
                bail!("--label {label}: a ready package has a label; hint: leave --label out")
            }
            Some(label) => label.clone(),
            None => name.parse()?,
        };
        package(&chaincode.path, label).await
    }

    async fn install(&self, name: &str, package: &Created) -> anyhow::Result<Vec<String>> {
        let spinner = self.printer.spinner(format!("installing {name}; the peer builds it"));
        let installed = within(self.args.timeout, "installing", self.deployment.install(package)).await;
        spinner.finish_and_clear();
        let installed: Vec<_> = installed??.into_iter().map(str::to_owned).collect();
        match installed.as_slice() {
            [] => self.step("installed", "already everywhere"),
            some => self.step("installed", &format!("at {}", some.join(", "))),
        }
        Ok(installed)
    }

    async fn define_on(&self, channel: &str, name: &str, package_id: &str) -> anyhow::Result<Defined> {
        let (args, deployment) = (self.args, &self.deployment);
        let define = deployment.define(channel, name, package_id, &self.terms, !args.approve_only);
        let defined = within(args.timeout, "approving and committing", define).await??;
        let definition = &defined.definition;
        let what = format!("{name} {}, sequence {} on {channel}", definition.version, definition.sequence);
        if defined.outcome != Outcome::Unchanged {
            let ours: Vec<_> = deployment.members.iter().map(|member| member.msp_id.as_str()).collect();
            self.step("approved", &format!("{what}, for {}", ours.join(", ")));
        }
        if let Some(committed) = &defined.committed {
            self.step("committed", &format!("{what}, in block {}", committed.block));
        }
        Ok(defined)
    }

    /// Calls Init if it is to be called, and has every peer run the chaincode.
    async fn start_on(&self, channel: &str, name: &str) -> anyhow::Result<Vec<OnPeer>> {
        let args = self.args;
        if args.calls_init() {
            let words = args.init_args.as_ref().map(|args| args.0.as_slice()).unwrap_or_default();
            let init = within(args.timeout, "Init", self.deployment.init_once(channel, name, words)).await??;
            if let Some(init) = init {
                self.step("called", &format!("Init, in block {}", init.block));
            }
        }
        within(args.timeout, "starting the chaincode", self.ask_everywhere(channel, name)).await
    }

    /// Has every peer run the chaincode, which starts it where it does not run.
    async fn ask_everywhere(&self, channel: &str, name: &str) -> Vec<OnPeer> {
        let spinner = self.printer.spinner(format!("starting {name}"));
        let ask = self.deployment.members.iter().zip(&self.network.organizations).map(|(member, organization)| async {
            let answer = Answer::ask(&member.client, channel, name).await;
            OnPeer { msp_id: member.msp_id.clone(), address: organization.address.clone(), answer }
        });
        let peers = join_all(ask).await;
        spinner.finish_and_clear();
        peers
    }

    fn step(&self, word: &str, text: &str) {
        self.printer.note(format_args!("{} {text}", self.printer.dim(format!("{word:<10}"))));
    }
}
