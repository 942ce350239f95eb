//! From an installed package to a registered chaincode: real builders, real processes, real streams, TLS on.

// Other tests use more of it.
#[allow(dead_code)]
#[path = "builders/support.rs"]
mod support;

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures::StreamExt;
use prost::Message;
use support::{Peer, eventually, is_alive};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Server};
use windlass_chaincode::{
    channels::{AccessDenied, Channels},
    engine::{ChaincodeState, Engine, EngineConfig, LaunchCause, NoMetrics},
    lifecycle::Lifecycle,
    simulation::{Simulation, SimulationResult},
};
use windlass_identity::channel::ChannelConfig;
use windlass_proto::{
    ids::PackageId,
    protos::{
        ChaincodeId, ChaincodeMessage, SignedProposal, chaincode_message::Type,
        chaincode_support_client::ChaincodeSupportClient,
    },
};
use windlass_transport::{ClientAuthentication, ClientTls, DialOptions, ServerTls, dial, incoming};

const PATIENCE: Duration = Duration::from_secs(10);

struct NoChannels;

impl Channels for NoChannels {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn config(&self, _: &str) -> Option<Arc<ChannelConfig>> {
        None
    }

    fn simulate(&self, _: &str, _: &str) -> Option<SimulationResult<Arc<dyn Simulation>>> {
        None
    }

    fn authorize(&self, _: &str, _: &str, _: &SignedProposal) -> Result<(), AccessDenied> {
        Err(AccessDenied(String::from("no channels")))
    }
}

