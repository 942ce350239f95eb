//! The output of builds that failed: kept for a while, since nothing else of them is.

use std::{
    cmp::Reverse,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::build::{
    OutputLine,
    scratch::{file_name, write_private},
};

/// How many failures are kept; the oldest make room.
const KEPT: usize = 50;
const SUFFIX: &str = ".log";

/// One file of output.
pub(super) mod log {
    use super::{Arc, OutputLine, Path, fs};

    pub(in crate::build) fn text(output: &[Arc<OutputLine>]) -> String {
        output.iter().map(|line| format!("{line}\n")).collect()
    }

    pub(in crate::build) fn read(path: &Path) -> Option<Vec<OutputLine>> {
        let text = fs::read_to_string(path).ok()?;
        Some(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}

/// Keeps the output of a build that failed, in place of what is there of an earlier one.
pub(super) fn keep(folder: &Path, id: &str, output: &[Arc<OutputLine>]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Half of it, if we are killed meanwhile, is better than nothing.
    remove(folder, id);
    write_private(&path(folder, id), log::text(output).as_bytes(), 0o600)?;
    let mut kept: Vec<_> = fs::read_dir(folder)?.flatten().filter(|entry| is_log(&entry.path())).collect();
    kept.sort_by_cached_key(|entry| Reverse(entry.metadata().and_then(|metadata| metadata.modified()).ok()));
    kept.iter().skip(KEPT).try_for_each(|entry| fs::remove_file(entry.path()))
}

/// Forgets a failure; one that is not there is forgotten already.
pub(super) fn remove(folder: &Path, id: &str) {
    let _ = fs::remove_file(path(folder, id));
}

/// The output of a build that failed, if that is the last that is known of it.
pub(super) fn read(folder: &Path, id: &str) -> Option<Vec<OutputLine>> {
    log::read(&path(folder, id))
}

/// The package IDs of the failures that are kept, sorted.
pub(super) fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut ids: Vec<_> = entries.filter_map(|entry| id_of(entry.file_name().to_str()?)).collect();
    ids.sort_unstable();
    ids
}

fn path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{}{SUFFIX}", file_name(id)))
}

fn is_log(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SUFFIX))
}

/// A label has none of the characters that file names cannot have, so the last dash stands for the colon.
fn id_of(file_name: &str) -> Option<String> {
    let (label, hash) = file_name.strip_suffix(SUFFIX)?.rsplit_once('-')?;
    Some(format!("{label}:{hash}"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::build::{Step, Stream};

    #[test]
    fn keeps_the_newest_failures_only() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("failed");
        let output = |text: &str| [Arc::new(OutputLine::new(Step::Build, Stream::Error, text.to_owned()))];
        for number in 0..KEPT + 2 {
            let id = format!("a-b:{number:03}");
            keep(&folder, &id, &output("no")).expect("a file");
            let file = fs::File::options().append(true).open(path(&folder, &id)).expect("a file");
            let age = Duration::from_secs((1000 - number) as u64);
            file.set_modified(SystemTime::now() - age).expect("a time");
        }
        keep(&folder, "a-b:051", &output("again no")).expect("a file");
        let ids = list(&folder);
        assert_eq!((ids.len(), ids[0].as_str(), ids[KEPT - 1].as_str()), (KEPT, "a-b:002", "a-b:051"));
        let kept: Vec<_> = read(&folder, "a-b:051").expect("a log").into_iter().map(|line| line.text).collect();
        assert_eq!(kept, ["again no"]);
        remove(&folder, "a-b:051");
        assert_eq!(read(&folder, "a-b:051"), None);
    }
}
