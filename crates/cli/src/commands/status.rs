//! `windlass status`: what a peer's chaincode is doing.

use std::{fs, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use windlass_transport::ClientTls;

use crate::{args::status::StatusArgs, printer::Printer};

/// How long the peer may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// An answer that is longer is none of ours.
const LONGEST: u64 = 64 << 20;
/// How many lines of output are shown of what does not serve.
const LINES: usize = 5;

#[derive(Debug, Deserialize)]
struct Answer {
    chaincodes: Vec<Chaincode>,
}

#[derive(Debug, Deserialize)]
struct Chaincode {
    id: String,
    state: String,
    builder: String,
    streams: usize,
    executions: usize,
    restarts: u64,
    last_error: Option<String>,
    output: Vec<String>,
    instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
struct Instance {
    number: u32,
    place: String,
    state: String,
    streams: usize,
    executions: usize,
    restarts: u64,
    last_error: Option<String>,
}

/// Asks the peer and prints. Fails if any chaincode has failed, for scripts.
pub(super) async fn run(args: &StatusArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let body = tokio::time::timeout(LIMIT, ask(args))
        .await
        .map_err(|_| anyhow::anyhow!("{} does not answer within {}s", args.operations, LIMIT.as_secs()))??;
    let answer: Answer = serde_json::from_str(&body)
        .with_context(|| format!("{} is not the operations endpoint of a Windlass peer", args.operations))?;
    if args.json {
        printer.line(body.trim_end());
    } else {
        for line in lines(&answer, printer) {
            printer.line(line);
        }
    }
    let failed = answer.chaincodes.iter().any(|chaincode| chaincode.state == "failed");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn lines(answer: &Answer, printer: &Printer) -> Vec<String> {
    if answer.chaincodes.is_empty() {
        return vec![String::from("no chaincode has been launched")];
    }
    let mut lines = Vec::new();
    for chaincode in &answer.chaincodes {
        let state = match chaincode.state.as_str() {
            "serving" => printer.good(chaincode.state.as_str()),
            "failed" => printer.bad(chaincode.state.as_str()),
            _ => printer.dim(chaincode.state.as_str()),
        };
        let (label, hash) = chaincode.id.split_once(':').unwrap_or((&chaincode.id, ""));
        let id = format!("{label}:{}", hash.get(..8).unwrap_or(hash));
        let mut facts = vec![counted(chaincode.streams, "stream"), format!("{} in flight", chaincode.executions)];
        if !chaincode.builder.is_empty() {
            facts.insert(0, format!("built by {}", chaincode.builder));
        }
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
                lines.push(format!("    {} {error}", printer.dim("last error:")));
            }
        }
        if chaincode.state == "serving" {
            continue;
        }
        if let Some(error) = chaincode.last_error.as_deref().and_then(|error| error.lines().next()) {
            lines.push(format!("  {} {error}", printer.dim("last error:")));
        }
        let from = chaincode.output.len().saturating_sub(LINES);
        lines.extend(chaincode.output[from..].iter().map(|line| format!("  {} {line}", printer.dim("|"))));
    }
    lines
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn times(number: u64) -> String {
    if number == 1 { String::from("once") } else { format!("{number} times") }
}

/// The body of `GET /chaincodes`.
async fn ask(args: &StatusArgs) -> anyhow::Result<String> {
    let address = &args.operations;
    let unreachable =
        || format!("no peer answers at {address}; hint: --operations HOST:PORT says where its operations endpoint is");
    let stream = TcpStream::connect(address.as_str()).await.with_context(unreachable)?;
    let Some(root) = &args.tls_root else { return get(stream, address).await };
    let identity = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
        _ => None,
    };
    let tls = ClientTls { roots: vec![read(root)?], identity, server_name: None };
    let mut config = tls.config()?;
    // The configuration is made for gRPC; here the protocol is HTTP/1.1.
    Arc::make_mut(&mut config).alpn_protocols = vec![b"http/1.1".to_vec()];
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(tls.name_for(host)?, stream)
        .await
        .with_context(|| format!("TLS with {address} failed"))?;
    get(stream, address).await
}

async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: &str) -> anyhow::Result<String> {
    let request = format!("GET /chaincodes HTTP/1.0\r\nhost: {address}\r\naccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await.with_context(|| format!("cannot ask {address}"))?;
    let mut answer = Vec::new();
    let read = stream.take(LONGEST).read_to_end(&mut answer).await;
    if answer.is_empty() {
        read.with_context(|| format!("{address} does not answer"))?;
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{address} does not speak HTTP; hint: with TLS, give --tls-root FILE"))?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        Some("401") => bail!("{address} wants a client certificate; hint: give --tls-cert FILE and --tls-key FILE"),
        Some("404") => bail!("{address} knows nothing of chaincodes: is it a Windlass peer?"),
        _ => bail!("{address} answers {}", head.lines().next().unwrap_or_default()),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    fn printed(json: &str) -> Vec<String> {
        let answer: Answer = serde_json::from_str(json).expect("an answer");
        lines(&answer, &Printer::new(Color::Never))
    }

    #[test]
    fn shows_what_serves_in_a_line_each_and_of_what_failed_the_reason() {
        assert_eq!(printed(r#"{"chaincodes":[]}"#), ["no chaincode has been launched"]);
        let json = r#"{"chaincodes":[
            {"id":"basic_1:0123456789abcdef","state":"serving","builder":"golang","streams":2,"executions":5,
             "restarts":1,"last_error":"x","output":["not shown"],"instances":[
                {"number":1,"place":"process 7","state":"serving","streams":1,"executions":5,"restarts":0,"last_error":null},
                {"number":2,"place":"process 9","state":"serving","streams":1,"executions":0,"restarts":1,"last_error":"EOF"}]},
            {"id":"token:ff","state":"failed","reason":"no\nmore","builder":"","streams":0,"executions":0,"restarts":0,
             "last_error":"no\nmore","output":["a","b","c","d","e","f"],"instances":[]}]}"#;
        assert_eq!(
            printed(json),
            [
                "basic_1:01234567  serving  built by golang, 2 streams, 5 in flight, restarted once",
                "  1 process 7  serving  1 stream, 5 in flight",
                "  2 process 9  serving  1 stream, 0 in flight, restarted once",
                "    last error: EOF",
                "token:ff  failed  0 streams, 0 in flight",
                "  last error: no",
                "  | b",
                "  | c",
                "  | d",
                "  | e",
                "  | f",
            ]
        );
    }

    #[tokio::test]
    async fn says_where_nobody_answers() {
        let args = StatusArgs {
            operations: String::from("127.0.0.1:1"),
            tls_root: None,
            tls_cert: None,
            tls_key: None,
            json: false,
        };
        let error = run(&args, &Printer::new(Color::Never)).await.expect_err("nobody").to_string();
        assert_eq!(
            error,
            "no peer answers at 127.0.0.1:1; hint: --operations HOST:PORT says where its operations endpoint is"
        );
    }
}
