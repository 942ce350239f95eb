//! The packages on this peer: one file each, named by label and hash.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use rustix::fs::Mode;
use windlass_proto::ids::PackageId;

use crate::package::{Limits, Package, PackageError};

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No package of this ID is installed.
    // Fabric: external-builders §10
    #[error("chaincode install package '{0}' not found")]
    NotFound(PackageId),
    /// What should be saved is not a package.
    #[error("could not parse as a chaincode install package: {0}")]
    Package(#[from] PackageError),
    /// The disk refused.
    #[error("could not {action} '{}': {cause}", path.display())]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// The folder of installed packages, `<fs>/lifecycle/chaincodes`. Clones share it.
///
/// The file names are all the memory it has, so a folder written by a Fabric peer works, and the other way round.
// Fabric: external-builders §2
#[derive(Clone, Debug)]
pub struct PackageStore {
    folder: Arc<Path>,
    limits: Arc<Limits>,
}

impl PackageStore {
    /// Opens the store in `folder`, making the folder if need be.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, Limits::default())
    }

    /// [`Self::open`] with other limits for packages that are saved.
    pub fn open_with(folder: &Path, limits: Limits) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Io { action: "create", path: folder.to_owned(), cause };
        make_folder(folder).map_err(failed)?;
        let store = Self { folder: folder.into(), limits: Arc::new(limits) };
        store.remove_leftovers();
        Ok(store)
    }

    /// The limits that packages are held to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Checks and keeps a package file; it is on disk when this returns. Saving it again changes nothing.
    pub fn save(&self, bytes: &Bytes) -> Result<PackageId, StoreError> {
        self.save_package(&Package::parse(bytes, &self.limits)?)
    }

    /// [`Self::save`] for a package that has been parsed already.
    pub fn save_package(&self, package: &Package) -> Result<PackageId, StoreError> {
        let path = self.path(&package.id);
        let failed = |cause| StoreError::Io { action: "write", path: path.clone(), cause };
        write_durably(&self.folder, &path, package.bytes()).map_err(failed)?;
        Ok(package.id.clone())
    }

    /// The package file of `id`, byte for byte.
    pub fn load(&self, id: &PackageId) -> Result<Bytes, StoreError> {
        let path = self.path(id);
        match fs::read(&path) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NotFound(id.clone())),
            Err(cause) => Err(StoreError::Io { action: "read", path, cause }),
        }
    }

    /// Removes a package; one that is not there is removed already.
    pub fn delete(&self, id: &PackageId) -> Result<(), StoreError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(StoreError::Io { action: "delete", path, cause }),
            Ok(()) => sync_folder(&self.folder).map_err(|cause| StoreError::Io { action: "delete", path, cause }),
        }
    }

    /// How many bytes a package has; 0 if it is not there.
    pub fn size(&self, id: &PackageId) -> u64 {
        fs::metadata(self.path(id)).map_or(0, |metadata| metadata.len())
    }

    /// Whether a package is there.
    pub fn contains(&self, id: &PackageId) -> bool {
        self.path(id).is_file()
    }

    /// The IDs of all packages, sorted. Files of other names are no packages.
    pub fn list(&self) -> Vec<PackageId> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut ids: Vec<_> = entries.flatten().filter_map(|entry| id_of(entry.file_name().to_str()?)).collect();
        ids.sort_unstable();
        ids
    }

    fn path(&self, id: &PackageId) -> PathBuf {
        self.folder.join(format!("{}.{}{SUFFIX}", id.label(), id.hash()))
    }

    /// Temporary files of a process that was killed while it saved.
    fn remove_leftovers(&self) {
        for entry in fs::read_dir(&*self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

const SUFFIX: &str = ".tar.gz";
const TEMPORARY: &str = ".ccpackage.";

fn id_of(file_name: &str) -> Option<PackageId> {
    let (label, hash) = file_name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    format!("{label}:{hash}").parse().ok()
}

fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

fn write_durably(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    use io::Write;
    // Made with mode 0600.
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = rustix::fs::open(folder, rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fsync(&folder)?)
}
