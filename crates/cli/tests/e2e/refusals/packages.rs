//! Hostile packages, through `_lifecycle` as any admin could send them.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tar::EntryType;

use super::{install, installed};
use crate::support::{
    client::Client,
    package::{Entry, archive, gzip, metadata, package, package_of},
    place::Place,
    refusal::Refusal,
    windlass::Windlass,
};

const PREFIX: &str = "failed to invoke backing implementation of 'InstallChaincode': ";
const PARSE: &str = "could not parse as a chaincode install package: ";
const SOURCE: &str = "could not create build context: could not untar source package: ";

/// Everything below a folder but the ledgers, which also grow by themselves.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            found.insert(path.display().to_string());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
struct Stores {
    packages: BTreeSet<String>,
    builds: BTreeSet<String>,
    temporary: BTreeSet<String>,
}

impl Stores {
    fn of(place: &Place, windlass: &Windlass) -> Self {
        let peer = windlass.ready.data.join("peer");
        Self {
            packages: files(&peer.join("lifecycle")),
            builds: files(&peer.join("externalbuilder")),
            temporary: files(&place.temporary()),
        }
    }

    /// Checks that what came in between has left nothing. Folders are removed beside the answer.
    fn assert_left_alone(&self, place: &Place, windlass: &Windlass, name: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut now = Self::of(place, windlass);
        while *self != now && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
            now = Self::of(place, windlass);
        }
        assert_eq!(*self, now, "{name}");
    }
}

fn outer(entries: &[Entry]) -> Vec<u8> {
    archive(entries)
}

/// A complete outer archive with this entry besides.
fn outer_with(entry: Entry) -> Vec<u8> {
    outer(&[
        entry,
        Entry::file("metadata.json", metadata("binary", "hostile")),
        Entry::file("code.tar.gz", archive(&[])),
    ])
}

/// What is refused when the package is read, with the text after [`PREFIX`] and [`PARSE`].
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = package("binary", "hostile", &[Entry::file("chaincode", "#!/bin/sh\n")]);
    let label = |label: &str| package("binary", label, &[]);
    let json = |text: &str| package_of(text, &archive(&[]));
    vec![
        ("nothing", Vec::new(), "error reading as gzip stream: EOF"),
        ("no gzip", b"this is text, not a package".to_vec(), "error reading as gzip stream: gzip: invalid header"),
        ("no tar", gzip(&[b'x'; 1024]), "error inspecting next tar header: archive/tar: invalid tar header"),
        ("broken off", good[..good.len() / 2].to_vec(), "…unexpected EOF"),
        ("a folder", outer_with(Entry::folder("./")), "tar entry ./ is not a regular file, type 53"),
        (
            "a symbolic link",
            outer_with(Entry::link("metadata.json", EntryType::Symlink, "/etc/passwd")),
            "tar entry metadata.json is not a regular file, type 50",
        ),
        (
            "a hard link",
            outer_with(Entry::link("code.tar.gz", EntryType::Link, "metadata.json")),
            "tar entry code.tar.gz is not a regular file, type 49",
        ),
        ("no parts", outer(&[]), "did not find a code package inside the package"),
        (
            "no code",
            outer(&[Entry::file("metadata.json", metadata("binary", "hostile"))]),
            "did not find a code package inside the package",
        ),
        (
            "no metadata",
            outer(&[Entry::file("code.tar.gz", archive(&[]))]),
            "did not find any package metadata (missing metadata.json)",
        ),
        (
            "names that are almost right",
            outer(&[
                Entry::file("./metadata.json", metadata("binary", "hostile")),
                Entry::file("./code.tar.gz", archive(&[])),
            ]),
            "did not find a code package inside the package",
        ),
        ("metadata of another kind", json("[]"), "could not unmarshal metadata.json as json: …"),
        ("metadata that is no JSON", json("type: golang"), "could not unmarshal metadata.json as json: …"),
        (
            "a label with a path",
            label("../../escape"),
            "invalid label '../../escape'. Label must be non-empty, can only consist of alphanumerics, symbols from \
             '.+-_', and can only begin with alphanumerics",
        ),
        (
            "no label",
            label(""),
            "invalid label ''. Label must be non-empty, can only consist of alphanumerics, symbols from '.+-_', and can \
             only begin with alphanumerics",
        ),
        (
            "code that is no archive",
            package_of(&metadata("binary", "hostile"), b"code"),
            "error retrieving DB artifacts from code package: …",
        ),
    ]
}

