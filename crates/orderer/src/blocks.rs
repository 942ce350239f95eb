//! Making blocks, signing them, and reading what their metadata says.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use rand::RngCore;
use windlass_identity::SigningIdentity;
use windlass_proto::{
    common::{
        Block, BlockData, BlockHeader, BlockMetadata, BlockMetadataIndex, ChannelHeader, Envelope, Header, HeaderType,
        LastConfig, Metadata, MetadataSignature, OrdererBlockMetadata, Payload, SignatureHeader,
    },
    envelope::unpack_envelope,
    hash::{block_data_hash, block_header_der, block_header_hash},
};

use crate::OrdererError;

/// How many metadata slots a block has.
// Fabric: ledger §5
const SLOTS: usize = 5;

/// The bytes of a nonce.
// Fabric: ledger §6
const NONCE: usize = 24;

/// Makes and signs the block that follows `previous`, holding these serialized envelopes. `last_config` is
/// the number of the newest configuration block, which may be this one.
// Fabric: ledger §5
pub fn next_block(previous: &BlockHeader, data: Vec<Bytes>, last_config: u64, signer: &SigningIdentity) -> Block {
    let data = BlockData { data };
    let header = BlockHeader {
        number: previous.number + 1,
        previous_hash: block_header_hash(previous).to_vec().into(),
        data_hash: block_data_hash(&data).to_vec().into(),
    };
    let value = orderer_metadata(last_config);
    let signature_header = signature_header(signer);
    let signed = [value.as_ref(), signature_header.as_ref(), &block_header_der(&header)].concat();
    let signature =
        MetadataSignature { signature_header, signature: signer.sign(&signed).into(), identifier_header: Bytes::new() };
    let slot = Metadata { value, signatures: vec![signature] };
    let metadata = BlockMetadata { metadata: slots(slot) };
    Block { header: Some(header), data: Some(data), metadata: Some(metadata) }
}

/// Five metadata slots without signatures, as a genesis block has them.
// Fabric: ledger §5
pub fn unsigned_metadata(last_config: u64) -> Vec<Bytes> {
    slots(Metadata { value: orderer_metadata(last_config), signatures: Vec::new() })
}

/// The number of the newest configuration block, as `block` says: in the first slot, or in the second as
/// orderers of old wrote it.
// Fabric: ledger §5
pub fn last_config_index(block: &Block) -> Result<u64, OrdererError> {
    let number = block.header.as_ref().map_or(0, |header| header.number);
    let malformed = |reason| OrdererError::MalformedBlock { number, reason };
    let slots = block.metadata.as_ref().map_or(&[][..], |metadata| &metadata.metadata);
    let slot = |index: BlockMetadataIndex| -> Result<Metadata, OrdererError> {
        let bytes = slots.get(index as usize).ok_or_else(|| malformed("a metadata slot is missing"))?;
        Metadata::decode(bytes.clone()).map_err(|_| malformed("a metadata slot is unreadable"))
    };
    let signatures = slot(BlockMetadataIndex::Signatures)?;
    if !signatures.value.is_empty() {
        let value = OrdererBlockMetadata::decode(signatures.value)
            .map_err(|_| malformed("the orderer's metadata is unreadable"))?;
        if let Some(last_config) = value.last_config {
            return Ok(last_config.index);
        }
    }
    let value = slot(BlockMetadataIndex::LastConfig)?.value;
    let last_config = LastConfig::decode(value).map_err(|_| malformed("the last configuration is unreadable"))?;
    Ok(last_config.index)
}

/// Whether `block` holds a configuration: a single envelope of type CONFIG.
pub fn is_config_block(block: &Block) -> bool {
    let Some([entry]) = block.data.as_ref().map(|data| data.data.as_slice()) else { return false };
    let Ok(envelope) = Envelope::decode(entry.clone()) else { return false };
    unpack_envelope(&envelope).is_ok_and(|envelope| envelope.channel_header.r#type == HeaderType::Config as i32)
}

/// Wraps `message` into an envelope signed by `signer`, as the orderer does with configurations.
// Fabric: ledger §6
pub fn signed_envelope(kind: HeaderType, channel: &str, message: &impl Message, signer: &SigningIdentity) -> Envelope {
    let channel_header = ChannelHeader {
        r#type: kind as i32,
        timestamp: Some(whole_seconds_now()),
        channel_id: channel.to_owned(),
        ..Default::default()
    };
    let header =
        Header { channel_header: channel_header.encode_to_vec().into(), signature_header: signature_header(signer) };
    let payload: Bytes = Payload { header: Some(header), data: message.encode_to_vec().into() }.encode_to_vec().into();
    let signature = signer.sign(&payload).into();
    Envelope { payload, signature }
}

/// A fresh nonce.
pub(crate) fn nonce() -> Bytes {
    let mut nonce = vec![0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    nonce.into()
}

/// The time, with the part below a second dropped as Fabric does.
pub(crate) fn whole_seconds_now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp { seconds: seconds as i64, nanos: 0 }
}

fn signature_header(signer: &SigningIdentity) -> Bytes {
    SignatureHeader { creator: signer.serialized().clone(), nonce: nonce() }.encode_to_vec().into()
}

fn orderer_metadata(last_config: u64) -> Bytes {
    let value =
        OrdererBlockMetadata { last_config: Some(LastConfig { index: last_config }), consenter_metadata: Bytes::new() };
    value.encode_to_vec().into()
}

fn slots(signatures: Metadata) -> Vec<Bytes> {
    let mut slots = vec![Bytes::new(); SLOTS];
    slots[BlockMetadataIndex::Signatures as usize] = signatures.encode_to_vec().into();
    slots
}
