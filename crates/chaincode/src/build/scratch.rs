//! The folders in which a package is unpacked and built.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{
    build::disk::Temporary,
    package::{Package, errno},
};

/// `fabric-<id><random>/{src,metadata,bld,release}`, removed when dropped.
// Fabric: external-builders §5
#[derive(Debug)]
pub(super) struct Scratch {
    folder: Temporary,
}

impl Scratch {
    /// Unpacks a package below `parent`. The error is what Fabric puts after `could not create build context: `.
    pub(super) fn unpack(parent: Option<&Path>, package: &Package) -> Result<Self, String> {
        let folder = temporary(parent, &format!("fabric-{}", file_name(package.id.as_str())))
            .map_err(|error| format!("could not create temp dir: {}", errno::text(&error)))?;
        let scratch = Self { folder };
        for (folder, what) in [
            (scratch.source(), "source"),
            (scratch.metadata(), "metadata"),
            (scratch.output(), "build"),
            (scratch.release(), "release"),
        ] {
            let made = fs::DirBuilder::new().mode(0o700).create(folder);
            made.map_err(|error| format!("could not create {what} dir: {}", errno::text(&error)))?;
        }
        let code = package.code();
        code.extract(&scratch.source()).map_err(|error| format!("could not untar source package: {error}"))?;
        write_private(&scratch.metadata().join("metadata.json"), &package.metadata_json, 0o700)
            .map_err(|error| format!("could not write metadata file: {}", errno::text(&error)))?;
        Ok(scratch)
    }

    /// Removes it, and waits for that.
    pub(super) async fn removed(self) {
        self.folder.removed().await;
    }

    /// The folder of all of them.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn source(&self) -> PathBuf {
        self.folder.path().join("src")
    }

    pub(super) fn metadata(&self) -> PathBuf {
        self.folder.path().join("metadata")
    }

    pub(super) fn output(&self) -> PathBuf {
        self.folder.path().join("bld")
    }

    pub(super) fn release(&self) -> PathBuf {
        self.folder.path().join("release")
    }
}

/// A package ID as the name of a folder.
// Fabric: external-builders §2
pub(super) fn file_name(id: &str) -> String {
    id.replace(['<', '>', ':', '"', '/', '\\', '|', '?', '*', '&'], "-")
}

/// A fresh folder, ours alone, with an absolute path.
pub(super) fn temporary(parent: Option<&Path>, prefix: &str) -> io::Result<Temporary> {
    let parent = std::path::absolute(parent.map_or_else(std::env::temp_dir, Path::to_owned))?;
    fs::create_dir_all(&parent)?;
    Ok(private(prefix).tempdir_in(parent)?.into())
}

/// Makes temporary folders that only we may enter.
pub(super) fn private<'a>(prefix: &'a str) -> tempfile::Builder<'a, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).permissions(fs::Permissions::from_mode(0o700));
    builder
}

/// Writes a new file that only we may read.
pub(super) fn write_private(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    io::Write::write_all(&mut file, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_what_file_names_may_not_have() {
        assert_eq!(file_name("lbl:abc"), "lbl-abc");
        assert_eq!(file_name(r#"<>:"/\|?*&"#), "----------");
    }
}
