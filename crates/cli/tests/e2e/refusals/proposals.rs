//! Signatures, identities, channels, chaincodes that are not what they should be.

use bytes::Bytes;
use prost::Message;
use tonic::Code;
use windlass_proto::{
    envelope::Call,
    protos::{Proposal, SignedProposal},
};

use crate::support::{chain, client::Client, place::Place, refusal::Refusal, stranger};

async fn status(client: &Client, proposal: SignedProposal) -> (Code, String) {
    let status = client.endorse(proposal).await.expect_err("a refusal as a gRPC status");
    (status.code(), status.message().to_owned())
}

async fn response(client: &Client, call: &Call) -> String {
    match client.propose(call).await {
        Err(Refusal::Response { status: 500, message }) => message,
        other => panic!("expected a response 500, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_signatures_and_identities_that_are_not_good() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let call = client.call("basic", &["Put", "k", "v"]);
    let good = client.sign(&call).0;
    let denied = "error validating proposal: access denied: channel [mychannel] creator org [Org1MSP]";
    let malformed =
        "error validating proposal: access denied: channel [mychannel] creator org unknown, creator is malformed";

    let forged = SignedProposal { signature: client.identity.sign(b"something else").into(), ..good.clone() };
    let garbled = SignedProposal { signature: Bytes::from_static(b"signature"), ..good.clone() };
    let unsigned = SignedProposal { signature: Bytes::new(), ..good.clone() };
    let empty = SignedProposal { proposal_bytes: Bytes::new(), ..good.clone() };
    let impostor = client.become_another(stranger::of_another_authority("Org1MSP"));
    let foreigner = client.become_another(stranger::of_another_authority("Org9MSP"));
    let expired = client.become_another(stranger::expired(&windlass.ready));
    let without_role = client.become_another(stranger::with_role(&windlass.ready, "guest"));
    for (name, proposal, text) in [
        ("forged", forged, denied),
        ("garbled", garbled, denied),
        ("unsigned", unsigned, "error validating proposal: empty signature bytes"),
        ("an impostor", impostor.sign(&call).0, denied),
        ("a foreigner", foreigner.sign(&call).0, malformed),
        ("an expired certificate", expired.sign(&call).0, "proposal client identity expired"),
        ("a role that there is not", without_role.sign(&call).0, denied),
    ] {
        assert_eq!(status(&client, proposal).await, (Code::Unknown, text.to_owned()), "{name}");
    }
    let (code, _) = status(&client, empty).await;
    assert_eq!(code, Code::Unknown);

    // A peer is no writer of the channel.
    let peer = client.become_another(stranger::with_role(&windlass.ready, "peer"));
    let (code, text) = status(&client, peer.sign(&call).0).await;
    assert_eq!(code, Code::Unknown);
    assert!(
        text.contains(
            "Failed evaluating policy on signed data during check policy on channel [mychannel] with policy \
                           [/Channel/Application/Writers]"
        ),
        "{text}"
    );

    assert_eq!(client.error("basic", &["Get", "k"]).await, "the key k does not exist");
    assert_eq!(chain::of_peer(&client).await.len(), 3, "nothing was ordered");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_headers_that_do_not_add_up() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let call = client.call("basic", &["Noop"]);
    let resign = |change: &dyn Fn(&mut windlass_proto::common::ChannelHeader)| {
        let proposal = Proposal::decode(client.sign(&call).0.proposal_bytes).expect("a proposal");
        let mut header = windlass_proto::common::Header::decode(proposal.header.clone()).expect("a header");
        let mut channel_header =
            windlass_proto::common::ChannelHeader::decode(header.channel_header.clone()).expect("a channel header");
        change(&mut channel_header);
        header.channel_header = channel_header.encode_to_vec().into();
        let proposal_bytes: Bytes =
            Proposal { header: header.encode_to_vec().into(), ..proposal }.encode_to_vec().into();
        SignedProposal { signature: client.identity.sign(&proposal_bytes).into(), proposal_bytes }
    };
    let wrong_id = resign(&|header| header.tx_id = "00".repeat(32));
    let (code, text) = status(&client, wrong_id).await;
    assert_eq!(code, Code::Unknown);
    assert!(text.starts_with("error validating proposal: incorrectly computed txid '"), "{text}");
    let epoch = resign(&|header| header.epoch = 1);
    assert_eq!(status(&client, epoch).await.1, "error validating proposal: epoch is non-zero");
    let kind = resign(&|header| header.r#type = 4);
    assert_eq!(status(&client, kind).await.1, "error validating proposal: invalid header type ORDERER_TRANSACTION");
    let extension = resign(&|header| header.extension = Bytes::new());
    assert_eq!(status(&client, extension).await.1, "ChaincodeHeaderExtension.ChaincodeId is nil");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_channels_chaincodes_and_transactions_that_it_does_not_know() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let elsewhere = Call { channel: "nochannel".to_owned(), ..client.call("basic", &["Noop"]) };
    assert_eq!(response(&client, &elsewhere).await, "channel 'nochannel' not found");
    let unknown = response(&client, &client.call("nowhere", &["Noop"])).await;
    assert_eq!(
        unknown,
        "make sure the chaincode nowhere has been successfully defined on channel mychannel and try again: chaincode \
         nowhere not found"
    );

    let call = client.call("basic", &["Put", "k", "v"]);
    let (proposal, id) = client.sign_with(&call, b"the same nonce twice");
    client.endorse(proposal.clone()).await.expect("nothing wrong yet");
    client.endorse(proposal.clone()).await.expect("it is not on the ledger");
    let prepared = {
        let answer = client.endorse(proposal.clone()).await.expect("an endorsement");
        let unpacked = windlass_proto::envelope::unpack_proposal(&proposal).expect("a proposal");
        let endorsement = answer.endorsement.expect("an endorsement");
        let payload = windlass_proto::envelope::assemble_transaction(
            &unpacked.header,
            &unpacked.payload,
            answer.payload,
            vec![endorsement],
        );
        let signature = client.identity.sign(&payload).into();
        windlass_proto::common::Envelope { payload, signature }
    };
    assert_eq!(client.broadcast(prepared.clone()).await.status, 200);
    assert_eq!(client.status(&id).await.expect("a status").result, 0);
    let (code, text) = status(&client, proposal).await;
    let creator = hex::encode(client.identity.serialized());
    assert_eq!((code, text), (Code::Unknown, format!("duplicate transaction found [{id}]. Creator [{creator}]")));

    // The orderer does not look; the second one is marked on the ledger.
    assert_eq!(client.broadcast(prepared).await.status, 200);
    let marker = client.submit("basic", &["Put", "marker", "x"]).await.expect("a transaction");
    let transactions = chain::verify_all(&client).await;
    let codes: Vec<_> = transactions
        .iter()
        .filter(|transaction| transaction.id == id)
        .map(|transaction| transaction.code.as_str_name())
        .collect();
    assert_eq!(codes, ["VALID", "DUPLICATE_TXID"]);
    assert!(transactions.iter().any(|transaction| transaction.id == marker.id));
    assert_eq!(client.status(&id).await.expect("a status").result, 0, "the first one counts");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn lets_only_admins_administer() {
    let place = Place::new();
    let windlass = place.dev().start();
    let user = Client::user(&windlass.ready).await;
    let reason = "Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy \
                  with policy [Admins]: [The identity is not an admin under this MSP [Org1MSP]: The identity does not \
                  contain OU [ADMIN], MSP: [Org1MSP]]";
    let refusal = super::install(&user, Vec::new()).await.expect_err("not an admin").text();
    assert_eq!(refusal, format!("Failed to authorize invocation due to failed ACL check: {reason}"));
    let genesis = chain::of_peer(&user).await[0].encode_to_vec();
    let join = Call { channel: String::new(), ..user.call("cscc", &[b"JoinChain".as_slice(), &genesis]) };
    let refusal = user.propose(&join).await.expect_err("not an admin").text();
    assert_eq!(refusal, format!("access denied for [JoinChain][mychannel]: [{reason}]"));

    let admin = Client::admin(&windlass.ready).await;
    let refusal = admin.propose(&join).await.expect_err("it has joined").text();
    let exists = "cannot create ledger from genesis block: ledger [mychannel] already exists with state [ACTIVE]";
    assert_eq!(refusal, exists);
    windlass.stop();
}
