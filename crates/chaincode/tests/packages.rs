//! Packages: what is one, what is not and in which words, what may be unpacked, and how they are made and kept.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use windlass_chaincode::{
    install::{PackageStore, StoreError},
    package::{
        Limits, Package,
        create::{CreateOptions, Created, create},
    },
};

/// An entry of an archive: its name, type and content.
struct Entry<'a>(&'a str, u8, &'a [u8]);

fn file<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    Entry(name, b'0', content)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// A `.tar.gz`, with names and types as bad as they are given.
fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for Entry(name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).expect("memory");
    }
    gzip(&builder.into_inner().expect("memory"))
}

const METADATA: &[u8] = br#"{"type":"external","path":"","label":"basic_1.0","more":[1]}"#;

fn package(code: &[Entry<'_>]) -> Bytes {
    archive(&[file("metadata.json", METADATA), file("code.tar.gz", &archive(code))]).into()
}

fn parse(bytes: &[u8]) -> Result<Package, String> {
    Package::parse(&Bytes::copy_from_slice(bytes), &Limits::default()).map_err(|error| error.to_string())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn reads_a_package_and_keeps_its_metadata_byte_for_byte() {
    let bytes = package(&[file("src/main.go", b"package main")]);
    let package = parse(&bytes).expect("a package");
    let hash = hex::encode(windlass_proto::hash::sha256(&bytes));
    assert_eq!(package.id.as_str(), format!("basic_1.0:{hash}"));
    assert_eq!((package.metadata.kind.as_str(), package.label.as_str()), ("external", "basic_1.0"));
    assert_eq!(&package.metadata_json[..], METADATA);
    assert_eq!(package.bytes(), &bytes);
}

#[test]
fn takes_the_last_of_duplicates_and_ignores_other_files() {
    let (first, second) = (archive(&[file("first", b"")]), archive(&[file("second", b"")]));
    let bytes = archive(&[
        file("code.tar.gz", &first),
        file("metadata.json", br#"{"label":"first"}"#),
        file("README", b"hello"),
        file("metadata.json", br#"{"LABEL":"second"}"#),
        file("code.tar.gz", &second),
    ]);
    let package = parse(&bytes).expect("a package");
    assert_eq!(package.label.as_str(), "second");
    let folder = folder();
    package.code().extract(folder.path()).expect("code");
    assert!(folder.path().join("second").exists() && !folder.path().join("first").exists());
}

// Fabric: external-builders §1
#[test]
fn says_in_fabrics_words_why_a_file_is_not_a_package() {
    let code = archive(&[]);
    // Does not compress, so that half of the package ends inside.
    let noise: Vec<u8> = (0..200_u8).flat_map(|seed| windlass_proto::hash::sha256(&[seed])).collect();
    let good = package(&[file("noise", &noise)]);
    let metadata = |json: &[u8]| archive(&[file("metadata.json", json), file("code.tar.gz", &code)]);
    let label = |label: &str| {
        format!(
            "invalid label '{label}'. Label must be non-empty, can only consist of alphanumerics, symbols from '.+-_', \
             and can only begin with alphanumerics"
        )
    };
    let code_error = |code: &[u8]| archive(&[file("metadata.json", METADATA), file("code.tar.gz", code)]);
    for (bytes, text) in [
        (Vec::new(), "error reading as gzip stream: EOF".to_owned()),
        (b"\x1f\x8b\x08".to_vec(), "error reading as gzip stream: unexpected EOF".to_owned()),
        (b"PK\x03\x04 surely a zip file".to_vec(), "error reading as gzip stream: gzip: invalid header".to_owned()),
        (gzip(b"not a tar archive"), "error inspecting next tar header: unexpected EOF".to_owned()),
        (gzip(&[b'x'; 1024]), "error inspecting next tar header: archive/tar: invalid tar header".to_owned()),
        (
            archive(&[Entry("./", b'5', b""), file("./metadata.json", METADATA)]),
            "tar entry ./ is not a regular file, type 53".to_owned(),
        ),
        (archive(&[Entry("code.tar.gz", b'2', b"")]), "tar entry code.tar.gz is not a regular file, type 50".to_owned()),
        (
            archive(&[Entry("pax_global_header", b'g', b"11 a=b c d\n")]),
            "tar entry pax_global_header is not a regular file, type 103".to_owned(),
        ),
        (good[..good.len() / 2].to_vec(), "could not read code.tar.gz from tar: unexpected EOF".to_owned()),
        (
            metadata(b"{not json"),
            "could not unmarshal metadata.json as json: invalid character 'n' looking for beginning of object key string"
                .to_owned(),
        ),
        (
            metadata(br#"{"label":7}"#),
            "could not unmarshal metadata.json as json: json: cannot unmarshal number into Go struct field \
             ChaincodePackageMetadata.label of type string"
                .to_owned(),
        ),
        (archive(&[]), "did not find a code package inside the package".to_owned()),
        (gzip(b""), "did not find a code package inside the package".to_owned()),
        (archive(&[file("metadata.json", METADATA)]), "did not find a code package inside the package".to_owned()),
        (
            archive(&[file("code.tar.gz", &code)]),
            "did not find any package metadata (missing metadata.json)".to_owned(),
        ),
        (
            archive(&[file("./metadata.json", METADATA), file("code.tar.gz", &code)]),
            "did not find any package metadata (missing metadata.json)".to_owned(),
        ),
        (metadata(b"{}"), label("")),
        (metadata(br#"{"label":"a b"}"#), label("a b")),
        (metadata(br#"{"label":"../x"}"#), label("../x")),
        (metadata(br#"{"label":"-a"}"#), label("-a")),
        (code_error(b""), "error retrieving DB artifacts from code package: EOF".to_owned()),
        (
            code_error(b"plain text, not code"),
            "error retrieving DB artifacts from code package: gzip: invalid header".to_owned(),
        ),
        (
            code_error(&gzip(b"not a tar archive")),
            "error retrieving DB artifacts from code package: unexpected EOF".to_owned(),
        ),
    ] {
        assert_eq!(parse(&bytes).expect_err(&text), text);
    }
}

#[test]
fn stops_bombs_at_their_limit() {
    let zeros = vec![0; 20 << 20];
    let limits =
        Limits { entries: 3, depth: 2, path_bytes: 80, file_bytes: 100, outer_entries: 3, ..Limits::default() };
    let parse = |bytes: Vec<u8>| Package::parse(&bytes.into(), &limits).map(|_| ()).map_err(|error| error.to_string());
    let code = |entries: &[Entry<'_>]| parse(package(entries).into());
    let prefix = "error retrieving DB artifacts from code package";
    // A bomb inside the code: small even after the outer archive is inflated.
    let bomb = crate::parse(&package(&[file("zeros", &zeros)])).expect_err("a bomb");
    assert_eq!(bomb, format!("{prefix}: archive inflates to more than 200 times its size"));
    assert_eq!(code(&[file("a/b/c", b"")]), Ok(()));
    for (result, text) in [
        // A bomb inside a file that nobody asked for, in the outer archive.
        (
            parse(archive(&[file("README", &zeros)])),
            "could not read README from tar: archive inflates to more than 200 times its size".to_owned(),
        ),
        (code(&[file("big", &zeros[..101])]), format!("{prefix}: entry 'big' is larger than 100 bytes")),
        (code(&[file("a/b/c/d", b"")]), format!("{prefix}: entry 'a/b/c/d' is more than 2 folders deep")),
        (code(&[file(&"n".repeat(81), b"")]), format!("{prefix}: archive has a name of more than 80 bytes")),
        (code(&["a", "b", "c", "d"].map(|name| file(name, b""))), format!("{prefix}: archive has more than 3 entries")),
        (
            parse(archive(&["a", "b", "c", "d"].map(|name| file(name, b"")))),
            "error inspecting next tar header: archive has more than 3 entries".to_owned(),
        ),
        (
            parse(archive(&[file("metadata.json", &zeros[..(1 << 20) + 1])])),
            "could not read metadata.json from tar: entry 'metadata.json' is larger than 1048576 bytes".to_owned(),
        ),
    ] {
        assert_eq!(result, Err(text));
    }
}

// Fabric: external-builders §5
#[test]
fn unpacks_only_files_and_folders_that_stay_inside() {
    for (entry, text) in [
        (file("../evil", b""), "tar contains the absolute or escaping path '../evil'"),
        (file("/etc/evil", b""), "tar contains the absolute or escaping path '/etc/evil'"),
        (file("a/../../evil", b""), "tar contains the absolute or escaping path 'a/../../evil'"),
        (Entry("link", b'2', b""), "invalid file type '50' contained in archive for file 'link'"),
        (Entry("hard", b'1', b""), "invalid file type '49' contained in archive for file 'hard'"),
        (Entry("device", b'3', b""), "invalid file type '51' contained in archive for file 'device'"),
        (
            Entry("pax_global_header", b'g', b""),
            "invalid file type '103' contained in archive for file 'pax_global_header'",
        ),
    ] {
        let outside = folder();
        let inside = outside.path().join("in");
        fs::create_dir(&inside).expect("a folder");
        let package = parse(&package(&[entry])).expect("a package");
        assert_eq!(package.code().extract(&inside).expect_err(text).to_string(), text);
        assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 1);
    }
}

#[test]
fn says_which_entry_the_disk_refused() {
    let folder = folder();
    let package = parse(&package(&[file("a", b""), file("a/b", b"")])).expect("a package");
    let error = package.code().extract(folder.path()).expect_err("a file where a folder should be");
    assert_eq!(error.to_string(), "could not create directory 'a/b': file exists");
}

#[test]
fn unpacks_unusual_names_and_overwrites_whole_files() {
    let folder = folder();
    let package = parse(&package(&[
        Entry("./", b'5', b""),
        file("./a/../b", b"a long first content"),
        file("b", b"short"),
        file("..foo/x", b""),
        Entry("empty/folder/", b'5', b""),
    ]));
    package.expect("a package").code().extract(folder.path()).expect("code");
    assert_eq!(fs::read(folder.path().join("b")).expect("a file"), b"short");
    assert!(folder.path().join("..foo/x").is_file());
    let mode = fs::metadata(folder.path().join("empty/folder")).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// Bytes that look random and are always the same.
fn noise(seed: u32) -> impl Iterator<Item = u32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    })
}

#[test]
fn survives_whatever_is_in_an_archive() {
    let long = "directory/".repeat(20) + "file";
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["a", &long, "dir/../b"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(700);
        header.set_mode(0o644);
        builder.append_data(&mut header, name.replace("..", "x"), &[b'x'; 700][..]).expect("memory");
    }
    let code = builder.into_inner().expect("memory");
    let folder = folder();
    for seed in 0..500 {
        let mut noise = noise(seed);
        let mut damaged = code.clone();
        for _ in 0..1 + seed % 4 {
            let (at, value) = (noise.next().unwrap_or(0) as usize, noise.next().unwrap_or(0));
            // Mostly headers: every fourth change is anywhere.
            let at = if value % 4 == 0 { at % damaged.len() } else { at % (damaged.len() / 512) * 512 + at % 160 };
            damaged[at] = if value & 64 == 0 { value as u8 } else { damaged[at].wrapping_add(1) };
            if damaged.len() >= 512 {
                fix_checksum(&mut damaged, at / 512 * 512);
            }
        }
        damaged.truncate(damaged.len() - (seed as usize % 7) * 100);
        let bytes = archive(&[file("metadata.json", METADATA), file("code.tar.gz", &gzip(&damaged))]);
        if let Ok(package) = parse(&bytes) {
            let inside = folder.path().join(seed.to_string()).join("in");
            fs::create_dir_all(&inside).expect("a folder");
            let _ = package.code().extract(&inside);
            assert_eq!(fs::read_dir(inside.parent().expect("a folder")).expect("a folder").count(), 1);
        }
        // And the same damage as the outer archive, and to the compressed bytes.
        let _ = parse(&gzip(&damaged));
        let mut bytes = bytes;
        let at = noise.next().unwrap_or(0) as usize % bytes.len();
        bytes[at] ^= 1 << (seed % 8);
        let _ = parse(&bytes);
    }
}

/// Makes damage to a header count.
fn fix_checksum(archive: &mut [u8], at: usize) {
    let Some(block) = archive.get_mut(at..at + 512) else { return };
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn keeps_packages_under_fabrics_names() {
    let folder = folder();
    let store = PackageStore::open(&folder.path().join("lifecycle/chaincodes")).expect("a store");
    let bytes = package(&[]);
    let id = store.save(&bytes).expect("a package");
    assert_eq!(store.save(&bytes).expect("the same again"), id);
    let path = folder.path().join("lifecycle/chaincodes").join(format!("basic_1.0.{}.tar.gz", id.hash()));
    assert_eq!(fs::read(&path).expect("the file"), bytes);
    assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    // What is no package by its name is not listed, and what a killed process left goes away.
    fs::write(path.with_file_name("README.tar.gz"), "").expect("a file");
    fs::write(path.with_file_name(".ccpackage.123"), "half").expect("a file");
    let store = PackageStore::open(path.parent().expect("a folder")).expect("a store");
    assert_eq!(store.list(), std::slice::from_ref(&id));
    assert!(!path.with_file_name(".ccpackage.123").exists());
    assert!(store.contains(&id));
    assert_eq!(store.load(&id).expect("the package"), bytes);
    store.delete(&id).expect("gone");
    store.delete(&id).expect("still gone");
    let error = store.load(&id).expect_err("gone");
    assert!(matches!(error, StoreError::NotFound(_)));
    assert_eq!(error.to_string(), format!("chaincode install package '{id}' not found"));
}

#[test]
fn leaves_nothing_behind_when_it_refuses_a_package() {
    let folder = folder();
    let store = PackageStore::open(folder.path()).expect("a store");
    let error = store.save(&Bytes::from_static(b"no package at all")).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "could not parse as a chaincode install package: error reading as gzip stream: gzip: invalid header"
    );
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

fn write(root: &Path, name: &str, content: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file");
}

fn unpacked(created: &Created) -> (Package, Vec<String>) {
    let package = parse(&created.bytes).expect("a package");
    assert_eq!(package.id, created.id);
    let folder = folder();
    package.code().extract(folder.path()).expect("code");
    let mut names = Vec::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                names.push(path.strip_prefix(folder.path()).expect("inside").display().to_string());
            }
        }
    }
    names.sort();
    (package, names)
}

#[test]
fn packages_a_go_module_with_its_program_as_path() {
    let root = folder();
    let module = root.path().join("my module");
    write(&module, "go.mod", "module example.com/basic // a comment\n\ngo 1.22\n");
    write(&module, "cmd/cc/main.go", "// Package main is it.\npackage main\n");
    write(&module, "lib/lib.go", "package lib\n");
    write(&module, "lib/tool.go", "//go:build ignore\n\npackage main\n");
    write(&module, "target/target.go", "package target\n");
    write(&module, "META-INF/statedb/couchdb/indexes/i.json", "{}");
    write(&module, "node_modules/x/index.js", "");
    write(&module, ".git/HEAD", "");
    let created = create(&module, &CreateOptions::default()).expect("a package");
    let (package, names) = unpacked(&created);
    assert_eq!(created.kind, "golang");
    assert_eq!(package.label.as_str(), "my-module");
    assert_eq!(
        &package.metadata_json[..],
        br#"{"path":"example.com/basic/cmd/cc","type":"golang","label":"my-module"}"#
    );
    let expected = [
        "META-INF/statedb/couchdb/indexes/i.json",
        "src/cmd/cc/main.go",
        "src/go.mod",
        "src/lib/lib.go",
        "src/lib/tool.go",
        "src/target/target.go",
    ];
    assert_eq!(names, expected);
    // A package inside the module is packaged with the whole module.
    let inner = create(&module.join("cmd/cc"), &CreateOptions::default()).expect("a package");
    assert_eq!(unpacked(&inner).0.metadata.path, "example.com/basic/cmd/cc");
    write(&module, "cmd/other/main.go", "package main\n");
    let error = create(&module, &CreateOptions::default()).expect_err("two programs").to_string();
    assert!(
        error.ends_with("has several programs (cmd/cc, cmd/other); name the folder of the one to package"),
        "{error}"
    );
    write(&module, "main.go", "package main\n");
    let created = create(&module, &CreateOptions::default()).expect("the program at the root");
    assert_eq!(unpacked(&created).0.metadata.path, "example.com/basic");
}

#[test]
fn makes_the_same_bytes_of_the_same_files() {
    let make = |order: [&str; 3]| {
        let root = folder();
        let source = root.path().join("cc");
        for name in order {
            write(&source, name, &format!("content of {name}"));
        }
        write(&source, "package.json", "{}");
        create(&source, &CreateOptions::default()).expect("a package")
    };
    let (one, other) = (make(["a.js", "b/c.js", "b.js"]), make(["b.js", "b/c.js", "a.js"]));
    assert_eq!((one.id, one.bytes), (other.id, other.bytes));
    assert_eq!(one.kind, "node");
}

#[test]
fn recognises_folders_and_programs() {
    let root = folder();
    let path = |name: &str| root.path().join(name);
    write(root.path(), "node/package.json", "{}");
    write(root.path(), "server/connection.json", "{}");
    write(root.path(), "binary/chaincode", "#!/bin/sh\n");
    write(root.path(), "binary/data/x", "");
    make_executable(&path("binary/chaincode"));
    write(root.path(), "single", "#!/bin/sh\n");
    make_executable(&path("single"));
    write(root.path(), "maven/pom.xml", "<project/>");
    write(root.path(), "maven/src/main/java/A.java", "");
    write(root.path(), "maven/src/main/resources/META-INF/x", "");
    write(root.path(), "maven/META-INF/statedb/couchdb/indexes/i.json", "{}");
    write(root.path(), "maven/target/old.jar", "");
    write(root.path(), "gradle/build.gradle.kts", "");
    write(root.path(), "gradle/build/libs/old.jar", "");
    write(root.path(), "gradle/.gradle/x", "");
    write(root.path(), "crate/Cargo.toml", "[package]\nname = 'cc'\n");
    write(root.path(), "crate/src/main.rs", "");
    write(root.path(), "crate/target/CACHEDIR.TAG", "");
    write(root.path(), "jars/app.jar", "PK\x03\x04");
    write(root.path(), "jars/lib/dep.jar", "PK\x03\x04");
    let created = |name: &str| create(&path(name), &CreateOptions::default()).expect(name);
    for (name, kind, files) in [
        ("node", "node", &["src/package.json"][..]),
        ("server", "ccaas", &["connection.json"]),
        ("binary", "binary", &["chaincode", "data/x"]),
        ("single", "binary", &["chaincode"]),
        (
            "maven",
            "java",
            &[
                "META-INF/statedb/couchdb/indexes/i.json",
                "src/pom.xml",
                "src/src/main/java/A.java",
                "src/src/main/resources/META-INF/x",
            ],
        ),
        ("gradle", "java", &["src/build.gradle.kts"]),
        ("crate", "rust", &["src/Cargo.toml", "src/src/main.rs"]),
        ("jars", "java", &["src/app.jar", "src/lib/dep.jar"]),
        ("jars/app.jar", "java", &["src/chaincode.jar"]),
    ] {
        let created = created(name);
        assert_eq!(
            (created.kind.as_str(), unpacked(&created).1),
            (kind, files.iter().map(ToString::to_string).collect())
        );
    }
    let options = CreateOptions { kind: Some("k8s".into()), label: Some("other".parse().expect("a label")) };
    let (package, _) = unpacked(&create(&path("server"), &options).expect("a package"));
    assert_eq!((package.metadata.kind.as_str(), package.label.as_str()), ("k8s", "other"));
}

#[test]
fn packages_a_crate_with_what_it_depends_on_by_path() {
    let root = folder();
    let text =
        "[package]\nname = 'cc'\n[workspace]\n[dependencies]\nshared = { path = '../../lib/shared' }\nserde = '1'\n";
    write(root.path(), "chaincode/cc/Cargo.toml", text);
    write(root.path(), "chaincode/cc/Cargo.lock", "");
    write(root.path(), "chaincode/cc/src/main.rs", "");
    write(root.path(), "chaincode/cc/META-INF/statedb/couchdb/indexes/i.json", "{}");
    write(root.path(), "chaincode/other/Cargo.toml", "");
    // The library takes another one from the workspace that it is in.
    let text = "[workspace]\nmembers = ['*']\n[workspace.dependencies]\ndeeper = { path = 'deeper' }\nunused = { path = 'x' }\n";
    write(root.path(), "lib/Cargo.toml", text);
    write(root.path(), "lib/README", "");
    write(
        root.path(),
        "lib/shared/Cargo.toml",
        "[package]\nname = 'shared'\n[target.'cfg(unix)'.dependencies]\ndeeper.workspace = true\n",
    );
    write(root.path(), "lib/shared/src/lib.rs", "");
    write(root.path(), "lib/deeper/Cargo.toml", "[package]\nname = 'deeper'\n");
    write(root.path(), "lib/deeper/src/lib.rs", "");
    let created = create(&root.path().join("chaincode/cc"), &CreateOptions::default()).expect("a package");
    let (package, names) = unpacked(&created);
    assert_eq!((package.metadata.kind.as_str(), package.metadata.path.as_str()), ("rust", "chaincode/cc"));
    assert_eq!(
        names,
        [
            "META-INF/statedb/couchdb/indexes/i.json",
            "src/chaincode/cc/Cargo.lock",
            "src/chaincode/cc/Cargo.toml",
            "src/chaincode/cc/src/main.rs",
            "src/lib/Cargo.toml",
            "src/lib/deeper/Cargo.toml",
            "src/lib/deeper/src/lib.rs",
            "src/lib/shared/Cargo.toml",
            "src/lib/shared/src/lib.rs",
        ]
    );
}

#[test]
fn packages_a_member_with_its_workspace() {
    let root = folder();
    write(root.path(), "Cargo.toml", "[workspace]\nmembers = ['cc', 'other']\nexclude = ['apart']\n");
    for name in ["cc", "other", "apart"] {
        write(root.path(), &format!("{name}/Cargo.toml"), "[package]\nname = 'x'\n");
    }
    let options = CreateOptions::default();
    let (package, names) = unpacked(&create(&root.path().join("cc"), &options).expect("a package"));
    assert_eq!(package.metadata.path, "cc");
    assert_eq!(names, ["src/Cargo.toml", "src/apart/Cargo.toml", "src/cc/Cargo.toml", "src/other/Cargo.toml"]);
    let (package, names) = unpacked(&create(&root.path().join("apart"), &options).expect("a package"));
    assert_eq!((package.metadata.path.as_str(), names), ("", vec!["src/Cargo.toml".to_owned()]));
}

#[test]
fn says_what_is_wrong_with_a_manifest() {
    let root = folder();
    write(root.path(), "cc/Cargo.toml", "[package\n");
    let error = create(&root.path().join("cc"), &CreateOptions::default()).expect_err("no manifest").to_string();
    assert!(error.contains("/cc/Cargo.toml' is not valid: "), "{error}");
    write(root.path(), "cc/Cargo.toml", "[dependencies]\ngone = { path = '../gone' }\n");
    let error = create(&root.path().join("cc"), &CreateOptions::default()).expect_err("no library").to_string();
    assert!(error.contains("/../gone': No such file"), "{error}");
}

#[test]
fn refuses_dependencies_that_are_named_by_their_whole_path() {
    let root = folder();
    let path = fs::canonicalize(root.path()).expect("a folder");
    let (lib, shown) = (path.join("libs/lib"), path.display());
    write(&lib, "Cargo.toml", "[package]\nname = 'lib'\n");
    let error = |manifest: &str| {
        write(&path, "work/cc/Cargo.toml", manifest);
        create(&path.join("work/cc"), &CreateOptions::default()).expect_err("no package").to_string()
    };
    for table in ["dependencies", "dev-dependencies", "target.'cfg(unix)'.build-dependencies", "patch.crates-io"] {
        assert_eq!(
            error(&format!("[package]\nname = 'cc'\n[{table}]\nlib = {{ path = '{}' }}\n", lib.display())),
            format!(
                "'{shown}/work/cc/Cargo.toml' depends on '{shown}/libs/lib', which is nowhere else; write path = \
                 \"../../libs/lib\" instead"
            )
        );
    }
    // The folder is named by the workspace.
    let text =
        format!("[workspace]\nmembers = ['cc']\n[workspace.dependencies]\nlib = {{ path = '{}' }}\n", lib.display());
    write(&path, "work/Cargo.toml", &text);
    assert_eq!(
        error("[package]\nname = 'cc'\n[dependencies]\nlib.workspace = true\n"),
        format!(
            "'{shown}/work/Cargo.toml' depends on '{shown}/libs/lib', which is nowhere else; write path = \"../libs/lib\" \
             instead"
        )
    );
}

#[test]
fn says_what_it_looked_for_in_a_folder_that_is_nothing() {
    let root = folder();
    write(root.path(), "empty/README", "");
    let error = create(&root.path().join("empty"), &CreateOptions::default()).expect_err("nothing").to_string();
    for name in [
        "go.mod",
        "package.json",
        "pom.xml",
        "build.gradle",
        "Cargo.toml",
        "connection.json",
        "executable file 'chaincode'",
        "a jar",
    ] {
        assert!(error.contains(name), "{error}");
    }
    let error = create(&root.path().join("empty/README"), &CreateOptions::default()).expect_err("a text").to_string();
    assert!(error.ends_with("is neither a chaincode package nor a jar nor an executable file"), "{error}");
    let error = create(&root.path().join("missing"), &CreateOptions::default()).expect_err("missing").to_string();
    assert!(error.contains("missing") && error.contains("No such file"), "{error}");
}

#[test]
fn passes_a_ready_package_through_unchanged() {
    let root = folder();
    let path = root.path().join("basic.tar.gz");
    let bytes = package(&[]);
    fs::write(&path, &bytes).expect("a file");
    let created = create(&path, &CreateOptions::default()).expect("a package");
    assert_eq!((created.bytes, created.kind.as_str()), (bytes, "external"));
    let options = CreateOptions { label: Some("other".parse().expect("a label")), kind: None };
    let error = create(&path, &options).expect_err("another label").to_string();
    assert!(error.ends_with("is a ready package with label 'basic_1.0'; it cannot be given 'other'"), "{error}");
    fs::write(&path, gzip(b"no tar")).expect("a file");
    let error = create(&path, &CreateOptions::default()).expect_err("no package").to_string();
    assert!(error.ends_with("is not a chaincode package: error inspecting next tar header: unexpected EOF"), "{error}");
}

#[test]
fn follows_links_inside_a_folder_and_no_others() -> io::Result<()> {
    let root = folder();
    let source = root.path().join("cc");
    write(&source, "package.json", "{}");
    write(&source, "real.js", "real");
    symlink("real.js", source.join("link.js"))?;
    let created = create(&source, &CreateOptions::default()).expect("a package");
    assert_eq!(unpacked(&created).1, ["src/link.js", "src/package.json", "src/real.js"]);
    symlink("/etc/passwd", source.join("passwd"))?;
    let error = create(&source, &CreateOptions::default()).expect_err("a link out").to_string();
    assert!(error.contains("passwd' is a symbolic link that leads out"), "{error}");
    Ok(())
}
