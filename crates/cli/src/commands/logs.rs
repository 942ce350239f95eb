//! `windlass logs`: what a chaincode prints, or what its builder printed.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::status::USUAL;
use crate::{
    args::logs::LogsArgs,
    client::operations::Operations,
    network::Network,
    printer::{Printer, clean},
};

/// One line, as the peer tells it.
#[derive(Debug, Deserialize)]
struct Line {
    time: String,
    step: String,
    stream: String,
    instance: Option<u32>,
    text: String,
}

/// Asks the peer and prints.
pub(super) async fn run(args: &LogsArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let operations = endpoint(args)?;
    let mut answer = operations.open(&path(args)?).await?;
    let mut silent = true;
    while let Some(json) = answer.line().await {
        silent = false;
        if args.json {
            printer.line(json.trim_end());
        } else {
            let line: Line = serde_json::from_str(&json)
                .with_context(|| format!("{} is not the operations endpoint of a Windlass peer", operations.address))?;
            printer.line(shown(&line, printer));
        }
    }
    if silent && !args.json && !args.follow {
        let what = if args.build { "its builder" } else { "it" };
        printer.note(format_args!(
            "{}: nothing that {what} printed is known here{}",
            args.name,
            if args.build { "" } else { "; a chaincode that is a server elsewhere keeps its output there" }
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The endpoint that is named, or that of an organization's peer in the network, or the usual one.
fn endpoint(args: &LogsArgs) -> anyhow::Result<Operations> {
    if let Some(named) = Operations::named(&args.operations)? {
        return Ok(named);
    }
    let found = match args.org {
        Some(_) => Some(Network::find(&args.network)?),
        None => Network::find_if_any(&args.network)?,
    };
    let Some(network) = found else { return Ok(Operations::plain(USUAL)) };
    network.check_runs()?;
    network.check_operations(&args.network)?;
    let address = network.organization(args.org.as_deref())?.operations.clone();
    Ok(Operations::plain(address.as_deref().unwrap_or(USUAL)))
}

fn path(args: &LogsArgs) -> anyhow::Result<String> {
    let name = &args.name;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.+:-".contains(c)) {
        bail!("'{name}' is no chaincode name, package label or package ID");
    }
    let mut path = format!("/chaincodes/{name}/logs?build={}&follow={}", args.build, args.follow);
    for (key, value) in [("instance", args.instance.map(u64::from)), ("lines", args.lines.map(|lines| lines as u64))] {
        path.extend(value.map(|value| format!("&{key}={value}")));
    }
    Ok(path)
}

/// `12:00:00.000 1 | text`: whose line it is, and what it says.
fn shown(line: &Line, printer: &Printer) -> String {
    let time = line.time.split_once('T').map_or(line.time.as_str(), |(_, time)| time.trim_end_matches('Z'));
    let whose = line.instance.map_or_else(|| line.step.clone(), |instance| instance.to_string());
    let head = printer.dim(format!("{time} {whose} |"));
    let text = clean(&line.text);
    match line.stream.as_str() {
        // Not printed by the program, but about it.
        "note" => format!("{head} {}", printer.dim(format!("[{text}]"))),
        _ => format!("{head} {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    #[test]
    fn shows_whose_line_it_is() {
        for (json, text) in [
            (
                r#"{"time":"2026-01-31T12:00:00.123Z","step":"build","stream":"err","text":"main.go:1: no"}"#,
                "12:00:00.123 build | main.go:1: no",
            ),
            (
                r#"{"time":"2026-01-31T12:00:00.123Z","step":"run","stream":"out","instance":2,"text":"hello\u001b[2J"}"#,
                "12:00:00.123 2 | hello\u{fffd}[2J",
            ),
            (
                r#"{"time":"2026-01-31T12:00:00.123Z","step":"run","stream":"note","instance":1,"text":"process 7 started"}"#,
                "12:00:00.123 1 | [process 7 started]",
            ),
        ] {
            let line = serde_json::from_str(json).expect("a line");
            assert_eq!(shown(&line, &Printer::new(Color::Never)), text);
        }
    }
}
