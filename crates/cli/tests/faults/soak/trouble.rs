//! What goes wrong.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use rustix::process::Signal;
use tokio::time::Instant;

use crate::{
    network::{start_server, status},
    proxy::Proxy,
    support::{
        client::Client,
        processes,
        server::Plan,
        windlass::{Running, Windlass},
    },
};

/// How long a silent connection may take to be found: a ping a minute, and 20 s for its answer.
const FOUND: Duration = Duration::from_secs(85);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillLaunched,
    KillGo,
    EndStream,
    RegisterAgain,
    Hang,
    Flood,
    AnswerTwice,
    LeaveQueriesOpen,
    CutConnection,
    RestartServer,
    Goodbye,
    GoSilent,
}

impl Fault {
    const ALL: [Self; 12] = [
        Self::KillLaunched,
        Self::KillGo,
        Self::EndStream,
        Self::RegisterAgain,
        Self::Hang,
        Self::Flood,
        Self::AnswerTwice,
        Self::LeaveQueriesOpen,
        Self::CutConnection,
        Self::RestartServer,
        Self::Goodbye,
        Self::GoSilent,
    ];

    fn description(self) -> &'static str {
        match self {
            Self::KillLaunched => "kill -9 of an instance",
            Self::KillGo => "kill -9 of the Go chaincode",
            Self::EndStream => "the chaincode ends its stream",
            Self::RegisterAgain => "a second REGISTER on a stream",
            Self::Hang => "a transaction takes 3 s",
            Self::Flood => "12,000 messages that nobody asked for",
            Self::AnswerTwice => "two answers to one transaction",
            Self::LeaveQueriesOpen => "queries left open",
            Self::CutConnection => "the connection to a server is cut",
            Self::RestartServer => "kill -9 and restart of a server",
            Self::Goodbye => "a server says GOAWAY, and restarts",
            Self::GoSilent => "the connection to a server goes silent",
        }
    }
}

pub(super) struct Trouble<'a> {
    client: Client,
    windlass: &'a Windlass,
    proxy: Proxy,
    served: (Plan, PathBuf),
    server: Option<Running>,
    /// While the connection to the server is silent, nothing else happens to it.
    silent_until: Option<Instant>,
    made: BTreeMap<Fault, u64>,
}

impl<'a> Trouble<'a> {
    pub(super) fn new(
        client: &Client,
        windlass: &'a Windlass,
        proxy: Proxy,
        served: (Plan, PathBuf),
        server: Running,
    ) -> Self {
        let (client, server) = (client.clone(), Some(server));
        Self { client, windlass, proxy, served, server, silent_until: None, made: BTreeMap::new() }
    }

    /// How long to the next.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_millis(rand::random_range(1500..3500))
    }

    /// Makes one.
    pub(super) async fn make(&mut self) {
        let fault = Fault::ALL[rand::random_range(0..Fault::ALL.len())];
        let silent = self.silent_until.is_some_and(|until| Instant::now() < until);
        let of_server = matches!(fault, Fault::CutConnection | Fault::RestartServer | Fault::Goodbye | Fault::GoSilent);
        // It lasts long, so that it comes less often.
        if silent && of_server || fault == Fault::GoSilent && rand::random_range(0..3) > 0 {
            return;
        }
        match fault {
            Fault::KillLaunched => self.kill("launched"),
            Fault::KillGo => self.kill("go"),
            Fault::EndStream => self.act("launched", &["end"]),
            Fault::RegisterAgain => self.act("launched", &["register again"]),
            Fault::Hang => self.act("launched", &["pause", "3000"]),
            Fault::Flood => self.act("launched", &["flood"]),
            Fault::AnswerTwice => self.act("served", &["twice"]),
            Fault::LeaveQueriesOpen => self.act("launched", &["iterate"]),
            Fault::CutConnection => self.proxy.cut(),
            Fault::RestartServer => self.restart_server(),
            Fault::Goodbye => {
                // What it answers does not matter: it may be lost as any other.
                let _ = self.client.query("served", &["goodbye"]).await;
                self.restart_server();
            }
            Fault::GoSilent => {
                self.proxy.go_silent();
                self.silent_until = Some(Instant::now() + FOUND);
            }
        }
        *self.made.entry(fault).or_default() += 1;
    }

    /// Waits for the end of what lasts.
    pub(super) async fn make_good(&self) {
        if let Some(until) = self.silent_until {
            tokio::time::sleep_until(until).await;
        }
    }

    pub(super) fn print(&self) {
        println!("faults        {}", self.made.values().sum::<u64>());
        for (fault, count) in &self.made {
            println!("  {:<42} {count:>4}", fault.description());
        }
    }

    fn kill(&self, name: &str) {
        let status = status(self.windlass, name);
        let instances = status["instances"].as_array().cloned().unwrap_or_default();
        let places = instances.iter().filter_map(|one| one["place"].as_str()?.strip_prefix("process ")?.parse().ok());
        let processes: Vec<u32> = places.collect();
        if !processes.is_empty() {
            processes::signal(processes[rand::random_range(0..processes.len())], Signal::KILL);
        }
    }

    /// A transaction that does wrong; it is none of those that are counted.
    fn act(&self, name: &'static str, args: &[&str]) {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let client = self.client.clone();
        tokio::spawn(async move { client.query(name, &args).await.map(drop) });
    }

    fn restart_server(&mut self) {
        if let Some(server) = self.server.take() {
            server.signal(Signal::KILL);
        }
        let (plan, folder) = &self.served;
        self.server = Some(start_server(plan, self.proxy.behind(), folder));
    }
}
