//! Definitions that several organizations have to agree on.

use prost::Message;
use windlass_proto::{
    lifecycle::{CheckCommitReadinessArgs, CheckCommitReadinessResult},
    protos::TxValidationCode,
};

use crate::{
    client::{Client, call},
    network::{CHANNEL, Definition, Network, lifecycle_call, org},
};

/// Who agrees, and in what the others differ.
async fn readiness(client: &Client, definition: &Definition) -> (Vec<(String, bool)>, Vec<(String, Vec<String>)>) {
    let args = CheckCommitReadinessArgs {
        sequence: 1,
        name: definition.name.clone(),
        version: definition.version.clone(),
        validation_parameter: definition.policy.clone(),
        ..Default::default()
    };
    let answer = client.propose(&lifecycle_call(CHANNEL, "CheckCommitReadiness", &args)).await.expect("an answer");
    let payload = answer.response.expect("a response").payload;
    let result = CheckCommitReadinessResult::decode(payload).expect("a result");
    let mismatches = result.mismatches.into_iter().map(|(org, mismatches)| (org, mismatches.items));
    (result.approvals.into_iter().collect(), mismatches.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_when_a_majority_agrees_and_every_peer_says_the_same() {
    let network = Network::start(3).await;
    let agreed = Definition::new("basic", Some("OR('Org1MSP.peer', 'Org2MSP.peer')"));
    let other = Definition { version: "2.0".into(), ..Definition::new("basic", None) };
    network.approve(0, &agreed, None).await;
    network.approve(1, &other, None).await;
    for organization in 0..3 {
        let (approvals, mismatches) = readiness(&network.admin(organization).await, &agreed).await;
        assert_eq!(approvals, [(org(0), true), (org(1), false), (org(2), false)]);
        assert_eq!(
            mismatches,
            [
                (org(1), vec!["EndorsementInfo".to_owned(), "ValidationInfo".to_owned()]),
                (org(2), vec!["ChaincodeParameters".to_owned()]),
            ]
        );
    }

    // Org1 alone is no majority: it may endorse, but the transaction is invalid, for everyone.
    let admin = network.admin(0).await;
    let alone = admin.endorse(&agreed.commit(), &["Org1MSP"]).await.expect("endorsed");
    assert_eq!(network.submit(&admin, &alone).await, TxValidationCode::EndorsementPolicyFailure);
    // Who has not agreed does not endorse.
    let refused = admin.endorse(&agreed.commit(), &["Org1MSP", "Org2MSP"]).await.err().expect("refused");
    let (msp_id, message) = crate::client::details(&refused).remove(0);
    assert_eq!(msp_id, org(1));
    assert!(message.contains("chaincode definition not agreed to by this org (Org2MSP)"), "{message}");

    // An approval can be changed until then.
    network.approve(1, &agreed, None).await;
    let (approvals, _) = readiness(&network.admin(2).await, &agreed).await;
    assert_eq!(approvals, [(org(0), true), (org(1), true), (org(2), false)]);
    // Without names, the Gateway finds a majority; the one that has not agreed is passed over.
    let endorsed = admin.endorse(&agreed.commit(), &[]).await.expect("endorsed");
    assert_eq!(endorsed.by(), ["Org1MSP", "Org2MSP"]);
    assert_eq!(network.submit(&admin, &endorsed).await, TxValidationCode::Valid);
    network.assert_ledgers_agree();
    network.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_needs_its_own_organization_only() {
    let network = Network::start(2).await;
    let definition = Definition::new("basic", None);
    let admin = network.admin(1).await;
    let endorsed = admin.endorse(&definition.approve(None), &["Org2MSP"]).await.expect("endorsed");
    assert_eq!(endorsed.by(), ["Org2MSP"]);
    assert_eq!(network.submit(&admin, &endorsed).await, TxValidationCode::Valid);
    // An admin of one organization is nobody to the peer of another.
    let stranger = network.admin(0).await.endorse(&definition.approve(None), &["Org2MSP"]).await;
    assert!(stranger.is_err());
    let evaluated =
        network.user(0).await.evaluate(&call(CHANNEL, "qscc", &["GetChainInfo", CHANNEL]), &["Org2MSP"]).await;
    assert!(evaluated.is_ok(), "{evaluated:?}");
    network.end().await;
}
