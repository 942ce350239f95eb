//! The code inside a package: checked once when the package is read, unpacked for each build.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use bytes::Bytes;

use crate::package::{
    ArchiveError, LimitError, Limits,
    archive::{Archive, DIRECTORY, Header, REGULAR, from_io},
    clean::clean,
    errno,
    inflate::Inflate,
};

/// The `code.tar.gz` of a package, ready to be unpacked.
#[derive(Clone, Debug)]
pub struct Code {
    bytes: Bytes,
    entry: usize,
    limits: Limits,
}

/// Why code could not be unpacked.
// Fabric: external-builders §5
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The archive is broken, or exceeds a limit.
    #[error("could not get next tar element: {0}")]
    Archive(ArchiveError),
    /// The path of an entry leaves the folder.
    #[error("tar contains the absolute or escaping path '{0}'")]
    Escaping(String),
    /// An entry is a link, a device or something else.
    #[error("invalid file type '{kind}' contained in archive for file '{name}'")]
    Kind {
        /// The entry.
        name: String,
        /// Its type flag.
        kind: u8,
    },
    /// The disk refused.
    #[error("could not create {what} '{name}': {}", errno::text(cause))]
    Create {
        /// `directory` or `file`.
        what: &'static str,
        /// The entry.
        name: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The archive breaks off in a file, or the disk is full.
    #[error("could not write file '{name}': {cause}")]
    Content {
        /// The entry.
        name: String,
        /// What went wrong.
        cause: String,
    },
}

impl Code {
    pub(super) fn new(bytes: Bytes, entry: usize, limits: Limits) -> Self {
        Self { bytes, entry, limits }
    }

    /// Unpacks the code below `folder`, which must exist, be empty and private to the caller. Since nothing but
    /// files and folders is made, no name can lead out of it.
    pub fn extract(&self, folder: &Path) -> Result<(), ExtractError> {
        let inflate = Inflate::new(&self.bytes[..], &self.limits).map_err(ExtractError::Archive)?;
        let mut outer = Archive::new(inflate, self.limits.outer_entries);
        for _ in 0..=self.entry {
            outer.next().map_err(ExtractError::Archive)?;
        }
        let inflate = Inflate::new(outer, &self.limits).map_err(ExtractError::Archive)?;
        let mut archive = Archive::new(inflate, self.limits.entries);
        while let Some(header) = archive.next().map_err(ExtractError::Archive)? {
            check(&header, &self.limits).map_err(|error| ExtractError::Archive(error.into()))?;
            extract_entry(folder, &header, &mut archive)?;
        }
        Ok(())
    }
}

/// Reads the code archive through, to know at install that it is one and within its limits.
pub(super) fn scan(reader: impl Read, limits: &Limits) -> Result<(), ArchiveError> {
    let mut archive = Archive::new(Inflate::new(reader, limits)?, limits.entries);
    while let Some(header) = archive.next()? {
        check(&header, limits)?;
    }
    Ok(())
}

fn check(header: &Header, limits: &Limits) -> Result<(), LimitError> {
    if header.path.len() > limits.path_bytes {
        return Err(LimitError::Path(limits.path_bytes));
    }
    if header.path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).count() > limits.depth + 1 {
        return Err(LimitError::Depth { name: header.name(), limit: limits.depth });
    }
    if header.size > limits.file_bytes {
        return Err(LimitError::File { name: header.name(), limit: limits.file_bytes });
    }
    Ok(())
}

fn extract_entry(folder: &Path, header: &Header, content: &mut impl Read) -> Result<(), ExtractError> {
    let Some(path) = clean(&header.path) else { return Err(ExtractError::Escaping(header.name())) };
    let create = |what, cause| ExtractError::Create { what, name: header.name(), cause };
    let make = |path: &Path| {
        let result = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(path));
        result.map_err(|cause| create("directory", cause))
    };
    match header.kind {
        DIRECTORY => make(&path),
        REGULAR => {
            path.parent().map_or(Ok(()), make)?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(header.mode)
                .open(folder.join(&path))
                .map_err(|cause| create("file", cause))?;
            let failed = |cause| ExtractError::Content { name: header.name(), cause: from_io(cause).to_string() };
            io::copy(content, &mut file).map_err(failed)?;
            Ok(())
        }
        kind => Err(ExtractError::Kind { name: header.name(), kind }),
    }
}
