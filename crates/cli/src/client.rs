//! A client of a network, over gRPC with signed proposals.
//!
//! - [`assemble`]: a transaction from the endorsements of several peers
//! - [`deliver`]: blocks, and waiting for a transaction to be committed
//! - [`orderer`]: the ordering service

pub(crate) mod assemble;
pub(crate) mod deliver;
pub(crate) mod orderer;

use std::{path::Path, time::SystemTime};

use anyhow::{Context, bail};
use prost::Message;
use tonic::{Code, transport::Channel};
use windlass_identity::sign::SigningIdentity;
use windlass_proto::{
    Bytes,
    common::Envelope,
    envelope::{Call, build_proposal, unpack_envelope, unpack_response_payload, unpack_transaction},
    gateway::{
        CommitStatusRequest, EndorseRequest, ErrorDetail, SignedCommitStatusRequest, SubmitRequest,
        gateway_client::GatewayClient,
    },
    protos::{ProposalResponse, Response, SignedProposal, TxValidationCode, endorser_client::EndorserClient},
};
use windlass_transport::{ClientTls, DialError, DialOptions, MAX_MESSAGE_SIZE, dial};

/// One identity's connection to one peer.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    identity: SigningIdentity,
    channel: Channel,
}

/// A committed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) response: Response,
    pub(crate) transaction_id: String,
    /// The number of its block.
    pub(crate) block: u64,
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
        let answer = self.endorse(signed).await.map_err(|status| explain(&status))?;
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

    /// Endorses, submits, and waits until the transaction is on the ledger.
    pub(crate) async fn submit(&self, call: &Call) -> anyhow::Result<Committed> {
        self.submit_by(call, &[]).await
    }

    /// The same, endorsed by these organizations; without any, by those that the policies ask for.
    pub(crate) async fn submit_by(&self, call: &Call, organizations: &[String]) -> anyhow::Result<Committed> {
        let (signed, transaction_id) = self.sign(call);
        let mut gateway = self.gateway();
        let request = EndorseRequest {
            transaction_id: transaction_id.clone(),
            channel_id: call.channel.clone(),
            proposed_transaction: Some(signed),
            endorsing_organizations: organizations.to_vec(),
        };
        let endorsed = gateway.endorse(request).await.map_err(|status| explain(&status))?.into_inner();
        let mut envelope = endorsed.prepared_transaction.context("the gateway prepared no transaction")?;
        envelope.signature = self.identity.sign(&envelope.payload).into();
        let response = response_of(&envelope)?;

        let request = SubmitRequest {
            transaction_id: transaction_id.clone(),
            channel_id: call.channel.clone(),
            prepared_transaction: Some(envelope),
        };
        gateway.submit(request).await.map_err(|status| explain(&status))?;

        let block = self.wait_for(&call.channel, &transaction_id).await?;
        Ok(Committed { response, transaction_id, block })
    }

    /// Waits until the peer has committed a transaction, which must be valid, and gives its block's number.
    pub(crate) async fn wait_for(&self, channel: &str, transaction_id: &str) -> anyhow::Result<u64> {
        let request = CommitStatusRequest {
            transaction_id: transaction_id.to_owned(),
            channel_id: channel.to_owned(),
            identity: self.identity.serialized().clone(),
        };
        let request = Bytes::from(request.encode_to_vec());
        let signature = self.identity.sign(&request).into();
        let status = self
            .gateway()
            .commit_status(SignedCommitStatusRequest { request, signature })
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let code = TxValidationCode::try_from(status.result).unwrap_or(TxValidationCode::InvalidOtherReason);
        if code != TxValidationCode::Valid {
            bail!("the transaction is on the ledger but invalid: {}", code.as_str_name());
        }
        Ok(status.block_number)
    }

    fn gateway(&self) -> GatewayClient<Channel> {
        GatewayClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE)
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

/// The chaincode's response inside a prepared transaction.
fn response_of(envelope: &Envelope) -> anyhow::Result<Response> {
    let unpacked = unpack_envelope(envelope)?;
    let (_, payload) = unpack_transaction(&unpacked.payload.data)?.context("the transaction has no action")?;
    let action = payload.action.context("the transaction is not endorsed")?;
    unpack_response_payload(&action.proposal_response_payload)?.1.response.context("the chaincode sent no response")
}

/// A status as a person wants to read it: what the endpoints said, if they said something.
fn explain(status: &tonic::Status) -> anyhow::Error {
    let details = tonic_types::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
    let said: Vec<_> = details
        .iter()
        .filter_map(|detail| ErrorDetail::decode(detail.value.as_slice()).ok())
        .map(|detail| detail.message)
        .collect();
    match (said.is_empty(), status.code()) {
        (false, _) => anyhow::anyhow!("{}", said.join("; ")),
        (true, Code::Unknown) => anyhow::anyhow!("{}", status.message()),
        (true, code) => anyhow::anyhow!("{code}: {}", status.message()),
    }
}
