//! A transaction from the endorsements of several peers.

use base64::{Engine, engine::general_purpose::STANDARD};
use windlass_identity::sign::SigningIdentity;
use windlass_proto::{
    Bytes,
    common::Envelope,
    envelope::{UnpackError, assemble_transaction, unpack_proposal},
    protos::{ProposalResponse, SignedProposal},
};

/// Why there is no transaction.
// Fabric: endorsement-and-gateway §3
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssembleError {
    #[error("at least one proposal response is required")]
    NoResponse,
    #[error("proposal response was not successful, error code {status}, msg {message}")]
    Unsuccessful { status: i32, message: String },
    #[error("ProposalResponsePayloads do not match (base64): {payloads}")]
    Mismatch { payloads: String },
    #[error(transparent)]
    Proposal(#[from] UnpackError),
}

/// Puts the proposal and what all endorsers agree on together, and signs it as the proposal's creator.
pub(crate) fn assemble(
    identity: &SigningIdentity,
    signed: &SignedProposal,
    responses: &[ProposalResponse],
) -> Result<Envelope, AssembleError> {
    let proposal = unpack_proposal(signed)?;
    let first = responses.first().ok_or(AssembleError::NoResponse)?;
    for response in responses {
        let answer = response.response.clone().unwrap_or_default();
        if !(200..400).contains(&answer.status) {
            return Err(AssembleError::Unsuccessful { status: answer.status, message: answer.message });
        }
        if response.payload != first.payload {
            return Err(AssembleError::Mismatch { payloads: differing(&first.payload, &response.payload) });
        }
    }
    // Two names for one peer make one endorsement.
    let mut endorsements = Vec::new();
    for endorsement in responses.iter().filter_map(|response| response.endorsement.clone()) {
        if !endorsements
            .iter()
            .any(|known: &windlass_proto::protos::Endorsement| known.endorser == endorsement.endorser)
        {
            endorsements.push(endorsement);
        }
    }
    let payload = assemble_transaction(&proposal.header, &proposal.payload, first.payload.clone(), endorsements);
    let signature = identity.sign(&payload).into();
    Ok(Envelope { payload, signature })
}

fn differing(one: &Bytes, other: &Bytes) -> String {
    format!("'{}' vs '{}'", STANDARD.encode(one), STANDARD.encode(other))
}