/// An engine with a listener, and one installed package that a shell script builds and runs.
struct Fixture {
    peer: Peer,
    id: PackageId,
    engine: Engine,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Fixture {
    /// `run` is the script that runs the chaincode; `OUT` in it is a folder to leave files in. `release` is
    /// what the builder hands to the peer.
    async fn start(run: &str, release: &str) -> Self {
        let peer = Peer::new();
        fs::create_dir_all(peer.path("out")).expect("a folder");
        let run = run.replace("OUT", &peer.path("out").to_string_lossy());
        let scripts = [("detect", "exit 0"), ("build", "exit 0"), ("release", release), ("run", run.as_str())];
        let builds = peer.builds(vec![peer.builder("shell", &scripts)]);
        let id = peer.install("external", &[("main", b"code")]);

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut config = EngineConfig::new("Org1MSP", format!("localhost:{}", address.port()));
        config.startup_timeout = PATIENCE;
        let channels: Arc<dyn Channels> = Arc::new(NoChannels);
        let lifecycle = Lifecycle::new("Org1MSP", peer.packages.clone(), builds.clone(), channels.clone());
        let engine = Engine::new(config, builds, lifecycle, channels, Arc::new(NoMetrics)).expect("an engine");
        let certificate = engine.server_certificate("localhost").expect("a certificate");
        let tls = ServerTls {
            certificate: certificate.cert_pem,
            key: certificate.key_pem,
            clients: ClientAuthentication::Require(vec![certificate.client_root_pem]),
        };
        let tls = tls.config().expect("TLS material");
        let service = engine.support_service().into_server();
        let server = tokio::spawn(async move {
            let _ = Server::builder().add_service(service).serve_with_incoming(incoming(listener, Some(tls))).await;
        });
        Self { peer, id, engine, address, server }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.peer.path("out").join(name)
    }

    fn launch(&self) -> JoinHandle<Result<(), windlass_chaincode::engine::LaunchError>> {
        let (engine, id) = (self.engine.clone(), self.id.to_string());
        tokio::spawn(async move { engine.launch(&id).await })
    }

    /// Dials the peer as the chaincode whose `chaincode.json` the script has copied.
    async fn dial(&self) -> (mpsc::Sender<ChaincodeMessage>, Streaming<ChaincodeMessage>) {
        let copied = self.out("ready");
        eventually("the chaincode runs", || copied.exists()).await;
        let text = fs::read_to_string(self.out("chaincode.json")).expect("metadata");
        let metadata: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let field = |name: &str| metadata[name].as_str().expect("text").to_owned();
        assert_eq!((field("chaincode_id"), field("mspid")), (self.id.to_string(), String::from("Org1MSP")));
        assert_eq!(field("peer_address"), format!("localhost:{}", self.address.port()));
        let tls = ClientTls {
            roots: vec![field("root_cert")],
            identity: Some((field("client_cert"), field("client_key"))),
            server_name: None,
        };
        let channel = dial(&field("peer_address"), Some(&tls), &DialOptions::default()).await.expect("a connection");
        let (outbound, queue) = mpsc::channel(4);
        let inbound = ChaincodeSupportClient::new(channel).register(ReceiverStream::new(queue)).await;
        (outbound, inbound.expect("a stream").into_inner())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn register(id: &str) -> ChaincodeMessage {
    let id = ChaincodeId { name: id.to_owned(), ..Default::default() };
    ChaincodeMessage { r#type: Type::Register as i32, payload: id.encode_to_vec().into(), ..Default::default() }
}

const WAITS: &str = r#"cp "$2/chaincode.json" OUT/chaincode.json; echo $$ > OUT/ready; echo waiting; exec sleep 60"#;

#[tokio::test]
async fn runs_registers_and_stops() {
    let fixture = Fixture::start(WAITS, "exit 0").await;
    let launch = fixture.launch();
    let (outbound, mut inbound) = fixture.dial().await;
    outbound.send(register(fixture.id.as_str())).await.expect("the stream is open");
    for expected in [Type::Registered, Type::Ready] {
        let message = timeout(PATIENCE, inbound.next()).await.expect("in time").expect("open").expect("a message");
        assert_eq!(message.r#type, expected as i32);
    }
    launch.await.expect("no panic").expect("launched");
    assert_eq!(fixture.engine.status()[0].state, ChaincodeState::Serving);
    let pid = fs::read_to_string(fixture.out("ready")).expect("a pid");
    assert!(is_alive(&pid));
    let began = Instant::now();
    fixture.engine.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!is_alive(&pid));
}

#[tokio::test]
async fn a_wrong_id_ends_the_process_and_names_both() {
    let fixture = Fixture::start(WAITS, "exit 0").await;
    let launch = fixture.launch();
    let (outbound, _inbound) = fixture.dial().await;
    outbound.send(register("another:1")).await.expect("the stream is open");
    let error = launch.await.expect("no panic").expect_err("refused");
    assert!(matches!(error.cause, LaunchCause::Refused(_)));
    let text = error.to_string();
    assert!(text.contains(fixture.id.as_str()) && text.contains("'another:1'") && text.ends_with("waiting"), "{text}");
    let pid = fs::read_to_string(fixture.out("ready")).expect("a pid");
    eventually("the process is gone", || !is_alive(&pid)).await;
}

#[tokio::test]
async fn a_chaincode_that_ends_tells_its_last_words() {
    for (script, expected) in [
        ("echo one; echo two >&2; exit 0", "container exited with 0"),
        (
            "echo one; echo two >&2; exit 3",
            "failed to wait on container exit: builder 'shell' run failed: exit status 3",
        ),
    ] {
        let fixture = Fixture::start(script, "exit 0").await;
        let error = fixture.launch().await.expect("no panic").expect_err("ended").to_string();
        let id = &fixture.id;
        let first = format!("could not launch chaincode {id}: chaincode registration failed: {expected}");
        assert_eq!(error.lines().next(), Some(first.as_str()));
        assert!(error.contains("one") && error.contains("two"), "{error}");
    }
}

#[tokio::test]
async fn a_build_that_serves_is_dialed_and_reads_its_address_anew_each_time() {
    let release =
        r#"mkdir -p "$2/chaincode/server"; echo '{"address": "localhost"}' > "$2/chaincode/server/connection.json""#;
    let fixture = Fixture::start("exit 1", release).await;
    let error = fixture.launch().await.expect("no panic").expect_err("no port").to_string();
    assert!(error.ends_with("address localhost: missing port in address\""), "{error}");
    let durable = fixture.peer.build_folder(&fixture.id).join("release/chaincode/server/connection.json");
    fs::write(&durable, "{}").expect("a file");
    let error = fixture.launch().await.expect("no panic").expect_err("no address").to_string();
    assert!(error.ends_with("error building chaincode: chaincode address not provided"), "{error}");
}

#[tokio::test]
async fn an_unknown_package_does_not_build() {
    let fixture = Fixture::start("exit 0", "exit 0").await;
    let unknown = format!("basic:{}", "0".repeat(64));
    let error = fixture.engine.launch(&unknown).await.expect_err("unknown").to_string();
    let prefix = format!("could not launch chaincode {unknown}: error building chaincode: error building image: ");
    assert!(error.starts_with(&prefix) && error.contains(&format!("'{unknown}' not found")), "{error}");
}
