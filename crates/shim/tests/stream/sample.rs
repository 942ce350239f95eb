//! The bundled sample, on a ledger that is a map.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use windlass_proto::{
    protos::{
        ChaincodeEvent, DelState, GetState, GetStateByRange, PutState, QueryResponse, QueryResultBytes,
        chaincode_message::Type,
    },
    queryresult::Kv,
};
use windlass_shim::{Response, sample::AssetLedger};

use crate::peer::{Peer, Way};

/// A registered sample and its state.
struct Ledger {
    peer: Peer,
    state: BTreeMap<String, Bytes>,
    event: Option<ChaincodeEvent>,
}

impl Ledger {
    async fn new() -> Self {
        let peer = Peer::ready(Way::PeerDials, AssetLedger).await;
        Self { peer, state: BTreeMap::new(), event: None }
    }

    async fn submit(&mut self, args: &[&str]) -> Response {
        self.call(Type::Transaction, args).await
    }

    async fn call(&mut self, kind: Type, args: &[&str]) -> Response {
        self.peer.call(kind, "tx", args, None).await;
        loop {
            let message = self.peer.next().await.expect("an open stream").expect("a message");
            let payload = message.payload.clone();
            let answer: Bytes = match message.r#type() {
                Type::GetState => {
                    let get = GetState::decode(payload).expect("GetState");
                    self.state.get(&get.key).cloned().unwrap_or_default()
                }
                Type::PutState => {
                    let put = PutState::decode(payload).expect("PutState");
                    self.state.insert(put.key, put.value);
                    Bytes::new()
                }
                Type::DelState => {
                    self.state.remove(&DelState::decode(payload).expect("DelState").key);
                    Bytes::new()
                }
                Type::GetStateByRange => {
                    let range = GetStateByRange::decode(payload).expect("GetStateByRange");
                    self.rows(range).encode_to_vec().into()
                }
                Type::Completed => {
                    self.event = message.chaincode_event;
                    return windlass_proto::protos::Response::decode(payload).expect("a response").into();
                }
                other => panic!("unexpected {other:?}"),
            };
            self.peer.answer(&message, answer).await;
        }
    }

    fn rows(&self, range: GetStateByRange) -> QueryResponse {
        let inside = self.state.range(range.start_key..);
        let row = |(key, value): (&String, &Bytes)| {
            let kv = Kv { namespace: String::new(), key: key.clone(), value: value.clone() };
            QueryResultBytes { result_bytes: kv.encode_to_vec().into() }
        };
        QueryResponse { results: inside.map(row).collect(), id: "i".into(), ..Default::default() }
    }
}

const ASSET: &str = r#"{"AppraisedValue":7,"Color":"pink","ID":"a","Owner":"Ann","Size":3}"#;

#[tokio::test]
async fn keeps_assets() {
    let mut ledger = Ledger::new().await;
    assert_eq!(ledger.submit(&["CreateAsset", "a", "pink", "3", "Ann", "7"]).await, Response::ok(ASSET));
    let event = ledger.event.take().expect("an event");
    assert_eq!((event.event_name.as_str(), event.payload), ("CreateAsset", Bytes::from(ASSET)));
    assert_eq!(ledger.submit(&["ReadAsset", "a"]).await, Response::ok(ASSET));
    assert_eq!(ledger.submit(&["AssetExists", "a"]).await, Response::ok("true"));
    assert_eq!(ledger.submit(&["TransferAsset", "a", "Bob"]).await, Response::ok("Ann"));
    let bobs = ASSET.replace("Ann", "Bob");
    assert_eq!(ledger.submit(&["ReadAsset", "a"]).await, Response::ok(bobs));
    assert_eq!(ledger.submit(&["UpdateAsset", "a", "pink", "3", "Ann", "7"]).await, Response::ok(ASSET));
    assert_eq!(ledger.submit(&["DeleteAsset", "a"]).await, Response::ok(""));
    assert_eq!(ledger.submit(&["AssetExists", "a"]).await, Response::ok("false"));
}

#[tokio::test]
async fn lists_assets_and_nothing_else() {
    let mut ledger = Ledger::new().await;
    assert_eq!(ledger.call(Type::Init, &[]).await, Response::ok(""));
    assert_eq!(ledger.submit(&["InitLedger"]).await, Response::ok(""));
    assert_eq!(ledger.submit(&["Put", "b", "no asset"]).await, Response::ok(""));
    assert_eq!(ledger.submit(&["Get", "b"]).await, Response::ok("no asset"));
    let all = ledger.submit(&["GetAllAssets"]).await;
    let text = String::from_utf8(all.payload.to_vec()).expect("UTF-8");
    assert_eq!(text.matches("\"ID\"").count(), 6, "{text}");
    assert!(text.starts_with("[{\"AppraisedValue\":300,\"Color\":\"blue\",\"ID\":\"asset1\""), "{text}");
    assert_eq!(ledger.submit(&["Noop", "anything"]).await, Response::ok(""));
}

#[tokio::test]
async fn says_what_is_wrong_with_a_call() {
    let mut ledger = Ledger::new().await;
    ledger.submit(&["CreateAsset", "a", "pink", "3", "Ann", "7"]).await;
    for (args, message) in [
        (&["CreateAsset", "a", "pink", "3", "Ann", "7"][..], "the asset a already exists"),
        (&["ReadAsset", "b"], "the asset b does not exist"),
        (&["UpdateAsset", "b", "pink", "3", "Ann", "7"], "the asset b does not exist"),
        (&["DeleteAsset", "b"], "the asset b does not exist"),
        (&["TransferAsset", "b", "Bob"], "the asset b does not exist"),
        (&["CreateAsset", "b"], "CreateAsset takes 5 parameters, found 1"),
        (&["CreateAsset", "b", "pink", "big", "Ann", "7"], "size must be a whole number, found \"big\""),
        (&["Get", "b"], "the key b does not exist"),
    ] {
        assert_eq!(ledger.submit(args).await, Response::error(message), "{args:?}");
        assert!(ledger.event.is_none());
    }
    let unknown = ledger.submit(&["Fly"]).await;
    assert!(unknown.message.starts_with("no function \"Fly\": this chaincode has InitLedger, "), "{unknown:?}");
}
