//! The asset contract in every language, in the three ways in which chaincode comes: as a folder of source, as a package
//! that was made elsewhere, and as a package that the command line makes and installs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    go_contract::check,
    support::{
        client::Client,
        package::{self, Entry},
        parts,
        place::Place,
        tool::Tool,
    },
};

/// The files below a folder, at `to` in a package, as Fabric's command line lays them out.
fn source(folder: &Path, to: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if ["node_modules", "target", "dist"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(folder).expect("below").display().to_string();
                entries.push(Entry::file(&format!("{to}/{below}"), fs::read(&path).expect("a file")));
            }
        }
    }
    entries
}

/// The source of an example and what it needs beside it, and where in that it is.
fn sources(example: &str) -> (Vec<Entry>, String) {
    if example != "rust-contract" {
        return (source(&parts::example(example), "src"), String::new());
    }
    // Its library is not published: the crates that it depends on by path come along.
    let path = format!("examples/{example}");
    let repository = parts::repository();
    let mut entries = source(&parts::example(example), &format!("src/{path}"));
    for library in ["crates/shim", "crates/transport", "crates/proto"] {
        entries.extend(source(&repository.join(library), &format!("src/{library}")));
    }
    entries.push(Entry::file("src/Cargo.toml", fs::read(repository.join("Cargo.toml")).expect("a file")));
    (entries, path)
}

/// A package as others make it: the code before the metadata, which has keys that nobody knows.
fn made_elsewhere(place: &Place, kind: &str, example: &str) -> PathBuf {
    let (entries, path) = sources(example);
    let kind = kind.to_uppercase();
    let metadata = format!(r#"{{"label":"{example}","path":"{path}","type":"{kind}","made":"elsewhere"}}"#);
    let outer = [Entry::file("code.tar.gz", package::archive(&entries)), Entry::file("metadata.json", metadata)];
    let path = place.path().join(format!("{example}-elsewhere.tar.gz"));
    fs::write(&path, package::archive(&outer)).expect("a file");
    path
}

async fn runs_in_every_way(kind: &str, example: &str) {
    let place = Place::new();
    let windlass = place
        .dev()
        .chaincode("folder", parts::example(example))
        .chaincode("elsewhere", made_elsewhere(&place, kind, example))
        .start();
    let kinds: Vec<_> = windlass.ready.chaincodes.iter().map(|chaincode| chaincode.kind.to_lowercase()).collect();
    assert_eq!(kinds, [kind, kind]);
    let package = place.path().join(format!("{example}.tar.gz"));
    let made = Tool::new(&windlass.ready, &["package", "--output"]).arg(&package).arg(parts::example(example)).run();
    assert!(made.success, "{}", made.stderr);
    let installed = Tool::new(&windlass.ready, &["lifecycle", "chaincode", "install"]).arg(&package).run();
    assert!(installed.success, "{}", installed.stderr);
    let deployed = Tool::new(&windlass.ready, &["deploy"]).arg(format!("installed={}", package.display())).run();
    assert!(deployed.success, "{}", deployed.stderr);
    let client = Client::user(&windlass.ready).await;
    for name in ["folder", "elsewhere", "installed"] {
        check(&client, name).await;
        // Fabric's contract API describes itself, in each of its languages.
        if kind != "rust" {
            let metadata = client.json(name, &["org.hyperledger.fabric:GetMetadata"]).await;
            assert!(metadata["contracts"]["AssetContract"]["transactions"].is_array(), "{metadata}");
        }
    }
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn go_runs_in_every_way() {
    runs_in_every_way("golang", "go-contract").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn javascript_runs_in_every_way() {
    runs_in_every_way("node", "node-contract").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_runs_in_every_way() {
    runs_in_every_way("node", "typescript-contract").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn java_runs_in_every_way() {
    runs_in_every_way("java", "java-contract").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_runs_in_every_way() {
    runs_in_every_way("rust", "rust-contract").await;
}
