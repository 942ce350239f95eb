//! What went into a package, what did not, and why: read back from the package itself.

use std::{
    collections::BTreeSet,
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use windlass_chaincode::package::Package;

/// Where the code is in a package.
const CODE: &str = "code.tar.gz";

/// An account of a package.
#[derive(Debug)]
pub(super) struct Explanation {
    kind: String,
    /// What decided the type.
    reason: &'static str,
    files: Vec<File>,
    /// Paths of the source that have nothing in the package, each with the reason.
    left_out: Vec<(PathBuf, &'static str)>,
}

#[derive(Debug)]
struct File {
    name: String,
    bytes: u64,
    executable: bool,
}

impl Explanation {
    /// Compares a package with what it was made from.
    pub(super) fn of(source: &Path, type_was_given: bool, package: &Package) -> anyhow::Result<Self> {
        let source = fs::canonicalize(source)?;
        let files = files(package.bytes()).context("the package cannot be read back")?;
        let kind = package.metadata.kind.clone();
        let root = root(&source, &kind);
        let mut left_out = Vec::new();
        if root.is_dir() {
            let packed: BTreeSet<String> =
                files.iter().map(|file| file.name.strip_prefix("src/").unwrap_or(&file.name).to_owned()).collect();
            unpacked(&root, Path::new(""), &packed, &mut left_out)?;
        }
        let reason = reason(&source, &root, &kind, type_was_given);
        Ok(Self { kind, reason, files, left_out })
    }

    pub(super) fn json(&self) -> Value {
        let files: Vec<_> = self
            .files
            .iter()
            .map(|file| json!({ "name": file.name, "bytes": file.bytes, "executable": file.executable }))
            .collect();
        let left_out: Vec<_> =
            self.left_out.iter().map(|(path, reason)| json!({ "path": path, "reason": reason })).collect();
        json!({ "reason": self.reason, "files": files, "leftOut": left_out })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type {}: {}", self.kind, self.reason)?;
        for file in &self.files {
            let mark = if file.executable { ", executable" } else { "" };
            write!(f, "\n  in   {} ({} bytes{mark})", file.name, file.bytes)?;
        }
        for (path, reason) in &self.left_out {
            write!(f, "\n  out  {} ({reason})", path.display())?;
        }
        Ok(())
    }
}

/// The folder that was packaged: of a Go package its module.
fn root(source: &Path, kind: &str) -> PathBuf {
    let module = source.ancestors().find(|folder| folder.join("go.mod").is_file());
    module.filter(|_| kind.eq_ignore_ascii_case("golang")).unwrap_or(source).to_owned()
}

fn reason(source: &Path, root: &Path, kind: &str, given: bool) -> &'static str {
    let has = |name: &str| root.join(name).exists();
    match kind.to_ascii_lowercase().as_str() {
        _ if source.is_file() && fs::read(source).is_ok_and(|bytes| bytes.starts_with(&[0x1f, 0x8b])) => {
            "it is a ready package, passed on as it is"
        }
        _ if given => "it was asked for",
        "golang" if source == root => "the folder has go.mod; a whole Go module is packaged",
        "golang" => "a folder above has go.mod; a whole Go module is packaged",
        "node" => "the folder has package.json",
        "java" if source.is_file() => "it is a jar",
        "java" if has("pom.xml") => "the folder has pom.xml",
        "java" if has("build.gradle") || has("build.gradle.kts") => "the folder has build.gradle",
        "java" if has("settings.gradle") || has("settings.gradle.kts") => "the folder has settings.gradle",
        "java" => "the folder has jars",
        "rust" => "the folder has Cargo.toml",
        "ccaas" => "the folder has connection.json, the address of a chaincode server",
        "binary" if source.is_file() => "it is an executable file",
        "binary" => "the folder has an executable file 'chaincode'",
        _ => "it was asked for",
    }
}

fn files(package: &[u8]) -> anyhow::Result<Vec<File>> {
    let mut code = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(package)).entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(CODE) {
            code.clear();
            entry.read_to_end(&mut code)?;
        }
    }
    let mut files = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(&code[..])).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = entry.path()?.display().to_string();
            let executable = entry.header().mode()? & 0o111 != 0;
            files.push(File { name, bytes: entry.size(), executable });
        }
    }
    Ok(files)
}

/// The topmost paths below `folder` of which nothing was packed.
fn unpacked(
    root: &Path,
    below: &Path,
    packed: &BTreeSet<String>,
    left_out: &mut Vec<(PathBuf, &'static str)>,
) -> anyhow::Result<()> {
    let mut names: Vec<_> =
        fs::read_dir(root.join(below))?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    for name in names {
        let path = below.join(&name);
        let text = path.display().to_string();
        // Indexes may have been moved to the top, where peers look for them.
        let is_packed = packed.contains(&text) || text.find("META-INF/").is_some_and(|at| packed.contains(&text[at..]));
        let within = format!("{text}/");
        let holds_packed = packed.range(within.clone()..).next().is_some_and(|next| next.starts_with(&within));
        if holds_packed || name == "META-INF" && root.join(&path).is_dir() {
            unpacked(root, &path, packed, left_out)?;
        } else if !is_packed {
            left_out.push((path, why_not(&name.to_string_lossy())));
        }
    }
    Ok(())
}

fn why_not(name: &str) -> &'static str {
    match name {
        "node_modules" => "dependencies, which the build installs",
        ".git" | ".hg" | ".svn" => "version control",
        ".idea" | ".vscode" | ".DS_Store" => "an editor's or a desktop's",
        "target" | "build" | ".gradle" => "made by a build",
        ".windlass" => "a development network's data",
        _ => "not part of chaincode of this type",
    }
}

#[cfg(test)]
mod tests {
    use windlass_chaincode::package::{
        Limits,
        create::{CreateOptions, create},
    };

    use super::*;

    #[test]
    fn lists_what_went_in_and_what_did_not() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [
            ("package.json", "{}"),
            ("lib/a.js", "1"),
            ("node_modules/x/y.js", "2"),
            (".git/config", "3"),
            ("META-INF/statedb/couchdb/indexes/i.json", "{}"),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let options = CreateOptions { label: "l".parse().ok(), ..Default::default() };
        let created = create(folder.path(), &options).expect("a package");
        let package = Package::parse(&created.bytes, &Limits::default()).expect("a package");
        let explanation = Explanation::of(folder.path(), false, &package).expect("an explanation");
        let expected = "type node: the folder has package.json
  in   META-INF/statedb/couchdb/indexes/i.json (2 bytes)
  in   src/lib/a.js (1 bytes)
  in   src/package.json (2 bytes)
  out  .git (version control)
  out  node_modules (dependencies, which the build installs)";
        assert_eq!(explanation.to_string(), expected);
    }
}
