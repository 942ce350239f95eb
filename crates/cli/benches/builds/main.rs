//! Builds: a buildpack beside the toolchain that it calls, on the same source with the same caches.
//!
//! Prints one table. Cold is with an empty cache of compiled code (Go) or no cache of packages (npm), warm with a full
//! one; no change is a package that is built already, found by a peer that has just started. Modules and packages are
//! downloaded before anything is measured, except by npm when it is cold.

// A benchmark prints what it finds.
#![allow(clippy::print_stdout)]

#[path = "../../tests/e2e/support/parts.rs"]
#[allow(dead_code)]
mod parts;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tempfile::TempDir;
use windlass_chaincode::{
    build::{Builds, BuildsConfig, buildpacks},
    install::PackageStore,
    package::{
        Limits, Package,
        create::{CreateOptions, create},
    },
};

const WINDLASS: &str = env!("CARGO_BIN_EXE_windlass");

/// A buildpack, and what its toolchain is called with by hand.
struct Case {
    buildpack: &'static str,
    example: &'static str,
    plain: &'static [&'static str],
    /// The variable that says where the cache is.
    cache: &'static str,
}

const CASES: [Case; 2] = [
    Case {
        buildpack: "golang",
        example: "go-contract",
        plain: &["go", "build", "-trimpath", "-o", "chaincode", "."],
        cache: "GOCACHE",
    },
    Case {
        buildpack: "node",
        example: "node-contract",
        plain: &["npm", "ci", "--no-audit", "--no-fund", "--omit=dev"],
        cache: "npm_config_cache",
    },
];

fn main() {
    println!("Builds: buildpacks beside their toolchains");
    println!();
    println!("{:<10} {:<10} {:>12} {:>12} {:>8}", "buildpack", "caches", "plain", "buildpack", "ratio");
    for case in CASES {
        let place = Place::new(case);
        place.download();
        for caches in ["cold", "warm"] {
            let (plain, buildpack) = (place.plain(caches), place.buildpack(caches));
            let ratio = buildpack.as_secs_f64() / plain.as_secs_f64();
            println!(
                "{:<10} {caches:<10} {:>12} {:>12} {ratio:>8.2}",
                place.case.buildpack,
                text(plain),
                text(buildpack)
            );
        }
        let found = place.no_change();
        println!("{:<10} {:<10} {:>12} {:>12}", place.case.buildpack, "no change", "", text(found));
    }
}

/// The source and the package made of it.
struct Place {
    case: Case,
    root: TempDir,
    package: Bytes,
}

impl Place {
    fn new(case: Case) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let package = create(&parts::example(case.example), &CreateOptions::default()).expect("a package").bytes;
        Self { case, root, package }
    }

    /// Fills what both use alike.
    fn download(&self) {
        if self.case.buildpack == "golang" {
            parts::run(Command::new("go").args(["mod", "download"]).current_dir(parts::example(self.case.example)));
        }
    }

    fn plain(&self, caches: &str) -> Duration {
        let folder = self.fresh("plain");
        parts::copy(&parts::example(self.case.example), &folder);
        let mut command = Command::new(self.case.plain[0]);
        command.args(&self.case.plain[1..]).current_dir(folder);
        self.time(command, &format!("plain-{}", self.case.cache), caches)
    }

    fn buildpack(&self, caches: &str) -> Duration {
        let (source, metadata, output) = (self.fresh("src"), self.fresh("metadata"), self.fresh("bld"));
        let package = Package::parse(&self.package, &Limits::default()).expect("a package");
        package.code().extract(&source).expect("code");
        fs::write(metadata.join("metadata.json"), &package.metadata_json).expect("a file");
        let mut command = Command::new(WINDLASS);
        command.args(["buildpack", self.case.buildpack, "build"]).args([source, metadata, output]);
        self.time(command, &format!("buildpack-{}", self.case.cache), caches)
    }

    /// How long a command takes, with a cache of its own that is empty when it is cold.
    fn time(&self, mut command: Command, cache: &str, caches: &str) -> Duration {
        let cache = self.root.path().join(cache);
        assert_eq!(cache.exists(), caches == "warm", "cold comes before warm");
        command.env(self.case.cache, &cache).stdin(Stdio::null());
        let started = Instant::now();
        parts::run(&mut command);
        started.elapsed()
    }

    /// How long a peer that starts takes to find the build of an earlier run.
    fn no_change(&self) -> Duration {
        let packages = PackageStore::open(&self.root.path().join("packages")).expect("a store");
        let id = packages.save(&self.package).expect("a package");
        let builds = || {
            let builders = buildpacks::builders(Path::new(WINDLASS));
            Builds::new(BuildsConfig::below(self.root.path(), builders), packages.clone())
        };
        let runtime = tokio::runtime::Runtime::new().expect("an executor");
        runtime.block_on(async { builds().build(id.as_str()).await.expect("a build") });
        let started = Instant::now();
        runtime.block_on(async { builds().build(id.as_str()).await.expect("the same build") });
        started.elapsed()
    }

    fn fresh(&self, name: &str) -> PathBuf {
        let folder = self.root.path().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        folder
    }
}

fn text(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 0.1 => format!("{:.2} ms", seconds * 1000.0),
        seconds => format!("{seconds:.2} s"),
    }
}
