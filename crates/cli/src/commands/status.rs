//! `windlass status`: what the chaincode of peers is doing.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;
use serde_json::{Value, json};

use crate::{
    args::status::StatusArgs,
    client::operations::{Answer, Chaincode, Operations},
    network::{Network, Organization},
    printer::{Printer, clean},
};

/// Where a peer's operations endpoint is, unless it is said otherwise.
pub(super) const USUAL: &str = "127.0.0.1:9443";
/// How many lines of output are shown of what does not serve.
const LINES: usize = 5;

/// What a peer says: as text, understood, and the names of it where the channels could be asked.
type Asked = (String, Answer, Option<Names>);
/// Under which names channels have a package: lines such as `basic 1.0 on mychannel`, by package ID.
type Names = BTreeMap<String, Vec<String>>;

/// Asks the peers and prints. Fails if any chaincode has failed, or any peer does not answer, for scripts.
pub(super) async fn run(args: &StatusArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    if let Some(operations) = Operations::named(&args.operations)? {
        return one(&operations, args.json, printer).await;
    }
    let known: Vec<_> = match Network::find_if_any(&args.network)? {
        Some(network) => {
            network.check_runs()?;
            network.check_operations(&args.network)?;
            network.organizations.into_iter().filter(|one| one.operations.is_some()).collect()
        }
        None => {
            return one(&Operations::plain(USUAL), args.json, printer).await.context(
                "there is no network here, and no peer at the usual place can be asked; hint: start a network with \
                 `windlass dev`, or name one with --network",
            );
        }
    };
    match known.as_slice() {
        [] => one(&Operations::plain(USUAL), args.json, printer).await,
        organizations => all(organizations, args.json, printer).await,
    }
}

async fn one(operations: &Operations, as_json: bool, printer: &Printer) -> anyhow::Result<ExitCode> {
    let asked = operations.chaincodes().await.map(|(body, answer)| (body, answer, None));
    let good = is_good(&asked);
    if as_json {
        print_json(vec![peer_json(None, &operations.address, asked)?], printer)?;
    } else {
        print_lines(asked?, printer);
    }
    Ok(exit_code(good))
}

/// Each organization's peer under a heading of its own.
async fn all(organizations: &[Organization], as_json: bool, printer: &Printer) -> anyhow::Result<ExitCode> {
    let mut good = true;
    let mut peers = Vec::new();
    for organization in organizations {
        let asked = ask(organization).await;
        good &= is_good(&asked);
        if as_json {
            peers.push(peer_json(Some(&organization.msp_id), &organization.address, asked)?);
            continue;
        }
        if organizations.len() > 1 {
            let heading = format!("{} at {}", organization.msp_id, organization.address);
            printer.line(printer.bold(heading));
        }
        match asked {
            Ok(asked) => print_lines(asked, printer),
            Err(error) => printer.error(&error),
        }
    }
    if as_json {
        print_json(peers, printer)?;
    }
    Ok(exit_code(good))
}

fn print_json(peers: Vec<Value>, printer: &Printer) -> anyhow::Result<()> {
    printer.line(serde_json::to_string_pretty(&json!({ "peers": peers }))?);
    Ok(())
}

fn print_lines((_, answer, names): Asked, printer: &Printer) {
    lines(&answer, &names.unwrap_or_default(), printer).into_iter().for_each(|line| printer.line(line));
}

async fn ask(organization: &Organization) -> anyhow::Result<Asked> {
    // Over gRPC first: whoever cannot be reached there is told what to do.
    let client = organization.connect(None).await?;
    let mut names = Names::new();
    for package in client.installed().await? {
        let uses = package.references.iter().flat_map(|(channel, references)| {
            references.chaincodes.iter().map(move |one| format!("{} {} on {channel}", one.name, one.version))
        });
        names.insert(package.package_id.clone(), uses.collect());
    }
    let address = organization.operations.as_deref().context("the peer has no operations endpoint")?;
    let (body, answer) = Operations::plain(address).chaincodes().await?;
    Ok((body, answer, Some(names)))
}

/// A peer, whose organization is not known where only its operations endpoint is; nor are its definitions then.
fn peer_json(msp_id: Option<&str>, address: &str, asked: anyhow::Result<Asked>) -> anyhow::Result<Value> {
    let mut peer = json!({ "mspId": msp_id, "address": address });
    match asked {
        Ok((body, _, names)) => {
            let mut chaincodes = serde_json::from_str::<Value>(&body)?["chaincodes"].take();
            for chaincode in chaincodes.as_array_mut().into_iter().flatten() {
                let id = chaincode["id"].as_str().unwrap_or_default();
                let uses = names.as_ref().map(|names| names.get(id).cloned().unwrap_or_default());
                chaincode["definitions"] = uses.into();
            }
            peer["chaincodes"] = chaincodes;
        }
        Err(error) => peer["error"] = format!("{error:#}").into(),
    }
    Ok(peer)
}

fn is_good(asked: &anyhow::Result<Asked>) -> bool {
    let failed = |answer: &Answer| answer.chaincodes.iter().any(|chaincode| chaincode.state == "failed");
    matches!(asked, Ok((_, answer, _)) if !failed(answer))
}

