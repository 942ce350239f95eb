//! A channel of two organizations for tests, and really signed transactions on it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tempfile::TempDir;
use windlass_identity::{CertificateAuthority, ChannelConfig, LeafRequest, Msp, MspManager, SigningIdentity};
use windlass_ledger::{Ledger, LedgerOptions, StoreKind};
use windlass_orderer::genesis::{Consenter, NetworkSpec, OrgSpec, PeerOrgSpec, genesis_block};
use windlass_proto::{
    common::{
        Block, BlockData, BlockHeader, BlockMetadata, ChannelHeader, Envelope, Header, HeaderType, Payload,
        SignatureHeader,
    },
    hash::{block_data_hash, block_header_hash, sha256_of},
    msp::{FabricCryptoConfig, FabricMspConfig, FabricNodeOUs, FabricOuIdentifier},
    protos::{
        ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ChaincodeHeaderExtension, ChaincodeId,
        Endorsement, ProposalResponsePayload, Response, SignedProposal, Transaction, TransactionAction,
        TxValidationCode,
    },
    txid::transaction_id,
};

use crate::{acl::Acl, channel::PeerChannels, ledgers::Ledgers};

/// The channel's name.
pub(crate) const CHANNEL: &str = "ch";

/// An organization: its authority and the MSP made of it.
pub(crate) struct Organization {
    msp_id: &'static str,
    authority: CertificateAuthority,
}

impl Organization {
    fn new(msp_id: &'static str) -> Self {
        Self { msp_id, authority: CertificateAuthority::generate("ca", msp_id).expect("an authority") }
    }

    /// Issues an identity with this role: `peer`, `client`, `admin` or `orderer`.
    pub(crate) fn identity(&self, role: &str) -> SigningIdentity {
        let request = LeafRequest { common_name: role, organizational_unit: Some(role), ..Default::default() };
        let (certificate, key) = self.authority.issue(&request).expect("a certificate");
        SigningIdentity::new(self.msp_id, &certificate, key).expect("an identity")
    }

    fn msp(&self) -> FabricMspConfig {
        let unit = |name: &str| {
            Some(FabricOuIdentifier { organizational_unit_identifier: name.into(), certificate: Bytes::new() })
        };
        FabricMspConfig {
            name: self.msp_id.into(),
            root_certs: vec![self.authority.certificate_pem().to_owned().into()],
            fabric_node_ous: Some(FabricNodeOUs {
                enable: true,
                client_ou_identifier: unit("client"),
                peer_ou_identifier: unit("peer"),
                admin_ou_identifier: unit("admin"),
                orderer_ou_identifier: unit("orderer"),
            }),
            crypto_config: Some(FabricCryptoConfig {
                signature_hash_family: "SHA2".into(),
                identity_identifier_hash_function: "SHA256".into(),
            }),
            ..Default::default()
        }
    }
}

/// The members of the channel.
pub(crate) struct World {
    pub(crate) genesis: Block,
    pub(crate) config: ChannelConfig,
    pub(crate) peer1: SigningIdentity,
    pub(crate) peer2: SigningIdentity,
    pub(crate) admin1: SigningIdentity,
    pub(crate) admin2: SigningIdentity,
    pub(crate) user1: SigningIdentity,
    pub(crate) orderer: SigningIdentity,
    pub(crate) orderer_admin: SigningIdentity,
    /// A peer of another organization that calls itself Org1MSP.
    pub(crate) stranger: SigningIdentity,
    org1: Organization,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_orderers(&["127.0.0.1:7050".to_owned()])
    }

    /// With orderers at these addresses.
    pub(crate) fn with_orderers(endpoints: &[String]) -> Self {
        let (org1, org2) = (Organization::new("Org1MSP"), Organization::new("Org2MSP"));
        let ordering = Organization::new("OrdererMSP");
        let peer_org = |group: &str, org: &Organization| PeerOrgSpec {
            group: group.into(),
            msp_id: org.msp_id.into(),
            msp: org.msp(),
            anchor_peers: Vec::new(),
        };
        let orderer_org = OrgSpec {
            group: "OrdererOrg".into(),
            msp_id: ordering.msp_id.into(),
            msp: ordering.msp(),
            endpoints: endpoints.to_vec(),
        };
        let consenter = Consenter { host: "127.0.0.1".into(), port: 7050, ..Default::default() };
        // The groups are not called like the MSPs, so that nobody takes one for the other.
        let orgs = vec![peer_org("Group1", &org1), peer_org("Group2", &org2)];
        let genesis = genesis_block(&NetworkSpec::new(CHANNEL, orderer_org, orgs, consenter));
        Self {
            config: ChannelConfig::from_block(&genesis).expect("a configuration"),
            genesis,
            peer1: org1.identity("peer"),
            peer2: org2.identity("peer"),
            admin1: org1.identity("admin"),
            admin2: org2.identity("admin"),
            user1: org1.identity("client"),
            orderer: ordering.identity("orderer"),
            orderer_admin: ordering.identity("admin"),
            stranger: Organization::new("Org1MSP").identity("peer"),
            org1,
        }
    }

    /// Org1's own MSP, as its peers know it.
    pub(crate) fn local_msp(&self) -> MspManager {
        MspManager::new([Msp::from_config(&self.org1.msp()).expect("an MSP")])
    }

    /// A transaction of `basic` by a client of Org1, endorsed by both peers.
    pub(crate) fn draft(&self) -> Draft<'_> {
        Draft {
            creator: &self.user1,
            endorsers: vec![&self.peer1, &self.peer2],
            chaincode: "basic".into(),
            nonce: Bytes::from_static(b"nonce"),
            results: Bytes::new(),
            edits: Edits::default(),
        }
    }
}

