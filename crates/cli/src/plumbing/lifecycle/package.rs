//! `package`: source code as Fabric's own command line packs it, file by file.
//!
//! `windlass package` is for people and decides for them; this is for scripts, whose packages must hold the same files,
//! in the same order and under the same headers, as those of any other `peer` command.
//!
//! - [`archive`]: tar archives as Go writes them
//! - [`folder`]: Node and Java
//! - [`golang`]: Go modules; [`gopath`]: Go from before modules
//! - [`index`]: the files below `META-INF`
// Fabric: external-builders §1, lifecycle §7

mod archive;
mod folder;
mod golang;
mod gopath;
mod index;

use std::path::{Path, PathBuf};

use windlass_proto::ids::Label;

use super::write_package;
use crate::plumbing::{
    failure::{After, Failure},
    session::Session,
};
use archive::Archive;

/// Who made the files, in the code archive.
const OWNER: u64 = 500;

/// A file for the code archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    /// Its path in the archive.
    name: String,
    /// Where it is.
    path: PathBuf,
}

/// What the code archive holds.
#[derive(Debug)]
struct Code {
    /// `path` of the metadata.
    path: String,
    /// Folders that have an entry of their own.
    folders: Vec<String>,
    files: Vec<Source>,
}

/// Writes a package.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    let [output] = session.operands.as_slice() else {
        return Err(Failure::failed("invalid number of args. expected only the output file"));
    };
    let text = |name| session.values.text(name);
    let (path, language, label) = (text("path"), text("lang"), text("label"));
    for (missing, what) in [
        (path.is_empty(), "chaincode path"),
        (language.is_empty(), "chaincode language"),
        (output.is_empty(), "output file"),
        (label.is_empty(), "package label"),
    ] {
        if missing {
            return Err(Failure::failed(format!("{what} must be specified")));
        }
    }
    let label: Label = label.parse().map_err(Failure::failed)?;
    let bytes = package(path, language, &label)?;
    write_package(session, Path::new(output), &bytes, "error writing chaincode package", "Package")
}

fn package(path: &str, language: &str, label: &Label) -> Result<Vec<u8>, Failure> {
    let code = match language.to_uppercase().as_str() {
        "GOLANG" => golang::code(path)?,
        "NODE" => folder::node(path)?,
        "JAVA" => folder::java(path)?,
        other => {
            let text = format!("failed to normalize chaincode path: unknown chaincodeType: {other}");
            return Err(Failure::failed(text));
        }
    };
    let metadata = format!(
        "{{\"path\":{},\"type\":{},\"label\":{}}}",
        quoted(&code.path),
        quoted(language),
        quoted(label.as_str())
    );
    let code = code.pack().after("error getting chaincode bytes")?;
    let mut package = Archive::new();
    // Memory takes all that is written.
    let written = package
        .file("metadata.json", metadata.as_bytes(), 0)
        .and_then(|()| package.file("code.tar.gz", &code, 0))
        .and_then(|()| package.finish());
    written.after("failed to create tar for chaincode")
}

impl Code {
    fn pack(&self) -> Result<Vec<u8>, String> {
        let mut archive = Archive::new();
        for folder in &self.folders {
            archive.folder(folder, OWNER).map_err(|error| error.to_string())?;
        }
        for file in &self.files {
            let content = crate::plumbing::golang::read_file(&file.path)
                .map_err(|error| format!("Error writing {} to tar: {}: {error}", file.name, file.path.display()))?;
            archive
                .file(&file.name, &content, OWNER)
                .map_err(|error| format!("Error writing {} to tar: {error}", file.name))?;
        }
        archive.finish().map_err(|error| format!("failed to create tar for chaincode: {error}"))
    }
}

/// A JSON text as Go writes it.
fn quoted(text: &str) -> String {
    crate::plumbing::json::compact(&text.into())
}