/// What is refused when the code is unpacked, with the text after [`PREFIX`] and what the builders say.
fn unbuildable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let code = |entry: Entry| package("binary", "hostile", &[Entry::file("chaincode", "#!/bin/sh\n"), entry]);
    vec![
        (
            "a path that leads out",
            code(Entry::file("../escape", "x")),
            "tar contains the absolute or escaping path '../escape'",
        ),
        (
            "a path that leads out later",
            code(Entry::file("a/../../escape", "x")),
            "tar contains the absolute or escaping path 'a/../../escape'",
        ),
        (
            "an absolute path",
            code(Entry::file("/tmp/windlass-escape", "x")),
            "tar contains the absolute or escaping path '/tmp/windlass-escape'",
        ),
        (
            "a symbolic link in the code",
            code(Entry::link("link", EntryType::Symlink, "/etc/passwd")),
            "invalid file type '50' contained in archive for file 'link'",
        ),
        (
            "a hard link in the code",
            code(Entry::link("link", EntryType::Link, "chaincode")),
            "invalid file type '49' contained in archive for file 'link'",
        ),
        (
            "a device in the code",
            code(Entry::link("null", EntryType::Char, "")),
            "invalid file type '51' contained in archive for file 'null'",
        ),
    ]
}

async fn refuse(client: &Client, name: &str, package: Vec<u8>) -> String {
    match install(client, package).await {
        Err(Refusal::Response { status, message }) => {
            assert_eq!(status, 500, "{name}");
            message
        }
        other => panic!("{name}: expected a refusal, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_is_no_package() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::admin(&windlass.ready).await;
    let (before, ids) = (Stores::of(&place, &windlass), installed(&client).await);
    for (name, package, expected) in unreadable() {
        let message = refuse(&client, name, package).await;
        let text = message.strip_prefix(PREFIX).and_then(|text| text.strip_prefix(PARSE));
        let text = text.unwrap_or_else(|| panic!("{name}: {message}"));
        let fits = match (expected.strip_prefix('…'), expected.strip_suffix('…')) {
            (Some(end), _) => text.ends_with(end),
            (_, Some(start)) => text.starts_with(start) && text.len() > start.len(),
            (None, None) => text == expected,
        };
        assert!(fits, "{name}: expected {expected}, found {text}");
        before.assert_left_alone(&place, &windlass, name);
    }
    assert_eq!(installed(&client).await, ids);
    client.query("basic", &["Noop"]).await.expect("the network serves on");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_code_that_reaches_out_of_its_folder() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::admin(&windlass.ready).await;
    let (before, ids) = (Stores::of(&place, &windlass), installed(&client).await);
    for (name, package, expected) in unbuildable() {
        let message = refuse(&client, name, package).await;
        let start = format!("{PREFIX}could not build chaincode: external builder failed: ");
        assert!(message.starts_with(&start), "{name}: {message}");
        assert!(message.ends_with(&format!("{SOURCE}{expected}")), "{name}: {message}");
        before.assert_left_alone(&place, &windlass, name);
    }
    assert_eq!(installed(&client).await, ids);
    assert!(!Path::new("/tmp/windlass-escape").exists());
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_bombs() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::admin(&windlass.ready).await;
    let before = Stores::of(&place, &windlass);
    let zeros = vec![0_u8; 64 << 20];
    let in_code = package("binary", "bomb", &[Entry::file("chaincode", zeros.clone())]);
    let in_metadata = archive(&[Entry::file("metadata.json", zeros.clone())]);
    let beside = outer_with(Entry::file("filler", zeros));
    let many: Vec<_> = (0..1000).map(|number| Entry::file(&format!("f{number}"), "")).collect();
    for (name, package) in
        [("code", in_code), ("metadata", in_metadata), ("an entry beside", beside), ("entries", outer(&many))]
    {
        assert!(package.len() < 1 << 20, "{name}: a bomb is small");
        let message = refuse(&client, name, package).await;
        assert!(message.starts_with(PREFIX), "{name}: {message}");
        let limit = message.contains("inflates to more than")
            || message.contains("is larger than")
            || message.contains("has more than");
        assert!(limit, "{name}: {message}");
        before.assert_left_alone(&place, &windlass, name);
    }
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_package_that_is_installed() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::admin(&windlass.ready).await;
    let id = windlass.package_id("basic").to_owned();
    let stored =
        windlass.ready.data.join("peer/lifecycle/chaincodes").join(format!("{}.tar.gz", id.replacen(':', ".", 1)));
    let package = fs::read(stored).expect("the package as it came");
    let message = refuse(&client, "again", package.clone()).await;
    assert_eq!(message, format!("{PREFIX}chaincode already successfully installed (package ID '{id}')"));
    windlass.stop();

    let windlass = place.dev().start();
    let client = Client::admin(&windlass.ready).await;
    let message = refuse(&client, "again after a restart", package).await;
    assert_eq!(message, format!("{PREFIX}chaincode already successfully installed (package ID '{id}')"));
    assert_eq!(installed(&client).await, [id]);
    windlass.stop();
}
