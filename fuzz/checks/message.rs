//! What comes over the wire: messages of chaincode, and envelopes of transactions.

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    common::{Block, Envelope},
    envelope::{unpack_envelope, unpack_transaction},
    protos::{ChaincodeMessage, SignedProposal},
};

/// Decodes as far as there is something to decode.
pub(crate) fn check(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    if let Ok(message) = ChaincodeMessage::decode(data.clone()) {
        assert_eq!(ChaincodeMessage::decode(message.encode_to_vec().as_slice()).as_ref(), Ok(&message));
    }
    let _ = SignedProposal::decode(data.clone());
    let _ = Block::decode(data.clone());
    if let Ok(unpacked) =
        Envelope::decode(data).map_err(drop).and_then(|envelope| unpack_envelope(&envelope).map_err(drop))
    {
        let _ = unpack_transaction(&unpacked.payload.data);
    }
}
