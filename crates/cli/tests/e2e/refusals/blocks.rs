//! Who may not have blocks.

use windlass_proto::{
    common::{Envelope, Status},
    orderer::{SeekNewest, SeekOldest, SeekSpecified, seek_position::Type},
};

use crate::support::{
    chain::{refusal, seek},
    client::Client,
    place::Place,
    stranger,
};

#[tokio::test(flavor = "multi_thread")]
async fn refuses_requests_for_blocks_with_fabrics_codes() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let (oldest, newest) = (Type::Oldest(SeekOldest {}), Type::Newest(SeekNewest {}));
    let at = |number| Type::Specified(SeekSpecified { number });
    let channel = client.channel.as_str();
    let foreigner = client.become_another(stranger::of_another_authority("Org9MSP"));
    let expired = client.become_another(stranger::expired(&windlass.ready));
    let mut forged = seek(&client, channel, oldest, newest);
    forged.signature = client.identity.sign(b"something else").into();
    for (name, request, status) in [
        ("an unknown channel", seek(&client, "nochannel", oldest, newest), Status::NotFound),
        ("a block that is not there", seek(&client, channel, at(99), at(99)), Status::NotFound),
        ("backwards", seek(&client, channel, at(2), at(1)), Status::BadRequest),
        ("garbage", Envelope { payload: "x".into(), signature: "x".into() }, Status::BadRequest),
        ("forged", forged, Status::Forbidden),
        ("a foreigner", seek(&foreigner, channel, oldest, newest), Status::Forbidden),
        ("expired", seek(&expired, channel, oldest, newest), Status::Forbidden),
    ] {
        assert_eq!(refusal(&client, request).await, status, "{name}");
    }
    windlass.stop();
}