/// The channels of a peer of Org1 that has joined the channel.
pub(crate) struct Joined {
    pub(crate) channels: PeerChannels,
    pub(crate) acl: Acl,
    /// The blocks on the ledger.
    pub(crate) blocks: Vec<Block>,
    _folder: TempDir,
}

impl World {
    /// A peer that has joined the channel, with one block of these entries and codes.
    pub(crate) fn joined(&self, entries: Vec<(Bytes, TxValidationCode)>) -> Joined {
        let folder = tempfile::tempdir().expect("a folder");
        let options = LedgerOptions { store: StoreKind::Memory, history: true };
        let ledger = Ledger::create(&folder.path().join(CHANNEL), &self.genesis, options.clone()).expect("a ledger");
        let (entries, codes) = entries.into_iter().unzip();
        ledger.commit(block_of(Some(&self.genesis), entries), codes).expect("committed");
        let blocks = (0..2).map(|number| ledger.block(number).expect("readable").expect("there"));
        let blocks = blocks.collect();
        drop(ledger);
        let acl = Acl::new(Arc::new(self.local_msp()), "Org1MSP");
        let channels = PeerChannels::open(Ledgers::open(folder.path()).expect("ledgers"), options, acl.clone());
        let channels = channels.expect("channels");
        Joined { channels, acl, blocks, _folder: folder }
    }
}

/// A transaction in the making.
pub(crate) struct Draft<'a> {
    pub(crate) creator: &'a SigningIdentity,
    pub(crate) endorsers: Vec<&'a SigningIdentity>,
    pub(crate) chaincode: String,
    pub(crate) nonce: Bytes,
    /// The read-write set.
    pub(crate) results: Bytes,
    pub(crate) edits: Edits,
}

type Edit<T> = Box<dyn Fn(&mut T)>;

/// Changes to parts of a transaction, each made before what encloses the part is hashed or signed.
pub(crate) struct Edits {
    pub(crate) signature_header: Edit<SignatureHeader>,
    pub(crate) channel_header: Edit<ChannelHeader>,
    pub(crate) action: Edit<ChaincodeAction>,
    pub(crate) response: Edit<ProposalResponsePayload>,
    pub(crate) endorsements: Edit<Vec<Endorsement>>,
    pub(crate) payload: Edit<ChaincodeActionPayload>,
    pub(crate) transaction: Edit<Transaction>,
    pub(crate) envelope_payload: Edit<Payload>,
    pub(crate) signed: Edit<Envelope>,
}

impl Default for Edits {
    fn default() -> Self {
        Self {
            signature_header: Box::new(|_| {}),
            channel_header: Box::new(|_| {}),
            action: Box::new(|_| {}),
            response: Box::new(|_| {}),
            endorsements: Box::new(|_| {}),
            payload: Box::new(|_| {}),
            transaction: Box::new(|_| {}),
            envelope_payload: Box::new(|_| {}),
            signed: Box::new(|_| {}),
        }
    }
}

