//! A client over gRPC that can also do what no SDK would.

use std::time::{Duration, SystemTime};

use prost::Message;
use tonic::transport::Channel;
use windlass_identity::SigningIdentity;
use windlass_proto::{
    Bytes,
    common::{Envelope, Payload},
    envelope::{Call, build_proposal, unpack_envelope, unpack_proposal, unpack_response_payload, unpack_transaction},
    gateway::{
        CommitStatusRequest, CommitStatusResponse, EndorseRequest, EvaluateRequest, SignedCommitStatusRequest,
        SubmitRequest, gateway_client::GatewayClient,
    },
    orderer::{BroadcastResponse, atomic_broadcast_client::AtomicBroadcastClient},
    protos::{
        ProposalResponse, Response, SignedProposal, TxValidationCode, deliver_client::DeliverClient,
        endorser_client::EndorserClient,
    },
};
use windlass_transport::{ClientTls, DialOptions, MAX_MESSAGE_SIZE, dial};

use super::{
    ready::{Ready, Server, User},
    refusal::Refusal,
};

/// More than any call may take; hitting it is a failure.
const LIMIT: Duration = Duration::from_secs(120);

/// An identity connected to peer and orderer.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) identity: SigningIdentity,
    pub(crate) channel: String,
    peer: Channel,
    orderer: Channel,
}

/// A committed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) id: String,
    pub(crate) block: u64,
    pub(crate) response: Response,
}

impl Client {
    /// As `User1`.
    pub(crate) async fn user(ready: &Ready) -> Self {
        Self::of(ready, &ready.users.user1).await
    }

    pub(crate) async fn admin(ready: &Ready) -> Self {
        Self::of(ready, &ready.users.admin).await
    }

    async fn of(ready: &Ready, user: &User) -> Self {
        let identity = SigningIdentity::from_msp_folder(&ready.msp_id, &user.msp).expect("a user's MSP folder");
        Self::with(ready, identity).await
    }

    /// As anybody.
    pub(crate) async fn with(ready: &Ready, identity: SigningIdentity) -> Self {
        let (peer, orderer) = (connect(&ready.peer).await, connect(&ready.orderer).await);
        Self { identity, channel: ready.channel.clone(), peer, orderer }
    }

    /// The same connections with another identity.
    pub(crate) fn become_another(&self, identity: SigningIdentity) -> Self {
        Self { identity, ..self.clone() }
    }

    /// A call of a function on the channel.
    pub(crate) fn call<A: AsRef<[u8]>>(&self, chaincode: &str, args: &[A]) -> Call {
        let args = args.iter().map(|arg| Bytes::copy_from_slice(arg.as_ref())).collect();
        Call { channel: self.channel.clone(), chaincode: chaincode.to_owned(), args, ..Default::default() }
    }

    /// A signed proposal and its transaction ID.
    pub(crate) fn sign(&self, call: &Call) -> (SignedProposal, String) {
        let nonce: [u8; 24] = rand::random();
        self.sign_with(call, &nonce)
    }

    pub(crate) fn sign_with(&self, call: &Call, nonce: &[u8]) -> (SignedProposal, String) {
        let (proposal_bytes, id) = build_proposal(call, self.identity.serialized(), nonce, SystemTime::now().into());
        let signature = self.identity.sign(&proposal_bytes).into();
        (SignedProposal { proposal_bytes, signature }, id)
    }

