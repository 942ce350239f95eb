//! A peer's services in the tests' hands: what arrives is passed on to the peer, unless it is to get lost.

use std::{fmt, fs, pin::Pin, sync::Arc, time::Duration};

use futures::Stream;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, service::Routes, transport::Channel};
use windlass_peer::listen;
use windlass_proto::{
    gateway::{
        ChaincodeEventsResponse, CommitStatusResponse, EndorseRequest, EndorseResponse, EvaluateRequest,
        EvaluateResponse, SignedChaincodeEventsRequest, SignedCommitStatusRequest, SubmitRequest, SubmitResponse,
        gateway_client::GatewayClient,
        gateway_server::{Gateway, GatewayServer},
    },
    protos::{
        ProposalResponse, SignedProposal,
        endorser_client::EndorserClient,
        endorser_server::{Endorser, EndorserServer},
    },
};
use windlass_transport::{ClientAuthentication, ClientTls, DialOptions, ServerTls, dial};

use crate::{
    e2e::support::{place::Place, windlass::Windlass},
    person::Person,
};

/// What somebody asks of the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
    Endorsement,
    Evaluation,
    Submission,
    CommitStatus,
    Proposal(&'a SignedProposal),
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// The peer never hears of it.
    Lost,
    /// The peer has done it, and its answer gets lost.
    AnswerLost,
    /// The same, and with the answer the connection.
    CutOff,
    /// Nobody answers as long as anybody waits.
    Unanswered,
}

/// Longer than anybody should wait; who does is answered then, and the test sees the answer.
const TOO_LONG: Duration = Duration::from_secs(60);

type Decide = dyn Fn(Asked<'_>) -> Fate + Send + Sync;

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    address: String,
    _until_dropped: DropGuard,
}

impl Relay {
    /// Stands before the peer of the first organization, under its name.
    pub(crate) async fn start(windlass: &Windlass, decide: impl Fn(Asked<'_>) -> Fate + Send + Sync + 'static) -> Self {
        let peer = &windlass.ready.peer;
        let root = fs::read_to_string(&peer.tls_root_cert).expect("a certificate");
        let trusted = ClientTls { roots: vec![root], ..Default::default() };
        let behind = dial(&peer.endpoint, Some(&trusted), &DialOptions::default()).await.expect("the peer answers");
        let folder = peer.tls_root_cert.with_file_name("");
        let read = |name| fs::read_to_string(folder.join(name)).expect("a file of the peer");
        let clients = ClientAuthentication::Request;
        let tls = ServerTls { certificate: read("server.crt"), key: read("server.key"), clients };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let end = CancellationToken::new();
        let passing = Passing { behind, decide: Arc::new(decide), end: end.clone() };
        let mut routes = Routes::new(GatewayServer::new(passing.clone()));
        routes = routes.add_service(EndorserServer::new(passing));
        let tls = tls.config().expect("TLS of the peer");
        let keepalive = Duration::from_secs(7200);
        tokio::spawn(listen::serve(listener, Some(tls), routes, keepalive, None, end.clone()));
        Self { address: format!("localhost:{port}"), _until_dropped: end.drop_guard() }
    }

    /// The organization's admin, who knows of no other way to the peer.
    pub(crate) fn person(&self, place: &Place, windlass: &Windlass) -> Person {
        let person = Person::at(place).sourced(&windlass.ready.data.join("env-org1.sh"));
        person.without("WINDLASS_NETWORK").with("CORE_PEER_ADDRESS", &self.address)
    }
}

#[derive(Clone)]
struct Passing {
    behind: Channel,
    decide: Arc<Decide>,
    end: CancellationToken,
}

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passing").field("behind", &self.behind).finish_non_exhaustive()
    }
}

type Answer<T> = Result<Response<T>, Status>;

impl Passing {
    async fn pass<T>(&self, asked: Asked<'_>, on: impl Future<Output = Answer<T>>) -> Answer<T> {
        let lost = Err(Status::unavailable("the answer got lost"));
        match (self.decide)(asked) {
            Fate::Answered => on.await,
            Fate::Lost => lost,
            Fate::AnswerLost => on.await.and(lost),
            Fate::CutOff => {
                let _ = on.await;
                self.end.cancel();
                std::future::pending().await
            }
            Fate::Unanswered => {
                let _ = timeout(TOO_LONG, std::future::pending::<()>()).await;
                on.await
            }
        }
    }

    fn gateway(&self) -> GatewayClient<Channel> {
        GatewayClient::new(self.behind.clone())
    }
}

#[tonic::async_trait]
impl Gateway for Passing {
    async fn endorse(&self, request: Request<EndorseRequest>) -> Answer<EndorseResponse> {
        self.pass(Asked::Endorsement, self.gateway().endorse(request)).await
    }

    async fn submit(&self, request: Request<SubmitRequest>) -> Answer<SubmitResponse> {
        self.pass(Asked::Submission, self.gateway().submit(request)).await
    }

    async fn commit_status(&self, request: Request<SignedCommitStatusRequest>) -> Answer<CommitStatusResponse> {
        self.pass(Asked::CommitStatus, self.gateway().commit_status(request)).await
    }

    async fn evaluate(&self, request: Request<EvaluateRequest>) -> Answer<EvaluateResponse> {
        self.pass(Asked::Evaluation, self.gateway().evaluate(request)).await
    }

    type ChaincodeEventsStream = Pin<Box<dyn Stream<Item = Result<ChaincodeEventsResponse, Status>> + Send>>;

    async fn chaincode_events(&self, _: Request<SignedChaincodeEventsRequest>) -> Answer<Self::ChaincodeEventsStream> {
        Err(Status::unimplemented("nobody here asks for events"))
    }
}

#[tonic::async_trait]
impl Endorser for Passing {
    async fn process_proposal(&self, request: Request<SignedProposal>) -> Answer<ProposalResponse> {
        let proposal = request.get_ref().clone();
        let mut endorser = EndorserClient::new(self.behind.clone());
        self.pass(Asked::Proposal(&proposal), endorser.process_proposal(request)).await
    }
}