fn exit_code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn lines(answer: &Answer, names: &Names, printer: &Printer) -> Vec<String> {
    if answer.chaincodes.is_empty() {
        return vec![String::from("no chaincode has been launched")];
    }
    answer.chaincodes.iter().flat_map(|chaincode| chaincode_lines(chaincode, names, printer)).collect()
}

fn chaincode_lines(chaincode: &Chaincode, names: &Names, printer: &Printer) -> Vec<String> {
    let mut lines = Vec::new();
    let state = match chaincode.state.as_str() {
        "serving" => printer.good(chaincode.state.as_str()),
        "failed" => printer.bad(chaincode.state.as_str()),
        _ => printer.dim(chaincode.state.as_str()),
    };
    let (label, hash) = chaincode.id.split_once(':').unwrap_or((&chaincode.id, ""));
    let id = format!("{label}:{}", hash.get(..8).unwrap_or(hash));
    let mut facts = names.get(&chaincode.id).cloned().unwrap_or_default();
    if !chaincode.builder.is_empty() {
        let toolchain = chaincode.toolchain.as_ref().map(|version| format!(" with {version}")).unwrap_or_default();
        facts.push(format!("built by {}{toolchain}", chaincode.builder));
    }
    facts.extend([counted(chaincode.streams, "stream"), format!("{} in flight", chaincode.executions)]);
    if chaincode.restarts > 0 {
        facts.push(format!("restarted {}", times(chaincode.restarts)));
    }
    lines.push(format!("{}  {state}  {}", printer.bold(id), facts.join(", ")));
    for instance in &chaincode.instances {
        let mut line = format!(
            "  {} {}  {}  {}, {} in flight",
            instance.number,
            instance.place,
            instance.state,
            counted(instance.streams, "stream"),
            instance.executions
        );
        if instance.restarts > 0 {
            line.push_str(&format!(", restarted {}", times(instance.restarts)));
        }
        lines.push(line);
        if let Some(error) = instance.last_error.as_deref().and_then(|error| error.lines().next()) {
            lines.push(format!("    {} {}", printer.dim("last error:"), clean(error)));
        }
    }
    if chaincode.state == "serving" {
        return lines;
    }
    if let Some(error) = chaincode.last_error.as_deref().and_then(|error| error.lines().next()) {
        lines.push(format!("  {} {}", printer.dim("last error:"), clean(error)));
    }
    let from = chaincode.output.len().saturating_sub(LINES);
    lines.extend(chaincode.output[from..].iter().map(|line| format!("  {} {}", printer.dim("|"), clean(line))));
    lines
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn times(number: u64) -> String {
    if number == 1 { String::from("once") } else { format!("{number} times") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Color, operations::OperationsArgs};

    fn printed(json: &str, names: &Names) -> Vec<String> {
        let answer: Answer = serde_json::from_str(json).expect("an answer");
        lines(&answer, names, &Printer::new(Color::Never))
    }

    #[test]
    fn shows_what_serves_in_a_line_each_and_of_what_failed_the_reason() {
        assert_eq!(printed(r#"{"chaincodes":[]}"#, &Names::new()), ["no chaincode has been launched"]);
        let json = r#"{"chaincodes":[
            {"id":"basic_1:0123456789abcdef","state":"serving","builder":"golang","toolchain":"go1.26.0","streams":2,"executions":5,
             "restarts":1,"last_error":"x","output":["not shown"],"instances":[
                {"number":1,"place":"process 7","state":"serving","streams":1,"executions":5,"restarts":0,"last_error":null},
                {"number":2,"place":"process 9","state":"serving","streams":1,"executions":0,"restarts":1,"last_error":"EOF"}]},
            {"id":"token:ff","state":"failed","reason":"no\nmore","builder":"","streams":0,"executions":0,"restarts":0,
             "last_error":"no\nmore","output":["a","b","c","d","e","f\u001b[2J"],"instances":[]}]}"#;
        let names = [("basic_1:0123456789abcdef".to_owned(), vec!["basic 1.0 on mychannel".to_owned()])].into();
        assert_eq!(
            printed(json, &names),
            [
                "basic_1:01234567  serving  basic 1.0 on mychannel, built by golang with go1.26.0, 2 streams, 5 in flight, restarted once",
                "  1 process 7  serving  1 stream, 5 in flight",
                "  2 process 9  serving  1 stream, 0 in flight, restarted once",
                "    last error: EOF",
                "token:ff  failed  0 streams, 0 in flight",
                "  last error: no",
                "  | b",
                "  | c",
                "  | d",
                "  | e",
                "  | f\u{fffd}[2J",
            ]
        );
    }

    #[tokio::test]
    async fn says_where_nobody_answers() {
        let args = StatusArgs {
            operations: OperationsArgs { operations: Some(String::from("127.0.0.1:1")), ..Default::default() },
            network: Default::default(),
            json: false,
        };
        let error = run(&args, &Printer::new(Color::Never)).await.expect_err("nobody").to_string();
        assert_eq!(
            error,
            "no peer answers at 127.0.0.1:1; hint: --operations HOST:PORT says where its operations endpoint is"
        );
    }
}
