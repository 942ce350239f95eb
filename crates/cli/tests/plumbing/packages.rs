//! Packages, from both command lines.

use std::{fs, io::Read, os::unix::fs::PermissionsExt, path::Path};

use flate2::read::GzDecoder;

use crate::support::Place;

const MODULE: [(&str, &str); 5] = [
    ("cc/go.mod", "module example.com/m\n\ngo 1.24\n"),
    ("cc/main.go", "package main\n\nfunc main() {}\n"),
    ("cc/vendor/v/v.go", "package v\n"),
    ("cc/.git/config", "[core]\n"),
    ("cc/.hidden", "x"),
];

fn module() -> Place {
    let place = Place::new();
    for (name, text) in MODULE {
        place.write(name, text);
    }
    place
}

/// Names, modes, owners and sizes of an archive's entries.
fn entries(archive: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries().expect("an archive") {
        let entry = entry.expect("an entry");
        let header = entry.header();
        let (mode, owner) = (header.mode().expect("a mode"), header.uid().expect("an owner"));
        assert_eq!(header.mtime().ok(), Some(0));
        lines.push(format!("{} {mode:o} {owner} {}", entry.path().expect("a name").display(), entry.size()));
    }
    lines
}

fn member(package: &Path, name: &str) -> Vec<u8> {
    let bytes = fs::read(package).expect("a package");
    for entry in tar::Archive::new(GzDecoder::new(&bytes[..])).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        if entry.path().expect("a name").as_ref() == Path::new(name) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("content");
            return content;
        }
    }
    panic!("no {name}")
}

#[test]
fn a_go_module_is_packed_as_fabric_packs_it() {
    let place = module();
    let said = place.peer("lifecycle chaincode package p.tgz -p cc --label m_1");
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "", ""));
    let package = place.path().join("p.tgz");
    assert_eq!(fs::metadata(&package).expect("a file").permissions().mode() & 0o777, 0o600);
    let metadata = member(&package, "metadata.json");
    assert_eq!(String::from_utf8_lossy(&metadata), r#"{"path":"example.com/m","type":"golang","label":"m_1"}"#);
    insta::assert_snapshot!(entries(&member(&package, "code.tar.gz")).join("\n"), @r"
    src/ 40755 500 0
    src/vendor/ 40755 500 0
    src/vendor/v/ 40755 500 0
    src/.hidden 100644 500 1
    src/go.mod 100644 500 30
    src/main.go 100644 500 29
    src/vendor/v/v.go 100644 500 10
    ");
}

#[test]
fn the_same_code_makes_the_same_package_id() {
    let place = module();
    let id = |name: &str| {
        place.peer(&format!("lifecycle chaincode package {name} -p cc --label m_1"));
        place.peer(&format!("lifecycle chaincode calculatepackageid {name}")).stdout
    };
    let first = id("a.tgz");
    // Neither times nor modes of files matter.
    fs::set_permissions(place.path().join("cc/main.go"), fs::Permissions::from_mode(0o700)).expect("a mode");
    assert_eq!(first, id("b.tgz"));
    let json = place.peer("lifecycle chaincode calculatepackageid a.tgz -O json").stdout;
    assert_eq!(json, format!("{{\n\t\"package_id\": \"{}\"\n}}\n", first.trim_end()));
}

#[test]
fn node_and_java_leave_out_what_their_builds_make() {
    let place = Place::new();
    for name in ["package.json", "index.js", "node_modules/a/b.js", "build/A.class", "out/x", "src/A.java"] {
        place.write(&format!("cc/{name}"), "{}");
    }
    place.peer("lifecycle chaincode package n.tgz -p cc/ -l node --label n");
    let node = entries(&member(&place.path().join("n.tgz"), "code.tar.gz"));
    assert_eq!(node.len(), 5, "{node:?}");
    place.peer("lifecycle chaincode package j.tgz -p cc -l java --label j");
    let java = entries(&member(&place.path().join("j.tgz"), "code.tar.gz")).join("\n");
    assert!(java.contains("src/src/A.java") && !java.contains(".class") && !java.contains("src/out"), "{java}");
}

#[test]
fn windlass_package_explains_itself() {
    let place = module();
    let said = place.windlass("package cc --explain --output w.tgz");
    assert_eq!(said.code, Some(0), "{said}");
    let id = place.peer("lifecycle chaincode calculatepackageid w.tgz").stdout;
    assert_eq!(said.stdout, id);
    assert!(said.stderr.contains("type golang: the folder has go.mod"), "{said}");
    assert!(said.stderr.contains("out  .git (version control)"), "{said}");
    let json = place.windlass("package cc --json --output w.tgz").stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["packageId"], id.trim_end());
}
