//! A network to test with: an ordering organization and two with peers, in memory.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use prost::Message;
use prost_types::Timestamp;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use windlass_identity::{CertificateAuthority, LeafRequest, SigningIdentity};
use windlass_orderer::{
    Orderer, OrdererConfig,
    genesis::{Consenter, NetworkSpec, OrgSpec, PeerOrgSpec, genesis_block},
};
use windlass_proto::{
    common::{Block, ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader, Status},
    msp::{FabricCryptoConfig, FabricMspConfig, FabricNodeOUs, FabricOuIdentifier},
    orderer::{BroadcastResponse, atomic_broadcast_client::AtomicBroadcastClient},
};

pub(crate) const CHANNEL: &str = "mychannel";

/// An organization with its own certificate authority.
pub(crate) struct Org {
    msp_id: &'static str,
    authority: CertificateAuthority,
}

impl Org {
    pub(crate) fn new(msp_id: &'static str) -> Self {
        let authority = CertificateAuthority::generate(&format!("ca.{msp_id}"), msp_id).expect("an authority");
        Self { msp_id, authority }
    }

    /// An identity of one of the roles `client`, `peer`, `admin`, `orderer`.
    pub(crate) fn identity(&self, role: &str) -> SigningIdentity {
        self.identity_for(role, Duration::from_secs(3600))
    }

    /// An identity that expires after `validity`.
    pub(crate) fn identity_for(&self, role: &str, validity: Duration) -> SigningIdentity {
        let request = LeafRequest {
            common_name: role,
            organizational_unit: Some(role),
            validity: Some(validity),
            ..Default::default()
        };
        let (certificate, key) = self.authority.issue(&request).expect("a certificate");
        SigningIdentity::new(self.msp_id, &certificate, key).expect("an identity")
    }

    pub(crate) fn msp(&self) -> FabricMspConfig {
        let root: Bytes = self.authority.certificate_pem().to_owned().into();
        let unit = |name: &str| {
            Some(FabricOuIdentifier { certificate: root.clone(), organizational_unit_identifier: name.to_owned() })
        };
        FabricMspConfig {
            name: self.msp_id.to_owned(),
            root_certs: vec![root.clone()],
            crypto_config: Some(FabricCryptoConfig {
                signature_hash_family: "SHA2".into(),
                identity_identifier_hash_function: "SHA256".into(),
            }),
            fabric_node_ous: Some(FabricNodeOUs {
                enable: true,
                client_ou_identifier: unit("client"),
                peer_ou_identifier: unit("peer"),
                admin_ou_identifier: unit("admin"),
                orderer_ou_identifier: unit("orderer"),
            }),
            ..Default::default()
        }
    }

    pub(crate) fn spec(&self, group: &str) -> PeerOrgSpec {
        PeerOrgSpec {
            group: group.to_owned(),
            msp_id: self.msp_id.to_owned(),
            msp: self.msp(),
            anchor_peers: Vec::new(),
        }
    }
}

/// The organizations, and the genesis block that they agree on.
pub(crate) struct Network {
    pub(crate) orderer_org: Org,
    pub(crate) org1: Org,
    pub(crate) org2: Org,
    pub(crate) orderer: SigningIdentity,
    pub(crate) client: SigningIdentity,
    pub(crate) spec: NetworkSpec,
    pub(crate) genesis: Block,
}

impl Network {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut NetworkSpec)) -> Self {
        let (orderer_org, org1, org2) = (Org::new("OrdererMSP"), Org::new("Org1MSP"), Org::new("Org2MSP"));
        let ordering = OrgSpec {
            group: "OrdererOrg".into(),
            msp_id: "OrdererMSP".into(),
            msp: orderer_org.msp(),
            endpoints: vec!["orderer.example.com:7050".into()],
        };
        let consenter = Consenter {
            host: "orderer.example.com".into(),
            port: 7050,
            client_tls_cert: "client".into(),
            server_tls_cert: "server".into(),
        };
        let peers = vec![org1.spec("Org1"), org2.spec("Org2")];
        let mut spec = NetworkSpec::new(CHANNEL, ordering, peers, consenter);
        change(&mut spec);
        let genesis = genesis_block(&spec);
        let (orderer, client) = (orderer_org.identity("orderer"), org1.identity("client"));
        Self { orderer_org, org1, org2, orderer, client, spec, genesis }
    }

    /// An eager orderer in `folder`, without a channel if the folder is new.
    pub(crate) fn open(&self, folder: &Path) -> Orderer {
        Orderer::open(OrdererConfig::new(folder), self.orderer.clone()).expect("an orderer")
    }

    /// The same with the channel.
    pub(crate) fn start(&self, folder: &Path) -> Orderer {
        let orderer = self.open(folder);
        orderer.create_channel(&self.genesis).expect("a channel");
        orderer
    }

    /// An ordinary message with this data from the network's client.
    pub(crate) fn message(&self, data: impl Into<Bytes>) -> Envelope {
        signed(&self.client, HeaderType::EndorserTransaction, CHANNEL, data.into())
    }
}

pub(crate) fn header(creator: &SigningIdentity, kind: HeaderType, channel: &str) -> Header {
    let channel_header = ChannelHeader {
        r#type: kind as i32,
        timestamp: Some(Timestamp::from(std::time::SystemTime::now())),
        channel_id: channel.to_owned(),
        ..Default::default()
    };
    let signature_header =
        SignatureHeader { creator: creator.serialized().clone(), nonce: Bytes::from_static(b"nonce") };
    Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    }
}

pub(crate) fn signed(creator: &SigningIdentity, kind: HeaderType, channel: &str, data: Bytes) -> Envelope {
    seal(creator, Payload { header: Some(header(creator, kind, channel)), data })
}

pub(crate) fn seal(creator: &SigningIdentity, payload: Payload) -> Envelope {
    let payload: Bytes = payload.encode_to_vec().into();
    let signature = creator.sign(&payload).into();
    Envelope { payload, signature }
}

#[track_caller]
pub(crate) fn assert_success(response: &BroadcastResponse) {
    assert_eq!((response.status, response.info.as_str()), (Status::Success as i32, ""));
}

/// The blocks from `from` on, as many as asked for.
pub(crate) async fn blocks(orderer: &Orderer, from: u64, count: usize) -> Vec<Arc<Block>> {
    let blocks = orderer.blocks(CHANNEL, from).expect("a channel").take(count);
    let blocks = tokio::time::timeout(Duration::from_secs(20), blocks.collect::<Vec<_>>());
    blocks.await.expect("blocks in time").into_iter().map(|block| block.expect("a block")).collect()
}

/// The messages in a block.
pub(crate) fn messages(block: &Block) -> Vec<Envelope> {
    let data = block.data.as_ref().expect("data");
    data.data.iter().map(|entry| Envelope::decode(entry.clone()).expect("an envelope")).collect()
}

/// A client connected to the orderer's service over gRPC.
pub(crate) async fn connect(orderer: &Orderer) -> AtomicBroadcastClient<Channel> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let service = orderer.service();
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URI");
    AtomicBroadcastClient::new(endpoint.connect().await.expect("a connection"))
        .max_decoding_message_size(100 << 20)
        .max_encoding_message_size(100 << 20)
}
