use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use windlass_chaincode::{
    system::{SystemCall, SystemChaincode},
    transaction::Transaction,
};
use windlass_proto::{lifecycle::QueryInstalledChaincodesArgs, protos::Response};

use crate::{
    config::Spec,
    network::{APPROVE, CHANNEL, COMMIT, Peer, READINESS, approval, commit_of, now, readiness_of},
};

fn invoke(peer: &Peer, channel: &str, args: &[&[u8]]) -> Response {
    let args = args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
    let simulation = (!channel.is_empty()).then(|| peer.ledger.simulate(&peer.msp_id));
    now(peer.invoke(channel, args, simulation))
}

fn failure(peer: &Peer, channel: &str, args: &[&[u8]]) -> String {
    let response = invoke(peer, channel, args);
    assert_eq!((response.status, response.payload.len()), (500, 0));
    response.message
}

#[test]
fn counts_the_arguments_first() {
    let peer = Peer::new();
    assert_eq!(failure(&peer, "nowhere", &[]), "lifecycle scc must be invoked with arguments");
    let text = "lifecycle scc operations require exactly two arguments but received";
    assert_eq!(failure(&peer, "nowhere", &[b"a"]), format!("{text} 1"));
    assert_eq!(failure(&peer, "nowhere", &[b"a", b"b", b"c"]), format!("{text} 3"));
}

#[test]
fn then_looks_at_the_channel() {
    let call: &[&[u8]] = &[b"QueryInstalledChaincodes", b""];
    assert_eq!(failure(&Peer::new(), "nowhere", call), "could not get channelconfig for channel 'nowhere'");
    let bare = Peer::on(&Spec { capability: "", ..Spec::default() });
    assert_eq!(failure(&bare, CHANNEL, call), "could not get application config for channel 'mychannel'");
    let old = Peer::on(&Spec { capability: "V1_4_2", ..Spec::default() });
    assert_eq!(
        failure(&old, CHANNEL, call),
        "cannot use new lifecycle for channel 'mychannel' as it does not have the required capabilities enabled"
    );
    let v2_0 = Peer::on(&Spec { capability: "V2_0", ..Spec::default() });
    assert_eq!(invoke(&v2_0, CHANNEL, call).status, 200);
}

#[test]
fn then_asks_for_access_by_function() {
    let peer = Peer::new();
    *peer.channels.refusal.lock() = Some("not you".to_owned());
    assert_eq!(
        failure(&peer, CHANNEL, &[b"CommitChaincodeDefinition", b"\xff"]),
        "Failed to authorize invocation due to failed ACL check: not you"
    );
    failure(&peer, "", &[b"QueryInstalledChaincodes", b""]);
    assert_eq!(
        *peer.channels.checks.lock(),
        [
            ("_lifecycle/CommitChaincodeDefinition".to_owned(), CHANNEL.to_owned()),
            ("_lifecycle/QueryInstalledChaincodes".to_owned(), String::new()),
        ]
    );
}

#[test]
fn refuses_a_transaction_without_proposal() {
    let peer = Peer::new();
    let transaction = Arc::new(Transaction {
        channel: String::new(),
        tx_id: "tx".to_owned(),
        proposal: None,
        called: "_lifecycle".to_owned(),
        simulation: None,
    });
    let args = vec![Bytes::from_static(b"QueryInstalledChaincodes"), Bytes::new()];
    let call = SystemCall { transaction, args, caller: None };
    let response = now(peer.lifecycle.invoke(call));
    assert!(response.message.starts_with("Failed getting signed proposal from stub: ["), "{}", response.message);
}

#[test]
fn then_looks_for_the_function_and_decodes_its_argument() {
    let peer = Peer::new();
    assert_eq!(
        failure(&peer, CHANNEL, &[b"Nonsense", b""]),
        "failed to invoke backing implementation of 'Nonsense': receiver *lifecycle.Invocation.Nonsense does not exist"
    );
    assert_eq!(
        failure(&peer, CHANNEL, &[b"CommitChaincodeDefinition", b"\xff"]),
        "failed to invoke backing implementation of 'CommitChaincodeDefinition': could not decode input arg for *lifecycle.Invocation.CommitChaincodeDefinition: proto: cannot parse invalid wire-format data"
    );
}

#[test]
fn functions_of_the_peer_need_no_channel() {
    let response =
        invoke(&Peer::new(), "", &[b"QueryInstalledChaincodes", &QueryInstalledChaincodesArgs {}.encode_to_vec()]);
    assert_eq!((response.status, response.payload.len()), (200, 0));
}

#[test]
fn functions_of_a_channel_fail_without_one() {
    let peer = Peer::new();
    let approval = approval("cc", 1);
    let query = windlass_proto::lifecycle::QueryChaincodeDefinitionArgs { name: "cc".to_owned() };
    let cases = [
        (
            APPROVE,
            approval.encode_to_vec(),
            "error validating chaincode definition: could not get channelconfig for channel ''",
        ),
        (
            COMMIT,
            commit_of(&approval).encode_to_vec(),
            "error validating chaincode definition: could not get channelconfig for channel ''",
        ),
        (READINESS, readiness_of(&approval).encode_to_vec(), "no application config for channel ''"),
        ("QueryChaincodeDefinition", query.encode_to_vec(), "no ledger context"),
        ("QueryChaincodeDefinitions", Vec::new(), "no ledger context"),
        ("QueryApprovedChaincodeDefinition", Vec::new(), "no ledger context"),
        ("QueryApprovedChaincodeDefinitions", Vec::new(), "no ledger context"),
    ];
    for (function, args, text) in cases {
        assert_eq!(
            failure(&peer, "", &[function.as_bytes(), &args]),
            format!("failed to invoke backing implementation of '{function}': {text}")
        );
    }
}
