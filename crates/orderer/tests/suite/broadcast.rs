//! Every refusal of Broadcast, with its code and text.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use windlass_proto::{
    common::{Envelope, Header, HeaderType, Payload, Status},
    orderer::{ConsensusType, consensus_type::State},
};

use crate::network::{CHANNEL, Network, Org, assert_success, connect, header, seal, signed};

#[tokio::test]
async fn refuses_with_the_right_code_and_text() {
    let network = Network::with(|spec| {
        spec.batch.absolute_max_bytes = 5000;
        spec.batch.preferred_max_bytes = 5000;
    });
    let folder = tempfile::tempdir().expect("a folder");
    let orderer = network.start(folder.path());
    let client = &network.client;
    let expired = network.org1.identity_for("client", Duration::ZERO);
    let stranger = Org::new("Org3MSP").identity("client");
    let impostor = Org::new("Org1MSP").identity("client");
    let peer = network.org1.identity("peer");
    let message = |channel: &str, kind| signed(client, kind, channel, "data".into());
    let mut forged = network.message("data");
    forged.signature = client.sign(b"something else").into();
    let mut unsigned = network.message("data");
    unsigned.signature = Bytes::new();
    let large = network.message(vec![0; 6000]);
    let large_text = format!(
        "message payload is {} bytes and exceeds maximum allowed 5000 bytes",
        large.payload.len() + large.signature.len()
    );
    let denied = "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of \
                  the 'Writers' sub-policies to be satisfied: permission denied";
    let no_header = seal(client, Payload { header: None, data: "data".into() });
    let no_channel_header = seal(client, Payload { header: Some(Header::default()), data: "data".into() });
    let no_creator = {
        let header = Header { signature_header: Bytes::new(), ..header(client, HeaderType::Message, CHANNEL) };
        seal(client, Payload { header: Some(header), data: "data".into() })
    };
    let endorser = HeaderType::EndorserTransaction;
    let garbage = Envelope { payload: Bytes::from_static(&[0xff]), signature: "s".into() };
    for (name, envelope, status, text) in [
        ("garbage", garbage, Status::BadRequest, "could not determine channel ID: error unmarshalling Payload: …"),
        ("nothing", Envelope::default(), Status::BadRequest, "could not determine channel ID: header not set"),
        ("no header", no_header, Status::BadRequest, "could not determine channel ID: header not set"),
        (
            "no channel header",
            no_channel_header,
            Status::BadRequest,
            "could not determine channel ID: channel header not set",
        ),
        ("unknown channel", message("nochannel", endorser), Status::BadRequest, "channel does not exist"),
        (
            "a configuration",
            message(CHANNEL, HeaderType::Config),
            Status::BadRequest,
            "message is of type that cannot be processed directly",
        ),
        (
            "an orderer transaction",
            message(CHANNEL, HeaderType::OrdererTransaction),
            Status::BadRequest,
            "message is of type that cannot be processed directly",
        ),
        ("too large", large, Status::BadRequest, large_text.as_str()),
        (
            "expired",
            signed(&expired, endorser, CHANNEL, "data".into()),
            Status::BadRequest,
            "broadcast client identity expired",
        ),
        ("unknown organization", signed(&stranger, endorser, CHANNEL, "data".into()), Status::Forbidden, denied),
        ("another authority", signed(&impostor, endorser, CHANNEL, "data".into()), Status::Forbidden, denied),
        ("a role that must not write", signed(&peer, endorser, CHANNEL, "data".into()), Status::Forbidden, denied),
        ("forged", forged, Status::Forbidden, denied),
        ("unsigned", unsigned, Status::Forbidden, denied),
        ("no creator", no_creator, Status::Forbidden, denied),
        (
            "an update that is none",
            message(CHANNEL, HeaderType::ConfigUpdate),
            Status::BadRequest,
            "error applying config update to existing channel 'mychannel': error converting envelope to config \
             update: …",
        ),
        (
            "an update by a stranger",
            signed(&stranger, HeaderType::ConfigUpdate, CHANNEL, Bytes::new()),
            Status::Forbidden,
            "config update for existing channel did not pass initial checks: implicit policy evaluation failed…",
        ),
    ] {
        let response = orderer.broadcast(envelope).await;
        assert_eq!(response.status, status as i32, "{name}: {}", response.info);
        match text.strip_suffix('…') {
            Some(start) => assert!(response.info.starts_with(start), "{name}: {}", response.info),
            None => assert_eq!(response.info, text, "{name}"),
        }
    }
    assert_eq!(orderer.height(CHANNEL), Some(1), "nothing of it was ordered");
}

#[tokio::test]
async fn admits_any_other_type_and_any_writer() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    for creator in [&network.client, &network.org2.identity("admin"), &network.orderer] {
        assert_success(&orderer.broadcast(signed(creator, HeaderType::Message, CHANNEL, "data".into())).await);
    }
    assert_eq!(orderer.height(CHANNEL), Some(4));
}

#[tokio::test]
async fn checks_an_empty_payload_first() {
    let network = Network::new();
    let config = windlass_identity::ChannelConfig::from_block(&network.genesis).expect("a configuration");
    let error = windlass_orderer::broadcast::check_message(&config, &Envelope::default()).expect_err("empty");
    assert_eq!((error.status(), error.to_string().as_str()), (Status::BadRequest, "message payload is empty"));
}

#[tokio::test]
async fn rejects_ordinary_messages_during_maintenance() {
    use prost::Message;
    use windlass_proto::common::ConfigEnvelope;

    let network = Network::new();
    let current = windlass_identity::ChannelConfig::from_block(&network.genesis).expect("a configuration");
    let mut config =
        ConfigEnvelope { config: Some(current.config().clone()), last_update: None }.config.expect("a configuration");
    let tree = config.channel_group.as_mut().expect("a tree");
    let values = &mut tree.groups.get_mut("Orderer").expect("an orderer group").values;
    let value = &mut values.get_mut("ConsensusType").expect("a consensus").value;
    let consensus = ConsensusType::decode(value.clone()).expect("a consensus");
    *value = ConsensusType { state: State::Maintenance as i32, ..consensus }.encode_to_vec().into();
    let config = windlass_identity::ChannelConfig::from_config(CHANNEL, &config).expect("a configuration");
    let error = windlass_orderer::broadcast::check_message(&config, &network.message("data")).expect_err("maintenance");
    assert_eq!(error.status(), Status::ServiceUnavailable);
    assert_eq!(error.to_string(), "normal transactions are rejected: maintenance mode");
}

#[tokio::test]
async fn ends_the_stream_after_a_refusal() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let mut client = connect(&orderer).await;
    let bad = signed(&network.client, HeaderType::Message, "nochannel", "data".into());
    let requests = vec![network.message("one"), bad, network.message("after")];
    let responses = client.broadcast(stream::iter(requests)).await.expect("a stream").into_inner();
    let statuses: Vec<_> = responses.map(|response| response.expect("a response").status).collect().await;
    assert_eq!(statuses, [Status::Success as i32, Status::BadRequest as i32]);
    assert_eq!(orderer.height(CHANNEL), Some(2), "what follows a refusal is not ordered");
}

#[tokio::test]
async fn takes_messages_larger_than_grpcs_usual_limit() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let mut client = connect(&orderer).await;
    let requests = stream::iter([network.message(vec![7; 6 << 20])]);
    let mut responses = client.broadcast(requests).await.expect("a stream").into_inner();
    assert_success(&responses.next().await.expect("a response").expect("a response"));
}
