//! Taking envelopes and proposals apart, and putting them together.
//!
//! Whatever is signed or hashed keeps the bytes it came with: nothing here re-encodes a header.

use bytes::Bytes;
use prost::{DecodeError, Message};

use crate::{
    common::{ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader},
    hash::{Digest, sha256_of},
    orderer::SeekInfo,
    protos::{
        ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ChaincodeHeaderExtension, ChaincodeId,
        ChaincodeInput, ChaincodeInvocationSpec, ChaincodeProposalPayload, ChaincodeSpec, Endorsement, Proposal,
        ProposalResponsePayload, SignedProposal, Transaction, TransactionAction,
    },
    txid::transaction_id,
};

/// A proposal with its parts decoded; the raw bytes stay at hand for hashing.
#[derive(Clone, Debug)]
pub struct UnpackedProposal {
    /// Both headers, as received.
    pub header: Header,
    /// `header.channel_header`, decoded.
    pub channel_header: ChannelHeader,
    /// `header.signature_header`, decoded.
    pub signature_header: SignatureHeader,
    /// The chaincode named by the channel header's extension. It decides what is called.
    pub chaincode_id: ChaincodeId,
    /// The arguments.
    pub input: ChaincodeInput,
    /// The payload, with the transient map.
    pub payload: ChaincodeProposalPayload,
}

/// What Go's protobuf library says of bytes that are not a message, whatever is wrong with them.
pub const MALFORMED: &str = "proto: cannot parse invalid wire-format data";

/// Why a proposal cannot be taken apart.
// Fabric: endorsement-and-gateway §2
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// A part is not the message it should be.
    #[error("error unmarshalling {part}: {MALFORMED}")]
    Malformed {
        /// The message expected.
        part: &'static str,
        /// What protobuf says.
        source: DecodeError,
    },
    /// The extension has no chaincode ID.
    #[error("ChaincodeHeaderExtension.ChaincodeId is nil")]
    NoChaincodeId,
    /// The extension's chaincode ID has no name.
    #[error("ChaincodeHeaderExtension.ChaincodeId.Name is empty")]
    NoChaincodeName,
    /// The invocation has no chaincode spec.
    #[error("chaincode invocation spec did not contain chaincode spec")]
    NoChaincodeSpec,
    /// The spec has no input.
    #[error("chaincode input did not contain any input")]
    NoChaincodeInput,
}

/// Decodes `bytes`, naming `part` when they are malformed.
pub fn decode<M: Message + Default>(part: &'static str, bytes: &Bytes) -> Result<M, UnpackError> {
    // Cloning `Bytes` shares the buffer, so that byte fields are slices of it and not copies.
    M::decode(bytes.clone()).map_err(|source| UnpackError::Malformed { part, source })
}

/// Takes a signed proposal apart.
pub fn unpack_proposal(signed: &SignedProposal) -> Result<UnpackedProposal, UnpackError> {
    let proposal: Proposal = decode("Proposal", &signed.proposal_bytes)?;
    let header: Header = decode("Header", &proposal.header)?;
    let channel_header: ChannelHeader = decode("ChannelHeader", &header.channel_header)?;
    let signature_header: SignatureHeader = decode("SignatureHeader", &header.signature_header)?;
    let extension: ChaincodeHeaderExtension = decode("ChaincodeHeaderExtension", &channel_header.extension)?;
    let chaincode_id = extension.chaincode_id.ok_or(UnpackError::NoChaincodeId)?;
    if chaincode_id.name.is_empty() {
        return Err(UnpackError::NoChaincodeName);
    }
    let payload: ChaincodeProposalPayload = decode("ChaincodeProposalPayload", &proposal.payload)?;
    let invocation: ChaincodeInvocationSpec = decode("ChaincodeInvocationSpec", &payload.input)?;
    let spec = invocation.chaincode_spec.ok_or(UnpackError::NoChaincodeSpec)?;
    let input = spec.input.ok_or(UnpackError::NoChaincodeInput)?;
    Ok(UnpackedProposal { header, channel_header, signature_header, chaincode_id, input, payload })
}

