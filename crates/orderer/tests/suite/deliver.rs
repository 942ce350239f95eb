//! Deliver: every status, every position, every way to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use windlass_identity::{ChannelConfig, SigningIdentity};
use windlass_orderer::deliver::{
    BlockSource, DeliverOptions, DeliverRequest, DeliverService, Refusal, SourceError, TlsBinding, serve,
};
use windlass_proto::{
    common::{Block, BlockData, BlockHeader, ChannelHeader, Envelope, Header, HeaderType, Payload, Status},
    orderer::{
        SeekInfo, SeekNewest, SeekNextCommit, SeekOldest, SeekPosition, SeekSpecified, deliver_response,
        seek_info::{SeekBehavior, SeekContentType, SeekErrorResponse},
        seek_position::Type,
    },
};

use crate::network::{CHANNEL, Network, Org, connect, header, seal, signed};

const MAX: u64 = u64::MAX;

/// A channel in memory.
#[derive(Clone)]
struct Source {
    config: Arc<Mutex<Arc<ChannelConfig>>>,
    heights: watch::Receiver<u64>,
    available: Arc<AtomicBool>,
    genesis: Arc<Block>,
}

impl BlockSource for Source {
    type Beside = ();

    fn config(&self) -> Arc<ChannelConfig> {
        self.config.lock().clone()
    }

    fn heights(&self) -> watch::Receiver<u64> {
        self.heights.clone()
    }

    async fn block(&self, number: u64) -> Result<Option<(Arc<Block>, ())>, SourceError> {
        let block = match number {
            0 => self.genesis.clone(),
            13 => return Err(SourceError("unreadable".into())),
            14 => return Ok(None),
            _ => Arc::new(Block {
                header: Some(BlockHeader { number, ..Default::default() }),
                data: Some(BlockData { data: vec!["data".into()] }),
                metadata: None,
            }),
        };
        Ok(Some((block, ())))
    }

    fn is_available(&self) -> bool {
        self.available.load(Ordering::Relaxed)
    }
}

struct Service {
    source: Source,
    refuse: AtomicBool,
}

/// What was sent, in short.
#[derive(Debug, PartialEq)]
enum Sent {
    Block(u64),
    Bare(u64),
    Status(Status),
}

impl DeliverService for Service {
    type Source = Source;
    type Response = Sent;

    fn channel(&self, channel: &str) -> Option<Source> {
        (channel == CHANNEL).then(|| self.source.clone())
    }

    fn authorize(&self, config: &ChannelConfig, request: &DeliverRequest) -> Result<(), Refusal> {
        if self.refuse.load(Ordering::Relaxed) {
            return Err(Refusal("refused".into()));
        }
        config
            .policies()
            .evaluate("/Channel/Readers", config.msps(), std::slice::from_ref(&request.signed))
            .map_err(|error| Refusal(error.to_string()))
    }

    fn status(&self, status: Status) -> Sent {
        Sent::Status(status)
    }

    fn block(&self, _: &Source, block: Arc<Block>, (): (), _: &DeliverRequest) -> Sent {
        let number = block.header.as_ref().expect("a header").number;
        if block.data.is_some() { Sent::Block(number) } else { Sent::Bare(number) }
    }
}

/// A service over a channel of `height` blocks.
struct Fixture {
    network: Network,
    service: Arc<Service>,
    heights: watch::Sender<u64>,
}

impl Fixture {
    fn new(height: u64) -> Self {
        let network = Network::new();
        let config = ChannelConfig::from_block(&network.genesis).expect("a configuration");
        let (sender, heights) = watch::channel(height);
        let source = Source {
            config: Arc::new(Mutex::new(Arc::new(config))),
            heights,
            available: Arc::new(AtomicBool::new(true)),
            genesis: Arc::new(network.genesis.clone()),
        };
        let service = Arc::new(Service { source, refuse: AtomicBool::new(false) });
        Self { network, service, heights: sender }
    }

    fn serve(&self, requests: Vec<Envelope>) -> impl Stream<Item = Sent> + Send + use<> {
        let requests = stream::iter(requests).map(Ok);
        serve(self.service.clone(), requests, DeliverOptions::default()).map(|sent| sent.expect("a response"))
    }

