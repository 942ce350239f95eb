//! Package files of any bytes, and code archives of any bytes.

use std::{io::Write, path::Path};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use windlass_chaincode::package::{Limits, Package};

/// Takes the bytes for a package file.
pub(crate) fn check(data: &[u8]) {
    unpack(&Bytes::copy_from_slice(data));
}

/// Takes the bytes for the inner tar archive of a package that is otherwise as it should be: a fuzzer would not find
/// its way through the checksums of two compressed archives.
pub(crate) fn check_code(data: &[u8]) {
    let code = gzip(data);
    let mut outer = tar::Builder::new(Vec::new());
    for (name, content) in [("metadata.json", &br#"{"type":"golang","label":"fuzz"}"#[..]), ("code.tar.gz", &code)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        outer.append_data(&mut header, name, content).expect("memory");
    }
    unpack(&Bytes::from(gzip(&outer.into_inner().expect("memory"))));
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(content).expect("memory");
    gzip.finish().expect("memory")
}

/// Parses and unpacks. Whatever the bytes are, that ends, and nothing is written outside of the folder.
fn unpack(package: &Bytes) {
    let limits = Limits {
        outer_entries: 8,
        metadata_bytes: 1 << 12,
        entries: 64,
        file_bytes: 1 << 16,
        total_bytes: 1 << 20,
        depth: 8,
        path_bytes: 256,
        ratio: 1000,
    };
    let Ok(package) = Package::parse(package, &limits) else { return };
    assert_eq!(package.id.label(), package.metadata.label.as_str(), "the ID has the label of the metadata");
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().join("inside");
    std::fs::create_dir(&folder).expect("a folder");
    let _ = package.code().extract(&folder);
    let names: Vec<_> = std::fs::read_dir(root.path()).expect("a folder").flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    only_files_and_folders(&folder);
}

fn only_files_and_folders(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let kind = entry.file_type().expect("an entry");
        assert!(kind.is_dir() || kind.is_file(), "{entry:?}");
        if kind.is_dir() {
            only_files_and_folders(&entry.path());
        }
    }
}
