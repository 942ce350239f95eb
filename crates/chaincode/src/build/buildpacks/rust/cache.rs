//! What Cargo compiled before: kept, so that a changed chaincode does not compile its dependencies again.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
};

use crate::build::buildpacks::tools::Home;

/// A folder that is ours alone as long as this value lives: packages of the same name share it.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    _lock: File,
}

impl Cache {
    /// The folder for packages of this name.
    pub(super) fn open(package: &str, home: &Home) -> Result<Self, String> {
        let folder = base(home).join("windlass").join("rust").join(package);
        let failed = |error| format!("cannot use '{}': {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { _lock: lock, folder })
    }

    /// Where the code is compiled.
    pub(super) fn source(&self) -> PathBuf {
        self.folder.join("source")
    }

    /// Where Cargo keeps what it compiled: in the folder that `CARGO_TARGET_DIR` names, if it does.
    pub(super) fn target(&self) -> PathBuf {
        let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
        named.unwrap_or_else(|| self.folder.join("target"))
    }
}

fn base(home: &Home) -> PathBuf {
    let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    match home.temporary() {
        Some(folder) => folder.join(".cache"),
        None => caches.unwrap_or_else(|| PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache")),
    }
}
