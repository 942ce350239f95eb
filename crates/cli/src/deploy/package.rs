//! A package and a name, from a path.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use windlass_chaincode::package::create::{CreateOptions, Created, create};
use windlass_proto::ids::Label;

use crate::args::dev::NamedPath;

/// The name that was given, or one made from the path: of a folder its name, of a package its file's.
pub(crate) fn name_of(chaincode: &NamedPath) -> anyhow::Result<String> {
    if let Some(name) = &chaincode.name {
        return Ok(name.clone());
    }
    let path = &chaincode.path;
    let absolute: PathBuf = std::fs::canonicalize(path).with_context(|| {
        format!("there is no chaincode at {}; expected a folder of source, an executable, or a package", path.display())
    })?;
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = ["tar.gz", "tgz"].iter().find_map(|end| name.strip_suffix(&format!(".{end}"))).unwrap_or(&name);
    // Fabric: lifecycle §4
    let mut legal = String::new();
    for character in stem.chars() {
        if character.is_ascii_alphanumeric() {
            legal.push(character);
        } else if !legal.is_empty() && !legal.ends_with('-') {
            legal.push('-');
        }
    }
    let legal = legal.trim_end_matches('-');
    if legal.is_empty() {
        bail!("no chaincode name can be made from {}; hint: name it, as in basic={}", path.display(), path.display());
    }
    Ok(legal.to_owned())
}

/// Packages what is at a path under a label; a ready package is taken as it is.
pub(crate) async fn package(path: &Path, label: Label) -> anyhow::Result<Created> {
    let path = path.to_owned();
    // Reading and compressing a source tree would hold up the executor.
    let created = tokio::task::spawn_blocking(move || {
        let label = (!is_package(&path)).then_some(label);
        create(&path, &CreateOptions { label, ..Default::default() })
    });
    Ok(created.await??)
}

/// Whether a path is of a ready package, which has a label of its own.
pub(crate) fn is_package(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 2];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == [0x1f, 0x8b]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_legal_names_of_paths() {
        let parent = tempfile::tempdir().expect("a folder");
        for (file, name) in
            [("asset_transfer.v2", "asset-transfer-v2"), ("basic_1.0.tar.gz", "basic-1-0"), ("-odd--", "odd")]
        {
            let path = parent.path().join(file);
            std::fs::create_dir(&path).expect("a folder");
            assert_eq!(name_of(&NamedPath { name: None, path }).expect("a name"), name);
        }
    }
}