impl Draft<'_> {
    /// The transaction as an entry of a block.
    pub(crate) fn build(&self) -> Bytes {
        let edits = &self.edits;
        let mut signature_header =
            SignatureHeader { creator: self.creator.serialized().clone(), nonce: self.nonce.clone() };
        (edits.signature_header)(&mut signature_header);
        let id = ChaincodeId { name: self.chaincode.clone(), ..Default::default() };
        let extension = ChaincodeHeaderExtension { chaincode_id: Some(id) };
        let mut channel_header = ChannelHeader {
            r#type: HeaderType::EndorserTransaction as i32,
            channel_id: CHANNEL.into(),
            tx_id: transaction_id(&signature_header.nonce, &signature_header.creator),
            extension: extension.encode_to_vec().into(),
            ..Default::default()
        };
        (edits.channel_header)(&mut channel_header);
        let header = Header {
            channel_header: channel_header.encode_to_vec().into(),
            signature_header: signature_header.encode_to_vec().into(),
        };
        let data = self.transaction(&header).encode_to_vec().into();
        let mut payload = Payload { header: Some(header), data };
        (edits.envelope_payload)(&mut payload);
        let payload: Bytes = payload.encode_to_vec().into();
        let signature = self.creator.sign(&payload).into();
        let mut envelope = Envelope { payload, signature };
        (edits.signed)(&mut envelope);
        envelope.encode_to_vec().into()
    }

    fn transaction(&self, header: &Header) -> Transaction {
        let edits = &self.edits;
        let id = ChaincodeId { name: self.chaincode.clone(), version: "1.0".into(), ..Default::default() };
        let mut action = ChaincodeAction {
            results: self.results.clone(),
            events: Bytes::new(),
            response: Some(Response { status: 200, ..Default::default() }),
            chaincode_id: Some(id),
        };
        (edits.action)(&mut action);
        let proposal = Bytes::from_static(b"the proposal's payload");
        let hash = sha256_of([header.channel_header.as_ref(), header.signature_header.as_ref(), &proposal]);
        let mut response = ProposalResponsePayload {
            proposal_hash: Bytes::copy_from_slice(&hash),
            extension: action.encode_to_vec().into(),
        };
        (edits.response)(&mut response);
        let response: Bytes = response.encode_to_vec().into();
        let mut endorsements: Vec<_> = self.endorsers.iter().map(|endorser| endorse(endorser, &response)).collect();
        (edits.endorsements)(&mut endorsements);
        let action = ChaincodeEndorsedAction { proposal_response_payload: response, endorsements };
        let mut payload = ChaincodeActionPayload { chaincode_proposal_payload: proposal, action: Some(action) };
        (edits.payload)(&mut payload);
        let header = header.signature_header.clone();
        let mut transaction =
            Transaction { actions: vec![TransactionAction { header, payload: payload.encode_to_vec().into() }] };
        (edits.transaction)(&mut transaction);
        transaction
    }
}

fn endorse(endorser: &SigningIdentity, response: &Bytes) -> Endorsement {
    let identity = endorser.serialized().clone();
    let signature = endorser.sign(&[response.as_ref(), identity.as_ref()].concat()).into();
    Endorsement { endorser: identity, signature }
}

/// A block of these entries, after `previous` if there is one.
pub(crate) fn block_of(previous: Option<&Block>, entries: Vec<Bytes>) -> Block {
    let before = previous.and_then(|block| block.header.clone());
    let data = BlockData { data: entries };
    let header = BlockHeader {
        number: before.as_ref().map_or(0, |header| header.number + 1),
        previous_hash: before.map(|header| Bytes::copy_from_slice(&block_header_hash(&header))).unwrap_or_default(),
        data_hash: Bytes::copy_from_slice(&block_data_hash(&data)),
    };
    let metadata = BlockMetadata { metadata: vec![Bytes::new(); 5] };
    Block { header: Some(header), data: Some(data), metadata: Some(metadata) }
}

/// A proposal to call `chaincode`, signed.
pub(crate) fn signed_proposal(signer: &SigningIdentity, channel: &str, chaincode: &str) -> SignedProposal {
    let call =
        windlass_proto::envelope::Call { channel: channel.into(), chaincode: chaincode.into(), ..Default::default() };
    let (proposal_bytes, _) =
        windlass_proto::envelope::build_proposal(&call, signer.serialized(), b"nonce", Default::default());
    let signature = signer.sign(&proposal_bytes).into();
    SignedProposal { proposal_bytes, signature }
}