/// The hash that binds an endorsement to its proposal: over both headers as received and the payload
/// without its transient map.
// Fabric: endorsement-and-gateway §3
pub fn proposal_hash(header: &Header, payload: &ChaincodeProposalPayload) -> Digest {
    let public = public_payload(payload);
    sha256_of([header.channel_header.as_ref(), header.signature_header.as_ref(), public.as_ref()])
}

/// The proposal payload as it may be hashed and ordered: without the transient map.
pub fn public_payload(payload: &ChaincodeProposalPayload) -> Bytes {
    ChaincodeProposalPayload { input: payload.input.clone(), ..Default::default() }.encode_to_vec().into()
}

/// What a client wants called.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The channel; empty for calls that need none.
    pub channel: String,
    /// The chaincode's name.
    pub chaincode: String,
    /// The arguments, the function's name first.
    pub args: Vec<Bytes>,
    /// Input that is neither hashed nor ordered.
    pub transient: std::collections::BTreeMap<String, Bytes>,
    /// Whether this is the call of Init.
    pub is_init: bool,
}

/// Builds an unsigned proposal for `call` by `creator` (a serialized identity) and returns its bytes and
/// transaction ID. The nonce must be random; 24 bytes are usual.
pub fn build_proposal(call: &Call, creator: &Bytes, nonce: &[u8], now: prost_types::Timestamp) -> (Bytes, String) {
    let tx_id = transaction_id(nonce, creator);
    let chaincode_id = ChaincodeId { name: call.chaincode.clone(), ..Default::default() };
    let extension = ChaincodeHeaderExtension { chaincode_id: Some(chaincode_id.clone()) };
    let channel_header = ChannelHeader {
        r#type: HeaderType::EndorserTransaction as i32,
        timestamp: Some(now),
        channel_id: call.channel.clone(),
        tx_id: tx_id.clone(),
        extension: extension.encode_to_vec().into(),
        ..Default::default()
    };
    let signature_header = SignatureHeader { creator: creator.clone(), nonce: Bytes::copy_from_slice(nonce) };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    let input = ChaincodeInput { args: call.args.clone(), is_init: call.is_init, ..Default::default() };
    let spec = ChaincodeSpec { chaincode_id: Some(chaincode_id), input: Some(input), ..Default::default() };
    let payload = ChaincodeProposalPayload {
        input: ChaincodeInvocationSpec { chaincode_spec: Some(spec) }.encode_to_vec().into(),
        transient_map: call.transient.clone(),
    };
    let proposal = Proposal {
        header: header.encode_to_vec().into(),
        payload: payload.encode_to_vec().into(),
        ..Default::default()
    };
    (proposal.encode_to_vec().into(), tx_id)
}

/// Builds the payload of a request for blocks by `creator` (a serialized identity); signing it is up to them. The
/// nonce must be random. `tls_hash` is the hash of the certificate that the request's connection shows; empty if it
/// shows none.
pub fn build_seek(
    channel: &str,
    info: &SeekInfo,
    creator: &Bytes,
    nonce: &[u8],
    now: prost_types::Timestamp,
    tls_hash: Bytes,
) -> Bytes {
    let channel_header = ChannelHeader {
        r#type: HeaderType::DeliverSeekInfo as i32,
        timestamp: Some(now),
        channel_id: channel.to_owned(),
        tls_cert_hash: tls_hash,
        ..Default::default()
    };
    let signature_header = SignatureHeader { creator: creator.clone(), nonce: Bytes::copy_from_slice(nonce) };
    let header = Header {
        channel_header: channel_header.encode_to_vec().into(),
        signature_header: signature_header.encode_to_vec().into(),
    };
    Payload { header: Some(header), data: info.encode_to_vec().into() }.encode_to_vec().into()
}

/// Assembles the payload of a transaction envelope; signing it is up to the proposal's creator.
///
/// `response_payload` is the proposal response payload on which all `endorsements` agree.
// Fabric: endorsement-and-gateway §3
pub fn assemble_transaction(
    header: &Header,
    payload: &ChaincodeProposalPayload,
    response_payload: Bytes,
    endorsements: Vec<Endorsement>,
) -> Bytes {
    let action = ChaincodeActionPayload {
        chaincode_proposal_payload: public_payload(payload),
        action: Some(ChaincodeEndorsedAction { proposal_response_payload: response_payload, endorsements }),
    };
    let transaction = Transaction {
        actions: vec![TransactionAction {
            header: header.signature_header.clone(),
            payload: action.encode_to_vec().into(),
        }],
    };
    Payload { header: Some(header.clone()), data: transaction.encode_to_vec().into() }.encode_to_vec().into()
}

