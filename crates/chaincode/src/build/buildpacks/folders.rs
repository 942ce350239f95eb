//! The folders that a step is given.

use std::{fs, io, path::Path};

use crate::{
    build::{copy, disk},
    package::json::Fields,
};

/// `metadata.json`: the type and the path.
pub(super) struct Metadata {
    pub(super) kind: String,
    pub(super) path: String,
}

/// Reads `metadata.json`.
pub(super) fn metadata(folder: &Path) -> Result<Metadata, String> {
    let path = folder.join("metadata.json");
    let text = fs::read(&path).map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
    let fields = Fields::parse(&text, "main", "chaincodeMetadata")?;
    let text = |key| fields.text(key).map(Option::unwrap_or_default);
    Ok(Metadata { kind: text("type")?, path: text("path")? })
}

/// `detect` for a buildpack that takes one type.
pub(super) fn expect_type(folder: &Path, expected: &str) -> Result<(), String> {
    let kind = metadata(folder)?.kind;
    if kind.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(format!("the package has type '{kind}', this buildpack takes '{expected}'"))
}

/// Copies a folder below an existing one.
pub(super) fn copy_into(from: &Path, to: &Path) -> Result<(), String> {
    copy::check(from).and_then(|()| copy::copy(from, to)).map_err(|error| format!("cannot copy: {error}"))
}

/// Keeps `META-INF` of the code beside what is built, for `release`.
pub(super) fn keep_meta_inf(source: &Path, output: &Path) -> Result<(), String> {
    let from = source.join("META-INF");
    if from.is_dir() { copy_into(&from, &output.join("META-INF")) } else { Ok(()) }
}

/// `release` for buildpacks whose chaincode is run: hands out the indexes for CouchDB.
pub(super) fn release_indexes(output: &Path, release: &Path) -> Result<(), String> {
    let folder = output.join("META-INF");
    let from = folder.join("statedb");
    // A build can have put links there, to anywhere.
    let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    if is_folder(&folder) && is_folder(&from) { copy_into(&from, &release.join("statedb")) } else { Ok(()) }
}

/// Whether a path from metadata leads nowhere but below the folder that it is joined to.
pub(super) fn stays_inside(path: &str) -> bool {
    !path.starts_with('/') && !path.split('/').any(|part| part == "..")
}

/// Makes `to` hold what `from` holds, and nothing else; files that are the same already are left as they are, so that
/// their times say when they changed.
pub(super) fn mirror(from: &Path, to: &Path) -> Result<(), String> {
    mirror_folders(from, to).map_err(|error| format!("cannot copy '{}' to '{}': {error}", from.display(), to.display()))
}

/// Does not recurse: how deep the folders are is the package's choice.
fn mirror_folders(from: &Path, to: &Path) -> io::Result<()> {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&to)? {
            let (kind, path, ours) =
                entry.and_then(|entry| Ok((entry.file_type()?, entry.path(), from.join(entry.file_name()))))?;
            let stays = if kind.is_dir() { ours.is_dir() } else { kind.is_file() && ours.is_file() };
            if !stays {
                disk::remove(&path)?;
            }
        }
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (path, copy) = (entry.path(), to.join(entry.file_name()));
            if path.is_dir() {
                folders.push((path, copy));
            } else if !copy.is_file() || fs::read(&path)? != fs::read(&copy)? {
                fs::copy(&path, &copy)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn releases_no_indexes_from_behind_a_link() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        for folder in ["secret/statedb", "a/META-INF/statedb", "b/META-INF", "c", "release"] {
            fs::create_dir_all(path(folder)).expect("a folder");
        }
        fs::write(path("secret/statedb/key"), "key").expect("a file");
        std::os::unix::fs::symlink(path("secret/statedb"), path("b/META-INF/statedb")).expect("a link");
        std::os::unix::fs::symlink(path("secret"), path("c/META-INF")).expect("a link");
        for build in ["b", "c"] {
            release_indexes(&path(build), &path("release")).expect("nothing to do");
            assert!(!path("release/statedb").exists(), "{build}");
        }
        release_indexes(&path("a"), &path("release")).expect("a copy");
        assert!(path("release/statedb").is_dir());
    }

    #[test]
    fn mirrors_a_folder_and_leaves_what_is_the_same() {
        let root = tempfile::tempdir().expect("a folder");
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        let write = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write(&from.join("a/same"), "same");
        write(&from.join("a/changed"), "new");
        write(&from.join("b"), "a file now");
        write(&to.join("a/same"), "same");
        write(&to.join("a/changed"), "old");
        write(&to.join("a/gone"), "");
        write(&to.join("b/was/a/folder"), "");
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for name in ["a/same", "a/changed"] {
            let file = fs::File::options().write(true).open(to.join(name)).expect("a file");
            file.set_modified(long_ago).expect("a file");
        }
        mirror(&from, &to).expect("a copy");
        let read = |name: &str| fs::read_to_string(to.join(name)).ok();
        assert_eq!((read("a/same").as_deref(), read("a/changed").as_deref()), (Some("same"), Some("new")));
        assert_eq!((read("a/gone"), read("b").as_deref()), (None, Some("a file now")));
        let time = |name: &str| fs::metadata(to.join(name)).and_then(|file| file.modified()).expect("a file");
        assert_eq!(time("a/same"), long_ago);
        assert_ne!(time("a/changed"), long_ago);
    }

    #[test]
    fn mirrors_folders_however_deep_they_are() {
        let root = tempfile::tempdir().expect("a folder");
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        let deep = "d/".repeat(1500);
        fs::create_dir_all(from.join(&deep)).expect("folders");
        let copied = to.join(deep);
        let small = std::thread::Builder::new().stack_size(64 << 10);
        small.spawn(move || mirror(&from, &to)).expect("a thread").join().expect("no overflow").expect("a copy");
        assert!(copied.is_dir());
    }
}
