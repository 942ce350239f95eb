//! A peer's folders, packages that mean no good, and what became of them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use windlass_chaincode::{
    build::{
        BuildError, BuilderConfig, Builds, BuildsConfig, ExitOutcome, Process, Program, RunMetadata, buildpacks,
        sandbox::{Limits, Mode, SandboxConfig, Support},
    },
    install::PackageStore,
    package::create::{CreateOptions, create},
};

/// The folders of a peer that confines what it starts.
#[derive(Debug)]
pub(crate) struct Peer {
    root: TempDir,
    packages: PackageStore,
    pub(crate) config: BuildsConfig,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("sandbox-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let root = root.expect("a folder");
        let packages = PackageStore::open(&root.path().join("peer/lifecycle/chaincodes")).expect("a store");
        fs::write(root.path().join("peer/key.pem"), "the peer's key").expect("a file");
        let windlass = PathBuf::from(env!("CARGO_BIN_EXE_windlass"));
        let sandbox = SandboxConfig {
            mode: Mode::Auto,
            executable: Some(windlass.clone()),
            secrets: vec![root.path().to_owned()],
            // Caches of the test's own.
            own_caches: true,
            ..SandboxConfig::default()
        };
        let config = BuildsConfig {
            scratch: Some(root.path().join("scratch")),
            sandbox,
            ..BuildsConfig::below(&root.path().join("peer"), buildpacks::builders(&windlass))
        };
        Self { root, packages, config }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Whether this system keeps programs from something, by what the peer itself says of it.
    pub(crate) fn keeps_from(&self, what: &str) -> bool {
        let report = Support::detect().report(&self.config.sandbox);
        let protection = report.iter().find(|protection| protection.name == what);
        protection.unwrap_or_else(|| panic!("nothing is said of {what}: {report:?}")).by.is_ok()
    }

    pub(crate) fn limit_run(&mut self, limits: Limits) {
        self.config.sandbox.run = limits;
    }

    /// A builder of these scripts, asked before the others.
    pub(crate) fn add_builder(&mut self, name: &str, scripts: &[(&str, &str)]) {
        let folder = self.path("builders").join(name);
        fs::create_dir_all(folder.join("bin")).expect("a folder");
        for (step, script) in scripts {
            write_script(&folder.join("bin").join(step), script);
        }
        let builder = BuilderConfig {
            name: name.to_owned(),
            program: Program::Folder(folder),
            propagate_environment: Vec::new(),
        };
        self.config.builders.insert(0, builder);
    }

    /// Builds a package of what is in a folder.
    pub(crate) async fn build(&self, folder: &str) -> Result<Built, BuildError> {
        let created = create(&self.path(folder), &CreateOptions::default()).expect("a package");
        let id = self.packages.save(&created.bytes).expect("a package");
        let builds = Builds::new(self.config.clone(), self.packages.clone());
        let build = builds.build(id.as_str()).await?;
        Ok(Built { build, id: id.to_string(), builds })
    }

    /// Builds a Node package whose install script this is.
    pub(crate) async fn build_with_script(&self, script: &str) -> Result<Built, BuildError> {
        let folder = self.path("node");
        fs::create_dir_all(&folder).expect("a folder");
        write_script(&folder.join("install.sh"), script);
        let manifest = r#"{"name":"hostile","version":"1.0.0","scripts":{"install":"./install.sh","start":"node x"}}"#;
        fs::write(folder.join("package.json"), manifest).expect("a file");
        self.build("node").await
    }

    /// Makes this script a chaincode, in the folder `binary`.
    pub(crate) fn write_chaincode(&self, script: &str) {
        fs::create_dir_all(self.path("binary")).expect("a folder");
        write_script(&self.path("binary/chaincode"), script);
    }

    /// Runs a chaincode that is this script.
    pub(crate) async fn run(&self, script: &str) -> Process {
        self.write_chaincode(script);
        let built = self.build("binary").await.unwrap_or_else(|error| panic!("{error}"));
        built.run()
    }

    /// Runs it to its end: what it printed, and how it ended.
    pub(crate) async fn run_to_end(&self, script: &str) -> (Vec<String>, ExitOutcome) {
        let mut process = self.run(script).await;
        let ended = end_of(&mut process).await;
        (process.output_tail(), ended)
    }
}

/// How a process that ends by itself has ended.
async fn end_of(process: &mut Process) -> ExitOutcome {
    tokio::time::timeout(Duration::from_secs(60), process.wait()).await.expect("an end")
}

/// A package that was built.
pub(crate) struct Built {
    pub(crate) build: std::sync::Arc<windlass_chaincode::build::Build>,
    id: String,
    builds: Builds,
}

impl Built {
    pub(crate) fn run(&self) -> Process {
        let metadata = RunMetadata {
            chaincode_id: self.id.clone(),
            peer_address: "127.0.0.1:7052".to_owned(),
            mspid: "Org1MSP".to_owned(),
            ..RunMetadata::default()
        };
        let _ = &self.builds;
        self.build.run(&metadata).expect("a process")
    }
}

/// Makes a program of a script.
pub(crate) fn write_script(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file");
}

/// A number of seconds to sleep that no other process sleeps.
pub(crate) fn mark() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("600.{:07}{next:03}", std::process::id())
}

/// How many processes sleep so.
pub(crate) fn sleepers(mark: &str) -> usize {
    let lines = fs::read_dir("/proc").expect("Linux").flatten().filter_map(|entry| {
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&words).into_owned())
    });
    lines.filter(|line| line.starts_with("sleep") && line.contains(mark)).count()
}

/// Waits until a condition holds; fails the test after a minute.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited a minute for: {what}");
}
