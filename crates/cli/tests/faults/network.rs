//! The network, and what is counted.

use std::{
    fs,
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    bystander::{self, Bystander},
    chaincode::{self, Launch},
    proxy::Proxy,
    support::{
        client::{Client, within},
        http,
        place::{Place, SAMPLE},
        processes,
        server::{Plan, Tls},
        windlass::{Running, Windlass},
    },
};

/// What is done wrong, and what must come of it.
pub(crate) type Fault = for<'a> fn(&'a Network) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The chaincode that misbehaves, launched by the peer.
pub(crate) const FAULTY: &str = "faulty";
/// The same program under another name.
pub(crate) const OTHER: &str = "other";
/// The same program as a server.
pub(crate) const SERVER: &str = "server";

const CONFIGURATION: &str = "
windlass:
  chaincodes:
    faulty: {execute_timeout: 6s, startup_timeout: 10s}
    server: {execute_timeout: 20s}
";

/// How many readings of the counts must be the same, one after another.
const EQUAL_READINGS: usize = 5;

/// A peer with a chaincode that misbehaves, launched and as a server, and one that does not.
pub(crate) struct Network {
    pub(crate) client: Client,
    pub(crate) windlass: Windlass,
    pub(crate) proxy: Proxy,
    folder: PathBuf,
    plan: Plan,
    server: std::sync::Mutex<Option<Running>>,
    server_address: String,
    bystander: tokio::sync::Mutex<Bystander>,
    _place: Place,
}

/// What must not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    executions: u64,
    iterators: u64,
    snapshots: u64,
    streams: u64,
    tasks: u64,
    files: u64,
    series: u64,
}

impl Network {
    pub(crate) async fn start() -> Self {
        let place = Place::new();
        let folder = chaincode::folder_in(&place);
        let own = chaincode::command(&folder);
        let core = chaincode::configuration(&place, &folder, CONFIGURATION);
        let plan = Plan::folder(&place, SERVER, Tls::Mutual);
        let proxy = Proxy::start(&plan.address()).await;
        let server_address = proxy.behind().to_owned();
        let server = start_server(&plan, &server_address, &folder);
        let windlass = place
            .dev()
            .arg("--config")
            .arg(core)
            .chaincode(FAULTY, place.program(FAULTY, &own))
            .chaincode(OTHER, place.program(OTHER, &own))
            .chaincode(SERVER, &plan.package)
            .chaincode(bystander::NAME, place.program(bystander::NAME, SAMPLE))
            .start();
        let client = Client::user(&windlass.ready).await;
        for name in [FAULTY, OTHER, SERVER] {
            client.submit(name, &["fill", "150"]).await.expect("rows to read");
        }
        let bystander = tokio::sync::Mutex::new(Bystander::start(client.clone()));
        let server = std::sync::Mutex::new(Some(server));
        let network = Self { client, windlass, proxy, folder, plan, server, server_address, bystander, _place: place };
        network.warm_up().await;
        network
    }

    /// What comes once and stays is there before anything is counted.
    async fn warm_up(&self) {
        self.works().await;
        for name in [FAULTY, OTHER] {
            self.kill(name).await;
        }
        self.proxy.cut();
        self.works().await;
        self.bystander.lock().await.goes_on().await;
    }

    /// Runs a fault; then all must be as it was.
    pub(crate) async fn survives(&self, fault: Fault) {
        // A fault before this one may have failed half-way.
        Launch::Well.write(&self.folder);
        self.works().await;
        let mut bystander = self.bystander.lock().await;
        bystander.rest().await;
        let before = self.settled().await;
        bystander.work().await;
        let watched = async {
            loop {
                bystander.goes_on().await;
            }
        };
        tokio::select! {
            () = fault(self) => {}
            _ = watched => {}
        }
        Launch::Well.write(&self.folder);
        bystander.goes_on().await;
        self.works().await;
        bystander.rest().await;
        self.comes_back_to(before).await;
        bystander.work().await;
        let said = self.windlass.output().stderr();
        assert!(!said.contains("panicked"), "{said}");
    }

    /// Both chaincodes that misbehave do as they should when nothing else is asked of them.
    async fn works(&self) {
        for name in [FAULTY, OTHER, SERVER] {
            assert_eq!(self.client.text(name, &["ok"]).await, "ok", "{name}");
        }
    }