    /// Asks the endorser.
    pub(crate) async fn endorse(&self, proposal: SignedProposal) -> Result<ProposalResponse, tonic::Status> {
        let mut endorser = EndorserClient::new(self.peer.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        within(endorser.process_proposal(proposal)).await.map(tonic::Response::into_inner)
    }

    /// A call's response, if it is one of success.
    pub(crate) async fn propose(&self, call: &Call) -> Result<Response, Refusal> {
        let answer = self.endorse(self.sign(call).0).await?;
        let response = answer.response.expect("the endorser always answers with a response");
        if (200..400).contains(&response.status) { Ok(response) } else { Err(response.into()) }
    }

    /// The result of a query.
    pub(crate) async fn query<A: AsRef<[u8]>>(&self, chaincode: &str, args: &[A]) -> Result<Bytes, Refusal> {
        Ok(self.propose(&self.call(chaincode, args)).await?.payload)
    }

    /// The result of a query through the gateway.
    pub(crate) async fn evaluate<A: AsRef<[u8]>>(&self, chaincode: &str, args: &[A]) -> Result<Bytes, Refusal> {
        let (proposal, id) = self.sign(&self.call(chaincode, args));
        let request = EvaluateRequest {
            transaction_id: id,
            channel_id: self.channel.clone(),
            proposed_transaction: Some(proposal),
            target_organizations: Vec::new(),
        };
        let answer = within(self.gateway().evaluate(request)).await?.into_inner();
        Ok(answer.result.expect("a response").payload)
    }

    /// The result of a query that must succeed, as text.
    pub(crate) async fn text<A: AsRef<[u8]>>(&self, chaincode: &str, args: &[A]) -> String {
        let result = self.query(chaincode, args).await;
        let result = result.unwrap_or_else(|refusal| panic!("{chaincode}: {refusal}"));
        String::from_utf8(result.to_vec()).expect("text")
    }

    /// The result of a query that must succeed, as JSON.
    pub(crate) async fn json<A: AsRef<[u8]>>(&self, chaincode: &str, args: &[A]) -> serde_json::Value {
        let text = self.text(chaincode, args).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What a query that must fail says.
    pub(crate) async fn error<A: AsRef<[u8]>>(&self, chaincode: &str, args: &[A]) -> String {
        match self.query(chaincode, args).await {
            Ok(result) => panic!("expected a refusal, got {result:?}"),
            Err(refusal) => refusal.text(),
        }
    }

    /// Endorses, submits, and waits for the commit.
    pub(crate) async fn submit<A: AsRef<[u8]>>(&self, chaincode: &str, args: &[A]) -> Result<Committed, Refusal> {
        self.submit_call(&self.call(chaincode, args)).await
    }

    pub(crate) async fn submit_call(&self, call: &Call) -> Result<Committed, Refusal> {
        let prepared = self.prepare(call).await?;
        self.order(&prepared).await?;
        self.commit(&prepared).await
    }

    /// Endorses through the gateway and signs the transaction.
    pub(crate) async fn prepare(&self, call: &Call) -> Result<Prepared, Refusal> {
        let (proposal, id) = self.sign(call);
        let request = EndorseRequest {
            transaction_id: id.clone(),
            channel_id: call.channel.clone(),
            proposed_transaction: Some(proposal),
            endorsing_organizations: Vec::new(),
        };
        let endorsed = within(self.gateway().endorse(request)).await?.into_inner();
        let mut envelope = endorsed.prepared_transaction.expect("an endorsed transaction is prepared");
        envelope.signature = self.identity.sign(&envelope.payload).into();
        let response = response_of(&envelope);
        Ok(Prepared { id, envelope, response })
    }

    /// Submits through the gateway.
    pub(crate) async fn order(&self, prepared: &Prepared) -> Result<(), Refusal> {
        let request = SubmitRequest {
            transaction_id: prepared.id.clone(),
            channel_id: self.channel.clone(),
            prepared_transaction: Some(prepared.envelope.clone()),
        };
        within(self.gateway().submit(request)).await?;
        Ok(())
    }

    /// Waits until a transaction is on the ledger.
    pub(crate) async fn commit(&self, prepared: &Prepared) -> Result<Committed, Refusal> {
        let status = self.status(&prepared.id).await?;
        match TxValidationCode::try_from(status.result).expect("a known code") {
            TxValidationCode::Valid => Ok(Committed {
                id: prepared.id.clone(),
                block: status.block_number,
                response: prepared.response.clone(),
            }),
            code => Err(Refusal::Invalid(code)),
        }
    }

    pub(crate) async fn status(&self, id: &str) -> Result<CommitStatusResponse, Refusal> {
        let request = CommitStatusRequest {
            transaction_id: id.to_owned(),
            channel_id: self.channel.clone(),
            identity: self.identity.serialized().clone(),
        };
        let request = Bytes::from(request.encode_to_vec());
        let signature = self.identity.sign(&request).into();
        Ok(within(self.gateway().commit_status(SignedCommitStatusRequest { request, signature })).await?.into_inner())
    }

    /// Sends an envelope straight to the orderer.
    pub(crate) async fn broadcast(&self, envelope: Envelope) -> BroadcastResponse {
        let mut orderer = AtomicBroadcastClient::new(self.orderer.clone()).max_encoding_message_size(MAX_MESSAGE_SIZE);
        let mut answers = within(orderer.broadcast(tokio_stream::once(envelope))).await.expect("a stream").into_inner();
        within(answers.message()).await.expect("an answer").expect("one for each message")
    }

    /// Signs a payload.
    pub(crate) fn seal(&self, payload: &Payload) -> Envelope {
        let payload = Bytes::from(payload.encode_to_vec());
        let signature = self.identity.sign(&payload).into();
        Envelope { payload, signature }
    }

    pub(crate) fn gateway(&self) -> GatewayClient<Channel> {
        GatewayClient::new(self.peer.clone())
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE)
    }

    pub(crate) fn peer_blocks(&self) -> DeliverClient<Channel> {
        DeliverClient::new(self.peer.clone()).max_decoding_message_size(MAX_MESSAGE_SIZE)
    }

    pub(crate) fn orderer_blocks(&self) -> AtomicBroadcastClient<Channel> {
        AtomicBroadcastClient::new(self.orderer.clone()).max_decoding_message_size(MAX_MESSAGE_SIZE)
    }
}

/// An endorsed and signed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) id: String,
    pub(crate) envelope: Envelope,
    pub(crate) response: Response,
}

/// Awaits a call, but not for ever.
pub(crate) async fn within<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, call).await.expect("an answer in time")
}

async fn connect(server: &Server) -> Channel {
    let root = std::fs::read_to_string(&server.tls_root_cert).expect("a TLS root certificate");
    // The certificate must be good for the name that cryptogen gives, too.
    let tls = ClientTls { roots: vec![root], server_name: Some(server.hostname.clone()), ..Default::default() };
    let options = DialOptions { timeout: Duration::from_secs(20), ..Default::default() };
    dial(&server.endpoint, Some(&tls), &options).await.expect("a connection")
}

fn response_of(envelope: &Envelope) -> Response {
    let unpacked = unpack_envelope(envelope).expect("an envelope");
    let (_, payload) = unpack_transaction(&unpacked.payload.data).expect("a transaction").expect("an action");
    let action = payload.action.expect("an endorsed action");
    unpack_response_payload(&action.proposal_response_payload).expect("a payload").1.response.expect("a response")
}

/// The payload that a transaction of this proposal would have, without any endorsement.
pub(crate) fn unendorsed(proposal: &SignedProposal) -> Payload {
    Payload { header: Some(unpack_proposal(proposal).expect("a proposal").header), data: Bytes::new() }
}
