//! The folders that a step is given.

use std::{fs, path::Path};

use crate::{build::copy, package::json::Fields};

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
    copy::check(from, from).and_then(|()| copy::copy(from, to)).map_err(|error| format!("cannot copy: {error}"))
}

/// Keeps `META-INF` of the code beside what is built, for `release`.
pub(super) fn keep_meta_inf(source: &Path, output: &Path) -> Result<(), String> {
    let from = source.join("META-INF");
    if from.is_dir() { copy_into(&from, &output.join("META-INF")) } else { Ok(()) }
}

/// `release` for buildpacks whose chaincode is run: hands out the indexes for CouchDB.
pub(super) fn release_indexes(output: &Path, release: &Path) -> Result<(), String> {
    let from = output.join("META-INF").join("statedb");
    if from.is_dir() { copy_into(&from, &release.join("statedb")) } else { Ok(()) }
}
