//! The transactions, and what became of them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::support::{client::Client, refusal::Refusal};

/// A chaincode under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The raw stream, three processes.
    Launched,
    /// The raw stream, as a server.
    Served,
    /// Go's library.
    Go,
    /// Ours, and nothing happens to it.
    Sample,
}

impl Target {
    pub(super) const ALL: [Self; 4] = [Self::Launched, Self::Served, Self::Go, Self::Sample];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Launched => "launched",
            Self::Served => "served",
            Self::Go => "go",
            Self::Sample => "sample",
        }
    }

    /// The transactions of one turn: what each is called, whether it is submitted, and its arguments.
    fn turn(self, key: &str, value: &str) -> Vec<(&'static str, bool, Vec<String>)> {
        let args = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        match self {
            Self::Launched | Self::Served => {
                let other = if self == Self::Launched { "served" } else { "launched" };
                vec![
                    ("invoke", true, args(&["put", key, value])),
                    ("query", false, args(&["get", key])),
                    ("range", false, args(&["range"])),
                    ("call", true, args(&["call", other, "put", &format!("called-{key}"), value])),
                    ("event", true, args(&["put with event", key, value])),
                    ("big value", true, args(&["put much", &format!("much-{key}"), "200000"])),
                    ("query", false, args(&["get", key])),
                ]
            }
            Self::Go => vec![
                ("invoke", true, args(&["Put", key, value])),
                ("query", false, args(&["Get", key])),
                ("range", false, args(&["RangeCount", "k", "l"])),
                ("call", false, args(&["Call", "sample", "", "Get", "k-sample-0"])),
                ("event", true, args(&["PutWithEvent", key, value, "put", value])),
            ],
            Self::Sample => {
                vec![("invoke", true, args(&["Put", key, value])), ("query", false, args(&["Get", key]))]
            }
        }
    }
}

/// What became of all transactions. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    stopped: Arc<AtomicBool>,
    done: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    failed: Arc<Mutex<BTreeMap<(&'static str, String), u64>>>,
}

impl Load {
    pub(super) async fn work(self, client: Client, target: Target, worker: usize) {
        let key = format!("k-{}-{worker}", target.name());
        for number in 0.. {
            for (kind, submitted, args) in target.turn(&key, &number.to_string()) {
                if self.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let outcome = match submitted {
                    true => client.submit(target.name(), &args).await.map(drop),
                    false => client.query(target.name(), &args).await.map(drop),
                };
                match outcome {
                    Ok(()) => *self.done.lock().expect("no panics").entry(kind).or_default() += 1,
                    Err(refusal) => self.note(target, &refusal).await,
                }
            }
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    async fn note(&self, target: Target, refusal: &Refusal) {
        let reason = reason(target, &refusal.text()).unwrap_or_else(|| refusal.to_string());
        *self.failed.lock().expect("no panics").entry((target.name(), reason)).or_default() += 1;
        // A client that is refused does not try again at once.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Prints the figures; returns how many failures there were that should not be.
    pub(super) fn print(&self) -> u64 {
        let done = self.done.lock().expect("no panics");
        let failed = self.failed.lock().expect("no panics");
        println!("transactions  {} went well", done.values().sum::<u64>());
        for (kind, count) in done.iter() {
            println!("  {kind:<12} {count:>8}");
        }
        println!("failures      {} by policy, {} not", sum(&failed, true), sum(&failed, false));
        for ((target, reason), count) in failed.iter() {
            println!("  {target:<12} {count:>8}  {reason}");
        }
        sum(&failed, false)
    }
}

/// What stands before a failure that policy allows.
const ALLOWED: &str = "allowed: ";

fn sum(failed: &BTreeMap<(&'static str, String), u64>, allowed: bool) -> u64 {
    failed.iter().filter(|((_, reason), _)| reason.starts_with(ALLOWED) == allowed).map(|(_, count)| count).sum()
}

/// The failures that policy allows, told apart.
fn reason(target: Target, text: &str) -> Option<String> {
    if target == Target::Sample {
        return None;
    }
    let reason = if text.contains("chaincode stream terminated") {
        "the stream was lost again when the transaction was repeated, or that of a chaincode it called"
    } else if text.contains("timeout expired while executing transaction") {
        "nothing came back over a connection that had gone silent, or from a chaincode that hung"
    } else if text.contains("cannot create connection") || text.contains("error handling chaincode stream") {
        "the server was not there"
    } else {
        return None;
    };
    Some(format!("{ALLOWED}{reason}"))
}
