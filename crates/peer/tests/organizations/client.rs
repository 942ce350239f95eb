//! A client of one organization's peer.

use std::time::SystemTime;

use prost::Message;
use tonic::{Code, Status, transport::Channel};
use windlass_identity::SigningIdentity;
use windlass_proto::{
    Bytes,
    common::Envelope,
    discovery::{AuthInfo, Query, QueryResult, Request, SignedRequest, discovery_client::DiscoveryClient, query},
    envelope::{Call, build_proposal, unpack_envelope, unpack_response_payload, unpack_transaction},
    gateway::{
        CommitStatusRequest, EndorseRequest, ErrorDetail, EvaluateRequest, SignedCommitStatusRequest, SubmitRequest,
        gateway_client::GatewayClient,
    },
    msp::SerializedIdentity,
    protos::{ProposalResponse, Response, SignedProposal, TxValidationCode, endorser_client::EndorserClient},
};

/// One identity at one peer.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) identity: SigningIdentity,
    pub(crate) channel: Channel,
    /// The hash of the TLS certificate that the connection has.
    pub(crate) tls_hash: Bytes,
}

/// A transaction that has been endorsed.
pub(crate) struct Endorsed {
    pub(crate) envelope: Envelope,
    pub(crate) tx_id: String,
    channel: String,
}

impl Endorsed {
    /// The organizations that endorsed, sorted.
    pub(crate) fn by(&self) -> Vec<String> {
        let unpacked = unpack_envelope(&self.envelope).expect("an envelope");
        let (_, payload) = unpack_transaction(&unpacked.payload.data).expect("a transaction").expect("an action");
        let endorsements = payload.action.expect("an action").endorsements;
        let mut organizations: Vec<String> = endorsements
            .iter()
            .map(|one| SerializedIdentity::decode(one.endorser.clone()).expect("an identity").mspid)
            .collect();
        organizations.sort();
        organizations
    }

    /// What the chaincode answered.
    pub(crate) fn result(&self) -> Bytes {
        let unpacked = unpack_envelope(&self.envelope).expect("an envelope");
        let (_, payload) = unpack_transaction(&unpacked.payload.data).expect("a transaction").expect("an action");
        let bytes = payload.action.expect("an action").proposal_response_payload;
        unpack_response_payload(&bytes).expect("a payload").1.response.expect("a response").payload
    }
}

/// A call with arguments of text.
pub(crate) fn call(channel: &str, chaincode: &str, args: &[&str]) -> Call {
    let args = args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect();
    Call { channel: channel.to_owned(), chaincode: chaincode.to_owned(), args, ..Default::default() }
}

/// What the endpoints said, with their organizations.
pub(crate) fn details(status: &Status) -> Vec<(String, String)> {
    let decoded = tonic_types::Status::decode(status.details()).expect("a status");
    let details = decoded.details.iter().map(|any| ErrorDetail::decode(any.value.as_slice()).expect("a detail"));
    details.map(|detail| (detail.msp_id, detail.message)).collect()
}

/// A failure's code and text.
#[track_caller]
pub(crate) fn refused<T>(outcome: Result<T, Status>) -> (Code, String) {
    match outcome {
        Ok(_) => panic!("expected a refusal"),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}

impl Client {
    fn sign(&self, call: &Call) -> (SignedProposal, String) {
        let nonce: [u8; 24] = rand::random();
        let (proposal_bytes, tx_id) =
            build_proposal(call, self.identity.serialized(), &nonce, SystemTime::now().into());
        let signature = self.identity.sign(&proposal_bytes).into();
        (SignedProposal { proposal_bytes, signature }, tx_id)
    }

    /// Straight to the endorser.
    pub(crate) async fn propose(&self, call: &Call) -> Result<ProposalResponse, Status> {
        let mut endorser = EndorserClient::new(self.channel.clone()).max_decoding_message_size(100 << 20);
        Ok(endorser.process_proposal(self.sign(call).0).await?.into_inner())
    }

    pub(crate) async fn evaluate(&self, call: &Call, organizations: &[&str]) -> Result<Response, Status> {
        let (signed, transaction_id) = self.sign(call);
        let request = EvaluateRequest {
            transaction_id,
            channel_id: call.channel.clone(),
            proposed_transaction: Some(signed),
            target_organizations: organizations.iter().map(|org| (*org).to_owned()).collect(),
        };
        let answer = GatewayClient::new(self.channel.clone()).evaluate(request).await?.into_inner();
        Ok(answer.result.expect("a result"))
    }

    pub(crate) async fn endorse(&self, call: &Call, organizations: &[&str]) -> Result<Endorsed, Status> {
        let (signed, tx_id) = self.sign(call);
        let request = EndorseRequest {
            transaction_id: tx_id.clone(),
            channel_id: call.channel.clone(),
            proposed_transaction: Some(signed),
            endorsing_organizations: organizations.iter().map(|org| (*org).to_owned()).collect(),
        };
        let endorsed = GatewayClient::new(self.channel.clone()).endorse(request).await?.into_inner();
        let mut envelope = endorsed.prepared_transaction.expect("a transaction");
        envelope.signature = self.identity.sign(&envelope.payload).into();
        Ok(Endorsed { envelope, tx_id, channel: call.channel.clone() })
    }

    pub(crate) async fn submit(&self, endorsed: &Endorsed) -> TxValidationCode {
        let request = SubmitRequest {
            transaction_id: endorsed.tx_id.clone(),
            channel_id: endorsed.channel.clone(),
            prepared_transaction: Some(endorsed.envelope.clone()),
        };
        GatewayClient::new(self.channel.clone()).submit(request).await.expect("ordered");
        self.status(&endorsed.channel, &endorsed.tx_id).await
    }

    /// This peer's verdict, once there is one.
    pub(crate) async fn status(&self, channel: &str, tx_id: &str) -> TxValidationCode {
        let request = CommitStatusRequest {
            transaction_id: tx_id.to_owned(),
            channel_id: channel.to_owned(),
            identity: self.identity.serialized().clone(),
        };
        let request: Bytes = request.encode_to_vec().into();
        let signature = self.identity.sign(&request).into();
        let signed = SignedCommitStatusRequest { request, signature };
        let answer = GatewayClient::new(self.channel.clone()).commit_status(signed).await.expect("a verdict");
        answer.into_inner().result()
    }

    /// Asks Discovery one thing.
    pub(crate) async fn discover(&self, channel: &str, query: query::Query) -> Result<QueryResult, Status> {
        let authentication = AuthInfo {
            client_identity: self.identity.serialized().clone(),
            client_tls_cert_hash: self.tls_hash.clone(),
        };
        let queries = vec![Query { channel: channel.to_owned(), query: Some(query) }];
        let payload: Bytes = Request { authentication: Some(authentication), queries }.encode_to_vec().into();
        let signature = self.identity.sign(&payload).into();
        let request = SignedRequest { payload, signature };
        let answer = DiscoveryClient::new(self.channel.clone()).discover(request).await?.into_inner();
        Ok(answer.results.into_iter().next().expect("one result for one query"))
    }
}