    /// The counts once they have stopped changing.
    async fn settled(&self) -> Counts {
        let mut last = self.counts();
        let mut equal = 1;
        within(async {
            while equal < EQUAL_READINGS || last.executions > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let now = self.counts();
                equal = if now == last { equal + 1 } else { 1 };
                last = now;
            }
        })
        .await;
        last
    }

    async fn comes_back_to(&self, before: Counts) {
        let mut now = self.counts();
        let back = async {
            while !now.within(&before) {
                tokio::time::sleep(Duration::from_millis(50)).await;
                now = self.counts();
            }
        };
        let back = tokio::time::timeout(Duration::from_secs(30), back).await;
        assert!(back.is_ok(), "something stays: {before:?} became {now:?}");
    }

    fn counts(&self) -> Counts {
        let text = http::get(&self.windlass.ready, "/metrics").body;
        let files = fs::read_dir(format!("/proc/{}/fd", self.windlass.pid())).expect("a process");
        let ledgers = self.windlass.ready.data.join("peer/ledgersData");
        // The database opens and closes files of its own when it wants, and what is closed by now has no link.
        let counted = |link: PathBuf| fs::read_link(link).is_ok_and(|file| !file.starts_with(&ledgers));
        let files = files.flatten().filter(|entry| counted(entry.path())).count();
        let nowhere = text.lines().filter(|line| line.contains("nowhere-")).count();
        Counts {
            executions: metric(&text, "windlass_chaincode_executions"),
            iterators: metric(&text, "windlass_chaincode_iterators"),
            snapshots: metric(&text, "windlass_ledger_snapshots"),
            streams: metric(&text, "windlass_chaincode_streams"),
            tasks: metric(&text, "windlass_tasks"),
            files: files as u64,
            series: nowhere as u64,
        }
    }

    /// How many transactions `name` executes.
    pub(crate) fn executions(&self, name: &str) -> u64 {
        self.status(name)["executions"].as_u64().expect("a number")
    }

    /// What the operations endpoint says of a chaincode.
    pub(crate) fn status(&self, name: &str) -> Value {
        status(&self.windlass, name)
    }

    /// The process of a chaincode that the peer launched.
    pub(crate) fn process(&self, name: &str) -> u32 {
        let status = self.status(name);
        let place = status["instances"][0]["place"].as_str().expect("a place");
        place.strip_prefix("process ").and_then(|pid| pid.parse().ok()).expect("a process")
    }

    /// What must be so soon.
    pub(crate) async fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let waited = async {
            while !so() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(60), waited).await.is_ok(), "{what}");
    }

    /// Says how the chaincode starts from now on, and ends the one that runs.
    pub(crate) async fn launch(&self, launch: Launch) {
        launch.write(&self.folder);
        self.kill(FAULTY).await;
    }

    /// Ends a chaincode without warning.
    pub(crate) fn kill_process(&self, name: &str) {
        processes::signal(self.process(name), Signal::KILL);
    }

    /// The same, and waits until the peer knows.
    pub(crate) async fn kill(&self, name: &str) {
        self.kill_process(name);
        self.until("the stream is lost", || self.status(name)["streams"] == 0).await;
    }

    /// While this file is there, `hold` answers nobody.
    pub(crate) fn hold(&self) -> Hold {
        let path = self.folder.join("hold");
        fs::write(&path, "").expect("a file");
        Hold(path)
    }

    /// Ends the server without warning.
    pub(crate) fn kill_server(&self) {
        let server = self.server.lock().expect("no panics").take().expect("a server");
        server.signal(Signal::KILL);
    }

    /// Starts it again.
    pub(crate) fn start_server(&self) {
        let server = start_server(&self.plan, &self.server_address, &self.folder);
        *self.server.lock().expect("no panics") = Some(server);
    }

    /// The file that says where the server is, as the peer reads it at each dial.
    pub(crate) fn connection_file(&self) -> PathBuf {
        let id = self.windlass.package_id(SERVER).rsplit_once(':').expect("an ID").1.to_owned();
        find(&self.windlass.ready.data, &|path| {
            let text = path.display().to_string();
            text.contains(&id) && text.ends_with("release/chaincode/server/connection.json")
        })
        .expect("a build with connection.json")
    }

    pub(crate) fn stop(self) {
        self.windlass.stop();
    }
}

impl Counts {
    /// Whether nothing is more than it was.
    fn within(&self, before: &Self) -> bool {
        let pairs = [
            (self.executions, before.executions),
            (self.iterators, before.iterators),
            (self.snapshots, before.snapshots),
            (self.streams, before.streams),
            (self.tasks, before.tasks),
            (self.files, before.files),
            (self.series, 0),
        ];
        pairs.iter().all(|(now, before)| now <= before)
    }
}

/// The file goes with this value.
pub(crate) struct Hold(PathBuf);

impl Drop for Hold {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("our own file");
    }
}

/// What the operations endpoint says of a chaincode.
pub(crate) fn status(windlass: &Windlass, name: &str) -> Value {
    let id = windlass.package_id(name);
    let answer = http::get(&windlass.ready, "/chaincodes").json();
    let chaincodes = answer["chaincodes"].as_array().expect("chaincodes").clone();
    chaincodes.into_iter().find(|one| one["id"] == id).expect("a chaincode of that ID")
}

/// The sum of a metric over all its labels.
pub(crate) fn metric(text: &str, name: &str) -> u64 {
    let samples = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    let values = samples.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number"));
    values.sum::<f64>() as u64
}

/// Starts the chaincode as the server of `plan`, at an address of its own.
pub(crate) fn start_server(plan: &Plan, address: &str, folder: &Path) -> Running {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let (variable, value) = chaincode::environment(folder);
    command.env(variable, value);
    plan.serve_at(address, command)
}

fn find(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        if wanted(&path) {
            return Some(path);
        }
        if path.is_dir()
            && let Some(found) = find(&path, wanted)
        {
            return Some(found);
        }
    }
    None
}
