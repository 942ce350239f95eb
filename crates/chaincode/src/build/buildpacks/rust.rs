//! Rust programs, with Cargo.

mod cache;
mod manifest;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::build::buildpacks::{
    PARENT,
    chaincode::Chaincode,
    folders, say, shown,
    tools::{self, Home},
};
use cache::Cache;
use manifest::Binary;

const PROGRAM: &str = "chaincode";
const HINT: &str = "install Rust (https://rustup.rs), or package the built program as type 'binary'";
const MANIFEST: &str = "Cargo.toml";

pub(super) fn build(source: &Path, metadata: &Path, output: &Path) -> Result<(), String> {
    let folder = crate_folder(source, &folders::metadata(metadata)?.path)?;
    let cargo = tools::find("cargo", HINT)?;
    let home = Home::find()?;
    tools::record(output, &version(&cargo, &folder, &home)?)?;
    let binary = Binary::find(&describe(&cargo, &folder, &home)?, &folder)?;
    let cache = Cache::open(&binary.package, &home)?;
    // Always in the same place, and with the times of changes, so that Cargo knows what it has compiled before.
    folders::mirror(source, &cache.source())?;
    let folder = cache.source().join(folder.strip_prefix(source).unwrap_or(&folder));

    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--message-format", "json-render-diagnostics"]);
    if binary.is_locked {
        command.arg("--locked");
    }
    command
        .args(["--package", &binary.package, "--bin", &binary.name])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", cache.target());
    home.lend(&mut command);
    let built = compile(command, &binary.name)?;
    let program = output.join(PROGRAM);
    let failed = |error| format!("cannot copy '{}': {error}", built.display());
    fs::copy(&built, &program).map_err(failed)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    drop(cache);
    folders::keep_meta_inf(source, output)
}

pub(super) fn run(output: &Path, metadata: &Path) -> Result<(), String> {
    let chaincode = Chaincode::read(metadata)?;
    let mut command = Command::new(output.join(PROGRAM));
    command.args(["--peer.address", &chaincode.peer_address]).current_dir(output);
    chaincode.become_it(command)
}

/// The crate to build: where the metadata's path says, else at `src/`, else at the root of the package.
fn crate_folder(source: &Path, path: &str) -> Result<PathBuf, String> {
    let below = source.join("src");
    let named = folders::stays_inside(path) && !path.is_empty();
    let named = named.then(|| [below.join(path), source.join(path)]).into_iter().flatten();
    // A crate has a folder src/ of its own, but no manifest in there.
    named.chain([below, source.to_owned()]).find(|folder| folder.join(MANIFEST).is_file()).ok_or_else(|| {
        let named = if path.is_empty() { String::new() } else { format!("src/{path}, at ") };
        format!("looked for {MANIFEST} at {named}src/ and at the root of the package, and found none")
    })
}

fn cargo(cargo: &Path, folder: &Path, home: &Home, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(cargo);
    command.args(args).current_dir(folder).env_remove(PARENT).stderr(Stdio::inherit());
    home.lend(&mut command);
    let shown = shown(&command);
    let output = command.output().map_err(|error| format!("cannot start '{shown}': {error}"))?;
    if !output.status.success() {
        return Err(format!("'{shown}' failed: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The version, as Cargo says it. Cargo itself refuses a crate that needs a later one.
fn version(program: &Path, folder: &Path, home: &Home) -> Result<String, String> {
    let said = cargo(program, folder, home, &["--version"])?;
    // `cargo 1.95.0 (f2d3ce0bd 2026-03-21)`
    Ok(said.split(" (").next().unwrap_or_default().trim().to_owned())
}

fn describe(program: &Path, folder: &Path, home: &Home) -> Result<Value, String> {
    let text = cargo(program, folder, home, &["metadata", "--no-deps", "--format-version", "1"])?;
    serde_json::from_str(&text).map_err(|error| format!("cannot read what cargo metadata says: {error}"))
}

/// Runs Cargo, and finds out where it put the program.
fn compile(mut command: Command, name: &str) -> Result<PathBuf, String> {
    let shown = shown(&command);
    say(&format!("$ {shown}"));
    command.env_remove(PARENT).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start '{shown}': {error}"))?;
    let messages = child.stdout.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines().map_while(Result::ok));
    let built = messages.filter_map(|line| executable(&line, name)).last();
    let status = child.wait().map_err(|error| format!("cannot wait for '{shown}': {error}"))?;
    if !status.success() {
        return Err(format!("'{shown}' failed: {status}"));
    }
    built.ok_or_else(|| format!("'{shown}' made no program '{name}'"))
}

fn executable(line: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = message.get("target")?;
    let is_binary = target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
    let ours = message["reason"] == "compiler-artifact" && target["name"] == name && is_binary;
    ours.then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_crate_where_the_package_says() {
        let root = tempfile::tempdir().expect("a folder");
        let source = root.path();
        assert_eq!(
            crate_folder(source, "a").expect_err("nothing"),
            "looked for Cargo.toml at src/a, at src/ and at the root of the package, and found none"
        );
        for (folder, path) in [("", ""), ("src", ""), ("src/examples/a", "examples/a")] {
            fs::create_dir_all(source.join(folder)).expect("a folder");
            fs::write(source.join(folder).join(MANIFEST), "").expect("a file");
            let found = crate_folder(source, path).expect("a crate");
            assert_eq!(found.components().collect::<PathBuf>(), source.join(folder).components().collect::<PathBuf>());
        }
        assert_eq!(crate_folder(source, "../outside").expect("another"), source.join("src"));
    }

    #[test]
    fn reads_where_cargo_put_the_program() {
        let line = |kind: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"cc"}},"executable":{executable}}}"#
            )
        };
        assert_eq!(executable(&line("bin", r#""/t/release/cc""#), "cc"), Some("/t/release/cc".into()));
        assert_eq!(executable(&line("bin", r#""/t/release/cc""#), "other"), None);
        assert_eq!(executable(&line("lib", "null"), "cc"), None);
        assert_eq!(executable("warning: no JSON", "cc"), None);
    }
}
