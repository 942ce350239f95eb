//! An engine with everything around it under the test's control.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tonic::transport::Server;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::protos::{ChaincodeInput, Response, SignedProposal};
use windlass_transport::{ClientAuthentication, ClientTls, ServerTls, incoming};

use super::{
    memory::{Memory, TestChannels, channel_config},
    wire::Wire,
};
use crate::{
    build::{Connection, ExitOutcome, Journal, OutputLine, RunMetadata, Step, Stream, sandbox::Limits},
    engine::{
        Engine, EngineConfig, EngineMetrics, ExecuteError, Executed, LaunchError, ResolveError, Resolved,
        resolve::Definitions,
    },
    launch::source::{Artifact, Running, Source},
    lifecycle::StateError,
    simulation::Simulation,
    system::{SystemCall, SystemChaincode, success},
    transaction::Transaction,
};

/// The channel that calls go to.
pub(super) const CHANNEL: &str = "ch";

pub(super) struct Harness {
    pub(super) engine: Engine,
    pub(super) address: SocketAddr,
    pub(super) source: Arc<TestSource>,
    pub(super) definitions: Arc<TestDefinitions>,
    pub(super) channels: Arc<TestChannels>,
    pub(super) metrics: Arc<Recorded>,
    runs: tokio::sync::Mutex<mpsc::Receiver<Run>>,
    server: JoinHandle<()>,
}

impl Harness {
    /// A peer without TLS.
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A peer without TLS whose configuration `adjust` changes.
    pub(super) async fn with(adjust: impl FnOnce(&mut EngineConfig)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut config = EngineConfig::new("Org1MSP", format!("localhost:{}", address.port()));
        config.tls = false;
        config.execute_timeout = Duration::from_secs(10);
        config.startup_timeout = Duration::from_secs(10);
        adjust(&mut config);

        let (runs_in, runs) = mpsc::channel(16);
        let source = Arc::new(TestSource { artifacts: Arc::default(), builds: Mutex::default(), runs: runs_in });
        let definitions = Arc::new(TestDefinitions::default());
        let channels = Arc::new(TestChannels::default());
        channels.configs.lock().insert(CHANNEL.to_owned(), channel_config(CHANNEL, &["V2_5"]));
        let metrics = Arc::new(Recorded::default());
        let tls = config.tls;
        let engine = Engine::assemble(config, source.clone(), definitions.clone(), channels.clone(), metrics.clone())
            .expect("an engine");
        let tls = tls.then(|| {
            let certificate = engine.server_certificate("localhost").expect("a certificate");
            let clients = ClientAuthentication::Require(vec![certificate.client_root_pem]);
            let tls = ServerTls { certificate: certificate.cert_pem, key: certificate.key_pem, clients };
            tls.config().expect("TLS material")
        });
        let service = engine.support_service().into_server();
        let server = tokio::spawn(async move {
            let served = Server::builder().add_service(service).serve_with_incoming(incoming(listener, tls)).await;
            served.expect("serves until it is dropped");
        });
        Self { engine, address, source, definitions, channels, metrics, runs: runs.into(), server }
    }

    /// A peer without TLS with a chaincode `cc` that is up.
    pub(super) async fn serving() -> (Self, Wire) {
        let harness = Self::start().await;
        let wire = harness.bring_up("cc").await;
        (harness, wire)
    }

    /// Defines `name`, run as `<name>:1`.
    pub(super) fn define(&self, name: &str) {
        self.definitions.define(CHANNEL, name, &format!("{name}:1"));
        self.source.runs(&format!("{name}:1"));
    }

    /// Defines `name` and brings it up as `<name>:1`.
    pub(super) async fn bring_up(&self, name: &str) -> Wire {
        self.define(name);
        let id = format!("{name}:1");
        let launch = self.launch(&id);
        self.run().await.keep();
        let mut wire = self.dial().await;
        wire.register(&id).await;
        launch.await.expect("no panic").expect("launches");
        wire
    }

    /// A stream without TLS.
    pub(super) async fn dial(&self) -> Wire {
        Wire::dial(self.address, None).await
    }

    /// A stream with the certificate that a launch was given.
    pub(super) async fn dial_with(&self, metadata: &RunMetadata) -> Wire {
        let identity = Some((metadata.client_cert.clone(), metadata.client_key.clone()));
        let tls = ClientTls { roots: vec![metadata.root_cert.clone()], identity, server_name: None };
        Wire::dial(self.address, Some(tls)).await
    }

    /// The next chaincode that the engine runs.
    pub(super) async fn run(&self) -> Run {
        let run = timeout(Duration::from_secs(10), async { self.runs.lock().await.recv().await });
        run.await.expect("something is run").expect("the source lives")
    }

    pub(super) fn launch(&self, id: &str) -> JoinHandle<Result<(), LaunchError>> {
        let (engine, id) = (self.engine.clone(), id.to_owned());
        tokio::spawn(async move { engine.launch(&id).await })
    }