    /// Everything that is sent for one request.
    async fn ask(&self, request: Envelope) -> Vec<Sent> {
        let sent = self.serve(vec![request]).collect();
        tokio::time::timeout(Duration::from_secs(20), sent).await.expect("an end in time")
    }

    async fn seek(&self, seek: SeekInfo) -> Vec<Sent> {
        self.ask(request(&self.network.client, seek)).await
    }
}

fn request(creator: &SigningIdentity, seek: SeekInfo) -> Envelope {
    signed(creator, HeaderType::DeliverSeekInfo, CHANNEL, seek.encode_to_vec().into())
}

fn at(number: u64) -> Type {
    Type::Specified(SeekSpecified { number })
}

const OLDEST: Type = Type::Oldest(SeekOldest {});
const NEWEST: Type = Type::Newest(SeekNewest {});
const NEXT: Type = Type::NextCommit(SeekNextCommit {});

fn seek(start: Type, stop: Type) -> SeekInfo {
    let position = |r#type| Some(SeekPosition { r#type: Some(r#type) });
    SeekInfo { start: position(start), stop: position(stop), ..Default::default() }
}

fn ready(start: Type, stop: Type) -> SeekInfo {
    SeekInfo { behavior: SeekBehavior::FailIfNotReady as i32, ..seek(start, stop) }
}

/// The numbers that are sent, and the status at the end.
fn sent(numbers: impl IntoIterator<Item = u64>, status: Status) -> Vec<Sent> {
    numbers.into_iter().map(Sent::Block).chain([Sent::Status(status)]).collect()
}

