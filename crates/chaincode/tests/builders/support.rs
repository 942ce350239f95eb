//! Builders made of shell scripts, and a peer's folders for them.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use windlass_chaincode::{
    build::{BuilderConfig, Builds, BuildsConfig, Program, RunMetadata},
    install::PackageStore,
};
use windlass_proto::ids::PackageId;

/// The folders of a peer, with nothing in them.
#[derive(Debug)]
pub(crate) struct Peer {
    root: TempDir,
    pub(crate) packages: PackageStore,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let packages = PackageStore::open(&root.path().join("lifecycle/chaincodes")).expect("a store");
        Self { root, packages }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A builder of these scripts; each is `(step, script)`.
    pub(crate) fn builder(&self, name: &str, scripts: &[(&str, &str)]) -> BuilderConfig {
        let folder = self.path("builders").join(name);
        fs::create_dir_all(folder.join("bin")).expect("a folder");
        for (step, script) in scripts {
            write_script(&folder.join("bin").join(step), script);
        }
        BuilderConfig { name: name.to_owned(), program: Program::Folder(folder), propagate_environment: Vec::new() }
    }

    pub(crate) fn config(&self, builders: Vec<BuilderConfig>) -> BuildsConfig {
        BuildsConfig { scratch: Some(self.path("scratch")), ..BuildsConfig::below(self.root.path(), builders) }
    }

    pub(crate) fn builds(&self, builders: Vec<BuilderConfig>) -> Builds {
        Builds::new(self.config(builders), self.packages.clone())
    }

    /// Installs a package of these files.
    pub(crate) fn install(&self, kind: &str, files: &[(&str, &[u8])]) -> PackageId {
        self.packages.save(&package(kind, files)).expect("a package")
    }

    /// What is left below a folder of the peer.
    pub(crate) fn entries(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) fn build_folder(&self, id: &PackageId) -> PathBuf {
        self.path("externalbuilder/builds").join(id.as_str().replace(':', "-"))
    }
}

pub(crate) fn write_script(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file");
}

pub(crate) fn package(kind: &str, files: &[(&str, &[u8])]) -> Bytes {
    let metadata = format!(r#"{{"type":"{kind}","path":"","label":"basic","extra":true}}"#);
    archive(&[("metadata.json", metadata.as_bytes()), ("code.tar.gz", &archive(files))]).into()
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(if content.starts_with(b"#!") { 0o755 } else { 0o644 });
        header.set_cksum();
        archive.append_data(&mut header, name, *content).expect("memory");
    }
    let mut gzip = archive.into_inner().expect("memory");
    gzip.flush().expect("memory");
    gzip.finish().expect("memory")
}

pub(crate) fn run_metadata(id: &PackageId) -> RunMetadata {
    RunMetadata {
        chaincode_id: id.to_string(),
        peer_address: "127.0.0.1:7052".into(),
        client_cert: "certificate".into(),
        client_key: "key".into(),
        root_cert: "root".into(),
        mspid: "Org1MSP".into(),
    }
}

/// Waits until a condition holds; fails the test after ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited ten seconds for: {what}");
}

/// Whether a process is alive, zombies not counting.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
