//! Protobuf code: generated here, committed, and compared in CI.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, bail};

/// Generates `crates/proto/src/generated` from `proto/*.proto`, or with `check` only compares.
pub(crate) fn generate(root: &Path, check: bool) -> anyhow::Result<()> {
    let sources = root.join("proto");
    let target = root.join("crates/proto/src/generated");
    let scratch = tempfile::tempdir().context("no temporary folder")?;

    let mut files: Vec<_> = fs::read_dir(&sources)
        .with_context(|| format!("cannot list {}", sources.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(&files, [&sources])?;

    tonic_prost_build::configure()
        .out_dir(scratch.path())
        .bytes(".")
        .btree_map(".")
        // The client transport helper `connect` would clash with the rpc `Chaincode.Connect`.
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;

    let fresh = read_all(scratch.path())?;
    let committed = read_all(&target).unwrap_or_default();
    if fresh == committed {
        return Ok(());
    }
    if check {
        bail!(
            "crates/proto/src/generated differs from proto/*.proto; hint: run `cargo xtask proto` and commit the result"
        );
    }
    fs::create_dir_all(&target)?;
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(target.join(name))?;
    }
    for (name, text) in &fresh {
        fs::write(target.join(name), text)?;
    }
    Ok(())
}

fn read_all(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, fs::read_to_string(entry.path())?);
    }
    Ok(files)
}
