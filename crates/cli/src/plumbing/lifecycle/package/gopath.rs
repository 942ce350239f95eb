//! Go from before modules: a package of `GOPATH` and everything that it imports. Go itself knows what that is.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::{
    Code,
    golang::{files, finish},
};

/// What `go list -json` says of a package.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Listed {
    import_path: String,
    dir: PathBuf,
    goroot: bool,
    incomplete: bool,
    go_files: Vec<String>,
    c_files: Vec<String>,
    cgo_files: Vec<String>,
    h_files: Vec<String>,
    s_files: Vec<String>,
    ignored_go_files: Vec<String>,
    embed_files: Vec<String>,
}

/// The package of an import path.
pub(super) fn code(import_path: &str) -> Result<Code, String> {
    let folder =
        list(&["-f", "{{.Dir}}"], import_path, None).map_err(|error| format!("'go list' failed with: {error}"))?;
    let folder = Path::new(folder.trim());
    let mut files = files(folder, &folder.join("META-INF"), Some(import_path))?;
    // Chaincode runs on Linux, whatever it is packaged on.
    for platform in BTreeSet::from([("linux", "amd64"), ("linux", architecture()), (system(), architecture())]) {
        let listed = list(&["-deps", "-json"], import_path, Some(platform))
            .map_err(|error| format!("listing deps for package {import_path} failed: {error}"))?;
        for package in serde_json::Deserializer::from_str(&listed).into_iter::<Listed>() {
            let package = package.map_err(|error| error.to_string())?;
            if package.incomplete {
                let path = package.import_path;
                return Err(format!("failed to calculate dependencies: incomplete package: {path}"));
            }
            if package.goroot {
                continue;
            }
            let Listed { go_files, c_files, cgo_files, h_files, s_files, ignored_go_files, embed_files, .. } = &package;
            for file in
                [go_files, c_files, cgo_files, h_files, s_files, ignored_go_files, embed_files].into_iter().flatten()
            {
                files.insert(format!("src/{}/{file}", package.import_path), package.dir.join(file));
            }
        }
    }
    Ok(finish(import_path.to_owned(), files))
}

fn list(options: &[&str], import_path: &str, platform: Option<(&str, &str)>) -> Result<String, String> {
    let mut command = Command::new("go");
    command.arg("list").args(options).arg("--").arg(import_path);
    if let Some((system, architecture)) = platform {
        command.env("GOOS", system).env("GOARCH", architecture);
    }
    let output = command.output().map_err(|error| format!("exec: \"go\": {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().map_or_else(|| "signal".to_owned(), |code| format!("exit status {code}"));
        return Err(format!("{}: {code}", said.trim_end()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn system() -> &'static str {
    if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
