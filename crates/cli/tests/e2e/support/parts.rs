//! What has to be downloaded or compiled before tests can use it: once for all of them, and kept between runs.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
};

/// Where everything is.
pub(crate) fn repository() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).expect("a folder")
}

/// The chaincode to try.
pub(crate) fn example(name: &str) -> PathBuf {
    repository().join("examples").join(name)
}

/// A Go example, compiled, and with the flags of the buildpack: it finds everything compiled after that.
pub(crate) fn go_program(example_name: &str) -> PathBuf {
    once(&format!("go {example_name}"), || go_build(&example(example_name), example_name))
}

/// A program of a Go module.
pub(crate) fn go_build(module: &Path, name: &str) -> PathBuf {
    let program = scratch("go").join(name);
    let mut go = Command::new("go");
    run(go.args(["build", "-buildvcs=false", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(module));
    program
}

/// A Rust example, compiled.
pub(crate) fn rust_program(example_name: &str) -> PathBuf {
    once(&format!("rust {example_name}"), || {
        let target = scratch("rust");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--target-dir"]).arg(&target).current_dir(example(example_name));
        // Flags for our own code, such as those of a lint run, are not meant for others'.
        run(cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS"));
        target.join("debug").join(example_name)
    })
}

/// A Node example with its dependencies.
pub(crate) fn node_example(name: &str) -> PathBuf {
    once(&format!("node {name}"), || node_package(&example(name), name))
}

/// The client on `@hyperledger/fabric-gateway`, with its dependencies.
pub(crate) fn gateway_client() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/parts/gateway-client");
    once("gateway-client", || node_package(&source, "gateway-client"))
}

/// Copies a Node package and installs what it depends on, unless that is there already.
pub(crate) fn node_package(source: &Path, name: &str) -> PathBuf {
    let folder = scratch("node").join(name);
    let lock = || fs::read(folder.join("package-lock.json")).ok();
    let before = lock();
    copy(source, &folder);
    if before.is_none() || before != lock() || !folder.join("node_modules/.package-lock.json").is_file() {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder));
    }
    folder
}

/// Copies a folder without what npm installed there.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name());
        if name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).expect("a file to copy");
        }
    }
}

/// Does the work unless this process has done it. Other processes wait: two `cargo test` may run at once.
pub(crate) fn once(name: &str, work: impl FnOnce() -> PathBuf) -> PathBuf {
    type Parts = Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>;
    static PARTS: OnceLock<Parts> = OnceLock::new();
    let part = {
        let mut parts = PARTS.get_or_init(Default::default).lock().expect("no test panics here");
        parts.entry(name.to_owned()).or_default().clone()
    };
    part.get_or_init(|| {
        let lock = File::create(scratch("").join(format!("{}.lock", name.replace(' ', "-")))).expect("a lock file");
        lock.lock().expect("a lock");
        work()
    })
    .clone()
}

/// A folder that is kept between runs.
pub(crate) fn scratch(kind: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parts").join(kind);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs a command that must succeed.
#[track_caller]
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
