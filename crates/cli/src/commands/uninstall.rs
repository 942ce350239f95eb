//! `windlass uninstall` and `windlass prune`: packages that no channel needs.

use std::{
    collections::BTreeSet,
    io::{BufRead, IsTerminal},
    process::ExitCode,
};

use anyhow::{Context, bail};
use prost::Message;
use windlass_proto::windlass::{
    QueryUnusedChaincodesArgs, QueryUnusedChaincodesResult, UninstallChaincodeArgs, UninstallChaincodeResult,
    query_unused_chaincodes_result::Unused,
};

use crate::{
    args::uninstall::{PeersArgs, PruneArgs, UninstallArgs},
    client::{Client, lifecycle_call},
    network::Network,
    printer::Printer,
};

const UNINSTALL: &str = "UninstallChaincode";
const QUERY: &str = "QueryUnusedChaincodes";

/// An organization's peer, with its admin.
struct Peer {
    msp_id: String,
    client: Client,
}

/// Removes one package wherever it is. Fails if a peer refuses, for scripts; the others remove it all the same.
pub(super) async fn uninstall(args: &UninstallArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let peers = connect(&args.peers).await?;
    let mut installed = Vec::new();
    for peer in &peers {
        let packages = peer.client.installed().await.with_context(|| peer.msp_id.clone())?;
        installed.push(packages.into_iter().map(|one| one.package_id).collect::<BTreeSet<_>>());
    }
    let id = find(&installed.iter().flatten().cloned().collect(), &args.package)?;
    let mut removed = 0;
    let having: Vec<_> = peers.iter().zip(&installed).filter(|(_, installed)| installed.contains(&id)).collect();
    for (peer, _) in &having {
        removed += usize::from(peer.remove(&id, printer).await);
    }
    Ok(if removed == having.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Removes all that no channel needs. Fails if a peer refuses.
pub(super) async fn prune(args: &PruneArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let peers = connect(&args.peers).await?;
    let mut unused = Vec::new();
    for peer in &peers {
        let answer: QueryUnusedChaincodesResult = peer.call(QUERY, &QueryUnusedChaincodesArgs {}).await?;
        unused.extend(answer.unused_chaincodes.into_iter().map(|one| (peer, one)));
    }
    if unused.is_empty() {
        printer.line("no package is unused");
        return Ok(ExitCode::SUCCESS);
    }
    for (peer, one) in &unused {
        printer.line(shown(&peer.msp_id, one));
    }
    let all = unused.iter().map(|(_, one)| one.package_bytes + one.build_bytes).sum();
    if args.dry_run || !(args.yes || confirmed(printer)?) {
        printer.note(format_args!("nothing removed; {} could be free", mebibytes(all)));
        return Ok(ExitCode::SUCCESS);
    }
    let mut removed = 0;
    for (peer, one) in &unused {
        // A channel may have come to need it meanwhile; the others can go all the same.
        removed += usize::from(peer.remove(&one.package_id, printer).await);
    }
    Ok(if removed == unused.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Connects to every peer that is meant, before anything is changed.
async fn connect(args: &PeersArgs) -> anyhow::Result<Vec<Peer>> {
    let network = Network::find(&args.network)?;
    let organizations = match &args.org {
        Some(org) => std::slice::from_ref(network.organization(Some(org))?),
        None => network.organizations.as_slice(),
    };
    let mut peers = Vec::new();
    for organization in organizations {
        peers.push(Peer { msp_id: organization.msp_id.clone(), client: organization.connect(None).await? });
    }
    Ok(peers)
}

impl Peer {
    /// Removes a package and says so, or says why not.
    async fn remove(&self, package_id: &str, printer: &Printer) -> bool {
        let args = UninstallChaincodeArgs { package_id: package_id.to_owned() };
        match self.call::<UninstallChaincodeResult>(UNINSTALL, &args).await {
            Ok(_) => printer.line(format_args!("{}  {package_id}  removed", self.msp_id)),
            Err(error) => {
                printer.error(&error);
                return false;
            }
        }
        true
    }

    async fn call<R: Message + Default>(&self, function: &str, args: &impl Message) -> anyhow::Result<R> {
        let answer = self.client.propose(&lifecycle_call("", function, args)).await;
        let message = match answer {
            Ok(response) if response.status == 200 => return Ok(R::decode(response.payload)?),
            Ok(response) => response.message,
            Err(error) => format!("{error:#}"),
        };
        bail!("{}: {}", self.msp_id, refusal(function, &message))
    }
}

fn shown(msp_id: &str, unused: &Unused) -> String {
    let (package, build) = (mebibytes(unused.package_bytes), mebibytes(unused.build_bytes));
    format!("{msp_id}  {}  package {package}, build {build}", unused.package_id)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// What a peer's refusal means. A peer that does not know a function refuses it before or after it looks at who asks.
fn refusal(function: &str, message: &str) -> String {
    let unknown = [
        format!("Unmapped policy for _lifecycle/{function}"),
        format!("receiver *lifecycle.Invocation.{function} does not exist"),
    ];
    if unknown.iter().any(|unknown| message.contains(unknown)) {
        return String::from("this peer cannot uninstall; only Windlass peers can");
    }
    let prefix = format!("failed to invoke backing implementation of '{function}': ");
    message.strip_prefix(&prefix).unwrap_or(message).to_owned()
}

/// The package that is meant: by its ID, by its label, or by the beginning of its ID.
fn find(installed: &BTreeSet<String>, named: &str) -> anyhow::Result<String> {
    let is = |id: &&String| id.as_str() == named;
    let has_label = |id: &&String| id.rsplit_once(':').is_some_and(|(label, _)| label == named);
    let begins = |id: &&String| id.starts_with(named);
    let manners: [&dyn Fn(&&String) -> bool; 3] = [&is, &has_label, &begins];
    let found = manners.map(|manner| installed.iter().filter(manner).cloned().collect::<Vec<_>>());
    match found.into_iter().find(|found| !found.is_empty()).unwrap_or_default().as_slice() {
        [only] => Ok(only.clone()),
        [] if installed.is_empty() => bail!("no package is installed"),
        [] => {
            let there = installed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            bail!("no package '{named}' is installed; hint: there is {there}")
        }
        several => bail!("'{named}' may be any of {}; hint: give more of the package ID", several.join(", ")),
    }
}

fn confirmed(printer: &Printer) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to confirm; hint: --yes removes them, --dry-run only shows them");
    }
    printer.note("remove them? [y/N]");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_the_refusals_of_peers_that_know_nothing_of_this() {
        let cannot = "this peer cannot uninstall; only Windlass peers can";
        for (message, meaning) in [
            (
                "Failed to authorize invocation due to failed ACL check: Unmapped policy for _lifecycle/UninstallChaincode",
                cannot,
            ),
            ("receiver *lifecycle.Invocation.UninstallChaincode does not exist", cannot),
            (
                "failed to invoke backing implementation of 'UninstallChaincode': could not find chaincode with package id 'a:b'",
                "could not find chaincode with package id 'a:b'",
            ),
            (
                "Failed to authorize invocation due to failed ACL check: no admin",
                "Failed to authorize invocation due to failed ACL check: no admin",
            ),
        ] {
            assert_eq!(refusal(UNINSTALL, message), meaning);
        }
    }

    #[test]
    fn finds_a_package_by_what_people_call_it() {
        let installed: BTreeSet<_> = ["basic:aa11", "basic:bb22", "basic_2:cc33"].map(str::to_owned).into();
        for (named, found) in [("basic:aa11", "basic:aa11"), ("basic:b", "basic:bb22"), ("basic_2", "basic_2:cc33")] {
            assert_eq!(find(&installed, named).expect("one"), found);
        }
        let text = |named: &str| find(&installed, named).expect_err("none, or several").to_string();
        assert_eq!(
            text("other"),
            "no package 'other' is installed; hint: there is basic:aa11, basic:bb22, basic_2:cc33"
        );
        assert_eq!(text("basic"), "'basic' may be any of basic:aa11, basic:bb22; hint: give more of the package ID");
    }
}
