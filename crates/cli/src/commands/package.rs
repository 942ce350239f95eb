//! `windlass package`.

mod explain;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::json;
use windlass_chaincode::package::{
    Limits, Package,
    create::{CreateOptions, create},
};

use crate::{args::package::PackageArgs, printer::Printer};
use explain::Explanation;

/// Makes a package and says what it is.
pub(crate) fn run(args: &PackageArgs, printer: &Printer) -> anyhow::Result<()> {
    let options = CreateOptions { label: args.label.clone(), kind: args.kind.clone() };
    let created = create(&args.path, &options)?;
    let package = Package::parse(&created.bytes, &Limits::default()).context("the package cannot be read back")?;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.tar.gz", package.label)));
    write(&output, &created.bytes).with_context(|| format!("cannot write {}", output.display()))?;
    let explanation = args.explain.then(|| Explanation::of(&args.path, args.kind.is_some(), &package)).transpose()?;
    if args.json {
        let mut value = json!({
            "package": output,
            "packageId": created.id.to_string(),
            "label": package.label.as_str(),
            "type": created.kind,
            "path": package.metadata.path,
            "bytes": created.bytes.len(),
        });
        if let Some(explanation) = explanation {
            value["explanation"] = explanation.json();
        }
        printer.line(serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    printer.line(created.id);
    printer.note(format_args!("wrote {} (type {}, {} bytes)", output.display(), created.kind, created.bytes.len()));
    if let Some(explanation) = explanation {
        printer.note(explanation);
    }
    Ok(())
}

/// Writes a file so that nobody sees half of it.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let absolute = std::path::absolute(path)?;
    let mut temporary = tempfile::NamedTempFile::new_in(absolute.parent().unwrap_or(Path::new("/")))?;
    temporary.write_all(bytes)?;
    temporary.persist(&absolute)?;
    Ok(())
}
