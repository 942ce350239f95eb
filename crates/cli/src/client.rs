//! A client of a network, over gRPC with signed proposals.
//!
//! - [`gateway`]: calls through the Gateway service, and why they fail
//! - [`queries`]: questions to the chaincode inside a peer
//! - [`assemble`]: a transaction from the endorsements of several peers
//! - [`deliver`]: blocks, and waiting for a transaction to be committed
//! - [`orderer`]: the ordering service
//! - [`operations`]: the operations endpoint, over HTTP

pub(crate) mod assemble;
pub(crate) mod deliver;
pub(crate) mod gateway;
pub(crate) mod operations;
pub(crate) mod orderer;
mod queries;

use std::{path::Path, time::SystemTime};

use anyhow::{Context, bail};
use prost::Message;
use tonic::transport::Channel;
use windlass_identity::sign::SigningIdentity;
use windlass_proto::{
    Bytes,
    envelope::{Call, build_proposal},
    protos::{ProposalResponse, Response, SignedProposal, endorser_client::EndorserClient},
};
use windlass_transport::{ClientTls, DialError, DialOptions, MAX_MESSAGE_SIZE, dial};

use gateway::Refusal;

/// One identity's connection to one peer.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    identity: SigningIdentity,
    channel: Channel,
}

impl Client {
    /// Connects as the identity of an MSP folder.
    pub(crate) async fn connect(address: &str, tls_root: &Path, msp_id: &str, msp: &Path) -> anyhow::Result<Self> {
        let identity = SigningIdentity::from_msp_folder(msp_id, msp)
            .with_context(|| format!("cannot use the identity in {}", msp.display()))?;
        let root = std::fs::read_to_string(tls_root).with_context(|| format!("cannot read {}", tls_root.display()))?;
        let tls = ClientTls { roots: vec![root], ..Default::default() };
        Ok(Self::dial(identity, address, Some(&tls), &DialOptions::default()).await?)
    }

    /// Connects as `identity`.
    pub(crate) async fn dial(
        identity: SigningIdentity,
        address: &str,
        tls: Option<&ClientTls>,
        options: &DialOptions,
    ) -> Result<Self, DialError> {
        let channel = dial(address, tls, options).await?;
        Ok(Self { identity, channel })
    }

    /// Sends a proposal to the endorser and returns the chaincode's response, whatever its status.
    pub(crate) async fn propose(&self, call: &Call) -> anyhow::Result<Response> {
        let (signed, _) = self.sign(call);
        let answer = self.endorse(signed).await.map_err(Refusal::from)?;
        answer.response.context("the peer sent no response")
    }

    /// Sends a signed proposal to the endorser; gives its whole answer.
    #[allow(clippy::result_large_err)]
    pub(crate) async fn endorse(&self, signed: SignedProposal) -> Result<ProposalResponse, tonic::Status> {
        let mut endorser = EndorserClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        Ok(endorser.process_proposal(signed).await?.into_inner())
    }

    /// Calls a function of `_lifecycle` that writes nothing.
    pub(crate) async fn lifecycle<R: Message + Default>(
        &self,
        channel: &str,
        function: &str,
        args: &impl Message,
    ) -> anyhow::Result<Option<R>> {
        let response = self.propose(&lifecycle_call(channel, function, args)).await?;
        match response.status {
            200 => Ok(Some(R::decode(response.payload)?)),
            404 => Ok(None),
            _ => bail!("{}", response.message),
        }
    }

    /// Who signs.
    pub(crate) fn identity(&self) -> &SigningIdentity {
        &self.identity
    }

    fn sign(&self, call: &Call) -> (SignedProposal, String) {
        sign_proposal(&self.identity, call)
    }
}

/// A signed proposal, and the ID of its transaction.
pub(crate) fn sign_proposal(identity: &SigningIdentity, call: &Call) -> (SignedProposal, String) {
    let nonce: [u8; 24] = rand::random();
    let now = SystemTime::now().into();
    let (proposal_bytes, transaction_id) = build_proposal(call, identity.serialized(), &nonce, now);
    let signature = identity.sign(&proposal_bytes).into();
    (SignedProposal { proposal_bytes, signature }, transaction_id)
}

/// A call of a function of `_lifecycle`.
pub(crate) fn lifecycle_call(channel: &str, function: &str, args: &impl Message) -> Call {
    Call {
        channel: channel.to_owned(),
        chaincode: "_lifecycle".to_owned(),
        args: vec![Bytes::copy_from_slice(function.as_bytes()), args.encode_to_vec().into()],
        ..Default::default()
    }
}
