//! What the orderer does not take.

use bytes::Bytes;
use windlass_proto::{
    common::{Envelope, Payload, Status},
    envelope::Call,
};

use crate::support::{
    chain,
    client::{Client, unendorsed},
    place::Place,
    stranger,
};

#[tokio::test(flavor = "multi_thread")]
async fn refuses_messages_with_fabrics_codes() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let call = client.call("basic", &["Put", "k", "v"]);
    let message = |client: &Client, call: &Call| client.seal(&unendorsed(&client.sign(call).0));
    let elsewhere = Call { channel: "nochannel".to_owned(), ..call.clone() };
    let denied = "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the \
                  'Writers' sub-policies to be satisfied: permission denied";
    let good = message(&client, &call);
    let forged = Envelope { signature: client.identity.sign(b"something else").into(), ..good.clone() };
    let expired = client.become_another(stranger::expired(&windlass.ready));
    let foreigner = client.become_another(stranger::of_another_authority("Org9MSP"));
    let headless = client.seal(&Payload { header: None, data: Bytes::from_static(b"data") });
    for (name, envelope, status, text) in [
        ("an unknown channel", message(&client, &elsewhere), Status::BadRequest, "channel does not exist"),
        ("nothing", Envelope::default(), Status::BadRequest, "could not determine channel ID: header not set"),
        ("no header", headless, Status::BadRequest, "could not determine channel ID: header not set"),
        ("forged", forged, Status::Forbidden, denied),
        ("a foreigner", message(&foreigner, &call), Status::Forbidden, denied),
        ("expired", message(&expired, &call), Status::BadRequest, "broadcast client identity expired"),
    ] {
        let answer = client.broadcast(envelope).await;
        assert_eq!((answer.status, answer.info.as_str()), (status as i32, text), "{name}");
    }
    assert_eq!(chain::of_orderer(&client).await.len(), 3, "nothing was ordered");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_what_was_ordered_without_an_endorsement() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let prepared = client.prepare(&client.call("basic", &["Put", "k", "v"])).await.expect("an endorsement");
    let mut payload = <Payload as prost::Message>::decode(prepared.envelope.payload.clone()).expect("a payload");
    payload.data = Bytes::from_static(b"\x0a\x04junk");
    assert_eq!(client.broadcast(client.seal(&payload)).await.status, Status::Success as i32);
    client.submit("basic", &["Put", "marker", "x"]).await.expect("a transaction");
    let transactions = chain::verify_all(&client).await;
    let marked = transactions.iter().find(|transaction| transaction.id == prepared.id).expect("it is on the ledger");
    assert_eq!(marked.code.as_str_name(), "INVALID_ENDORSER_TRANSACTION");
    assert_eq!(client.error("basic", &["Get", "k"]).await, "the key k does not exist");
    windlass.stop();
}
