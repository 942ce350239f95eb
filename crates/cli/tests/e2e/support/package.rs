//! Packages, also such as no tool would make.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

/// An entry of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    name: String,
    kind: EntryType,
    content: Vec<u8>,
    link: Option<String>,
}

impl Entry {
    pub(crate) fn file(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), kind: EntryType::Regular, content: content.into(), link: None }
    }

    pub(crate) fn folder(name: &str) -> Self {
        Self { name: name.to_owned(), kind: EntryType::Directory, content: Vec::new(), link: None }
    }

    pub(crate) fn link(name: &str, kind: EntryType, to: &str) -> Self {
        Self { name: name.to_owned(), kind, content: Vec::new(), link: Some(to.to_owned()) }
    }
}

/// A tar archive of these entries, compressed. Names are written as they are, whatever they lead to.
pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(entry.kind);
        header.set_mode(if entry.content.starts_with(b"#!") { 0o755 } else { 0o644 });
        header.set_size(entry.content.len() as u64);
        let raw = header.as_old_mut();
        raw.name[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
        if let Some(link) = &entry.link {
            raw.linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, &entry.content[..]).expect("memory takes all");
    }
    gzip(&builder.into_inner().expect("memory takes all"))
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(content).expect("memory takes all");
    gzip.finish().expect("memory takes all")
}

/// A package as tools make it.
pub(crate) fn package(kind: &str, label: &str, code: &[Entry]) -> Vec<u8> {
    package_of(&metadata(kind, label), &archive(code))
}

/// A package of just these two parts.
pub(crate) fn package_of(metadata: &str, code: &[u8]) -> Vec<u8> {
    archive(&[Entry::file("metadata.json", metadata), Entry::file("code.tar.gz", code)])
}

pub(crate) fn metadata(kind: &str, label: &str) -> String {
    serde_json::json!({ "path": "", "type": kind, "label": label }).to_string()
}
