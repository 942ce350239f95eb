//! Moving what a builder made to where it is kept, and nothing that leads out of it.
//!
//! Builders nest folders as deep as they like, so that nothing here calls itself or keeps a folder open.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use crate::package::errno;

/// Why a folder cannot be kept.
// Fabric: external-builders §5
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error("refusing to copy absolute symlink {link} -> {target}")]
    Absolute { link: String, target: String },
    #[error("refusing to copy symlink {link} -> {target} pointing outside of source root")]
    Escaping { link: String, target: String },
    #[error("refusing to copy unsupported file {file} with mode {mode:o}")]
    Unsupported { file: String, mode: u32 },
    #[error("{action} {path}: {}", errno::text(cause))]
    Io { action: &'static str, path: String, cause: io::Error },
}

/// Moves the folder `from` to `to`, which must not exist: by renaming, or by copying to another file system.
/// Either way everything in it is looked at before.
pub(super) fn move_or_copy(from: &Path, to: &Path) -> Result<(), CopyError> {
    check(from)?;
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    copy(from, to)
}

/// Copies a folder that has been checked.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), CopyError> {
    let mut folders = Vec::new();
    let mut next = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = next.pop() {
        let mode = fs::symlink_metadata(&from).map_err(|cause| failed("lstat", &from, cause))?.permissions();
        fs::create_dir_all(&to).map_err(|cause| failed("mkdir", &to, cause))?;
        for (name, path) in entries(&from)? {
            let target = to.join(name);
            let kind = fs::symlink_metadata(&path).map_err(|cause| failed("lstat", &path, cause))?.file_type();
            if kind.is_dir() {
                next.push((path, target));
            } else if kind.is_symlink() {
                let points = fs::read_link(&path).map_err(|cause| failed("readlink", &path, cause))?;
                std::os::unix::fs::symlink(points, &target).map_err(|cause| failed("symlink", &target, cause))?;
            } else {
                // Keeps the mode.
                fs::copy(&path, &target).map_err(|cause| failed("copy", &path, cause))?;
            }
        }
        folders.push((to, mode));
    }
    // Last, and the deepest first: a folder may be read-only.
    folders.into_iter().rev().try_for_each(|(folder, mode)| {
        fs::set_permissions(&folder, mode).map_err(|cause| failed("chmod", &folder, cause))
    })
}

/// Regular files, folders, and relative links that stay inside; nothing else. What lies deeper than a path can say is
/// refused, too.
pub(super) fn check(root: &Path) -> Result<(), CopyError> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for (_, path) in entries(&folder)? {
            let metadata = fs::symlink_metadata(&path).map_err(|cause| failed("lstat", &path, cause))?;
            let kind = metadata.file_type();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                check_link(root, &path)?;
            } else if !kind.is_file() {
                let (file, mode) = (path.display().to_string(), metadata.permissions().mode());
                return Err(CopyError::Unsupported { file, mode });
            }
        }
    }
    Ok(())
}

/// Makes a folder's content survive a power cut: file by file if they are few, else the whole file system.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    const FEW: usize = 64;
    let mut files = vec![folder.to_owned()];
    let mut next = 0;
    while next < files.len() && files.len() <= FEW {
        if fs::symlink_metadata(&files[next])?.is_dir() {
            files.extend(fs::read_dir(&files[next])?.flatten().map(|entry| entry.path()));
        }
        next += 1;
    }
    if files.len() > FEW {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Ok(rustix::fs::syncfs(fs::File::open(folder)?)?);
    }
    for file in files {
        let kind = fs::symlink_metadata(&file)?;
        // A file that we may not read was not written by us just now.
        if let (false, Ok(file)) = (kind.is_symlink(), fs::File::open(&file)) {
            file.sync_all()?;
        }
    }
    Ok(())
}

fn check_link(root: &Path, path: &Path) -> Result<(), CopyError> {
    let points = fs::read_link(path).map_err(|cause| failed("readlink", path, cause))?;
    let (link, target) = (path.display().to_string(), points.display().to_string());
    if points.is_absolute() {
        return Err(CopyError::Absolute { link, target });
    }
    // As the text reads, not as the disk resolves it: `a/..` is where `a` is, link or not.
    let below = path.strip_prefix(root).ok().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut depth = below.components().count();
    for component in points.components() {
        match component {
            Component::ParentDir if depth == 0 => return Err(CopyError::Escaping { link, target }),
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<(OsString, PathBuf)>, CopyError> {
    let read = |cause| failed("open", folder, cause);
    fs::read_dir(folder)
        .map_err(read)?
        .map(|entry| entry.map(|entry| (entry.file_name(), entry.path())).map_err(read))
        .collect()
}

fn failed(action: &'static str, path: &Path, cause: io::Error) -> CopyError {
    CopyError::Io { action, path: path.display().to_string(), cause }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::{MetadataExt, symlink},
        thread,
    };

    use super::*;
    use crate::build::disk::{self, tests::nest};

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("from/bin")).expect("a folder");
        fs::write(root.path().join("from/tool.js"), "tool").expect("a file");
        root
    }

    #[test]
    fn keeps_modes_and_links_that_stay_inside() {
        let root = tree();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        fs::set_permissions(from.join("tool.js"), fs::Permissions::from_mode(0o750)).expect("a file");
        symlink("../tool.js", from.join("bin/tool")).expect("a link");
        check(&from).expect("nothing wrong");
        copy(&from, &to).expect("a copy");
        assert_eq!(fs::read_to_string(to.join("bin/tool")).expect("a link"), "tool");
        assert_eq!(fs::read_link(to.join("bin/tool")).expect("a link"), Path::new("../tool.js"));
        assert_eq!(fs::metadata(to.join("tool.js")).expect("a file").mode() & 0o777, 0o750);
        sync(&to).expect("a disk");
    }

    #[test]
    fn copies_what_is_nested_deep_and_refuses_what_is_deeper_than_any_path() {
        let root = tree();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        nest(&from, 1_500);
        let copied = {
            let (from, to) = (from.clone(), to.clone());
            let work = move || check(&from).and_then(|()| copy(&from, &to));
            thread::Builder::new().stack_size(128 << 10).spawn(work).expect("a thread").join()
        };
        copied.expect("a small stack is enough").expect("a copy");
        assert!(disk::size_of(&to) >= 1 << 20);
        nest(&from.join("bin"), 5_000);
        let error = move_or_copy(&from, &root.path().join("other")).expect_err("too deep").to_string();
        assert!(error.ends_with("/a: file name too long"), "{error}");
        disk::remove(root.path()).expect("removed");
    }

    #[test]
    fn refuses_what_leads_out_or_is_no_file() {
        let root = tree();
        let from = root.path().join("from");
        let shown = from.display();
        for (target, text) in [
            ("/etc/passwd", format!("refusing to copy absolute symlink {shown}/bin/x -> /etc/passwd")),
            ("../../x", format!("refusing to copy symlink {shown}/bin/x -> ../../x pointing outside of source root")),
        ] {
            symlink(target, from.join("bin/x")).expect("a link");
            let error = move_or_copy(&from, &root.path().join("to")).expect_err("a bad link");
            assert_eq!(error.to_string(), text);
            fs::remove_file(from.join("bin/x")).expect("a link");
        }
        let _socket = std::os::unix::net::UnixListener::bind(from.join("s")).expect("a socket");
        let error = check(&from).expect_err("a socket").to_string();
        assert!(error.starts_with(&format!("refusing to copy unsupported file {shown}/s with mode 140")), "{error}");
    }
}
