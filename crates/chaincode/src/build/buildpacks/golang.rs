//! Go programs.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::build::buildpacks::{
    chaincode::Chaincode,
    complete, folders,
    tools::{self, Home},
};

const PROGRAM: &str = "chaincode";
const HINT: &str = "install Go (https://go.dev/dl), or package the built program as type 'binary'";

/// What to build, and where.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// Where to call `go build`.
    folder: PathBuf,
    /// The package, as an import path or as `./folder`.
    package: String,
    /// For code from before modules: its `GOPATH`.
    gopath: Option<PathBuf>,
}

pub(super) fn build(source: &Path, metadata: &Path, output: &Path) -> Result<(), String> {
    let target = target(source, &folders::metadata(metadata)?.path)?;
    let go = tools::find("go", HINT)?;
    let home = Home::find()?;
    let program = output.join(PROGRAM);
    let mut command = Command::new(go);
    command
        // A scratch folder inside somebody's checkout has no version worth stamping.
        .args(["build", "-buildvcs=false", "-trimpath"])
        // What Go downloads is read-only otherwise, and could not be removed with its home.
        .args(home.temporary().map(|_| "-modcacherw"))
        .arg("-o")
        .arg(&program)
        .arg(&target.package)
        .current_dir(&target.folder);
    if !target.folder.join("go.work").is_file() {
        command.env("GOWORK", "off");
    }
    if let Some(gopath) = target.gopath {
        let mut path: OsString = gopath.into();
        if let Some(theirs) = std::env::var_os("GOPATH") {
            path.push(":");
            path.push(theirs);
        }
        command.env("GO111MODULE", "off").env("GOPATH", path);
    }
    home.lend(&mut command);
    tools::record(output, &version(&command, &target.folder)?)?;
    complete(command)?;
    let executable = fs::metadata(&program).is_ok_and(|metadata| metadata.permissions().mode() & 0o100 != 0);
    if !executable {
        return Err(format!("'{}' is not a program: chaincode has a 'package main'", target.package));
    }
    folders::keep_meta_inf(source, output)
}

/// The version of Go that a build of the module uses: the one that is installed, or the one that its `go.mod` has
/// Go download.
fn version(build: &Command, folder: &Path) -> Result<String, String> {
    let ask = |variables: &[(&str, &str)]| {
        let mut command = Command::new(build.get_program());
        command.args(["env", "GOVERSION"]).current_dir(folder).envs(variables.iter().copied());
        for (name, value) in build.get_envs() {
            if let (false, Some(value)) = (variables.iter().any(|(own, _)| name == *own), value) {
                command.env(name, value);
            }
        }
        tools::first_line(command)
    };
    let manifest = fs::read_to_string(folder.join("go.mod")).unwrap_or_default();
    let oldest = setting(&manifest, "go").map(|version| format!("go{version}"));
    let numbers = |version: &str| tools::numbers(version.strip_prefix("go")?);
    let is_old = |version: &str, needed: &str| matches!((numbers(version), numbers(needed)), (Some(version), Some(needed)) if version < needed);
    let satisfies = |version: &String| !oldest.as_deref().is_some_and(|oldest| is_old(version, oldest));
    if let Some(version) = ask(&[]).filter(satisfies) {
        return Ok(version);
    }
    // Outside of a module no other version is asked for, which would have to be downloaded first.
    let found = ask(&[("GOTOOLCHAIN", "local"), ("GO111MODULE", "off"), ("GOWORK", "off")]);
    let found = found.unwrap_or_else(|| String::from("Go of an unknown version"));
    match setting(&manifest, "toolchain").or(oldest) {
        Some(needed) if is_old(&found, &needed) => {
            let program = Path::new(build.get_program()).display();
            Err(format!("found {found} ({program}), and go.mod needs {needed}; {HINT}"))
        }
        // Whatever else is wrong, the build will say.
        _ => Ok(found),
    }
}

/// What a `go.mod` says after a word at the beginning of a line.
fn setting(manifest: &str, word: &str) -> Option<String> {
    let mut lines = manifest.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.find_map(|line| line.trim().strip_prefix(word)?.strip_prefix([' ', '\t']).map(|rest| rest.trim().to_owned()))
}

pub(super) fn run(output: &Path, metadata: &Path) -> Result<(), String> {
    let chaincode = Chaincode::read(metadata)?;
    let mut command = Command::new(output.join(PROGRAM));
    command.args(["-peer.address", &chaincode.peer_address]).current_dir(output);
    chaincode.become_it(command)
}

/// Finds the module. Fabric's command line puts it in `src/` and names the program by its import path.
// Fabric: lifecycle §9.2
fn target(source: &Path, path: &str) -> Result<Target, String> {
    if path.starts_with('-') {
        return Err(format!("'{path}' in metadata.json is not a Go package"));
    }
    let below = source.join("src");
    for folder in [&below, source] {
        if folder.join("go.mod").is_file() {
            return Ok(Target { folder: folder.to_owned(), package: package(folder, path), gopath: None });
        }
    }
    let inner = below.join(path);
    if !path.is_empty() && folders::stays_inside(path) && inner.is_dir() {
        return Ok(if inner.join("go.mod").is_file() {
            Target { folder: inner, package: ".".to_owned(), gopath: None }
        } else {
            Target { folder: below, package: path.to_owned(), gopath: Some(source.to_owned()) }
        });
    }
    Err(format!("looked for go.mod at src/, at the root and at src/{path} of the package, and found none"))
}

fn package(folder: &Path, path: &str) -> String {
    let relative = path.strip_prefix("./").unwrap_or(path);
    match relative {
        "" | "." => ".".to_owned(),
        relative if folders::stays_inside(relative) && folder.join(relative).is_dir() => format!("./{relative}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_versions_that_a_module_needs() {
        for (manifest, go, toolchain) in [
            ("module m\n\ngo 1.21 // a comment\n", Some("1.21"), None),
            ("module m\ngo 1.21\n\ntoolchain go1.99.1\n", Some("1.21"), Some("go1.99.1")),
            ("module gopher\n// go 1.21\n", None, None),
        ] {
            assert_eq!(
                (setting(manifest, "go").as_deref(), setting(manifest, "toolchain").as_deref()),
                (go, toolchain)
            );
        }
    }

    #[test]
    fn finds_the_package_to_build() {
        let root = tempfile::tempdir().expect("a folder");
        let source = root.path();
        let missing = target(source, "m").expect_err("nothing there");
        assert_eq!(missing, "looked for go.mod at src/, at the root and at src/m of the package, and found none");
        fs::create_dir_all(source.join("src/old/pkg")).expect("a folder");
        let old = target(source, "old/pkg").expect("a package");
        assert_eq!((old.gopath.as_deref(), old.package.as_str()), (Some(source), "old/pkg"));
        fs::create_dir_all(source.join("src/cmd/cc")).expect("a folder");
        fs::write(source.join("src/go.mod"), "module example.com/m\n").expect("a file");
        for (path, package) in [
            ("", "."),
            (".", "."),
            ("example.com/m", "example.com/m"),
            ("example.com/m/cmd/cc", "example.com/m/cmd/cc"),
            ("cmd/cc", "./cmd/cc"),
            ("./cmd/cc", "./cmd/cc"),
        ] {
            assert_eq!(target(source, path).expect("a module").package, package, "{path}");
        }
        assert!(target(source, "-toolexec=evil").is_err());
    }
}
