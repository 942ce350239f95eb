use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use prost::Message;
use tempfile::TempDir;
use windlass_chaincode::{
    build::{BuilderConfig, Program},
    lifecycle::{InstallError, Reference},
};
use windlass_proto::{
    lifecycle::{
        GetInstalledChaincodePackageArgs, InstallChaincodeArgs, InstallChaincodeResult, QueryInstalledChaincodeArgs,
        QueryInstalledChaincodeResult, QueryInstalledChaincodesResult,
    },
    protos::Response,
};

use crate::network::{APPROVE, CHANNEL, COMMIT, Peer, approval, commit_of, local_package};

/// A builder of shell scripts that counts its builds and fails when it is told to.
pub(crate) struct Builder {
    folder: TempDir,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let builder = Self { folder };
        fs::create_dir(builder.path("bin")).expect("a folder");
        builder.script("detect", "exit 0");
        let root = builder.folder.path().display().to_string();
        builder.script(
            "build",
            &format!("echo built >> {root}/builds\ncat {root}/gate 2>/dev/null\n[ ! -e {root}/broken ] || exit 3"),
        );
        builder
    }

    pub(crate) fn config(&self) -> BuilderConfig {
        BuilderConfig {
            name: "scripts".to_owned(),
            program: Program::Folder(self.folder.path().to_owned()),
            propagate_environment: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, step: &str, body: &str) {
        let path = self.path("bin").join(step);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    pub(crate) fn builds(&self) -> usize {
        fs::read_to_string(self.path("builds")).map_or(0, |text| text.lines().count())
    }

    pub(crate) fn fail(&self, fail: bool) {
        match fail {
            true => fs::write(self.path("broken"), "").expect("a file"),
            false => fs::remove_file(self.path("broken")).expect("a file"),
        }
    }

    /// Builds wait from now on until the returned gate is opened.
    pub(crate) fn close(&self) -> Gate {
        let path = self.path("gate");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        Gate(path)
    }

    pub(crate) async fn started(&self) {
        while self.builds() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

pub(crate) struct Gate(PathBuf);

impl Gate {
    pub(crate) async fn open(self) {
        let path = self.0;
        let opened = tokio::task::spawn_blocking(move || fs::write(path, "")).await;
        opened.expect("a task").expect("a reader");
    }
}

/// A package with this label.
pub(crate) fn package(label: &str) -> Bytes {
    let code = archive(&[("src/main.go", b"package main".as_slice())]);
    let metadata = format!(r#"{{"path":"","type":"golang","label":"{label}"}}"#);
    archive(&[("metadata.json", metadata.as_bytes()), ("code.tar.gz", &code)]).into()
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o100_644);
        archive.append_data(&mut header, name, *content).expect("an entry");
    }
    let mut encoder = archive.into_inner().expect("an archive");
    encoder.flush().expect("an archive");
    encoder.finish().expect("an archive")
}

pub(crate) async fn call(peer: &Peer, function: &str, args: &impl Message) -> Response {
    let args = vec![Bytes::copy_from_slice(function.as_bytes()), args.encode_to_vec().into()];
    peer.invoke("", args, None).await
}

pub(crate) async fn install(peer: &Peer, package: &Bytes) -> Result<String, String> {
    let args = InstallChaincodeArgs { chaincode_install_package: package.clone() };
    let response = call(peer, "InstallChaincode", &args).await;
    if response.status != 200 {
        let prefix = "failed to invoke backing implementation of 'InstallChaincode': ";
        return Err(response.message.strip_prefix(prefix).expect("the prefix").to_owned());
    }
    Ok(InstallChaincodeResult::decode(response.payload).expect("a result").package_id)
}

pub(crate) fn stored(folder: &Path) -> usize {
    fs::read_dir(folder.join("lifecycle/chaincodes")).expect("the store").count()
}

#[tokio::test]
async fn installs_a_package_once() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let bytes = package("basic_1.0");
    let id = install(&peer, &bytes).await.expect("an installed package");
    let hash = hex::encode(windlass_proto::hash::sha256(&bytes));
    assert_eq!(id, format!("basic_1.0:{hash}"));
    assert_eq!(builder.builds(), 1);
    let again = format!("chaincode already successfully installed (package ID '{id}')");
    assert_eq!(install(&peer, &bytes).await, Err(again.clone()));

    let peer = peer.restart(builder.config());
    assert_eq!(install(&peer, &bytes).await, Err(again));
    peer.lifecycle.build_installed().await;
    assert_eq!(builder.builds(), 1);
}

#[tokio::test]
async fn refuses_what_is_no_package() {
    let peer = Peer::new();
    let refusal = install(&peer, &Bytes::new()).await.expect_err("a refusal");
    assert_eq!(refusal, "could not parse as a chaincode install package: error reading as gzip stream: EOF");
    assert_eq!(stored(peer.folder.path()), 0);
}

#[tokio::test]
async fn keeps_nothing_of_a_package_that_does_not_build() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let bytes = package("basic");
    builder.fail(true);
    let refusal = install(&peer, &bytes).await.expect_err("a refusal");
    assert!(
        refusal.starts_with(
            "could not build chaincode: external builder failed: external builder failed to build: external builder 'scripts' failed: exit status 3"
        ),
        "{refusal}"
    );
    assert_eq!(stored(peer.folder.path()), 0);
    assert!(peer.lifecycle.installed().is_empty());
    // The failure is not remembered either.
    builder.fail(false);
    install(&peer, &bytes).await.expect("an installed package");
}

