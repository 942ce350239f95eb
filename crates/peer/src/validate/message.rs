//! Is it a well-formed transaction, signed by its creator? The order of the checks decides the code.
// Fabric: ledger §4, the table's rows 1 to 8

use bytes::Bytes;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::{ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader},
    envelope::{UnpackError, decode},
    hash::sha256_of,
    protos::{ChaincodeActionPayload, Endorsement, ProposalResponsePayload, Transaction, TxValidationCode},
    txid::transaction_id,
};

use super::{Fault, invalid};

/// A transaction whose envelope is in order.
pub(super) struct Opened {
    pub(super) channel_header: ChannelHeader,
    pub(super) body: Body,
}

/// What it is for.
pub(super) enum Body {
    /// A new configuration, not decoded yet.
    Config(Bytes),
    /// What endorsers have agreed on.
    Endorsed(EndorsedAction),
}

/// The single action of an endorser transaction.
pub(super) struct EndorsedAction {
    /// The proposal response payload as endorsed, and decoded.
    pub(super) endorsed: Bytes,
    pub(super) response: ProposalResponsePayload,
    pub(super) endorsements: Vec<Endorsement>,
}

/// Takes an entry of a block apart.
pub(super) fn open(entry: &Bytes, config: &ChannelConfig) -> Result<Opened, Fault> {
    if entry.is_empty() {
        return invalid(TxValidationCode::NilEnvelope, "nil envelope");
    }
    let envelope: Envelope = part(TxValidationCode::InvalidOtherReason, "Envelope", entry)?;
    if envelope.payload.is_empty() {
        return invalid(TxValidationCode::BadPayload, "no payload");
    }
    let payload: Payload = part(TxValidationCode::BadPayload, "Payload", &envelope.payload)?;
    let Some(header) = payload.header else { return invalid(TxValidationCode::BadCommonHeader, "nil header") };
    let (kind, channel_header, signature_header) = common_header(&header)?;
    check_creator(&envelope, &signature_header, config)?;
    let body = match kind {
        Kind::Endorser => {
            let expected = transaction_id(&signature_header.nonce, &signature_header.creator);
            if channel_header.tx_id != expected {
                let reason = format!("invalid transaction ID {}, expected {expected}", channel_header.tx_id);
                return invalid(TxValidationCode::BadProposalTxid, reason);
            }
            Body::Endorsed(endorsed_action(&header, &payload.data)?)
        }
        Kind::Config if payload.data.is_empty() => {
            return invalid(TxValidationCode::InvalidConfigTransaction, "no configuration");
        }
        Kind::Config => Body::Config(payload.data),
        Kind::ConfigUpdate => {
            return invalid(
                TxValidationCode::UnsupportedTxPayload,
                "configuration updates are for the ordering service",
            );
        }
    };
    Ok(Opened { channel_header, body })
}

/// The types of transactions that a header may name. Others get no further than it, which is why a code
/// for transactions of unknown type is never given.
enum Kind {
    Endorser,
    Config,
    ConfigUpdate,
}

fn common_header(header: &Header) -> Result<(Kind, ChannelHeader, SignatureHeader), Fault> {
    const BAD: TxValidationCode = TxValidationCode::BadCommonHeader;
    let channel_header: ChannelHeader = part(BAD, "ChannelHeader", &header.channel_header)?;
    let signature_header: SignatureHeader = part(BAD, "SignatureHeader", &header.signature_header)?;
    let kind = match HeaderType::try_from(channel_header.r#type) {
        Ok(HeaderType::EndorserTransaction) => Kind::Endorser,
        Ok(HeaderType::Config) => Kind::Config,
        Ok(HeaderType::ConfigUpdate) => Kind::ConfigUpdate,
        _ => return invalid(BAD, format!("invalid header type {}", channel_header.r#type)),
    };
    if channel_header.epoch != 0 {
        return invalid(BAD, format!("invalid epoch {}, it must be 0", channel_header.epoch));
    }
    check_signature_header(BAD, &signature_header)?;
    Ok((kind, channel_header, signature_header))
}

fn check_signature_header(code: TxValidationCode, header: &SignatureHeader) -> Result<(), Fault> {
    if header.nonce.is_empty() {
        return invalid(code, "no nonce in the signature header");
    }
    if header.creator.is_empty() {
        return invalid(code, "no creator in the signature header");
    }
    Ok(())
}

fn check_creator(envelope: &Envelope, header: &SignatureHeader, config: &ChannelConfig) -> Result<(), Fault> {
    let bad = |reason: String| Fault::Invalid(TxValidationCode::BadCreatorSignature, reason);
    let msps = config.msps();
    let creator = msps.deserialize(&header.creator).map_err(|error| bad(error.to_string()))?;
    msps.validate(&creator).map_err(|error| bad(error.to_string()))?;
    creator.verify(&envelope.payload, &envelope.signature).map_err(|error| bad(error.to_string()))
}

/// The action of an endorser transaction, if its hash says that it belongs to this proposal.
fn endorsed_action(header: &Header, data: &Bytes) -> Result<EndorsedAction, Fault> {
    const BAD: TxValidationCode = TxValidationCode::InvalidEndorserTransaction;
    let transaction: Transaction = part(BAD, "Transaction", data)?;
    let [action] = transaction.actions.as_slice() else {
        let count = transaction.actions.len();
        return invalid(BAD, format!("only one action per transaction is supported, tx contains {count}"));
    };
    check_signature_header(BAD, &part(BAD, "SignatureHeader", &action.header)?)?;
    let payload: ChaincodeActionPayload = part(BAD, "ChaincodeActionPayload", &action.payload)?;
    let Some(endorsed) = payload.action else { return invalid(BAD, "nil action") };
    let response: ProposalResponsePayload = part(BAD, "ProposalResponsePayload", &endorsed.proposal_response_payload)?;
    // The action's own header, not that of the envelope.
    let hash = sha256_of([
        header.channel_header.as_ref(),
        action.header.as_ref(),
        payload.chaincode_proposal_payload.as_ref(),
    ]);
    if response.proposal_hash != hash.as_slice() {
        return invalid(BAD, "proposal hash does not match");
    }
    let endorsements = endorsed.endorsements;
    Ok(EndorsedAction { endorsed: endorsed.proposal_response_payload, response, endorsements })
}

/// Decodes a part of the transaction; `code` is for transactions where it is malformed.
pub(super) fn part<M: prost::Message + Default>(
    code: TxValidationCode,
    name: &'static str,
    bytes: &Bytes,
) -> Result<M, Fault> {
    decode(name, bytes).map_err(|error: UnpackError| Fault::Invalid(code, error.to_string()))
}
