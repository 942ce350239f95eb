use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use prost::Message;
use prost_types::Timestamp;
use windlass_identity::SigningIdentity;
use windlass_proto::{
    common::{ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader, Status},
    orderer::{SeekInfo, SeekNewest, SeekOldest, SeekPosition, seek_position},
    protos::{ChaincodeEvent, DeliverResponse, TxValidationCode, deliver_response::Type, filtered_transaction::Data},
    txid::transaction_id,
};

use super::{Deliver, Limit};
use crate::{
    telemetry::{Delivery, Metrics},
    testing::{CHANNEL, Joined, World},
};

fn position(position: seek_position::Type) -> Option<SeekPosition> {
    Some(SeekPosition { r#type: Some(position) })
}

/// A request for all blocks of a channel.
fn request(signer: &SigningIdentity, channel: &str, certificate: Option<&[u8]>) -> Envelope {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let header = Header {
        channel_header: ChannelHeader {
            r#type: HeaderType::DeliverSeekInfo as i32,
            channel_id: channel.into(),
            timestamp: Some(Timestamp { seconds: now.as_secs() as i64, nanos: 0 }),
            tls_cert_hash: certificate.map(Bytes::copy_from_slice).unwrap_or_default(),
            ..Default::default()
        }
        .encode_to_vec()
        .into(),
        signature_header: SignatureHeader { creator: signer.serialized().clone(), nonce: "n".into() }
            .encode_to_vec()
            .into(),
    };
    let seek = SeekInfo {
        start: position(seek_position::Type::Oldest(SeekOldest {})),
        stop: position(seek_position::Type::Newest(SeekNewest {})),
        ..Default::default()
    };
    let payload: Bytes = Payload { header: Some(header), data: seek.encode_to_vec().into() }.encode_to_vec().into();
    let signature = signer.sign(&payload).into();
    Envelope { payload, signature }
}

fn deliver(joined: &Joined, metrics: &Metrics, binds_to_tls: bool) -> Deliver {
    let limit = Limit::new("/protos.Deliver", 2500);
    Deliver::new(joined.channels.clone(), joined.acl.clone(), metrics.clone(), limit, binds_to_tls)
}

/// Everything that comes in answer to these requests.
async fn answers(deliver: &Deliver, delivery: Delivery, requests: Vec<Envelope>) -> Vec<Type> {
    let requests = stream::iter(requests.into_iter().map(Ok));
    let responses = deliver.serve(delivery, None, requests);
    responses.map(|response| response.expect("a response").r#type.expect("a type")).collect().await
}

fn status(status: Status) -> Type {
    Type::Status(status as i32)
}

/// A peer with a block of a valid transaction with an event, an invalid one with an event, and garbage.
fn peer(world: &World) -> Joined {
    let event = |nonce: &'static str| {
        let mut draft = world.draft();
        draft.nonce = nonce.into();
        draft.edits.action = Box::new(|action| {
            let event = ChaincodeEvent {
                chaincode_id: "basic".into(),
                tx_id: "tx".into(),
                event_name: "sold".into(),
                payload: "secret".into(),
            };
            action.events = event.encode_to_vec().into();
        });
        draft.build()
    };
    let mut silent = world.draft();
    silent.nonce = "c".into();
    world.joined(vec![
        (event("a"), TxValidationCode::Valid),
        (event("b"), TxValidationCode::EndorsementPolicyFailure),
        (silent.build(), TxValidationCode::Valid),
        (Bytes::from_static(b"\xff"), TxValidationCode::InvalidOtherReason),
    ])
}

#[tokio::test]
async fn delivers_whole_blocks() {
    let world = World::new();
    let joined = peer(&world);
    let metrics = Metrics::new("1");
    let deliver = deliver(&joined, &metrics, false);
    let found = answers(&deliver, Delivery::Block, vec![request(&world.user1, CHANNEL, None)]).await;
    let blocks = joined.blocks.clone().into_iter().map(Type::Block);
    assert_eq!(found, blocks.chain([status(Status::Success)]).collect::<Vec<_>>());
    let text = metrics.render();
    for line in [
        r#"deliver_blocks_sent{channel="ch",data_type="block",filtered="false"} 2"#,
        r#"deliver_requests_received{channel="ch",data_type="block",filtered="false"} 1"#,
        r#"deliver_requests_completed{channel="ch",data_type="block",filtered="false",success="true"} 1"#,
        "deliver_streams_opened 1",
        "deliver_streams_closed 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn a_filtered_block_tells_verdicts_and_events_but_no_contents() {
    let world = World::new();
    let joined = peer(&world);
    let deliver = deliver(&joined, &Metrics::new("1"), false);
    let found = answers(&deliver, Delivery::FilteredBlock, vec![request(&world.user1, CHANNEL, None)]).await;
    let [Type::FilteredBlock(genesis), Type::FilteredBlock(block), last] = found.as_slice() else {
        panic!("two filtered blocks: {found:?}");
    };
    assert_eq!(*last, status(Status::Success));

    assert_eq!((genesis.channel_id.as_str(), genesis.number), (CHANNEL, 0));
    let config = &genesis.filtered_transactions[0];
    assert_eq!((config.r#type, config.tx_validation_code, &config.data), (HeaderType::Config as i32, 0, &None));

    assert_eq!((block.channel_id.as_str(), block.number), (CHANNEL, 1));
    let seen: Vec<_> = block
        .filtered_transactions
        .iter()
        .map(|transaction| {
            let events = transaction.data.as_ref().map(|Data::TransactionActions(actions)| {
                let events = actions.chaincode_actions.iter().filter_map(|action| action.chaincode_event.clone());
                events.collect::<Vec<_>>()
            });
            (transaction.txid.as_str(), transaction.r#type, transaction.tx_validation_code, events)
        })
        .collect();
    let id = |nonce: &str| transaction_id(nonce.as_bytes(), world.user1.serialized());
    let (a, b, c) = (id("a"), id("b"), id("c"));
    let event = || ChaincodeEvent {
        chaincode_id: "basic".into(),
        tx_id: "tx".into(),
        event_name: "sold".into(),
        payload: Bytes::new(),
    };
    let endorser = HeaderType::EndorserTransaction as i32;
    assert_eq!(
        seen,
        [
            (a.as_str(), endorser, 0, Some(vec![event()])),
            (b.as_str(), endorser, 10, Some(vec![event()])),
            (c.as_str(), endorser, 0, Some(vec![])),
            ("", 0, 255, None),
        ]
    );
}

#[tokio::test]
async fn private_data_comes_with_its_block() {
    let world = World::new();
    let joined = peer(&world);
    let deliver = deliver(&joined, &Metrics::new("1"), false);
    let found = answers(&deliver, Delivery::BlockAndPrivateData, vec![request(&world.user1, CHANNEL, None)]).await;
    let Type::BlockAndPrivateData(first) = &found[0] else { panic!("a block with private data: {found:?}") };
    assert_eq!((&first.block, first.private_data_map.len()), (&Some(joined.blocks[0].clone()), 0));
}

#[tokio::test]
async fn refuses_with_a_status_and_ends() {
    let world = World::new();
    let joined = peer(&world);
    let deliver = deliver(&joined, &Metrics::new("1"), false);
    let good = || request(&world.user1, CHANNEL, None);
    for (bad, refusal) in [
        (request(&world.user1, "other", None), Status::NotFound),
        (request(&world.stranger, CHANNEL, None), Status::Forbidden),
        (Envelope { signature: Bytes::new(), ..good() }, Status::Forbidden),
        (Envelope { payload: Bytes::from_static(b"\xff"), ..good() }, Status::BadRequest),
    ] {
        let found = answers(&deliver, Delivery::Block, vec![bad, good()]).await;
        assert_eq!(found, [status(refusal)], "{refusal:?}");
    }
    // After SUCCESS the stream takes another request.
    assert_eq!(answers(&deliver, Delivery::Block, vec![good(), good()]).await.len(), 6);
}

#[tokio::test]
async fn who_only_orders_may_not_read_as_an_application_does() {
    let world = World::new();
    let joined = peer(&world);
    let deliver = deliver(&joined, &Metrics::new("1"), false);
    for delivery in [Delivery::Block, Delivery::FilteredBlock, Delivery::BlockAndPrivateData] {
        let found = answers(&deliver, delivery, vec![request(&world.orderer, CHANNEL, None)]).await;
        assert_eq!(found, [status(Status::Forbidden)], "{delivery:?}");
    }
}

#[tokio::test]
async fn binds_requests_to_the_tls_certificate_where_clients_need_one() {
    let world = World::new();
    let joined = peer(&world);
    let deliver = deliver(&joined, &Metrics::new("1"), true);
    for (bound, presented, delivered) in
        [(Some([1; 32]), Some([1; 32]), true), (Some([2; 32]), Some([1; 32]), false), (None, Some([1; 32]), false)]
    {
        let request = request(&world.user1, CHANNEL, bound.as_ref().map(|hash| &hash[..]));
        let requests = stream::iter([Ok(request)]);
        let responses = deliver.serve(Delivery::Block, presented, requests);
        let found: Vec<DeliverResponse> = responses.map(|response| response.expect("a response")).collect().await;
        let expected = if delivered { Status::Success } else { Status::BadRequest };
        assert_eq!(found.last().and_then(|last| last.r#type.clone()), Some(status(expected)));
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_request() {
    let world = World::new();
    let joined = peer(&world);
    let metrics = Metrics::new("1");
    let deliver = Arc::new(deliver(&joined, &metrics, false));
    let requests = stream::iter([Ok(request(&world.user1, CHANNEL, None))]).chain(stream::pending());
    let mut responses = Box::pin(deliver.serve(Delivery::Block, None, requests));
    assert!(responses.next().await.is_some());
    drop(responses);
    let line = r#"deliver_requests_completed{channel="ch",data_type="block",filtered="false",success="false"} 1"#;
    assert!(metrics.render().lines().any(|found| found == line), "{}", metrics.render());
}
