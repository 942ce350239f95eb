//! Second runs: from what is kept, from nothing, and beside another.

use std::fs;

use crate::support::{
    chain,
    client::Client,
    place::{Place, SAMPLE, free_block},
};

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_from_what_is_kept() {
    let place = Place::new();
    let first = place.dev().start();
    let client = Client::user(&first.ready).await;
    let put = client.submit("basic", &["Put", "k", "kept"]).await.expect("a transaction");
    let before = chain::of_peer(&client).await;
    let package_id = first.package_id("basic").to_owned();
    first.stop();

    // Where it listens is no part of that.
    let second = place.dev().at_ports_from(free_block()).start();
    assert_eq!(second.package_id("basic"), package_id);
    assert_eq!(second.ready.chaincodes[0].sequence, 1);
    let banner = second.output().stdout();
    assert!(banner.contains("sequence 1, unchanged in "), "{banner}");
    let client = Client::user(&second.ready).await;
    assert_eq!(client.text("basic", &["Get", "k"]).await, "kept");
    assert_eq!(chain::of_peer(&client).await, before, "nothing was added");
    let next = client.submit("basic", &["Put", "k", "changed"]).await.expect("a transaction");
    assert_eq!(next.block, put.block + 1);
    let transactions = chain::verify_all(&client).await;
    assert!(transactions.iter().any(|transaction| transaction.id == put.id));
    second.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_over_when_asked() {
    let place = Place::new();
    let first = place.dev().start();
    let certificate = fs::read(&first.ready.users.user1.certificate).expect("a certificate");
    Client::user(&first.ready).await.submit("basic", &["Put", "k", "gone"]).await.expect("a transaction");
    first.stop();

    let second = place.dev().arg("--fresh").start();
    let client = Client::user(&second.ready).await;
    assert_eq!(client.error("basic", &["Get", "k"]).await, "the key k does not exist");
    assert_ne!(fs::read(&second.ready.users.user1.certificate).expect("a certificate"), certificate);
    assert!(second.output().stdout().contains("sequence 1, deployed in "));
    second.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn deploys_changed_code_as_the_next_sequence() {
    let place = Place::new();
    let write = |note: &str| place.program("basic", &format!("# {note}\n{SAMPLE}"));
    let first = place.dev().arg(write("first")).start();
    let old = first.package_id("basic").to_owned();
    Client::user(&first.ready).await.submit("basic", &["Put", "k", "kept"]).await.expect("a transaction");
    first.stop();

    let second = place.dev().arg(write("second")).start();
    let [basic] = second.ready.chaincodes.as_slice() else { panic!("one chaincode") };
    assert_eq!((basic.sequence, basic.version.as_str()), (2, "2.0"));
    assert_ne!(basic.package_id, old);
    assert!(second.output().stdout().contains("sequence 2, upgraded in "));
    let client = Client::user(&second.ready).await;
    assert_eq!(client.text("basic", &["Get", "k"]).await, "kept");
    chain::verify_all(&client).await;
    second.stop();
}

#[test]
fn refuses_a_folder_that_another_instance_uses() {
    let place = Place::new();
    let first = place.dev().start();
    let said = place.dev().fail().stderr();
    assert!(said.contains("another `windlass dev` is using "), "{said}");
    assert!(said.contains("hint: stop it, or choose another folder with --data"), "{said}");
    first.stop();
}

#[test]
fn refuses_a_folder_that_is_somebody_elses() {
    let place = Place::new();
    fs::create_dir(place.data()).expect("a folder");
    fs::write(place.data().join("thesis.txt"), "years of work").expect("a file");
    for args in [&[][..], &["--fresh"]] {
        let said = args.iter().fold(place.dev(), |dev, arg| dev.arg(arg)).fail().stderr();
        assert!(said.contains("is not empty and was not made by `windlass dev`"), "{said}");
    }
    assert_eq!(fs::read(place.data().join("thesis.txt")).expect("the file"), b"years of work");
}
