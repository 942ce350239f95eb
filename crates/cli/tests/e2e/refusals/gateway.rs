//! Requests to the gateway that are incomplete, or not the sender's to make.
// Fabric: endorsement-and-gateway §7

use prost::Message;
use tonic::Code;
use windlass_proto::{
    Bytes,
    common::Envelope,
    envelope::Call,
    gateway::{
        ChaincodeEventsRequest, CommitStatusRequest, EndorseRequest, EvaluateRequest, SignedChaincodeEventsRequest,
        SignedCommitStatusRequest, SubmitRequest,
    },
    protos::SignedProposal,
};

use crate::support::{
    client::{Client, within},
    place::Place,
    stranger,
};

fn said<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> (Code, String) {
    let status = answer.expect_err("a refusal");
    (status.code(), status.message().to_owned())
}

fn invalid(text: &str) -> (Code, String) {
    (Code::InvalidArgument, text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_requests_to_evaluate_and_endorse_that_are_incomplete() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let mut gateway = client.gateway();
    let evaluate =
        |proposal: Option<SignedProposal>| EvaluateRequest { proposed_transaction: proposal, ..Default::default() };
    let endorse =
        |proposal: Option<SignedProposal>| EndorseRequest { proposed_transaction: proposal, ..Default::default() };

    let answer = within(gateway.evaluate(evaluate(None))).await;
    assert_eq!(said(answer), invalid("failed to unpack transaction proposal: a signed proposal is required"));
    let answer = within(gateway.endorse(endorse(None))).await;
    assert_eq!(said(answer), invalid("the proposed transaction must contain a signed proposal"));

    let nowhere = Call { channel: String::new(), ..client.call("basic", &["Noop"]) };
    let proposal = Some(client.sign(&nowhere).0);
    let answer = within(gateway.evaluate(evaluate(proposal.clone()))).await;
    assert_eq!(said(answer), invalid("failed to unpack transaction proposal: no channel id provided"));
    let answer = within(gateway.endorse(endorse(proposal))).await;
    assert_eq!(said(answer), invalid("no channel id provided"));

    let elsewhere = Call { channel: "nochannel".to_owned(), ..client.call("basic", &["Noop"]) };
    let (code, text) = said(within(gateway.evaluate(evaluate(Some(client.sign(&elsewhere).0)))).await);
    assert!(code != Code::Ok && text.contains("nochannel"), "{code}: {text}");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_to_submit_what_is_no_signed_transaction() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let mut gateway = client.gateway();
    let submit = |prepared: Option<Envelope>| SubmitRequest {
        channel_id: client.channel.clone(),
        prepared_transaction: prepared,
        ..Default::default()
    };
    let answer = within(gateway.submit(submit(None))).await;
    assert_eq!(said(answer), invalid("a prepared transaction is required"));
    let prepared = client.prepare(&client.call("basic", &["Put", "k", "v"])).await.expect("an endorsement");
    let unsigned = Envelope { signature: Bytes::new(), ..prepared.envelope.clone() };
    let answer = within(gateway.submit(submit(Some(unsigned)))).await;
    assert_eq!(said(answer), invalid("prepared transaction must be signed"));

    let forged = Envelope { signature: client.identity.sign(b"something else").into(), ..prepared.envelope };
    let (code, text) = said(within(gateway.submit(submit(Some(forged)))).await);
    assert_eq!(code, Code::Aborted);
    assert!(text.starts_with("received unsuccessful response from orderer: status=FORBIDDEN, info="), "{text}");
    assert_eq!(client.error("basic", &["Get", "k"]).await, "the key k does not exist");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_to_tell_of_commits_and_events_to_those_who_may_not_know() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let stranger = client.become_another(stranger::of_another_authority("Org9MSP"));
    let status = |who: &Client, signer: &Client, channel: &str, id: &str| {
        let request = CommitStatusRequest {
            transaction_id: id.to_owned(),
            channel_id: channel.to_owned(),
            identity: who.identity.serialized().clone(),
        };
        let request = Bytes::from(request.encode_to_vec());
        let signature = signer.identity.sign(&request).into();
        SignedCommitStatusRequest { request, signature }
    };
    let mut gateway = client.gateway();
    let answer = within(gateway.commit_status(status(&client, &client, "", "id"))).await;
    assert_eq!(said(answer), invalid("no channel ID provided"));
    let answer = within(gateway.commit_status(status(&client, &client, "mychannel", ""))).await;
    assert_eq!(said(answer), invalid("transaction ID should not be empty"));
    for (who, signer, channel) in
        [(&stranger, &stranger, "mychannel"), (&client, &stranger, "mychannel"), (&client, &client, "nochannel")]
    {
        let (code, _) = said(within(gateway.commit_status(status(who, signer, channel, "id"))).await);
        assert_eq!(code, Code::PermissionDenied, "{channel}");
    }

    let request = ChaincodeEventsRequest {
        channel_id: client.channel.clone(),
        chaincode_id: "basic".to_owned(),
        identity: stranger.identity.serialized().clone(),
        ..Default::default()
    };
    let request = Bytes::from(request.encode_to_vec());
    let signature = stranger.identity.sign(&request).into();
    let answer = within(gateway.chaincode_events(SignedChaincodeEventsRequest { request, signature })).await;
    let refused = match answer {
        Err(status) => status,
        Ok(stream) => within(stream.into_inner().message()).await.expect_err("a refusal"),
    };
    assert_eq!(refused.code(), Code::PermissionDenied);
    windlass.stop();
}