#[tokio::test]
async fn answers_positions_by_the_table() {
    let fixture = Fixture::new(5);
    let none = SeekInfo::default();
    let untyped = SeekInfo { start: Some(SeekPosition { r#type: None }), ..seek(OLDEST, OLDEST) };
    for (name, seek, expected) in [
        ("all", seek(OLDEST, NEWEST), sent(0..5, Status::Success)),
        ("the newest once", seek(NEWEST, NEWEST), sent([4], Status::Success)),
        ("the oldest once", seek(OLDEST, OLDEST), sent([0], Status::Success)),
        ("a range", seek(at(1), at(3)), sent(1..4, Status::Success)),
        ("one", seek(at(2), at(2)), sent([2], Status::Success)),
        ("stop oldest is the start", seek(at(3), OLDEST), sent([3], Status::Success)),
        ("to the newest at request time", seek(at(3), NEWEST), sent([3, 4], Status::Success)),
        ("no positions", none, sent([], Status::BadRequest)),
        ("no stop", SeekInfo { stop: None, ..seek(OLDEST, OLDEST) }, sent([], Status::BadRequest)),
        ("a position without a type", untyped, sent([], Status::BadRequest)),
        ("stop before start", seek(at(3), at(2)), sent([], Status::BadRequest)),
        ("stop before the newest", seek(NEWEST, at(3)), sent([], Status::BadRequest)),
        ("start beyond the height", seek(at(6), at(MAX)), sent([], Status::NotFound)),
        ("start at the end of numbers", seek(at(MAX), at(MAX)), sent([], Status::NotFound)),
        ("beyond the tip, not waiting", ready(at(5), at(5)), sent([], Status::NotFound)),
        ("the next one, not waiting", ready(NEXT, at(MAX)), sent([], Status::NotFound)),
        ("running beyond the tip, not waiting", ready(at(3), at(9)), sent([3, 4], Status::NotFound)),
        ("all there is, not waiting", ready(OLDEST, NEWEST), sent(0..5, Status::Success)),
        ("next as stop is block zero", seek(OLDEST, NEXT), sent([0], Status::Success)),
    ] {
        assert_eq!(fixture.seek(seek).await, expected, "{name}");
    }
}

#[tokio::test]
async fn refuses_requests_in_the_order_of_the_table() {
    let fixture = Fixture::new(5);
    let client = &fixture.network.client;
    let all = seek(OLDEST, NEWEST);
    let data: Bytes = all.encode_to_vec().into();
    let with_header = |change: &dyn Fn(&mut ChannelHeader)| {
        let mut channel_header = ChannelHeader {
            r#type: HeaderType::DeliverSeekInfo as i32,
            timestamp: Some(SystemTime::now().into()),
            channel_id: CHANNEL.into(),
            ..Default::default()
        };
        change(&mut channel_header);
        let header = Header {
            channel_header: channel_header.encode_to_vec().into(),
            ..header(client, HeaderType::DeliverSeekInfo, CHANNEL)
        };
        seal(client, Payload { header: Some(header), data: data.clone() })
    };
    let shifted = |seconds: i64| {
        with_header(&|header| {
            let timestamp = header.timestamp.as_mut().expect("a timestamp");
            timestamp.seconds += seconds;
        })
    };
    let garbage = Envelope { payload: Bytes::from_static(&[0xff]), ..Default::default() };
    let expired = fixture.network.org1.identity_for("client", Duration::ZERO);
    let stranger = Org::new("Org3MSP").identity("client");
    let mut forged = request(client, all);
    forged.signature = client.sign(b"something else").into();
    let no_seek = |channel: &str| signed(client, HeaderType::DeliverSeekInfo, channel, Bytes::from_static(&[0xff]));
    let no_header = seal(client, Payload { header: None, data: data.clone() });
    let empty_header = seal(client, Payload { header: Some(Header::default()), data: data.clone() });
    let bad_header = {
        let header = Header { channel_header: Bytes::from_static(&[0xff]), ..Default::default() };
        seal(client, Payload { header: Some(header), data: data.clone() })
    };
    for (name, envelope, status) in [
        ("garbage", garbage, Status::BadRequest),
        ("no header", no_header, Status::BadRequest),
        ("an empty channel header", empty_header, Status::BadRequest),
        ("an unreadable channel header", bad_header, Status::BadRequest),
        ("no timestamp", with_header(&|header| header.timestamp = None), Status::BadRequest),
        ("too old", shifted(-16 * 60), Status::BadRequest),
        ("from the future", shifted(16 * 60), Status::BadRequest),
        (
            "no timestamp and an unknown channel",
            with_header(&|header| {
                header.timestamp = None;
                header.channel_id = "nochannel".into();
            }),
            Status::BadRequest,
        ),
        ("an unknown channel", with_header(&|header| header.channel_id = "nochannel".into()), Status::NotFound),
        ("an unknown channel, and no seek info", no_seek("nochannel"), Status::NotFound),
        ("no seek info", no_seek(CHANNEL), Status::BadRequest),
        ("expired", request(&expired, all), Status::Forbidden),
        ("a stranger", request(&stranger, all), Status::Forbidden),
        ("a stranger without positions", request(&stranger, SeekInfo::default()), Status::Forbidden),
        ("forged", forged, Status::Forbidden),
    ] {
        assert_eq!(fixture.ask(envelope).await, [Sent::Status(status)], "{name}");
    }
    for (name, envelope) in [
        ("a bit old", shifted(-14 * 60)),
        ("a bit ahead", shifted(14 * 60)),
        ("another type", with_header(&|header| header.r#type = HeaderType::Message as i32)),
    ] {
        assert_eq!(fixture.ask(envelope).await, sent(0..5, Status::Success), "{name}");
    }
}

#[tokio::test]
async fn serves_a_failed_channel_only_to_those_who_insist() {
    let fixture = Fixture::new(2);
    fixture.service.source.available.store(false, Ordering::Relaxed);
    let strict = seek(OLDEST, NEWEST);
    assert_eq!(fixture.seek(strict).await, sent([], Status::ServiceUnavailable));
    let stranger = Org::new("Org3MSP").identity("client");
    let refused = fixture.ask(request(&stranger, strict)).await;
    assert_eq!(refused, sent([], Status::ServiceUnavailable), "before access is checked");
    let insisting = SeekInfo { error_response: SeekErrorResponse::BestEffort as i32, ..strict };
    assert_eq!(fixture.seek(insisting).await, sent([0, 1], Status::Success));
}

#[tokio::test]
async fn ends_with_the_channel() {
    let Fixture { network, service, heights } = Fixture::new(1);
    let requests = stream::iter([Ok(request(&network.client, seek(OLDEST, at(MAX))))]);
    let mut responses = Box::pin(serve(service, requests, DeliverOptions::default()));
    assert_eq!(responses.next().await.expect("a response").expect("a response"), Sent::Block(0));
    drop(heights);
    let last = responses.next().await.expect("a response").expect("a response");
    assert_eq!(last, Sent::Status(Status::ServiceUnavailable));
    assert!(responses.next().await.is_none());
}

#[tokio::test]
async fn reports_blocks_that_cannot_be_had() {
    for number in [13, 14] {
        let fixture = Fixture::new(20);
        let expected = sent([12].into_iter().take(usize::from(number == 13)), Status::InternalServerError);
        let start = if number == 13 { 12 } else { 14 };
        assert_eq!(fixture.seek(seek(at(start), at(15))).await, expected, "{number}");
    }
}

#[tokio::test]
async fn waits_for_blocks_to_come() {
    let fixture = Fixture::new(2);
    let mut responses = Box::pin(fixture.serve(vec![request(&fixture.network.client, seek(NEXT, at(3)))]));
    assert!(futures::poll!(responses.next()).is_pending());
    fixture.heights.send_replace(3);
    assert_eq!(responses.next().await, Some(Sent::Block(2)));
    assert!(futures::poll!(responses.next()).is_pending());
    fixture.heights.send_replace(10);
    assert_eq!(responses.next().await, Some(Sent::Block(3)));
    assert_eq!(responses.next().await, Some(Sent::Status(Status::Success)));
    assert_eq!(responses.next().await, None);
}

#[tokio::test]
async fn waits_for_the_block_at_the_height() {
    let fixture = Fixture::new(2);
    let mut responses = Box::pin(fixture.serve(vec![request(&fixture.network.client, seek(at(2), at(2)))]));
    assert!(futures::poll!(responses.next()).is_pending());
    fixture.heights.send_replace(3);
    assert_eq!(responses.next().await, Some(Sent::Block(2)));
}

#[tokio::test]
async fn takes_another_request_after_success_but_not_after_a_refusal() {
    let fixture = Fixture::new(3);
    let ask = |seek| request(&fixture.network.client, seek);
    let requests =
        vec![ask(seek(at(1), at(1))), ask(seek(NEWEST, NEWEST)), ask(SeekInfo::default()), ask(seek(at(0), at(0)))];
    let responses: Vec<_> = fixture.serve(requests).collect().await;
    let success = || Sent::Status(Status::Success);
    let expected = [Sent::Block(1), success(), Sent::Block(2), success(), Sent::Status(Status::BadRequest)];
    assert_eq!(responses, expected);
}

#[tokio::test]
async fn passes_on_the_clients_error_and_ends() {
    let fixture = Fixture::new(3);
    let requests = stream::iter([Err(tonic::Status::cancelled("gone"))]);
    let responses: Vec<_> = serve(fixture.service.clone(), requests, DeliverOptions::default()).collect().await;
    assert_eq!(responses.len(), 1);
    assert_eq!(responses[0].as_ref().expect_err("an error").code(), tonic::Code::Cancelled);
}

#[tokio::test]
async fn asks_again_for_access_only_when_the_configuration_has_changed() {
    let fixture = Fixture::new(3);
    let client = &fixture.network.client;
    let mut responses = Box::pin(fixture.serve(vec![request(client, seek(OLDEST, at(MAX)))]));
    assert_eq!(responses.next().await, Some(Sent::Block(0)));
    fixture.service.refuse.store(true, Ordering::Relaxed);
    assert_eq!(responses.next().await, Some(Sent::Block(1)), "the configuration is the same");
    let current = fixture.service.source.config();
    let mut config = current.config().clone();
    config.sequence += 1;
    let next = ChannelConfig::from_config(CHANNEL, &config).expect("a configuration");
    *fixture.service.source.config.lock() = Arc::new(next);
    assert_eq!(responses.next().await, Some(Sent::Status(Status::Forbidden)));
    assert_eq!(responses.next().await, None);
}

#[tokio::test]
async fn ends_a_session_when_the_identity_expires() {
    let fixture = Fixture::new(1);
    // Certificates know whole seconds.
    let validity = Duration::from_secs(2);
    let client = fixture.network.org1.identity_for("client", validity);
    let mut responses = Box::pin(fixture.serve(vec![request(&client, seek(OLDEST, at(MAX)))]));
    assert_eq!(responses.next().await, Some(Sent::Block(0)));
    tokio::time::sleep(validity).await;
    fixture.heights.send_replace(2);
    assert_eq!(responses.next().await, Some(Sent::Status(Status::Forbidden)));
}

#[tokio::test]
async fn leaves_data_out_when_only_headers_are_wanted() {
    let fixture = Fixture::new(3);
    let headers = SeekInfo { content_type: SeekContentType::HeaderWithSig as i32, ..seek(OLDEST, NEWEST) };
    let success = Sent::Status(Status::Success);
    // Block zero is a configuration, which is always whole.
    assert_eq!(fixture.seek(headers).await, [Sent::Block(0), Sent::Bare(1), Sent::Bare(2), success]);
}

#[tokio::test]
async fn checks_the_binding_to_the_connection_when_it_has_to() {
    let fixture = Fixture::new(1);
    let client = &fixture.network.client;
    let bound = |hash: &[u8]| {
        let mut header = header(client, HeaderType::DeliverSeekInfo, CHANNEL);
        let mut channel_header = ChannelHeader::decode(header.channel_header).expect("a header");
        channel_header.tls_cert_hash = Bytes::copy_from_slice(hash);
        header.channel_header = channel_header.encode_to_vec().into();
        seal(client, Payload { header: Some(header), data: seek(OLDEST, OLDEST).encode_to_vec().into() })
    };
    let digest = [7; 32];
    for (name, binding, hash, status) in [
        ("unchecked", TlsBinding::Unchecked, &[][..], Status::Success),
        ("unchecked, though given", TlsBinding::Unchecked, &digest[..], Status::Success),
        ("the connection's", TlsBinding::Certificate(Some(digest)), &digest[..], Status::Success),
        ("another's", TlsBinding::Certificate(Some([8; 32])), &digest[..], Status::BadRequest),
        ("none given", TlsBinding::Certificate(Some(digest)), &[], Status::BadRequest),
        ("no certificate", TlsBinding::Certificate(None), &[], Status::BadRequest),
    ] {
        let options = DeliverOptions { binding, ..Default::default() };
        let requests = stream::iter([Ok(bound(hash))]);
        let responses: Vec<_> = serve(fixture.service.clone(), requests, options).collect().await;
        let last = responses.last().expect("a response").as_ref().expect("a response");
        assert_eq!(*last, Sent::Status(status), "{name}");
    }
}

#[tokio::test]
async fn delivers_over_grpc_as_blocks_are_ordered() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let mut client = connect(&orderer).await;
    let (requests, receiver) = mpsc::channel(4);
    let peer = network.org2.identity("peer");
    requests.send(request(&peer, seek(OLDEST, at(1)))).await.expect("open");
    let mut responses = client.deliver(ReceiverStream::new(receiver)).await.expect("a stream").into_inner();
    let mut next = async || responses.next().await.expect("a response").expect("a response").r#type.expect("a type");
    assert_eq!(next().await, deliver_response::Type::Block(network.genesis.clone()));
    let message = network.message("one");
    orderer.broadcast(message.clone()).await;
    let deliver_response::Type::Block(block) = next().await else { panic!("a block") };
    assert_eq!(crate::network::messages(&block), [message]);
    assert_eq!(next().await, deliver_response::Type::Status(Status::Success as i32));
    requests.send(request(&Org::new("Org3MSP").identity("client"), seek(OLDEST, OLDEST))).await.expect("open");
    assert_eq!(next().await, deliver_response::Type::Status(Status::Forbidden as i32));
    assert!(responses.next().await.is_none());
}

#[tokio::test]
async fn tells_grpc_readers_that_the_channel_has_stopped() {
    let (network, folder) = (Network::new(), tempfile::tempdir().expect("a folder"));
    let orderer = network.start(folder.path());
    let mut client = connect(&orderer).await;
    let requests = stream::iter([request(&network.client, seek(NEWEST, at(MAX)))]);
    let mut responses = client.deliver(requests).await.expect("a stream").into_inner();
    responses.next().await.expect("a response").expect("a block");
    orderer.shutdown().await;
    let last = responses.next().await.expect("a response").expect("a status").r#type;
    assert_eq!(last, Some(deliver_response::Type::Status(Status::ServiceUnavailable as i32)));
}
