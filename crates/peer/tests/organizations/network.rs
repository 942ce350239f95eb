//! A network in this process.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, future::join_all};
use prost::Message;
use tempfile::TempDir;
use tokio::net::TcpListener;
use windlass_chaincode::{
    build::{BuilderConfig, Program},
    package::create::Created,
};
use windlass_identity::{
    Organizations, OrganizationsSpec, SigningIdentity, authority::PeerOrganization, folder_to_config, policy::text,
};
use windlass_orderer::{
    Orderer, OrdererConfig,
    genesis::{Consenter, NetworkSpec, OrgSpec, PeerOrgSpec, genesis_block},
};
use windlass_peer::{
    config::PeerConfig,
    logging::Logging,
    network::{ChannelMember, Member, Membership, Neighbourhood},
    node::{Listeners, Peer, Start},
};
use windlass_proto::{
    Bytes,
    common::BlockMetadataIndex,
    envelope::Call,
    gossip::Envelope,
    hash::sha256,
    lifecycle::{
        ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource, CommitChaincodeDefinitionArgs, InstallChaincodeArgs,
        chaincode_source,
    },
    protos::{ApplicationPolicy, TxValidationCode, application_policy},
};
use windlass_transport::{ClientTls, DialOptions, dial};

use crate::{
    chaincode::{Served, write_builder},
    client::{Client, Endorsed},
};

pub(crate) const CHANNEL: &str = "ch";

/// Several organizations with a peer each.
pub(crate) struct Network {
    files: Organizations,
    orderer: Orderer,
    /// `None` once it has ended.
    peers: Vec<Option<Peer>>,
    endpoints: Vec<String>,
    served: Vec<Served>,
    rumours: Rumours,
    _folder: TempDir,
}

/// What peers hear of each other, which need not be true.
#[derive(Clone, Debug, Default)]
struct Rumours {
    neighbourhood: Neighbourhood,
    endpoints: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Rumours {
    fn heard(&self, member: &Arc<Member>) -> Arc<Member> {
        let endpoint = self.endpoints.lock().expect("no test panics here").get(&member.msp_id).cloned();
        endpoint.map_or_else(|| member.clone(), |endpoint| Arc::new(Member { endpoint, ..Member::clone(member) }))
    }
}

impl Membership for Rumours {
    fn peers(&self) -> Vec<Arc<Member>> {
        self.neighbourhood.peers().iter().map(|member| self.heard(member)).collect()
    }

    fn on_channel(&self, channel: &str) -> Vec<ChannelMember> {
        let peers = self.neighbourhood.on_channel(channel).into_iter();
        peers.map(|peer| ChannelMember { member: self.heard(&peer.member), ..peer }).collect()
    }

    fn alive(&self, pki_id: &[u8]) -> Option<Envelope> {
        self.neighbourhood.alive(pki_id)
    }

    fn state_info(&self, pki_id: &[u8], channel: &str) -> Option<Envelope> {
        self.neighbourhood.state_info(pki_id, channel)
    }
}

/// The MSP ID of an organization, counted from 0.
pub(crate) fn org(number: usize) -> String {
    format!("Org{}MSP", number + 1)
}

/// A call of `_lifecycle`.
pub(crate) fn lifecycle_call(channel: &str, function: &str, args: &impl Message) -> Call {
    Call {
        channel: channel.to_owned(),
        chaincode: "_lifecycle".to_owned(),
        args: vec![Bytes::copy_from_slice(function.as_bytes()), args.encode_to_vec().into()],
        ..Default::default()
    }
}

/// A definition of sequence 1; without policy it gets the channel's.
#[derive(Clone, Default)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) policy: Bytes,
}

