//! Builds on disk. A folder appears there whole or not at all, so that what is found can be trusted.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use windlass_proto::ids::PackageId;

use crate::{
    build::{
        BuilderConfig, OutputLine, copy,
        disk::{self, Temporary},
        failures::log,
        scratch::{Scratch, file_name, private, write_private},
    },
    install::PackageStore,
    package::{errno, json},
};

const INFO: &str = "build-info.json";
const OUTPUT: &str = "output.log";
const PARTIAL: &str = ".partial-";

/// What was found of an earlier build.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) folder: PathBuf,
    pub(super) builder: String,
}

/// The folder of a chaincode's build, there or not.
pub(super) fn folder_of(builds: &Path, id: &str) -> PathBuf {
    builds.join(file_name(id))
}

/// Looks for an earlier build. The error is what Fabric puts after `existing build could not be restored: `.
///
/// A folder without `build-info.json` or without `bld` is one that a Fabric peer was stopped on, or could not
/// finish. Fabric would take the second for good; here both count as not built.
// Fabric: external-builders §4, §5
pub(super) fn find(builds: &Path, id: &str, builders: &[BuilderConfig]) -> Result<Option<Found>, String> {
    let folder = folder_of(builds, id);
    let path = folder.join(INFO);
    let shown = path.display();
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("could not read '{shown}' for build info: {}", errno::text(&error))),
        Ok(text) => text,
    };
    if !folder.join("bld").is_dir() || !folder.join("release").is_dir() {
        return Ok(None);
    }
    let malformed = |cause| format!("malformed build info at '{shown}': {cause}");
    let fields = json::Fields::parse(&text, "externalbuilder", "BuildInfo").map_err(malformed)?;
    let builder = fields.text("builder_name").map_err(malformed)?.unwrap_or_default();
    if !builders.iter().any(|config| config.name == builder) {
        return Err(format!(
            "chaincode '{id}' was already built with builder '{builder}', but that builder is no longer available"
        ));
    }
    Ok(Some(Found { folder, builder }))
}

/// Keeps what a builder made. The error is what Fabric puts after `external builder failed: `.
pub(super) fn keep(
    builds: &Path,
    id: &str,
    builder: &str,
    scratch: &Scratch,
    output: &[Arc<OutputLine>],
) -> Result<PathBuf, String> {
    let folder = folder_of(builds, id);
    let shown = folder.display();
    let could_not = |what: &str, error: &io::Error| format!("could not {what} '{shown}': {}", errno::text(error));
    let create = |error: io::Error| could_not("create dir", &error);
    fs::create_dir_all(builds).map_err(create)?;
    let partial = Temporary::from(private(PARTIAL).tempdir_in(builds).map_err(create)?);
    let info = serde_json::json!({ "builder_name": builder }).to_string();
    write_private(&partial.path().join(INFO), info.as_bytes(), 0o600)
        .map_err(|error| could_not("write build info in", &error))?;
    write_private(&partial.path().join(OUTPUT), log::text(output).as_bytes(), 0o600)
        .map_err(|error| could_not("write output in", &error))?;
    for (what, from) in [("release", scratch.release()), ("bld", scratch.output())] {
        copy::move_or_copy(&from, &partial.path().join(what)).map_err(|error| {
            format!(
                "could not move or copy build context {what} to persistent location '{shown}': \
                 failed to copy {} to {}: {error}",
                from.display(),
                folder.join(what).display()
            )
        })?;
    }
    let finish = || {
        copy::sync(partial.path())?;
        disk::remove(&folder)?;
        fs::rename(partial.path(), &folder)?;
        fs::File::open(builds)?.sync_all()
    };
    finish().map_err(|error| could_not("keep build in", &error))?;
    // It has another name now; there is nothing to remove.
    partial.keep();
    Ok(folder)
}

/// Makes the folder of builds, and removes what a killed process left in it: what was half done, and builds of
/// packages that are no longer installed.
pub(super) fn prepare(builds: &Path, packages: &PackageStore) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(builds)?;
    for entry in fs::read_dir(builds)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let orphaned = || package_of(&name).is_some_and(|id| !packages.contains(&id));
        if name.starts_with(PARTIAL) || orphaned() {
            // It is in nobody's way.
            if let Err(error) = disk::remove(&entry.path()) {
                tracing::warn!(folder = %entry.path().display(), %error, "cannot remove what is left of a build");
            }
        }
    }
    Ok(())
}

/// Removes a build. It is gone at once; what it took up is free when the returned value is dropped.
pub(super) fn discard(builds: &Path, id: &str) -> io::Result<Temporary> {
    let away = Temporary::from(private(PARTIAL).tempdir_in(builds)?);
    match fs::rename(folder_of(builds, id), away.path().join("build")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(away),
    }
}

/// The package whose build a folder of this name is. Labels have none of the characters that file names cannot
/// have, so the last dash stands for the colon.
fn package_of(folder: &str) -> Option<PackageId> {
    let (label, hash) = folder.rsplit_once('-')?;
    format!("{label}:{hash}").parse().ok()
}

/// The lines that were kept with a build, if there is one.
pub(super) fn output(folder: &Path) -> Option<Vec<OutputLine>> {
    log::read(&folder.join(OUTPUT))
}
