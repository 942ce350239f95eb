//! The least that any endorser has to do: verify one signature, make one, and two gRPC hops over TLS.
//!
//! Two processes: one takes proposals, verifies, asks the other, signs; the other, in the place of chaincode, answers.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use prost::Message;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server},
};
use windlass_identity::{ChannelConfig, MspManager, SigningIdentity};
use windlass_proto::{
    Bytes,
    common::Block,
    envelope::{Call, unpack_proposal},
    protos::{
        self, Endorsement, ProposalResponse, SignedProposal,
        endorser_client::EndorserClient,
        endorser_server::{Endorser, EndorserServer},
    },
};
use windlass_transport::{ClientAuthentication, ClientTls, DialOptions, ServerTls, dial, incoming};

use crate::{
    round_trip::{Reader, serve_ping_pong},
    support::{client::Client, output::Pipe, place::Place, ready::Ready, windlass::Running},
};

pub(crate) const ROLE: &str = "WINDLASS_BENCH_ROLE";
const READY: &str = "WINDLASS_BENCH_READY";
const NEXT: &str = "WINDLASS_BENCH_NEXT";

/// Which process this is, if it is not the one that measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The first of the floor's two.
    Endorser,
    /// The second.
    Chaincode,
    /// The other end of the bare ping-pong.
    PingPong,
    /// Chaincode that reads, launched by a peer.
    Reader,
}

/// Another process of this program; it ends with this value.
pub(crate) type Process = Running;

impl Role {
    /// `None` in the process that measures.
    pub(crate) fn of_this_process() -> Option<Self> {
        let role = std::env::var(ROLE).ok()?;
        [Self::Endorser, Self::Chaincode, Self::PingPong, Self::Reader].into_iter().find(|one| one.name() == role)
    }

    /// What the variable says.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Endorser => "endorser",
            Self::Chaincode => "chaincode",
            Self::PingPong => "ping-pong",
            Self::Reader => "reader",
        }
    }
}

/// Both processes; they end with this value.
pub(crate) struct Floor {
    ready: Ready,
    endorser: Running,
    _chaincode: Running,
}

impl Floor {
    /// Takes certificates from a network that is started for that.
    pub(crate) async fn start(place: &Place) -> Self {
        let windlass = place.dev().start();
        let (mut ready, ready_file) = (windlass.ready.clone(), windlass.ready_file().clone());
        let client = Client::user(&ready).await;
        let genesis = client.query("qscc", &["GetBlockByNumber", &ready.channel, "0"]).await.expect("block 0");
        std::fs::write(ready.data.join("genesis.block"), genesis).expect("a file");
        windlass.stop();
        let (chaincode, next) = spawn(Role::Chaincode, &ready_file, "");
        let (endorser, address) = spawn(Role::Endorser, &ready_file, &next);
        ready.peer.endpoint.clone_from(&address);
        ready.orderer.endpoint = address;
        ready.orderer.tls_root_cert.clone_from(&ready.peer.tls_root_cert);
        ready.orderer.hostname.clone_from(&ready.peer.hostname);
        Self { ready, endorser, _chaincode: chaincode }
    }

    pub(crate) async fn clients(&self, concurrency: usize) -> Vec<Client> {
        let mut clients = Vec::new();
        for _ in 0..concurrency.div_ceil(16) {
            clients.push(Client::user(&self.ready).await);
        }
        clients
    }

