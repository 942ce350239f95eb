//! How much a package may ask for.

/// What a package may not exceed. Everything is counted while it is inflated, so a bomb costs no more than
/// its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the outer archive.
    pub outer_entries: u64,
    /// Bytes of `metadata.json`.
    pub metadata_bytes: u64,
    /// Entries of the code archive.
    pub entries: u64,
    /// Bytes of one file in the code archive.
    pub file_bytes: u64,
    /// Bytes that either archive inflates to.
    pub total_bytes: u64,
    /// Folders above a file of the code archive.
    pub depth: usize,
    /// Bytes of a path in the code archive.
    pub path_bytes: usize,
    /// Bytes out for each byte in. Looked at only once an archive has inflated to [`Self::RATIO_FLOOR`],
    /// since short texts may well shrink a hundredfold.
    pub ratio: u64,
}

impl Limits {
    /// Below this many bytes the compression ratio does not matter: 16 MiB.
    pub const RATIO_FLOOR: u64 = 16 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            outer_entries: 64,
            metadata_bytes: 1 << 20,
            entries: 200_000,
            file_bytes: 512 << 20,
            total_bytes: 2 << 30,
            depth: 64,
            path_bytes: 4096,
            ratio: 200,
        }
    }
}

/// A limit that a package exceeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// See [`Limits::outer_entries`] and [`Limits::entries`].
    #[error("archive has more than {0} entries")]
    Entries(u64),
    /// See [`Limits::metadata_bytes`] and [`Limits::file_bytes`].
    #[error("entry '{name}' is larger than {limit} bytes")]
    File {
        /// The entry.
        name: String,
        /// What is allowed.
        limit: u64,
    },
    /// See [`Limits::total_bytes`].
    #[error("archive inflates to more than {0} bytes")]
    Total(u64),
    /// See [`Limits::ratio`].
    #[error("archive inflates to more than {0} times its size")]
    Ratio(u64),
    /// See [`Limits::depth`].
    #[error("entry '{name}' is more than {limit} folders deep")]
    Depth {
        /// The entry.
        name: String,
        /// What is allowed.
        limit: usize,
    },
    /// See [`Limits::path_bytes`].
    #[error("archive has a name of more than {0} bytes")]
    Path(usize),
}
