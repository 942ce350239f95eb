//! Calls through the Gateway service of a peer.

use prost::Message;
use tonic::{Code, Status, transport::Channel};
use windlass_proto::{
    Bytes,
    common::Envelope,
    envelope::{Call, UnpackError, unpack_envelope, unpack_response_payload, unpack_transaction},
    gateway::{
        CommitStatusRequest, EndorseRequest, ErrorDetail, EvaluateRequest, SignedCommitStatusRequest, SubmitRequest,
        gateway_client::GatewayClient,
    },
    protos::{Response, TxValidationCode},
};
use windlass_transport::MAX_MESSAGE_SIZE;

use super::{Client, sign_proposal};

/// A committed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) response: Response,
    pub(crate) transaction_id: String,
    /// The number of its block.
    pub(crate) block: u64,
}

/// Why a call through the Gateway failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The Gateway, or a peer that it asked, refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The transaction was ordered, and found invalid.
    #[error("the transaction is on the ledger but invalid: {}", code.as_str_name())]
    Invalid { transaction_id: String, block: u64, code: TxValidationCode },
    /// The transaction was handed in, and nothing tells whether it is or will be on the ledger.
    #[error("transaction {transaction_id} was handed in, and its fate is not known: {refusal}")]
    Unknown { transaction_id: String, refusal: Refusal },
    /// The Gateway's answer makes no sense.
    #[error("the gateway's answer cannot be used: {0}")]
    Answer(&'static str),
    /// The Gateway's answer cannot be read.
    #[error("the gateway's answer cannot be read: {0}")]
    Unreadable(#[from] UnpackError),
}

/// What the Gateway says when it refuses.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// What the peers and orderers said that it asked.
    pub(crate) details: Vec<ErrorDetail>,
}

/// A transaction that is endorsed and signed, and not handed in yet.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) transaction_id: String,
    channel: String,
    response: Response,
    envelope: Envelope,
}

impl std::error::Error for Refusal {}

/// As a person wants to read it: what the peers said, if they said something.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said: Vec<&str> = self.details.iter().map(|detail| detail.message.as_str()).collect();
        said.dedup();
        match (said.is_empty(), self.code) {
            (false, _) => f.write_str(&said.join("; ")),
            (true, Code::Unknown) => f.write_str(&self.message),
            (true, code) => write!(f, "{code}: {}", self.message),
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let details = tonic_types::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
        let details = details.iter().filter_map(|detail| ErrorDetail::decode(detail.value.as_slice()).ok());
        Self { code: status.code(), message: status.message().to_owned(), details: details.collect() }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::Refused(status.into())
    }
}

impl Client {
    /// Asks for a result, and changes nothing.
    pub(crate) async fn evaluate(&self, call: &Call, organizations: &[String]) -> Result<Response, CallError> {
        let (signed, transaction_id) = sign_proposal(&self.identity, call);
        let request = EvaluateRequest {
            transaction_id,
            channel_id: call.channel.clone(),
            proposed_transaction: Some(signed),
            target_organizations: organizations.to_vec(),
        };
        let answer = self.gateway().evaluate(request).await?.into_inner();
        answer.result.ok_or(CallError::Answer("it has no result"))
    }

    /// Endorses, submits, and waits until the transaction is on the ledger.
    pub(crate) async fn submit(&self, call: &Call) -> Result<Committed, CallError> {
        self.submit_by(call, &[]).await
    }

    /// The same, endorsed by these organizations; without any, by those that the policies ask for.
    pub(crate) async fn submit_by(&self, call: &Call, organizations: &[String]) -> Result<Committed, CallError> {
        self.hand_in(self.prepare(call, organizations).await?).await
    }

    /// Has a transaction endorsed. Nothing has happened on the ledger then.
    pub(crate) async fn prepare(&self, call: &Call, organizations: &[String]) -> Result<Prepared, CallError> {
        let (signed, transaction_id) = sign_proposal(&self.identity, call);
        let request = EndorseRequest {
            transaction_id: transaction_id.clone(),
            channel_id: call.channel.clone(),
            proposed_transaction: Some(signed),
            endorsing_organizations: organizations.to_vec(),
        };
        let endorsed = self.gateway().endorse(request).await?.into_inner();
        let mut envelope = endorsed.prepared_transaction.ok_or(CallError::Answer("it prepared no transaction"))?;
        envelope.signature = self.identity.sign(&envelope.payload).into();
        let response = response_of(&envelope)?;
        Ok(Prepared { transaction_id, channel: call.channel.clone(), response, envelope })
    }

    /// Submits what is endorsed, and waits until it is on the ledger.
    pub(crate) async fn hand_in(&self, prepared: Prepared) -> Result<Committed, CallError> {
        let Prepared { transaction_id, channel, response, envelope } = prepared;
        let request = SubmitRequest {
            transaction_id: transaction_id.clone(),
            channel_id: channel.clone(),
            prepared_transaction: Some(envelope),
        };
        let outcome = async {
            self.gateway().submit(request).await?;
            self.wait_for(&channel, &transaction_id).await
        };
        match outcome.await {
            Ok(block) => Ok(Committed { response, transaction_id, block }),
            // An ordering service may have it even if no answer came back.
            Err(CallError::Refused(refusal)) => Err(CallError::Unknown { transaction_id, refusal }),
            Err(other) => Err(other),
        }
    }

    /// Waits until the peer has committed a transaction, which must be valid, and gives its block's number.
    pub(crate) async fn wait_for(&self, channel: &str, transaction_id: &str) -> Result<u64, CallError> {
        let request = CommitStatusRequest {
            transaction_id: transaction_id.to_owned(),
            channel_id: channel.to_owned(),
            identity: self.identity.serialized().clone(),
        };
        let request = Bytes::from(request.encode_to_vec());
        let signature = self.identity.sign(&request).into();
        let status = self.gateway().commit_status(SignedCommitStatusRequest { request, signature }).await?.into_inner();
        let (block, transaction_id) = (status.block_number, transaction_id.to_owned());
        match TxValidationCode::try_from(status.result).unwrap_or(TxValidationCode::InvalidOtherReason) {
            TxValidationCode::Valid => Ok(block),
            code => Err(CallError::Invalid { transaction_id, block, code }),
        }
    }

    fn gateway(&self) -> GatewayClient<Channel> {
        GatewayClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE)
    }
}

/// The chaincode's response inside a prepared transaction.
fn response_of(envelope: &Envelope) -> Result<Response, CallError> {
    let unpacked = unpack_envelope(envelope)?;
    let (_, payload) =
        unpack_transaction(&unpacked.payload.data)?.ok_or(CallError::Answer("the transaction has no action"))?;
    let action = payload.action.ok_or(CallError::Answer("the transaction is not endorsed"))?;
    let (_, action) = unpack_response_payload(&action.proposal_response_payload)?;
    action.response.ok_or(CallError::Answer("the chaincode sent no response"))
}
