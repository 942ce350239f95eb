//! A client of a network, over gRPC with signed proposals.

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
    protos::{Response, SignedProposal, TxValidationCode, endorser_client::EndorserClient},
};
use windlass_transport::{ClientTls, DialOptions, MAX_MESSAGE_SIZE, dial};

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
}

impl Client {
    /// Connects as the identity of an MSP folder.
    pub(crate) async fn connect(address: &str, tls_root: &Path, msp_id: &str, msp: &Path) -> anyhow::Result<Self> {
        let identity = SigningIdentity::from_msp_folder(msp_id, msp)
            .with_context(|| format!("cannot use the identity in {}", msp.display()))?;
        let root = std::fs::read_to_string(tls_root).with_context(|| format!("cannot read {}", tls_root.display()))?;
        let tls = ClientTls { roots: vec![root], ..Default::default() };
        let channel = dial(address, Some(&tls), &DialOptions::default()).await?;
        Ok(Self { identity, channel })
    }

    /// Sends a proposal to the endorser and returns the chaincode's response, whatever its status.
    pub(crate) async fn propose(&self, call: &Call) -> anyhow::Result<Response> {
        let (signed, _) = self.sign(call);
        let mut endorser = EndorserClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        let answer = endorser.process_proposal(signed).await.map_err(|status| explain(&status))?.into_inner();
        answer.response.context("the peer sent no response")
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
        let (signed, transaction_id) = self.sign(call);
        let mut gateway = GatewayClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        let request = EndorseRequest {
            transaction_id: transaction_id.clone(),
            channel_id: call.channel.clone(),
            proposed_transaction: Some(signed),
            endorsing_organizations: Vec::new(),
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

        let request = CommitStatusRequest {
            transaction_id,
            channel_id: call.channel.clone(),
            identity: self.identity.serialized().clone(),
        };
        let request = Bytes::from(request.encode_to_vec());
        let signature = self.identity.sign(&request).into();
        let status = gateway
            .commit_status(SignedCommitStatusRequest { request, signature })
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let code = TxValidationCode::try_from(status.result).unwrap_or(TxValidationCode::InvalidOtherReason);
        if code != TxValidationCode::Valid {
            bail!("the transaction is on the ledger but invalid: {}", code.as_str_name());
        }
        Ok(Committed { response })
    }

    fn sign(&self, call: &Call) -> (SignedProposal, String) {
        let nonce: [u8; 24] = rand::random();
        let now = SystemTime::now().into();
        let (proposal_bytes, transaction_id) = build_proposal(call, self.identity.serialized(), &nonce, now);
        let signature = self.identity.sign(&proposal_bytes).into();
        (SignedProposal { proposal_bytes, signature }, transaction_id)
    }
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