impl Definition {
    pub(crate) fn new(name: &str, policy: Option<&str>) -> Self {
        let policy = policy.map(|policy| {
            let envelope = text::parse(policy).expect("a policy");
            let policy = application_policy::Type::SignaturePolicy(envelope);
            ApplicationPolicy { r#type: Some(policy) }.encode_to_vec().into()
        });
        Self { name: name.to_owned(), version: "1.0".to_owned(), policy: policy.unwrap_or_default() }
    }

    pub(crate) fn approve(&self, package_id: Option<&str>) -> Call {
        let source = package_id
            .map(|id| chaincode_source::Type::LocalPackage(chaincode_source::Local { package_id: id.to_owned() }));
        let args = ApproveChaincodeDefinitionForMyOrgArgs {
            sequence: 1,
            name: self.name.clone(),
            version: self.version.clone(),
            validation_parameter: self.policy.clone(),
            source: source.map(|source| ChaincodeSource { r#type: Some(source) }),
            ..Default::default()
        };
        lifecycle_call(CHANNEL, "ApproveChaincodeDefinitionForMyOrg", &args)
    }

    pub(crate) fn commit(&self) -> Call {
        let args = CommitChaincodeDefinitionArgs {
            sequence: 1,
            name: self.name.clone(),
            version: self.version.clone(),
            validation_parameter: self.policy.clone(),
            ..Default::default()
        };
        lifecycle_call(CHANNEL, "CommitChaincodeDefinition", &args)
    }
}

impl Network {
    /// Starts orderer and peers; all of them have joined the channel.
    pub(crate) async fn start(organizations: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Organizations::create_or_open(folder.path(), &OrganizationsSpec::development(organizations))
            .expect("organizations");
        let ordering = files.orderer_organization();
        let signer =
            SigningIdentity::from_msp_folder(ordering.msp_id(), &ordering.orderer_msp(0)).expect("an identity");
        let orderer = Orderer::open(OrdererConfig::new(folder.path().join("orderer")), signer).expect("an orderer");
        write_builder(&folder.path().join("builder"));
        let rumours = Rumours::default();
        let (mut peers, mut endpoints) = (Vec::new(), Vec::new());
        for (at, files) in files.peer_organizations().iter().enumerate() {
            let (peer, endpoint) = start_peer(folder.path(), at, files, &orderer, &rumours).await;
            rumours.neighbourhood.add(peer.status());
            peers.push(Some(peer));
            endpoints.push(endpoint);
        }
        let network = Self { files, orderer, peers, endpoints, served: Vec::new(), rumours, _folder: folder };
        network.join().await;
        network
    }

    async fn join(&self) {
        let ordering = self.files.orderer_organization();
        let orderer_org = OrgSpec {
            group: "OrdererOrg".into(),
            msp_id: ordering.msp_id().to_owned(),
            msp: folder_to_config(ordering.msp_id(), &ordering.msp()).expect("an MSP"),
            endpoints: vec!["127.0.0.1:7050".into()],
        };
        let orgs = self.files.peer_organizations().iter().map(|org| PeerOrgSpec {
            group: org.msp_id().to_owned(),
            msp_id: org.msp_id().to_owned(),
            msp: folder_to_config(org.msp_id(), &org.msp()).expect("an MSP"),
            anchor_peers: Vec::new(),
        });
        let consenter = Consenter { host: "127.0.0.1".into(), port: 7050, ..Default::default() };
        let genesis = genesis_block(&NetworkSpec::new(CHANNEL, orderer_org, orgs.collect(), consenter));
        self.orderer.create_channel(&genesis).expect("a channel");
        let mut blocks = std::pin::pin!(self.orderer.blocks(CHANNEL, 0).expect("blocks"));
        let genesis = blocks.next().await.expect("block 0").expect("readable");
        for peer in self.peers.iter().flatten() {
            peer.join(&genesis).expect("joined");
        }
    }

    /// A user of an organization, counted from 0, at that organization's peer.
    pub(crate) async fn client(&self, organization: usize, user: &str) -> Client {
        let files = &self.files.peer_organizations()[organization];
        let tls = files.user_tls(user);
        let read = |path: &Path| std::fs::read_to_string(path).expect("a file");
        let certificate = read(&tls.join("client.crt"));
        let options = ClientTls {
            roots: vec![read(&files.tls_ca())],
            identity: Some((certificate.clone(), read(&tls.join("client.key")))),
            server_name: None,
        };
        let channel = dial(&self.endpoints[organization], Some(&options), &DialOptions::default()).await;
        let der = windlass_identity::Certificate::from_pem(certificate.as_bytes()).expect("a certificate");
        Client {
            identity: SigningIdentity::from_msp_folder(files.msp_id(), &files.user_msp(user)).expect("an identity"),
            channel: channel.expect("a connection"),
            tls_hash: Bytes::copy_from_slice(&sha256(der.der())),
        }
    }

    pub(crate) async fn user(&self, organization: usize) -> Client {
        self.client(organization, "User1").await
    }

    pub(crate) async fn admin(&self, organization: usize) -> Client {
        self.client(organization, "Admin").await
    }

    pub(crate) fn endpoint(&self, organization: usize) -> &str {
        &self.endpoints[organization]
    }

    /// The organizations whose peers run.
    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.peers.len()).filter(|at| self.peers[*at].is_some()).collect()
    }

    /// Makes the others believe that an organization's peer is elsewhere, or makes them forget it again.
    pub(crate) fn rumour(&self, organization: usize, endpoint: Option<&str>) {
        let mut endpoints = self.rumours.endpoints.lock().expect("no test panics here");
        match endpoint {
            Some(endpoint) => endpoints.insert(org(organization), endpoint.to_owned()),
            None => endpoints.remove(&org(organization)),
        };
    }

    /// Ends a peer.
    pub(crate) async fn stop(&mut self, organization: usize) {
        if let Some(peer) = self.peers[organization].take() {
            peer.shutdown().await;
        }
    }

    /// Keeps a chaincode serving as long as the network.
    pub(crate) fn keep(&mut self, served: Served) -> Created {
        let package = Created {
            bytes: served.package.bytes.clone(),
            id: served.package.id.clone(),
            kind: served.package.kind.clone(),
        };
        self.served.push(served);
        package
    }

    pub(crate) async fn install(&self, organization: usize, package: &Created) {
        let args = InstallChaincodeArgs { chaincode_install_package: package.bytes.clone() };
        let answer = self.admin(organization).await.propose(&lifecycle_call("", "InstallChaincode", &args)).await;
        let response = answer.expect("an answer").response.expect("a response");
        assert_eq!((response.status, response.message.as_str()), (200, ""));
    }

    /// Approves for an organization and waits until every peer has the approval.
    pub(crate) async fn approve(&self, organization: usize, definition: &Definition, package_id: Option<&str>) {
        let admin = self.admin(organization).await;
        let own = org(organization);
        let endorsed = admin.endorse(&definition.approve(package_id), &[&own]).await.expect("endorsed");
        assert_eq!(self.submit(&admin, &endorsed).await, TxValidationCode::Valid);
    }

    /// Submits, and checks that all peers come to the same verdict.
    pub(crate) async fn submit(&self, client: &Client, endorsed: &Endorsed) -> TxValidationCode {
        let verdict = client.submit(endorsed).await;
        for organization in self.running() {
            let other = self.user(organization).await.status(CHANNEL, &endorsed.tx_id).await;
            assert_eq!(other, verdict, "the verdict of {}", org(organization));
        }
        verdict
    }

    /// Serves a chaincode for these organizations, all with the same package, and defines it with the approval of all.
    pub(crate) async fn deploy(&mut self, definition: &Definition, installed: &[usize]) {
        let served = Served::start(&definition.name, &definition.name).await;
        let package = self.keep(served);
        for organization in self.running() {
            let id = package.id.to_string();
            let here = installed.contains(&organization);
            if here {
                self.install(organization, &package).await;
            }
            self.approve(organization, definition, here.then_some(id.as_str())).await;
        }
        self.commit(definition).await;
    }

    /// Commits a definition with the endorsements of all.
    pub(crate) async fn commit(&self, definition: &Definition) {
        let admin = self.admin(0).await;
        let everyone: Vec<String> = self.running().into_iter().map(org).collect();
        let everyone: Vec<&str> = everyone.iter().map(String::as_str).collect();
        let endorsed = admin.endorse(&definition.commit(), &everyone).await.expect("endorsed");
        assert_eq!(self.submit(&admin, &endorsed).await, TxValidationCode::Valid);
    }

    /// The verdicts of each running peer on each block, which must be the same for all.
    pub(crate) fn assert_ledgers_agree(&self) {
        let ledgers: Vec<Vec<Bytes>> = self
            .peers
            .iter()
            .flatten()
            .map(|peer| {
                let channel = peer.channels().get(CHANNEL).expect("joined");
                let block = |number| channel.ledger().block(number).expect("readable").expect("there");
                let slot = BlockMetadataIndex::TransactionsFilter as usize;
                (0..channel.ledger().height())
                    .map(|number| block(number).metadata.expect("metadata").metadata[slot].clone())
                    .collect()
            })
            .collect();
        for ledger in &ledgers {
            assert_eq!(ledger, &ledgers[0]);
        }
    }

    pub(crate) async fn end(mut self) {
        let peers: Vec<Peer> = self.peers.iter_mut().filter_map(Option::take).collect();
        join_all(peers.into_iter().map(Peer::shutdown)).await;
        self.orderer.shutdown().await;
    }
}

async fn start_peer(
    folder: &Path,
    at: usize,
    files: &PeerOrganization,
    orderer: &Orderer,
    rumours: &Rumours,
) -> (Peer, String) {
    let bind = || async { TcpListener::bind("127.0.0.1:0").await.expect("a free port") };
    let (peer, chaincode) = (bind().await, bind().await);
    let endpoint = |listener: &TcpListener| format!("localhost:{}", listener.local_addr().expect("bound").port());
    let (mut config, _) = PeerConfig::load(None, &Default::default()).expect("defaults");
    let tls = files.peer_tls(0);
    config.peer.id = files.peer_host(0);
    config.peer.address = endpoint(&peer);
    config.peer.listen_address = endpoint(&peer);
    config.peer.chaincode_listen_address = Some(endpoint(&chaincode));
    config.peer.chaincode_address = Some(endpoint(&chaincode));
    config.peer.local_msp_id = files.msp_id().to_owned();
    config.peer.msp_config_path = files.peer_msp(0);
    config.peer.file_system_path = folder.join(format!("peer{at}"));
    config.peer.tls.enabled = true;
    config.peer.tls.client_auth_required = false;
    config.peer.tls.certificate = Some(tls.join("server.crt"));
    config.peer.tls.key = Some(tls.join("server.key"));
    config.peer.tls.root_certificate = Some(tls.join("ca.crt"));
    config.peer.gateway.dial_timeout = Duration::from_secs(3);
    let address = endpoint(&peer);
    let builder = BuilderConfig {
        name: "test".to_owned(),
        program: Program::Folder(folder.join("builder")),
        propagate_environment: Vec::new(),
    };
    let start = Start {
        config,
        listeners: Listeners { peer, chaincode, operations: None },
        orderer: Some(orderer.clone()),
        membership: Some(Arc::new(rumours.clone())),
        executable: None,
        builders: vec![builder],
        logging: Logging::default(),
    };
    (Peer::start(start).await.expect("a peer"), address)
}
