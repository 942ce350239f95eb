//! Packages that go again.

use std::{fs, path::PathBuf};

use prost::Message;
use windlass_proto::{
    protos::Response,
    windlass::{QueryUnusedChaincodesArgs, QueryUnusedChaincodesResult, UninstallChaincodeArgs},
};

use crate::{
    install::{Builder, call, install, package, stored},
    network::{APPROVE, CHANNEL, COMMIT, Peer, approval, commit_of, local_package},
};

async fn uninstall(peer: &Peer, id: &str) -> Response {
    call(peer, "UninstallChaincode", &UninstallChaincodeArgs { package_id: id.to_owned() }).await
}

async fn refusal(peer: &Peer, id: &str) -> String {
    let response = uninstall(peer, id).await;
    assert_eq!(response.status, 500);
    let prefix = "failed to invoke backing implementation of 'UninstallChaincode': ";
    response.message.strip_prefix(prefix).expect("the prefix").to_owned()
}

async fn unused(peer: &Peer) -> Vec<String> {
    let response = call(peer, "QueryUnusedChaincodes", &QueryUnusedChaincodesArgs {}).await;
    let result = QueryUnusedChaincodesResult::decode(response.payload).expect("a result");
    result.unused_chaincodes.into_iter().map(|unused| unused.package_id).collect()
}

fn builds(peer: &Peer) -> Vec<PathBuf> {
    let entries = fs::read_dir(peer.folder.path().join("externalbuilder/builds")).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[tokio::test]
async fn removes_a_package_and_its_build() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let bytes = package("basic");
    let id = install(&peer, &bytes).await.expect("an installed package");
    assert_eq!((stored(peer.folder.path()), builds(&peer).len()), (1, 1));
    let response = uninstall(&peer, &id).await;
    assert_eq!((response.status, response.message.as_str()), (200, ""));
    assert_eq!((stored(peer.folder.path()), builds(&peer).len()), (0, 0));
    assert!(peer.lifecycle.installed().is_empty());
    assert_eq!(refusal(&peer, &id).await, format!("could not find chaincode with package id '{id}'"));
    // It is as if it had never been there.
    install(&peer, &bytes).await.expect("an installed package");
    assert_eq!(builder.builds(), 2);
}

#[tokio::test]
async fn keeps_what_a_channel_needs_and_says_where() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let old = install(&peer, &package("old")).await.expect("an installed package");
    let new = install(&peer, &package("new")).await.expect("an installed package");
    let spare = install(&peer, &package("spare")).await.expect("an installed package");
    let define = |name: &str, sequence: i64, id: &str| {
        let mut args = approval(name, sequence);
        args.source = local_package(id);
        args
    };
    for name in ["one", "two"] {
        peer.must(APPROVE, &define(name, 1, &old));
        peer.must(COMMIT, &commit_of(&define(name, 1, &old)));
    }
    peer.must(APPROVE, &define("two", 2, &new));
    peer.must(APPROVE, &define("three", 1, &new));
    let text = |id: &str, uses: &str| format!("chaincode package '{id}' is in use by {uses}");
    let on = |name: &str, rest: &str| format!("chaincode '{name}' on channel '{CHANNEL}' ({rest})");
    for (id, uses) in [
        (&old, [on("one", "sequence 1, committed"), on("two", "sequence 1, committed")]),
        (
            &new,
            [
                on("three", "sequence 1, approved, not yet committed"),
                on("two", "sequence 2, approved, not yet committed"),
            ],
        ),
    ] {
        assert_eq!(refusal(&peer, id).await, text(id, &uses.join(", ")));
    }
    assert_eq!(unused(&peer).await, [spare.as_str()]);
    assert_eq!(stored(peer.folder.path()), 3);

    // What was superseded everywhere is no longer needed, although it was approved once.
    peer.must(COMMIT, &commit_of(&define("two", 2, &new)));
    peer.must(APPROVE, &define("one", 2, &new));
    peer.must(COMMIT, &commit_of(&define("one", 2, &new)));
    assert_eq!(unused(&peer).await, [old.as_str(), spare.as_str()]);
    assert_eq!(uninstall(&peer, &old).await.status, 200);
    assert_eq!(refusal(&peer, &new).await.matches("chaincode '").count(), 3);
}

#[tokio::test]
async fn says_what_it_does_not_know() {
    let peer = Peer::new();
    for unknown in [format!("basic:{}", "0".repeat(64)), "nonsense".to_owned(), "../x:y".to_owned(), String::new()] {
        assert_eq!(refusal(&peer, &unknown).await, format!("could not find chaincode with package id '{unknown}'"));
    }
}

#[tokio::test]
async fn leaves_a_package_alone_that_is_being_installed() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let gate = builder.close();
    let bytes = package("basic");
    let id = format!("basic:{}", hex::encode(windlass_proto::hash::sha256(&bytes)));
    let (installed, ()) = tokio::join!(peer.lifecycle.install(bytes.clone()), async {
        builder.started().await;
        assert_eq!(refusal(&peer, &id).await, format!("chaincode package '{id}' is being installed"));
        gate.open().await;
    });
    assert_eq!(installed.expect("an installed package").as_str(), id);
    assert_eq!(uninstall(&peer, &id).await.status, 200);
}

#[tokio::test]
async fn is_finished_by_the_next_start_if_the_peer_is_killed_meanwhile() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let id = install(&peer, &package("basic")).await.expect("an installed package");
    let kept = install(&peer, &package("kept")).await.expect("an installed package");
    let place = peer.folder.path().to_owned();
    // The file is what counts: with it goes the package, and after that only its build is left.
    fs::remove_file(place.join("lifecycle/chaincodes").join(id.replace(':', ".") + ".tar.gz")).expect("a package");
    let foreign = place.join("externalbuilder/builds/mycc-1.0");
    fs::create_dir(&foreign).expect("a folder");
    assert_eq!(builds(&peer).len(), 3);
    let peer = peer.restart(builder.config());
    assert_eq!(peer.lifecycle.installed().len(), 1);
    let mut left = builds(&peer);
    left.sort();
    assert_eq!(left, [place.join("externalbuilder/builds").join(kept.replace(':', "-")), foreign]);
}