#[test]
fn concurrent_installs_of_one_package_share_one_build() {
    // With one thread for blocking work all eight packages are parsed before the first is saved.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let builder = Builder::new();
        let peer = Peer::with_builder(builder.config());
        let gate = builder.close();
        let bytes = package("basic");
        let installs = futures::future::join_all((0..8).map(|_| peer.lifecycle.install(bytes.clone())));
        let (outcomes, ()) = tokio::join!(installs, async {
            builder.started().await;
            gate.open().await;
        });
        let ids: Vec<_> = outcomes.into_iter().collect::<Result<_, InstallError>>().expect("installed packages");
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(builder.builds(), 1);
        assert_eq!(peer.lifecycle.installed().len(), 1);
    });
}

#[tokio::test]
async fn an_install_goes_on_when_its_caller_gives_up() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let gate = builder.close();
    let bytes = package("basic");
    tokio::select! {
        _ = peer.lifecycle.install(bytes.clone()) => unreachable!("the gate is closed"),
        () = builder.started() => {}
    }
    gate.open().await;
    while peer.lifecycle.installed().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let refusal = install(&peer, &bytes).await.expect_err("a refusal");
    assert!(refusal.starts_with("chaincode already successfully installed"), "{refusal}");
    assert_eq!(builder.builds(), 1);
}

#[tokio::test]
async fn returns_packages_byte_for_byte() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let bytes = package("basic");
    let id = install(&peer, &bytes).await.expect("an installed package");
    let function = "GetInstalledChaincodePackage";
    let response = call(&peer, function, &GetInstalledChaincodePackageArgs { package_id: id }).await;
    let found = windlass_proto::lifecycle::GetInstalledChaincodePackageResult::decode(response.payload);
    assert_eq!(found.expect("a result").chaincode_install_package, bytes);
    for unknown in [format!("basic:{}", "0".repeat(64)), "nonsense".to_owned(), "../x:y".to_owned(), String::new()] {
        let args = GetInstalledChaincodePackageArgs { package_id: unknown.clone() };
        let response = call(&peer, function, &args).await;
        assert_eq!(response.status, 500);
        assert_eq!(
            response.message,
            format!(
                "failed to invoke backing implementation of 'GetInstalledChaincodePackage': could not load cc install package: chaincode install package '{unknown}' not found"
            )
        );
    }
}

#[tokio::test]
async fn reports_an_unknown_package() {
    let args = QueryInstalledChaincodeArgs { package_id: "basic:00".to_owned() };
    let response = call(&Peer::new(), "QueryInstalledChaincode", &args).await;
    assert_eq!(response.status, 500);
    assert_eq!(
        response.message,
        "failed to invoke backing implementation of 'QueryInstalledChaincode': could not find chaincode with package id 'basic:00'"
    );
}

/// What remains to be done until a chaincode can be endorsed, done in every order.
#[tokio::test]
async fn install_approve_and_commit_come_in_any_order() {
    for order in [["install", "approve", "commit"], ["approve", "install", "commit"], ["approve", "commit", "install"]]
    {
        let builder = Builder::new();
        let peer = Peer::with_builder(builder.config());
        let mut runnable = peer.lifecycle.runnable();
        let bytes = package("basic");
        let id = format!("basic:{}", hex::encode(windlass_proto::hash::sha256(&bytes)));
        let mut args = approval("cc", 1);
        args.source = local_package(&id);
        for step in order {
            assert!(!runnable.has_changed().expect("a watch"), "{order:?} before {step}");
            match step {
                "install" => assert_eq!(install(&peer, &bytes).await.as_ref(), Ok(&id)),
                "approve" => drop(peer.must(APPROVE, &args)),
                _ => drop(peer.must(COMMIT, &commit_of(&args))),
            }
        }
        assert!(runnable.has_changed().expect("a watch"), "{order:?}");
        assert_eq!(runnable.borrow_and_update().iter().collect::<Vec<_>>(), [&id]);
        let simulation = peer.ledger.simulate(&peer.msp_id);
        let info =
            peer.lifecycle.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect("an endorsable chaincode");
        assert_eq!((info.version.as_str(), info.package_id.as_str()), ("1.0", id.as_str()));
        assert_eq!((info.init_required, info.endorsement_plugin.as_str()), (false, "escc"));
        assert_eq!(peer.lifecycle.endorsable(CHANNEL).len(), 1);
    }
}

