//! Whom the Gateway asks, and what it says when that is not enough.

use tonic::Code;
use windlass_identity::policy::text;
use windlass_proto::{Bytes, protos::TxValidationCode};

use crate::{
    chaincode::Served,
    client::{call, details, refused},
    network::{CHANNEL, Definition, Network, org},
};

const ALL: [usize; 3] = [0, 1, 2];

#[tokio::test(flavor = "multi_thread")]
async fn collects_the_endorsements_that_each_policy_asks_for() {
    let mut network = Network::start(3).await;
    for (name, policy) in [
        ("and", Some("AND('Org1MSP.peer', 'Org3MSP.peer')")),
        ("or", Some("OR('Org1MSP.peer', 'Org2MSP.peer')")),
        ("foreign", Some("OR('Org2MSP.peer', AND('Org2MSP.member', 'Org3MSP.peer'))")),
        ("some", Some("OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")),
        ("majority", None),
    ] {
        network.deploy(&Definition::new(name, policy), &ALL).await;
    }
    let user = network.user(0).await;
    for (name, expected) in [
        ("and", &[&["Org1MSP", "Org3MSP"][..]][..]),
        ("or", &[&["Org1MSP"]]),
        ("foreign", &[&["Org2MSP"]]),
        ("some", &[&["Org1MSP", "Org2MSP"], &["Org1MSP", "Org3MSP"]]),
        ("majority", &[&["Org1MSP", "Org2MSP"], &["Org1MSP", "Org3MSP"]]),
    ] {
        for function in [&["put", "key"][..], &["noop"]] {
            let endorsed = user.endorse(&call(CHANNEL, name, function), &[]).await.expect(name);
            assert!(
                expected.contains(&&*endorsed.by().iter().map(String::as_str).collect::<Vec<_>>()),
                "{name}: {:?}",
                endorsed.by()
            );
            assert_eq!(endorsed.result(), name);
            assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::Valid, "{name}");
        }
    }
    // Chaincode that calls chaincode is under both policies.
    let both = user.endorse(&call(CHANNEL, "or", &["other", "foreign", "k"]), &[]).await.expect("endorsed");
    assert!(both.by().contains(&org(1)), "{:?}", both.by());
    assert_eq!(network.submit(&user, &both).await, TxValidationCode::Valid);
    // A client of another organization gets what is nearest to it.
    let third = network.user(2).await;
    let endorsed = third.endorse(&call(CHANNEL, "some", &["put", "other"]), &[]).await.expect("endorsed");
    assert!(endorsed.by().contains(&org(2)), "{:?}", endorsed.by());
    network.assert_ledgers_agree();
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_those_that_a_key_or_a_collection_wants() {
    let mut network = Network::start(3).await;
    network.deploy(&Definition::new("basic", Some("OR('Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")), &ALL).await;
    let user = network.user(0).await;
    let mut guard = call(CHANNEL, "basic", &["guard", "key"]);
    let policy = text::parse("AND('Org2MSP.peer', 'Org3MSP.peer')").expect("a policy");
    guard.args.push(Bytes::from(prost::Message::encode_to_vec(&policy)));
    // Only a key that has a value can have a policy.
    let put = call(CHANNEL, "basic", &["put", "key"]);
    for first in [&put, &guard] {
        let endorsed = user.endorse(first, &[]).await.expect("endorsed");
        assert_eq!(endorsed.by(), ["Org1MSP"]);
        assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::Valid);
    }
    let endorsed = user.endorse(&put, &[]).await.expect("endorsed");
    assert_eq!(endorsed.by(), ["Org2MSP", "Org3MSP"]);
    assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::Valid);
    let endorsed = user.endorse(&put, &["Org1MSP"]).await.expect("endorsed");
    assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::EndorsementPolicyFailure);
    network.assert_ledgers_agree();
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn honours_the_organizations_that_a_client_names() {
    let mut network = Network::start(3).await;
    network.deploy(&Definition::new("basic", None), &ALL).await;
    let user = network.user(0).await;
    let put = call(CHANNEL, "basic", &["put", "key"]);
    let endorsed = user.endorse(&put, &["Org3MSP", "Org2MSP", "Org3MSP"]).await.expect("endorsed");
    assert_eq!(endorsed.by(), ["Org2MSP", "Org3MSP"]);
    assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::Valid);
    let endorsed = user.endorse(&put, &["Org3MSP"]).await.expect("endorsed");
    assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::EndorsementPolicyFailure);
    let (code, text) = refused(user.endorse(&put, &["Org8MSP", "Org1MSP", "Org9MSP"]).await);
    assert_eq!(code, Code::Unavailable);
    assert_eq!(text, "failed to find any endorsing peers for org(s): Org8MSP, Org9MSP");

    let failing = call(CHANNEL, "basic", &["fail"]);
    let status = user.endorse(&failing, &["Org2MSP"]).await.err().expect("refused");
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(
        status.message(),
        "failed to collect enough transaction endorsements, see attached details for more info"
    );
    assert_eq!(details(&status), [(org(1), "chaincode response 500, no function fail".to_owned())]);
    let status = user.endorse(&failing, &[]).await.err().expect("refused");
    assert_eq!(status.message(), "failed to endorse transaction, see attached details for more info");
    assert_eq!(details(&status), [(org(0), "chaincode response 500, no function fail".to_owned())]);

    let target = |organization| user.evaluate(&put, organization);
    assert_eq!(target(&["Org3MSP"]).await.expect("an answer").payload, "basic");
    let (code, text) = refused(target(&["Org9MSP"]).await);
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(text, "no peers available to evaluate chaincode basic in channel ch");
    let status = user.evaluate(&failing, &["Org2MSP"]).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unknown);
    assert_eq!(status.message(), "evaluate call to endorser returned error: chaincode response 500, no function fail");
    assert_eq!(details(&status)[0].0, org(1));
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_results_that_differ() {
    let mut network = Network::start(2).await;
    let definition = Definition::new("basic", Some("AND('Org1MSP.peer', 'Org2MSP.peer')"));
    for organization in [0, 1] {
        let served = Served::start("basic", &format!("as {organization} sees it")).await;
        let package = network.keep(served);
        network.install(organization, &package).await;
        network.approve(organization, &definition, Some(package.id.as_str())).await;
    }
    network.commit(&definition).await;
    let status = network.user(0).await.endorse(&call(CHANNEL, "basic", &["put", "key"]), &[]).await;
    let status = status.err().expect("refused");
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(
        status.message(),
        "failed to collect enough transaction endorsements, see attached details for more info"
    );
    assert_eq!(details(&status), [(org(1), "ProposalResponsePayloads do not match".to_owned())]);
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_without_a_peer_as_long_as_policies_allow() {
    let mut network = Network::start(3).await;
    network.deploy(&Definition::new("all", Some("AND('Org1MSP.peer', 'Org3MSP.peer')")), &ALL).await;
    network.deploy(&Definition::new("some", None), &ALL).await;
    let user = network.user(0).await;
    // Connections to all of them are there.
    user.endorse(&call(CHANNEL, "all", &["put", "key"]), &[]).await.expect("endorsed");
    network.stop(2).await;
    let (code, text) = refused(user.endorse(&call(CHANNEL, "all", &["put", "key"]), &[]).await);
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(
        text,
        "no combination of peers can be derived which satisfy the endorsement policy: no peer combination can satisfy the endorsement policy"
    );
    let endorsed = user.endorse(&call(CHANNEL, "some", &["put", "key"]), &[]).await.expect("endorsed");
    assert_eq!(endorsed.by(), ["Org1MSP", "Org2MSP"]);
    assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::Valid);
    network.assert_ledgers_agree();
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn knows_who_has_the_chaincode() {
    let mut network = Network::start(3).await;
    network.deploy(&Definition::new("basic", Some("OR('Org2MSP.peer', 'Org1MSP.peer')")), &[1]).await;
    network.deploy(&Definition::new("both", Some("AND('Org1MSP.peer', 'Org3MSP.peer')")), &[0]).await;
    let user = network.user(0).await;
    let mut put = call(CHANNEL, "basic", &["put", "key"]);
    let endorsed = user.endorse(&put, &[]).await.expect("endorsed by another organization");
    assert_eq!(endorsed.by(), ["Org2MSP"]);
    assert_eq!(network.submit(&user, &endorsed).await, TxValidationCode::Valid);
    assert_eq!(user.evaluate(&put, &[]).await.expect("an answer").payload, "basic");

    // Transient data does not leave the organization unless the client says where to.
    put.transient.insert("secret".into(), "x".into());
    let (code, text) = refused(user.endorse(&put, &[]).await);
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(
        text,
        "no endorsers found in the gateway's organization; retry specifying endorsing organization(s) to protect transient data"
    );
    let (code, text) = refused(user.evaluate(&put, &[]).await);
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(
        text,
        "no endorsers found in the gateway's organization; retry specifying target organization(s) to protect transient data: no peers available to evaluate chaincode basic in channel ch"
    );
    assert!(user.evaluate(&put, &["Org2MSP"]).await.is_ok());
    assert!(user.endorse(&put, &["Org2MSP"]).await.is_ok());

    let (code, text) = refused(user.endorse(&call(CHANNEL, "both", &["put", "key"]), &[]).await);
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(
        text,
        "no combination of peers can be derived which satisfy the endorsement policy: required chaincodes are not installed on sufficient peers"
    );
    let (code, text) = refused(user.endorse(&call(CHANNEL, "nope", &["put"]), &[]).await);
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(
        text,
        "no combination of peers can be derived which satisfy the endorsement policy: No metadata was found for chaincode nope in channel ch"
    );
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_the_peers_that_cannot_be_reached() {
    let mut network = Network::start(3).await;
    network.deploy(&Definition::new("both", Some("AND('Org1MSP.peer', 'Org2MSP.peer')")), &ALL).await;
    network.deploy(&Definition::new("some", None), &ALL).await;
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let nowhere = format!("localhost:{}", nowhere.expect("a free port").port());
    network.rumour(1, Some(&nowhere));
    let user = network.user(0).await;
    let (code, text) = refused(user.endorse(&call(CHANNEL, "both", &["put", "key"]), &[]).await);
    assert_eq!(code, Code::FailedPrecondition);
    assert_eq!(
        text,
        format!(
            "failed to select a set of endorsers that satisfy the endorsement policy due to unavailability of peers: [{nowhere}]"
        )
    );
    let status = user.endorse(&call(CHANNEL, "both", &["put", "key"]), &["Org2MSP"]).await.err().expect("refused");
    assert_eq!(status.code(), Code::Aborted);
    let (msp_id, message) = details(&status).remove(0);
    assert_eq!(msp_id, org(1));
    assert!(message.starts_with("rpc error: code = Unavailable desc = connection error: desc = \""), "{message}");
    let status = user.evaluate(&call(CHANNEL, "both", &["put", "key"]), &["Org2MSP"]).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "failed to evaluate transaction, see attached details for more info");
    let endorsed = user.endorse(&call(CHANNEL, "some", &["put", "key"]), &[]).await.expect("endorsed");
    assert_eq!(endorsed.by(), ["Org1MSP", "Org3MSP"]);

    network.rumour(1, None);
    let endorsed = user.endorse(&call(CHANNEL, "both", &["put", "key"]), &[]).await.expect("endorsed");
    assert_eq!(endorsed.by(), ["Org1MSP", "Org2MSP"]);
    network.end().await;
}
