//! The outer archive: `metadata.json` and `code.tar.gz`.

use std::io::Read;

use bytes::Bytes;

use crate::package::{
    ArchiveError, LimitError, Limits, Metadata, PackageError,
    archive::{Archive, REGULAR, from_io},
    code,
    inflate::Inflate,
};

/// The name of the metadata in a package.
pub(super) const METADATA: &str = "metadata.json";
/// The name of the code in a package.
pub(super) const CODE: &str = "code.tar.gz";

/// What is in a package.
pub(super) struct Outer {
    pub(super) metadata: Metadata,
    pub(super) metadata_json: Bytes,
    /// Which entry the code is. Of duplicates the last counts, for metadata and code alike.
    pub(super) code_entry: usize,
}

/// Reads a package through. What is wrong is reported in the order in which Fabric finds it.
// Fabric: external-builders §1
pub(super) fn read(bytes: &Bytes, limits: &Limits) -> Result<Outer, PackageError> {
    let mut archive = Archive::new(Inflate::new(&bytes[..], limits).map_err(PackageError::Gzip)?, limits.outer_entries);
    let mut metadata = None;
    let mut code = None;
    let mut index = 0;
    while let Some(header) = archive.next().map_err(PackageError::Header)? {
        let name = header.name();
        if header.kind != REGULAR {
            return Err(PackageError::NotRegular { name, kind: header.kind });
        }
        match name.as_str() {
            METADATA => {
                if header.size > limits.metadata_bytes {
                    let cause = LimitError::File { name: name.clone(), limit: limits.metadata_bytes }.into();
                    return Err(PackageError::Content { name, cause });
                }
                let mut json = Vec::new();
                archive
                    .read_to_end(&mut json)
                    .map_err(|error| PackageError::Content { name, cause: from_io(error) })?;
                metadata = Some((Metadata::fields(&json).map_err(PackageError::Json)?, Bytes::from(json)));
            }
            CODE => {
                let scanned = code::scan(&mut archive, limits);
                // What breaks off may be this archive and not the one inside.
                let whole = archive.take_failure().map_or_else(|| archive.skip_content(), Err);
                whole.map_err(|cause| PackageError::Content { name, cause })?;
                code = Some((index, scanned));
            }
            _ => {
                tracing::warn!(name, "encountered unexpected file in the top level of a chaincode package");
                archive.skip_content().map_err(|cause| PackageError::Content { name, cause })?;
            }
        }
        index += 1;
    }
    let (code_entry, scanned): (usize, Result<(), ArchiveError>) = code.ok_or(PackageError::NoCode)?;
    let (fields, metadata_json) = metadata.ok_or(PackageError::NoMetadata)?;
    let metadata = fields.check()?;
    scanned.map_err(PackageError::Code)?;
    Ok(Outer { metadata, metadata_json, code_entry })
}
