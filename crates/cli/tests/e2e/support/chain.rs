//! Fetching all blocks, and verifying that they are a chain.

use prost::Message;
use windlass_identity::{ChannelConfig, SignedData};
use windlass_proto::{
    Bytes,
    common::{
        Block, BlockMetadataIndex, ChannelHeader, Envelope, Header, HeaderType, Metadata, Payload, SignatureHeader,
        Status,
    },
    envelope::unpack_envelope,
    hash::{block_data_hash, block_header_der, block_header_hash},
    orderer::{
        SeekInfo, SeekNewest, SeekPosition, SeekSpecified, deliver_response as orderer_response,
        seek_info::SeekBehavior, seek_position,
    },
    protos::{TxValidationCode, deliver_response as peer_response},
};

use super::client::{Client, within};

/// A transaction on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) id: String,
    pub(crate) code: TxValidationCode,
    pub(crate) block: u64,
}

/// A signed request for blocks.
pub(crate) fn seek(client: &Client, channel: &str, start: seek_position::Type, stop: seek_position::Type) -> Envelope {
    let position = |kind| Some(SeekPosition { r#type: Some(kind) });
    let info = SeekInfo {
        start: position(start),
        stop: position(stop),
        behavior: SeekBehavior::FailIfNotReady as i32,
        ..Default::default()
    };
    let channel_header = ChannelHeader {
        r#type: HeaderType::DeliverSeekInfo as i32,
        channel_id: channel.to_owned(),
        timestamp: Some(std::time::SystemTime::now().into()),
        ..Default::default()
    };
    let nonce: [u8; 24] = rand::random();
    let signature_header =
        SignatureHeader { creator: client.identity.serialized().clone(), nonce: Bytes::copy_from_slice(&nonce) };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    client.seal(&Payload { header: Some(header), data: info.encode_to_vec().into() })
}

fn everything(client: &Client) -> Envelope {
    let start = seek_position::Type::Specified(SeekSpecified { number: 0 });
    seek(client, &client.channel, start, seek_position::Type::Newest(SeekNewest {}))
}

/// All blocks of the peer.
pub(crate) async fn of_peer(client: &Client) -> Vec<Block> {
    let request = tokio_stream::once(everything(client));
    let mut answers = within(client.peer_blocks().deliver(request)).await.expect("a stream").into_inner();
    let mut blocks = Vec::new();
    while let Some(answer) = within(answers.message()).await.expect("an answer") {
        match answer.r#type.expect("an answer of some kind") {
            peer_response::Type::Block(block) => blocks.push(block),
            peer_response::Type::Status(status) => {
                assert_eq!(status, Status::Success as i32);
                break;
            }
            other => panic!("expected blocks, got {other:?}"),
        }
    }
    blocks
}

/// All blocks of the orderer.
pub(crate) async fn of_orderer(client: &Client) -> Vec<Block> {
    let request = tokio_stream::once(everything(client));
    let mut answers = within(client.orderer_blocks().deliver(request)).await.expect("a stream").into_inner();
    let mut blocks = Vec::new();
    while let Some(answer) = within(answers.message()).await.expect("an answer") {
        match answer.r#type.expect("an answer of some kind") {
            orderer_response::Type::Block(block) => blocks.push(block),
            orderer_response::Type::Status(status) => {
                assert_eq!(status, Status::Success as i32);
                break;
            }
        }
    }
    blocks
}

/// The status with which the peer answers a request for blocks that it refuses.
pub(crate) async fn refusal(client: &Client, request: Envelope) -> Status {
    let request = tokio_stream::once(request);
    let mut answers = within(client.peer_blocks().deliver(request)).await.expect("a stream").into_inner();
    let answer = within(answers.message()).await.expect("an answer").expect("one at least");
    match answer.r#type {
        Some(peer_response::Type::Status(status)) => Status::try_from(status).expect("a known status"),
        other => panic!("expected a status, got {other:?}"),
    }
}

/// Verifies numbers, hashes, metadata and the orderer's signatures; returns the transactions.
pub(crate) fn verify(blocks: &[Block]) -> Vec<Transaction> {
    let config = ChannelConfig::from_block(&blocks[0]).expect("a configuration in block 0");
    let mut transactions = Vec::new();
    let mut previous = Bytes::new();
    for (number, block) in (0..).zip(blocks) {
        let header = block.header.as_ref().expect("a header");
        let data = block.data.as_ref().expect("data");
        assert_eq!(header.number, number);
        assert_eq!(header.previous_hash, previous, "block {number} follows another");
        assert_eq!(header.data_hash[..], block_data_hash(data), "the data of block {number}");
        let metadata = &block.metadata.as_ref().expect("metadata").metadata;
        assert_eq!(metadata.len(), 5, "the metadata of block {number}");
        let codes = &metadata[BlockMetadataIndex::TransactionsFilter as usize];
        assert_eq!(codes.len(), data.data.len(), "validation codes of block {number}");
        let commit_hash = &metadata[BlockMetadataIndex::CommitHash as usize];
        assert_eq!(commit_hash.is_empty(), number == 0, "commit hash of block {number}");
        if number > 0 {
            verify_signatures(&config, block);
        }
        for (entry, code) in data.data.iter().zip(codes) {
            let envelope = Envelope::decode(entry.clone()).expect("an envelope");
            let unpacked = unpack_envelope(&envelope).expect("a payload with headers");
            assert!(number == 0 || !envelope.signature.is_empty(), "a signed message");
            let code = TxValidationCode::try_from(i32::from(*code)).expect("a known code");
            assert_ne!(code, TxValidationCode::NotValidated);
            transactions.push(Transaction { id: unpacked.channel_header.tx_id, code, block: number });
        }
        previous = Bytes::copy_from_slice(&block_header_hash(header));
    }
    transactions
}

/// A block's signatures satisfy the channel's policy for blocks.
fn verify_signatures(config: &ChannelConfig, block: &Block) {
    let header = block.header.as_ref().expect("a header");
    let slot = &block.metadata.as_ref().expect("metadata").metadata[BlockMetadataIndex::Signatures as usize];
    let metadata = Metadata::decode(slot.clone()).expect("signatures");
    let signatures: Vec<_> = metadata
        .signatures
        .iter()
        .map(|signature| {
            let parts = [&metadata.value[..], &signature.signature_header, &block_header_der(header)];
            let signature_header = SignatureHeader::decode(signature.signature_header.clone());
            SignedData {
                data: parts.concat().into(),
                identity: signature_header.expect("a signature header").creator,
                signature: signature.signature.clone(),
            }
        })
        .collect();
    let verdict = config.policies().evaluate("/Channel/Orderer/BlockValidation", config.msps(), &signatures);
    assert_eq!(verdict, Ok(()), "signatures of block {}", header.number);
}

/// Verifies the peer's blocks, and that the orderer has the same; returns the transactions.
pub(crate) async fn verify_all(client: &Client) -> Vec<Transaction> {
    let (peer, orderer) = (of_peer(client).await, of_orderer(client).await);
    assert!(peer.len() > 1);
    for (ours, theirs) in peer.iter().zip(&orderer) {
        assert_eq!((&ours.header, &ours.data), (&theirs.header, &theirs.data));
    }
    assert_eq!(peer.len(), orderer.len(), "the peer has what the orderer has");
    verify(&peer)
}