// Fabric: lifecycle §13.8
#[tokio::test]
async fn hashes_are_enough_to_find_the_package() {
    let builder = Builder::new();
    let first = Peer::with_builder(builder.config());
    let bytes = package("basic");
    let mut args = approval("cc", 1);
    args.source = local_package(&format!("basic:{}", hex::encode(windlass_proto::hash::sha256(&bytes))));
    first.must(APPROVE, &args);
    first.must(COMMIT, &commit_of(&args));
    // A peer that joined late: it was not there when the approval was handed around.
    first.ledger.lose_private_values();
    let late = first.restart(builder.config());
    let id = install(&late, &bytes).await.expect("an installed package");
    let simulation = late.ledger.simulate(&late.msp_id);
    let info = late.lifecycle.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect("an endorsable chaincode");
    assert_eq!(info.package_id, id);
}

#[tokio::test]
async fn references_follow_the_approved_package() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let old = install(&peer, &package("old")).await.expect("an installed package");
    let new = install(&peer, &package("new")).await.expect("an installed package");
    for name in ["one", "two"] {
        let mut args = approval(name, 1);
        args.source = local_package(&old);
        peer.must(APPROVE, &args);
        peer.must(COMMIT, &commit_of(&args));
    }
    let references = |id: &str| {
        let installed = peer.lifecycle.installed().into_iter().find(|found| found.package_id.as_str() == id);
        installed.expect("an installed package").references.remove(CHANNEL).unwrap_or_default()
    };
    let reference = |name: &str, version: &str| Reference { name: name.to_owned(), version: version.to_owned() };
    assert_eq!(references(&old), [reference("one", "1.0"), reference("two", "1.0")]);
    assert_eq!(references(&new), []);

    // Another package for the committed sequence, then an upgrade that is not committed yet.
    let mut again = approval("one", 1);
    again.source = local_package(&new);
    peer.must(APPROVE, &again);
    let mut upgrade = approval("two", 2);
    upgrade.version = "2.0".to_owned();
    upgrade.source = local_package(&new);
    peer.must(APPROVE, &upgrade);
    assert_eq!(references(&old), [reference("two", "1.0")]);
    assert_eq!(references(&new), [reference("one", "1.0")]);
    peer.must(COMMIT, &commit_of(&upgrade));
    assert_eq!(references(&old), []);
    assert_eq!(references(&new), [reference("one", "1.0"), reference("two", "2.0")]);
    assert_eq!(peer.lifecycle.runnable().borrow().iter().collect::<Vec<_>>(), [&new]);

    let args = QueryInstalledChaincodeArgs { package_id: new.clone() };
    let response = call(&peer, "QueryInstalledChaincode", &args).await;
    let found = QueryInstalledChaincodeResult::decode(response.payload).expect("a result");
    assert_eq!((found.package_id, found.label.as_str()), (new.clone(), "new"));
    let chaincodes = &found.references[CHANNEL].chaincodes;
    assert_eq!(chaincodes.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    let response = call(&peer, "QueryInstalledChaincodes", &()).await;
    let all = QueryInstalledChaincodesResult::decode(response.payload).expect("a result");
    let ids: Vec<_> =
        all.installed_chaincodes.iter().map(|found| (&found.package_id, found.references.len())).collect();
    assert_eq!(ids, [(&new, 1), (&old, 0)]);
}

#[tokio::test]
async fn approving_without_package_stops_endorsement() {
    let builder = Builder::new();
    let peer = Peer::with_builder(builder.config());
    let id = install(&peer, &package("basic")).await.expect("an installed package");
    let mut args = approval("cc", 1);
    args.source = local_package(&id);
    peer.must(APPROVE, &args);
    peer.must(COMMIT, &commit_of(&args));
    let mut runnable = peer.lifecycle.runnable();
    assert_eq!(runnable.borrow_and_update().len(), 1);
    peer.must(APPROVE, &approval("cc", 1));
    assert!(runnable.borrow_and_update().is_empty());
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let error = peer.lifecycle.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect_err("a refusal");
    assert_eq!(error.to_string(), "chaincode definition for 'cc' exists, but chaincode is not installed");
}