    /// Calls `name` on an empty ledger.
    pub(super) fn call(&self, name: &str, tx_id: &str) -> JoinHandle<Result<Executed, ExecuteError>> {
        self.call_on(Memory::with([]), name, tx_id, ChaincodeInput::default())
    }

    pub(super) fn call_on(
        &self,
        ledger: Arc<Memory>,
        name: &str,
        tx_id: &str,
        input: ChaincodeInput,
    ) -> JoinHandle<Result<Executed, ExecuteError>> {
        let (engine, name) = (self.engine.clone(), name.to_owned());
        let transaction = Arc::new(Transaction {
            channel: CHANNEL.to_owned(),
            tx_id: tx_id.to_owned(),
            proposal: Some(Arc::new(proposal())),
            called: name.clone(),
            simulation: Some(ledger),
        });
        tokio::spawn(async move { engine.execute(&transaction, &name, input).await })
    }

    /// How many transactions `id` is executing.
    pub(super) fn executions(&self, id: &str) -> usize {
        self.engine.status().iter().filter(|status| status.id == id).map(|status| status.executions).sum()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What clients sign.
pub(super) fn proposal() -> SignedProposal {
    SignedProposal { proposal_bytes: Bytes::from("proposal"), signature: Bytes::from("signature") }
}

pub(super) fn ok(payload: &str) -> Response {
    success(payload.as_bytes().to_vec())
}

/// Definitions by channel and name.
#[derive(Default)]
pub(super) struct TestDefinitions(Mutex<BTreeMap<(String, String), Resolved>>);

impl TestDefinitions {
    pub(super) fn define(&self, channel: &str, name: &str, id: &str) {
        self.insert(channel, name, id, false);
    }

    pub(super) fn define_with_init(&self, channel: &str, name: &str, id: &str) {
        self.insert(channel, name, id, true);
    }

    fn insert(&self, channel: &str, name: &str, id: &str, enforce_init: bool) {
        let resolved = Resolved {
            version: String::from("1.0"),
            chaincode_id: id.to_owned(),
            enforce_init,
            endorsement_plugin: String::from("escc"),
        };
        self.0.lock().insert((channel.to_owned(), name.to_owned()), resolved);
    }
}

impl Definitions for TestDefinitions {
    fn resolve(&self, channel: &str, name: &str, _: &dyn Simulation) -> Result<Resolved, ResolveError> {
        let found = self.0.lock().get(&(channel.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| ResolveError(format!("chaincode {name} not found")))
    }

    fn names(&self, id: &str) -> Vec<String> {
        let definitions = self.0.lock();
        let named = definitions.iter().filter(|(_, resolved)| resolved.chaincode_id == id);
        named.map(|((_, name), _)| name.clone()).collect()
    }

    fn has_collection(
        &self,
        _: &ChannelConfig,
        _: &str,
        collection: &str,
        _: &dyn Simulation,
    ) -> Result<bool, StateError> {
        Ok(collection == "defined")
    }
}

/// Builds that the test describes.
pub(super) struct TestSource {
    artifacts: Arc<Mutex<BTreeMap<String, Result<Kind, String>>>>,
    /// How often something was built.
    pub(super) builds: Mutex<usize>,
    runs: mpsc::Sender<Run>,
}

#[derive(Clone)]
enum Kind {
    Runs,
    Serves(Result<Connection, String>),
    Unrunnable(String),
}

impl TestSource {
    pub(super) fn runs(&self, id: &str) {
        self.put(id, Ok(Kind::Runs));
    }

    pub(super) fn serves(&self, id: &str, connection: Connection) {
        self.put(id, Ok(Kind::Serves(Ok(connection))));
    }

    pub(super) fn serves_nowhere(&self, id: &str, error: &str) {
        self.put(id, Ok(Kind::Serves(Err(error.to_owned()))));
    }

    pub(super) fn does_not_start(&self, id: &str, error: &str) {
        self.put(id, Ok(Kind::Unrunnable(error.to_owned())));
    }

    fn put(&self, id: &str, artifact: Result<Kind, String>) {
        self.artifacts.lock().insert(id.to_owned(), artifact);
    }
}

impl Source for TestSource {
    fn build<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Arc<dyn Artifact>, String>> {
        async move {
            *self.builds.lock() += 1;
            let missing = || Err(format!("chaincode install package '{id}' not found"));
            let kind = self.artifacts.lock().get(id).cloned().unwrap_or_else(missing)?;
            let artifact =
                TestArtifact { id: id.to_owned(), kind, all: self.artifacts.clone(), runs: self.runs.clone() };
            Ok(Arc::new(artifact) as Arc<dyn Artifact>)
        }
        .boxed()
    }
}

struct TestArtifact {
    id: String,
    kind: Kind,
    /// Where it serves is read anew each time, as from a disk.
    all: Arc<Mutex<BTreeMap<String, Result<Kind, String>>>>,
    runs: mpsc::Sender<Run>,
}

impl Artifact for TestArtifact {
    fn connection(&self) -> Result<Option<Connection>, String> {
        let now = self.all.lock().get(&self.id).cloned();
        match now.and_then(Result::ok).as_ref().unwrap_or(&self.kind) {
            Kind::Serves(connection) => connection.clone().map(Some),
            Kind::Runs | Kind::Unrunnable(_) => Ok(None),
        }
    }

    fn builder(&self) -> String {
        String::from("test")
    }

    fn toolchain(&self) -> Option<String> {
        None
    }

    fn run(
        &self,
        metadata: &RunMetadata,
        environment: &BTreeMap<String, String>,
        _: Limits,
        output: &Journal,
    ) -> Result<Box<dyn Running>, String> {
        if let Kind::Unrunnable(error) = &self.kind {
            return Err(error.clone());
        }
        output.push(OutputLine::new(Step::Run, Stream::Out, String::from("last words")));
        let (exit, exited) = oneshot::channel();
        let (life, alive) = watch::channel(Life::Running);
        let run = Run { metadata: metadata.clone(), environment: environment.clone(), exit: Some(exit), life: alive };
        self.runs.try_send(run).expect("the test takes what is run");
        Ok(Box::new(TestProcess { exited: Some(exited), life }))
    }
}

/// What became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Stopped,
    Killed,
}

/// A chaincode that the engine runs, in the test's hands.
pub(super) struct Run {
    pub(super) metadata: RunMetadata,
    pub(super) environment: BTreeMap<String, String>,
    exit: Option<oneshot::Sender<ExitOutcome>>,
    life: watch::Receiver<Life>,
}

impl Run {
    /// Lets it run on by itself.
    pub(super) fn keep(mut self) -> watch::Receiver<Life> {
        // A sender that is dropped would be an end as well.
        if let Some(exit) = self.exit.take() {
            std::mem::forget(exit);
        }
        self.life
    }

    /// Ends it.
    pub(super) fn exits(mut self, outcome: ExitOutcome) {
        let _ = self.exit.take().map(|exit| exit.send(outcome));
    }
}

struct TestProcess {
    exited: Option<oneshot::Receiver<ExitOutcome>>,
    life: watch::Sender<Life>,
}

impl Running for TestProcess {
    fn wait(&mut self) -> BoxFuture<'_, ExitOutcome> {
        async move {
            match &mut self.exited {
                Some(exited) => exited.await.unwrap_or(ExitOutcome { builder: String::from("test"), error: None }),
                None => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        self.life.send_replace(Life::Stopped);
        std::future::ready(()).boxed()
    }

    fn place(&self) -> String {
        String::from("process 1")
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        self.life.send_if_modified(|life| {
            let running = *life == Life::Running;
            if running {
                *life = Life::Killed;
            }
            running
        });
    }
}

/// What was counted, one line for each.
#[derive(Default)]
pub(super) struct Recorded(Mutex<Vec<String>>);

impl Recorded {
    fn note(&self, line: String) {
        self.0.lock().push(line);
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.0.lock().iter().any(|noted| noted == line)
    }
}

impl EngineMetrics for Recorded {
    fn launch_duration(&self, id: &str, ok: bool, _: Duration) {
        self.note(format!("launch {id} {ok}"));
    }

    fn launch_failure(&self, id: &str) {
        self.note(format!("launch failure {id}"));
    }

    fn launch_timeout(&self, id: &str) {
        self.note(format!("launch timeout {id}"));
    }

    fn shim_request_received(&self, kind: &str, channel: &str, id: &str) {
        self.note(format!("received {kind} {channel} {id}"));
    }

    fn shim_request_completed(&self, kind: &str, channel: &str, id: &str, ok: bool, _: Duration) {
        self.note(format!("completed {kind} {channel} {id} {ok}"));
    }

    fn execute_timeout(&self, id: &str) {
        self.note(format!("execute timeout {id}"));
    }

    fn stream_lost(&self, id: &str) {
        self.note(format!("lost {id}"));
    }

    fn restarted(&self, id: &str) {
        self.note(format!("restarted {id}"));
    }

    fn retried(&self, id: &str) {
        self.note(format!("retried {id}"));
    }
}

/// System chaincode that answers with who called it, for whom, and with what; `sleep` takes a while.
pub(super) struct Echo(pub(super) &'static str);

#[async_trait]
impl SystemChaincode for Echo {
    fn name(&self) -> &str {
        self.0
    }

    async fn invoke(&self, call: SystemCall) -> Response {
        let args: Vec<_> = call.args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        match args.first().map(String::as_str) {
            Some("sleep" | "InstallChaincode") => tokio::time::sleep(Duration::from_millis(300)).await,
            Some("panic") => panic!("asked to"),
            _ => {}
        }
        let caller = call.caller.unwrap_or_default();
        ok(&format!("{}|{}|{caller}|{}", self.0, call.transaction.channel, args.join(",")))
    }
}
