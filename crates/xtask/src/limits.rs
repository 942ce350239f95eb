//! How long a source file may be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::bail;

/// Nobody holds more than this in mind.
const LINES: usize = 1000;

/// Fails if a Rust file under `crates/`, generated code aside, is too long.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut files = Vec::new();
    collect(&root.join("crates"), &mut files)?;
    let mut long = Vec::new();
    for file in files {
        let lines = fs::read_to_string(&file)?.lines().count();
        if lines > LINES {
            long.push(format!("{} has {lines} lines", file.strip_prefix(root).unwrap_or(&file).display()));
        }
    }
    if !long.is_empty() {
        bail!("files of more than {LINES} lines; hint: split them by idea\n{}", long.join("\n"));
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "generated" && name != "node_modules" && name != "target" {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
