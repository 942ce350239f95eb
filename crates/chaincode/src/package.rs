//! What a package is: an outer archive with `metadata.json` and `code.tar.gz`, and the ID made from both.
//!
//! Packages are hostile input. They are read as a stream, never whole in memory, under [`Limits`] that are
//! counted while inflating.
//!
//! - [`create`]: making a package from a folder

use bytes::Bytes;
use windlass_proto::{
    hash,
    ids::{Label, PackageId},
};

pub mod create;

mod archive;
mod clean;
mod code;
pub(crate) mod errno;
mod errors;
mod inflate;
pub(crate) mod json;
mod limits;
mod metadata;
mod outer;

pub use archive::ArchiveError;
pub use code::{Code, ExtractError};
pub use errors::PackageError;
pub use limits::{LimitError, Limits};
pub use metadata::Metadata;

/// A chaincode package that has the right shape. Its code has been read through once.
#[derive(Clone, Debug)]
pub struct Package {
    /// `<label>:<SHA-256 of the whole file>`.
    pub id: PackageId,
    /// The label from the metadata.
    pub label: Label,
    /// What `metadata.json` says.
    pub metadata: Metadata,
    /// `metadata.json` as it came; builders get these bytes.
    pub metadata_json: Bytes,
    bytes: Bytes,
    code: Code,
}

impl Package {
    /// Reads a package file as it is installed.
    ///
    /// The text of the error is what Fabric puts after `could not parse as a chaincode install package: `.
    pub fn parse(bytes: &Bytes, limits: &Limits) -> Result<Self, PackageError> {
        let outer = outer::read(bytes, limits)?;
        Ok(Self {
            id: PackageId::new(&outer.metadata.label, &hash::sha256(bytes)),
            label: outer.metadata.label.clone(),
            metadata: outer.metadata,
            metadata_json: outer.metadata_json,
            bytes: bytes.clone(),
            code: Code::new(bytes.clone(), outer.code_entry, limits.clone()),
        })
    }

    /// The package file, byte for byte.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The code archive, still under the limits of [`Self::parse`].
    pub fn code(&self) -> &Code {
        &self.code
    }
}
