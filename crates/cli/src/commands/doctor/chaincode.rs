//! The chaincode that was named: whether it packages, and what it needs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::TempDir;
use windlass_chaincode::package::{
    Limits, Package,
    create::{CreateOptions, Created, create},
};

use super::{Finding, Subject};

/// Chaincode, and what is in it.
pub(super) struct Chaincode {
    path: PathBuf,
    packaged: Result<Created, String>,
    /// The code of the package, unpacked; none where it is no package.
    pub(super) code: Option<TempDir>,
    pub(super) needs: Vec<Needs>,
}

/// A kind of toolchain, and how new it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// A package type, or for Java the build tool.
    pub(super) kind: &'static str,
    pub(super) version: Option<Version>,
}

/// The least version that a file of the chaincode asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) version: String,
    pub(super) file: &'static str,
}

impl Chaincode {
    /// Packages it, and looks at what went in.
    pub(super) fn examine(path: PathBuf) -> anyhow::Result<Self> {
        fs::metadata(&path).with_context(|| format!("cannot use {}", path.display()))?;
        let packaged = create(&path, &CreateOptions::default());
        let code = packaged.as_ref().ok().map(unpack).transpose()?;
        let needs = match (&packaged, &code) {
            (Ok(created), Some(code)) => needs(&created.kind, code.path()),
            _ => Vec::new(),
        };
        Ok(Self { path, packaged: packaged.map_err(|error| error.to_string()), code, needs })
    }
}

/// Says whether it packages.
pub(super) fn check(subject: &Subject) -> Vec<Finding> {
    let Some(chaincode) = &subject.chaincode else { return Vec::new() };
    let what = format!("chaincode {}", chaincode.path.display());
    vec![match &chaincode.packaged {
        Ok(created) => Finding::ok(what, format!("type {}, {} bytes packaged", created.kind, created.bytes.len())),
        Err(error) => {
            let hint = "give the folder that has go.mod, package.json, pom.xml, Cargo.toml or connection.json in it";
            Finding::fail(what, error.clone(), hint)
        }
    }]
}

fn unpack(created: &Created) -> anyhow::Result<TempDir> {
    let package = Package::parse(&created.bytes, &Limits::default()).context("the package cannot be read back")?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    package.code().extract(folder.path()).context("the package's code cannot be unpacked")?;
    Ok(folder)
}

/// What building this code takes.
fn needs(kind: &str, code: &Path) -> Vec<Needs> {
    let source = code.join("src");
    let read = |name: &str| fs::read_to_string(source.join(name)).ok();
    let version = |file: &'static str, find: fn(&str) -> Option<String>| {
        let version = read(file).and_then(|text| find(&text))?;
        Some(Version { version, file })
    };
    match kind.to_ascii_lowercase().as_str() {
        "golang" => vec![Needs { kind: "golang", version: version("go.mod", of_go_mod) }],
        "node" => vec![Needs { kind: "node", version: version("package.json", of_package_json) }],
        "rust" => vec![Needs { kind: "rust", version: version("Cargo.toml", of_cargo_toml) }],
        "java" => {
            let has = |name: &str| source.join(name).is_file();
            let tool = match () {
                () if has("mvnw") || has("gradlew") => None,
                () if has("pom.xml") => Some("maven"),
                () if ["build", "settings"]
                    .iter()
                    .any(|name| has(&format!("{name}.gradle")) || has(&format!("{name}.gradle.kts"))) =>
                {
                    Some("gradle")
                }
                () => None,
            };
            ["java"].into_iter().chain(tool).map(|kind| Needs { kind, version: None }).collect()
        }
        _ => Vec::new(),
    }
}

/// The `go` line.
fn of_go_mod(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.trim().strip_prefix("go ")).map(|version| version.trim().to_owned())
}

/// The lower bound of `engines.node`, where it is one number.
fn of_package_json(text: &str) -> Option<String> {
    let package: serde_json::Value = serde_json::from_str(text).ok()?;
    let range = package.get("engines")?.get("node")?.as_str()?;
    let version = range.trim().trim_start_matches(">=").trim_start_matches(['^', '~', 'v']).trim();
    let plain =
        version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain.then(|| version.to_owned())
}

/// The `rust-version`.
fn of_cargo_toml(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("rust-version"))?;
    let version = line.trim().strip_prefix('=')?.trim().trim_matches('"');
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_code_asks_for() {
        assert_eq!(of_go_mod("module x\n\ngo 1.24.1\n").as_deref(), Some("1.24.1"));
        for (range, version) in [(">=18", Some("18")), ("^20.1", Some("20.1")), (">=18 <21", None), ("*", None)] {
            let json = serde_json::json!({ "engines": { "node": range } }).to_string();
            assert_eq!(of_package_json(&json).as_deref(), version, "{range}");
        }
        assert_eq!(of_cargo_toml("[package]\nrust-version = \"1.90\"\n").as_deref(), Some("1.90"));
    }

    #[test]
    fn knows_which_build_tool_java_takes() {
        let code = tempfile::tempdir().expect("a folder");
        fs::create_dir(code.path().join("src")).expect("a folder");
        let kinds = || needs("java", code.path()).iter().map(|need| need.kind).collect::<Vec<_>>();
        fs::write(code.path().join("src/pom.xml"), "").expect("a file");
        assert_eq!(kinds(), ["java", "maven"]);
        fs::write(code.path().join("src/mvnw"), "").expect("a file");
        assert_eq!(kinds(), ["java"], "the wrapper brings Maven");
        assert!(needs("ccaas", code.path()).is_empty());
    }
}