    pub(crate) fn call(&self) -> Call {
        let args = vec![Bytes::from_static(b"Noop")];
        Call { channel: self.ready.channel.clone(), chaincode: "sample".to_owned(), args, ..Default::default() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.endorser.pid()
    }
}

/// Starts this program in another role; returns where it listens.
pub(crate) fn spawn(role: Role, ready_file: &Path, next: &str) -> (Process, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(ROLE, role.name()).env(READY, ready_file).env(NEXT, next);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::spawn(command);
    let said = running.output().wait_for(Pipe::Stdout, Duration::from_secs(20), |line| line.starts_with("localhost:"));
    let address = said.unwrap_or_else(|| panic!("no {role:?}: {}", running.output().shown()));
    (running, address)
}

fn peer_folder(data: &Path) -> PathBuf {
    data.join("organizations/peerOrganizations/org1.example.com/peers/peer0.org1.example.com")
}

/// The peer's own certificate.
pub(crate) fn server_tls(data: &Path) -> ServerTls {
    let read = |name: &str| std::fs::read_to_string(peer_folder(data).join(name)).expect("a file of the network");
    ServerTls { certificate: read("tls/server.crt"), key: read("tls/server.key"), clients: ClientAuthentication::None }
}

/// What a role does.
pub(crate) async fn serve(role: Role) {
    if role == Role::Reader {
        return windlass_shim::start(Reader).await.expect("a peer");
    }
    let ready = Ready::read(&PathBuf::from(std::env::var_os(READY).expect("the variable")));
    let peer = peer_folder(&ready.data);
    let read = |name: &str| std::fs::read_to_string(peer.join(name)).expect("a file of the network");
    let tls = server_tls(&ready.data);
    let next = match role {
        Role::PingPong | Role::Reader => return serve_ping_pong(&ready.data).await,
        Role::Chaincode => None,
        Role::Endorser => {
            let address = std::env::var(NEXT).expect("the variable");
            let tls = ClientTls { roots: vec![read("tls/ca.crt")], ..Default::default() };
            let channel = dial(&address, Some(&tls), &DialOptions::default()).await.expect("a connection");
            let genesis = std::fs::read(ready.data.join("genesis.block")).expect("block 0");
            let config = ChannelConfig::from_block(&Block::decode(&genesis[..]).expect("a block"));
            let identity = SigningIdentity::from_msp_folder(&ready.msp_id, &peer.join("msp")).expect("an identity");
            Some(Arc::new(Next { channel, config: config.expect("a configuration"), identity }))
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("localhost:{}", listener.local_addr().expect("an address").port());
    let server = Server::builder().tcp_nodelay(true).add_service(EndorserServer::new(Stage(next)));
    server
        .serve_with_incoming(incoming(listener, Some(tls.config().expect("good certificates"))))
        .await
        .expect("a server");
}

/// An endorser, or without anything behind it what answers in the place of chaincode.
struct Stage(Option<Arc<Next>>);

struct Next {
    channel: Channel,
    config: ChannelConfig,
    identity: SigningIdentity,
}

impl Next {
    fn msps(&self) -> &MspManager {
        self.config.msps()
    }
}

#[tonic::async_trait]
impl Endorser for Stage {
    async fn process_proposal(&self, request: Request<SignedProposal>) -> Result<Response<ProposalResponse>, Status> {
        let ok = protos::Response { status: 200, ..Default::default() };
        let answer = ProposalResponse { version: 1, response: Some(ok), ..Default::default() };
        let Some(next) = &self.0 else { return Ok(Response::new(answer)) };
        let proposal = request.into_inner();
        let unpacked = unpack_proposal(&proposal).map_err(|error| Status::unknown(error.to_string()))?;
        let creator = next.msps().deserialize(&unpacked.signature_header.creator);
        let verified =
            creator.is_ok_and(|creator| creator.verify(&proposal.proposal_bytes, &proposal.signature).is_ok());
        if !verified {
            return Err(Status::unknown("access denied"));
        }
        let payload = proposal.proposal_bytes.clone();
        EndorserClient::new(next.channel.clone()).process_proposal(proposal).await?;
        let signature = next.identity.sign(&payload).into();
        let endorsement = Endorsement { endorser: next.identity.serialized().clone(), signature };
        Ok(Response::new(ProposalResponse { payload, endorsement: Some(endorsement), ..answer }))
    }
}
