//! What is told, and what is made good, when answers of the network get lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use serde_json::Value;

use crate::{
    e2e::support::{client::Client, place::Place, windlass::Windlass},
    person::{Person, Said, chaincode},
    relay::{Asked, Fate, Relay},
};

/// Does to the submission of this number, counted from 1, what is said, and answers everything else.
fn submission(number: usize, fate: Fate) -> impl Fn(Asked<'_>) -> Fate + Send + Sync + 'static {
    let seen = AtomicUsize::new(0);
    move |asked| match asked {
        Asked::Submission if seen.fetch_add(1, SeqCst) + 1 == number => fate,
        _ => Fate::Answered,
    }
}

/// The same for questions after a transaction's fate.
fn status(number: usize, fate: Fate) -> impl Fn(Asked<'_>) -> Fate + Send + Sync + 'static {
    let seen = AtomicUsize::new(0);
    move |asked| match asked {
        Asked::CommitStatus if seen.fetch_add(1, SeqCst) + 1 == number => fate,
        _ => Fate::Answered,
    }
}

/// `windlass invoke` while the submission has this fate: what it says, and the transaction's ID.
async fn invoked(place: &Place, windlass: &Windlass, fate: Fate) -> (Said, String) {
    let relay = Relay::start(windlass, submission(1, fate)).await;
    let put = ["invoke", "basic", "Put", "k", "v", "--json"];
    let said = relay.person(place, windlass).types(put);
    assert_eq!(said.code, Some(1), "{said}");
    let json = said.json();
    assert_eq!(json["code"], Value::Null, "its fate is not known: {said}");
    (said.clone(), json["transactionId"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn invoke_names_the_transaction_whose_fate_the_network_took_along() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let ada = Person::at(&place);
    let client = Client::admin(&windlass.ready).await;

    let (said, id) = invoked(&place, &windlass, Fate::CutOff).await;
    assert!(
        said.stderr.contains(&format!("error: transaction {id} was handed in, and its fate is not known: ")),
        "{said}"
    );
    let look = format!("windlass query qscc GetTransactionByID mychannel {id} -C mychannel");
    assert!(
        said.stderr.contains(&format!("hint: before it is submitted again, see whether it is on the ledger: {look}"))
    );
    // It was handed in, and so it comes.
    assert_eq!(client.status(&id).await.expect("a fate").result, 0);
    let query = ["query", "qscc", "GetTransactionByID", "mychannel", &id, "-C", "mychannel", "--json"];
    assert_eq!(ada.types(query).json()["status"], 200);

    // Here it was not, and says the same: nobody can know.
    let (said, id) = invoked(&place, &windlass, Fate::Lost).await;
    assert!(said.stderr.contains("was handed in, and its fate is not known: "), "{said}");
    let query = ["query", "qscc", "GetTransactionByID", "mychannel", &id, "-C", "mychannel"];
    let looked = ada.types(query);
    assert!(looked.code == Some(1) && looked.stderr.contains(&id), "{looked}");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_gets_over_a_lost_answer_to_its_commit() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let on_channel = |said: &Said| said.json()["chaincodes"][0]["channels"][0].clone();

    // It was committed: the first transaction is the approval, the second the commit.
    chaincode(&place, "token", "");
    let relay = Relay::start(&windlass, status(2, Fate::AnswerLost)).await;
    let said = relay.person(&place, &windlass).types(["deploy", "token", "--json"]);
    let channel = on_channel(&said);
    assert_eq!((said.code, &channel["outcome"], &channel["sequence"]), (Some(0), &"approved".into(), &1.into()));
    let again = Person::at(&place).types(["deploy", "token", "--json"]);
    assert_eq!((again.code, &on_channel(&again)["outcome"]), (Some(0), &"unchanged".into()), "{again}");

    // It was not: nobody can know that, and the next run finds the approval and commits.
    chaincode(&place, "late", "");
    let relay = Relay::start(&windlass, submission(2, Fate::Lost)).await;
    let ada = relay.person(&place, &windlass);
    let said = ada.types(["deploy", "late"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("the definition cannot be committed"), "{said}");
    assert!(said.stderr.contains("was handed in, and its fate is not known: "), "{said}");
    let again = ada.types(["deploy", "late", "--json"]);
    let channel = on_channel(&again);
    assert_eq!((again.code, &channel["outcome"], &channel["sequence"]), (Some(0), &"deployed".into(), &1.into()));
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_that_does_not_come_is_not_waited_for() {
    let place = Place::new();
    let windlass = place.dev().in_current_folder().start();
    let asked = Arc::new(AtomicBool::new(false));
    let noted = asked.clone();
    let relay = Relay::start(&windlass, move |what| match what {
        Asked::Proposal(proposal) if describes_itself(&proposal.proposal_bytes) => {
            noted.store(true, SeqCst);
            Fate::Unanswered
        }
        _ => Fate::Answered,
    })
    .await;
    let ada = relay.person(&place, &windlass);
    let said = ada.types(["invoke", "basic", "ReadAsset", "a9"]);
    assert!(asked.load(SeqCst), "which functions there are is asked where chaincode refuses: {said}");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.starts_with("error: basic refuses ReadAsset: "), "{said}");
    assert!(!said.stderr.contains("hint:"), "nobody has told any functions: {said}");
    windlass.stop();
}

/// Whether a proposal asks the contract API for a description.
fn describes_itself(proposal: &[u8]) -> bool {
    let metadata = b"org.hyperledger.fabric:GetMetadata";
    proposal.windows(metadata.len()).any(|window| window == metadata)
}
