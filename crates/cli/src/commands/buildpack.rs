//! `windlass buildpack`: steps of the built-in buildpacks, and the buildpacks as external builders of any peer.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context;
use windlass_chaincode::build::buildpacks;

use crate::{args::BuildpackInstallArgs, printer::Printer};

/// Runs one step: the buildpack's name, the step's, and its folders.
pub(super) fn step(words: &[OsString]) -> ExitCode {
    let word = |at: usize| words.get(at).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    buildpacks::main(&word(0), &word(1), words.get(2..).unwrap_or_default())
}

/// Writes the folders, and prints what belongs into `core.yaml`.
pub(super) fn install(args: &BuildpackInstallArgs, printer: &Printer) -> anyhow::Result<()> {
    let executable = match &args.executable {
        Some(executable) => std::path::absolute(executable)?,
        None => std::env::current_exe().context("cannot find the windlass executable")?,
    };
    let builders = buildpacks::install(&args.folder, &executable)
        .with_context(|| format!("cannot write the buildpacks to {}", args.folder.display()))?;
    printer
        .note(format_args!("buildpacks written to {}; the part of core.yaml that names them:", args.folder.display()));
    printer.raw(buildpacks::core_yaml(&builders, variables()).as_bytes());
    Ok(())
}

/// The names of our variables, some of which a builder may want.
fn variables() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}
