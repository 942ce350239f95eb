//! What a stub takes from the client's proposal.

use std::collections::BTreeMap;

use bytes::Bytes;
use windlass_proto::{
    common::{ChannelHeader, Header, HeaderType, SignatureHeader},
    hash::{Digest, sha256_of},
    protos::{ChaincodeProposalPayload, Proposal, SignedProposal},
};

use crate::{Error, exchange::decode};

/// The parts of a proposal that chaincode can ask for. All are empty when the peer sent no proposal.
#[derive(Debug, Default)]
pub(crate) struct ProposalParts {
    pub(crate) creator: Bytes,
    pub(crate) nonce: Bytes,
    pub(crate) epoch: u64,
    pub(crate) timestamp: Option<prost_types::Timestamp>,
    pub(crate) transient: BTreeMap<String, Bytes>,
}

impl ProposalParts {
    pub(crate) fn of(signed: &SignedProposal) -> Result<Self, Error> {
        let proposal: Proposal = decode("Proposal", signed.proposal_bytes.clone())?;
        let header: Header = decode("Header", proposal.header)?;
        let channel: ChannelHeader = decode("ChannelHeader", header.channel_header)?;
        let signature: SignatureHeader = decode("SignatureHeader", header.signature_header)?;
        // Fabric: chaincode-protocol §9
        if ![HeaderType::EndorserTransaction as i32, HeaderType::Config as i32].contains(&channel.r#type) {
            return Err(Error::new(format!(
                "invalid channel header type: expected ENDORSER_TRANSACTION or CONFIG, found {}",
                channel.r#type
            )));
        }
        let payload: ChaincodeProposalPayload = decode("ChaincodeProposalPayload", proposal.payload)?;
        Ok(Self {
            creator: signature.creator,
            nonce: signature.nonce,
            epoch: channel.epoch,
            timestamp: channel.timestamp,
            transient: payload.transient_map,
        })
    }

    /// SHA-256 over nonce, creator and epoch.
    // Fabric: chaincode-protocol §9
    pub(crate) fn binding(&self) -> Digest {
        sha256_of([self.nonce.as_ref(), self.creator.as_ref(), &self.epoch.to_le_bytes()])
    }
}
