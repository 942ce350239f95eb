//! Why a file is not a package, in Fabric's words.

use windlass_proto::ids::IdError;

use crate::package::archive::ArchiveError;

/// Why a file is not a package. The text is what Fabric puts after
/// `could not parse as a chaincode install package: `.
// Fabric: external-builders §1
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The file is not a gzip stream.
    #[error("error reading as gzip stream: {0}")]
    Gzip(ArchiveError),
    /// The outer archive is not a tar archive, or breaks off.
    #[error("error inspecting next tar header: {0}")]
    Header(ArchiveError),
    /// An entry of the outer archive is a directory, a link or something else.
    #[error("tar entry {name} is not a regular file, type {kind}")]
    NotRegular {
        /// The entry.
        name: String,
        /// Its type flag.
        kind: u8,
    },
    /// The archive breaks off inside an entry.
    #[error("could not read {name} from tar: {cause}")]
    Content {
        /// The entry.
        name: String,
        /// What went wrong.
        cause: ArchiveError,
    },
    /// The metadata is not the expected JSON object.
    #[error("could not unmarshal metadata.json as json: {0}")]
    Json(String),
    /// There is no `code.tar.gz`.
    #[error("did not find a code package inside the package")]
    NoCode,
    /// There is no `metadata.json`.
    #[error("did not find any package metadata (missing metadata.json)")]
    NoMetadata,
    /// The label has characters that a label may not have.
    #[error(transparent)]
    Label(#[from] IdError),
    /// `code.tar.gz` is not an archive, or exceeds a limit.
    #[error("error retrieving DB artifacts from code package: {0}")]
    Code(ArchiveError),
}
