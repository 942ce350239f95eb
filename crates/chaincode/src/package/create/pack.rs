//! Writing archives that depend on nothing but their content.

use std::{fs, io};

use bytes::Bytes;
use flate2::{Compression, GzBuilder, write::GzEncoder};

use crate::package::{
    Metadata,
    create::{CreateError, collect::File},
    outer::{CODE, METADATA},
};

/// `code.tar.gz`.
pub(super) fn code(files: &[File]) -> Result<Vec<u8>, CreateError> {
    let mut archive = tar::Builder::new(gzip());
    for file in files {
        let read = |cause| CreateError::Read { path: file.path.clone(), cause };
        let content = fs::read(&file.path).map_err(read)?;
        let mode = if file.executable { 0o100_755 } else { 0o100_644 };
        archive.append_data(&mut header(&content, mode), &file.name, &content[..]).map_err(read)?;
    }
    Ok(finish(archive))
}

/// The package: metadata, then code.
pub(super) fn package(metadata: &Metadata, code: &[u8]) -> Bytes {
    let mut archive = tar::Builder::new(gzip());
    for (name, content) in [(METADATA, metadata.to_json().as_bytes()), (CODE, code)] {
        // Fabric: external-builders §1
        let appended = archive.append_data(&mut header(content, 0o100_644), name, content);
        appended.expect("a short name and memory");
    }
    finish(archive).into()
}

fn gzip() -> GzEncoder<Vec<u8>> {
    // 255: made on no system in particular.
    GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default())
}

fn header(content: &[u8], mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn finish(archive: tar::Builder<GzEncoder<Vec<u8>>>) -> Vec<u8> {
    let finish = || -> io::Result<Vec<u8>> {
        let gzip = archive.into_inner()?;
        gzip.finish()
    };
    finish().expect("memory takes all that is written")
}