/// The headers of an envelope's payload.
#[derive(Clone, Debug)]
pub struct UnpackedEnvelope {
    /// The payload.
    pub payload: Payload,
    /// Its channel header.
    pub channel_header: ChannelHeader,
    /// Its signature header.
    pub signature_header: SignatureHeader,
}

/// Decodes the payload and headers of an envelope. A missing header counts as an empty one.
pub fn unpack_envelope(envelope: &Envelope) -> Result<UnpackedEnvelope, UnpackError> {
    let payload: Payload = decode("Payload", &envelope.payload)?;
    let header = payload.header.clone().unwrap_or_default();
    let channel_header = decode("ChannelHeader", &header.channel_header)?;
    let signature_header = decode("SignatureHeader", &header.signature_header)?;
    Ok(UnpackedEnvelope { payload, channel_header, signature_header })
}

/// The chaincode action of a proposal response payload, with the hash beside it.
pub fn unpack_response_payload(bytes: &Bytes) -> Result<(ProposalResponsePayload, ChaincodeAction), UnpackError> {
    let payload: ProposalResponsePayload = decode("ProposalResponsePayload", bytes)?;
    let action = decode("ChaincodeAction", &payload.extension)?;
    Ok((payload, action))
}

/// The single endorsed action of an endorser transaction's payload, if it has one.
pub fn unpack_transaction(data: &Bytes) -> Result<Option<(TransactionAction, ChaincodeActionPayload)>, UnpackError> {
    let transaction: Transaction = decode("Transaction", data)?;
    let Some(action) = transaction.actions.into_iter().next() else { return Ok(None) };
    let payload = decode("ChaincodeActionPayload", &action.payload)?;
    Ok(Some((action, payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (SignedProposal, String) {
        let call = Call {
            channel: "ch".into(),
            chaincode: "basic".into(),
            args: vec!["put".into(), "k".into()],
            transient: [("secret".to_owned(), Bytes::from("s"))].into(),
            ..Default::default()
        };
        let (proposal_bytes, id) = build_proposal(&call, &Bytes::from("me"), b"nonce", Default::default());
        (SignedProposal { proposal_bytes, signature: Bytes::new() }, id)
    }

    #[test]
    fn builds_what_it_unpacks() {
        let (signed, id) = signed();
        let proposal = unpack_proposal(&signed).expect("a proposal");
        assert_eq!(proposal.channel_header.tx_id, id);
        assert_eq!(id, transaction_id(b"nonce", b"me"));
        assert_eq!(proposal.chaincode_id.name, "basic");
        assert_eq!(proposal.input.args.len(), 2);
    }

    #[test]
    fn leaves_the_transient_map_out_of_hash_and_transaction() {
        let proposal = unpack_proposal(&signed().0).expect("a proposal");
        let bare = ChaincodeProposalPayload { input: proposal.payload.input.clone(), ..Default::default() };
        assert_eq!(proposal_hash(&proposal.header, &proposal.payload), proposal_hash(&proposal.header, &bare));
        let payload = assemble_transaction(&proposal.header, &proposal.payload, Bytes::new(), vec![]);
        let envelope = Envelope { payload, signature: Bytes::new() };
        let unpacked = unpack_envelope(&envelope).expect("an envelope");
        let (_, action) = unpack_transaction(&unpacked.payload.data).expect("a transaction").expect("an action");
        assert_eq!(action.chaincode_proposal_payload, public_payload(&bare));
    }

    #[test]
    fn names_the_part_that_is_malformed() {
        let signed = SignedProposal { proposal_bytes: Bytes::from_static(&[0xff]), signature: Bytes::new() };
        let error = unpack_proposal(&signed).expect_err("garbage");
        assert!(error.to_string().starts_with("error unmarshalling Proposal: "), "{error}");
    }
}
