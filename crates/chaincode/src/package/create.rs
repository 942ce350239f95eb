//! Making a package from a folder.
//!
//! The same folder makes the same bytes, and so the same package ID: entries are sorted, times are zero, modes
//! are one of two.

mod collect;
mod golang;
mod java;
mod pack;
mod rust;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use windlass_proto::ids::{Label, PackageId};

use crate::package::{Limits, Metadata, Package, PackageError};

/// What to decide for the packager.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    /// The label; by default made from the name of the folder.
    pub label: Option<Label>,
    /// The type; by default found from what is in the folder.
    pub kind: Option<String>,
}

/// A package, made or passed through.
#[derive(Clone, Debug)]
pub struct Created {
    /// The package file.
    pub bytes: Bytes,
    /// Its ID.
    pub id: PackageId,
    /// Its type.
    pub kind: String,
}

/// Why no package was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// A file or folder cannot be read.
    #[error("cannot read '{}': {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The folder has none of the files that tell what it is.
    #[error(
        "'{}' is not chaincode that can be packaged: looked for go.mod (Go), package.json (Node), pom.xml and \
         build.gradle (Java), Cargo.toml (Rust), connection.json (chaincode as a service), an executable file \
         'chaincode' and a jar, and found none",
        path.display()
    )]
    Unrecognised {
        /// The folder.
        path: PathBuf,
    },
    /// The file is neither a package nor a jar nor a program.
    #[error("'{}' is neither a chaincode package nor a jar nor an executable file", path.display())]
    NotAPackage {
        /// The file.
        path: PathBuf,
    },
    /// The file is gzip, but no package.
    #[error("'{}' is not a chaincode package: {cause}", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: PackageError,
    },
    /// A ready package cannot be given another label or type.
    #[error("'{}' is a ready package with {what} '{has}'; it cannot be given '{wanted}'", path.display())]
    Fixed {
        /// The file.
        path: PathBuf,
        /// `label` or `type`.
        what: &'static str,
        /// What the package says.
        has: String,
        /// What was asked for.
        wanted: String,
    },
    /// A symbolic link leads out of the folder, or nowhere.
    #[error("'{}' is a symbolic link that leads out of the folder or nowhere; packages cannot hold it", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A device, a socket or the like.
    #[error("'{}' is neither a file nor a folder; packages cannot hold it", path.display())]
    Special {
        /// Which.
        path: PathBuf,
    },
    /// `go.mod` does not name its module.
    #[error("'{}' has no line 'module PATH'", path.display())]
    Module {
        /// The file.
        path: PathBuf,
    },
    /// A `Cargo.toml` is not valid.
    #[error("'{}' is not valid: {cause}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A `Cargo.toml` names a folder by its whole path, which means nothing where the package is built.
    #[error(
        "'{}' depends on '{}', which is nowhere else; write path = \"{}\" instead",
        path.display(), dependency.display(), instead.display()
    )]
    Absolute {
        /// The file.
        path: PathBuf,
        /// What it says.
        dependency: PathBuf,
        /// The same folder, seen from the file.
        instead: PathBuf,
    },
    /// A Go module without a program.
    #[error("'{}' has no Go file with 'package main'; chaincode is a program", path.display())]
    NoMain {
        /// The folder.
        path: PathBuf,
    },
    /// A Go module with several programs.
    #[error("'{}' has several programs ({}); name the folder of the one to package", path.display(), programs.join(", "))]
    SeveralMains {
        /// The folder.
        path: PathBuf,
        /// The folders with a `package main`.
        programs: Vec<String>,
    },
}

/// What a folder holds, as files of the code archive.
struct Source {
    kind: &'static str,
    /// `path` of the metadata.
    path: String,
    files: Vec<collect::File>,
}

/// Makes a package from a folder of code, or passes a ready package through.
///
/// A folder is a Go module (`go.mod`), a Node package (`package.json`), a Java project (`pom.xml`, `build.gradle`), a
/// Rust crate (`Cargo.toml`), the address of a chaincode server (`connection.json`), a program (an executable file
/// `chaincode`) or a set of jars, whichever comes first. `path` may also be a package inside a Go module, a jar, or an
/// executable file.
pub fn create(path: &Path, options: &CreateOptions) -> Result<Created, CreateError> {
    let read = |cause| CreateError::Read { path: path.to_owned(), cause };
    let path = fs::canonicalize(path).map_err(read)?;
    if fs::metadata(&path).map_err(read)?.is_dir() {
        let source = recognise(&path, options.kind.as_deref())?;
        return pack(&path, source, options);
    }
    let bytes = Bytes::from(fs::read(&path).map_err(read)?);
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return pass_through(path, bytes, options);
    }
    if java::is_jar(&path, &bytes) {
        let files = vec![collect::File { name: "src/chaincode.jar".into(), path: path.clone(), executable: false }];
        return pack(&path, Source { kind: "java", path: String::new(), files }, options);
    }
    if !collect::is_executable(&path).map_err(read)? {
        return Err(CreateError::NotAPackage { path });
    }
    let files = vec![collect::File { name: "chaincode".into(), path: path.clone(), executable: true }];
    pack(&path, Source { kind: "binary", path: String::new(), files }, options)
}

fn recognise(folder: &Path, kind: Option<&str>) -> Result<Source, CreateError> {
    let is = |name: &str| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(name));
    let unsaid = kind.is_none();
    if is("golang") || unsaid && (folder.join("go.mod").is_file() || golang::is_inside_a_module(folder)) {
        return golang::source(folder);
    }
    if is("node") || unsaid && folder.join("package.json").is_file() {
        return Ok(Source { kind: "node", path: String::new(), files: below_src(collect::collect(folder)?) });
    }
    if is("java") || unsaid && java::is_project(folder) {
        return java::source(folder);
    }
    if is("rust") || unsaid && folder.join("Cargo.toml").is_file() {
        return rust::source(folder);
    }
    let plain = |kind| Ok(Source { kind, path: String::new(), files: collect::collect(folder)? });
    if is("ccaas") || unsaid && folder.join("connection.json").is_file() {
        return plain("ccaas");
    }
    let program = collect::is_executable(&folder.join("chaincode")).unwrap_or(false);
    if !unsaid || program {
        return plain("binary");
    }
    if java::has_jars(folder) {
        return java::source(folder);
    }
    Err(CreateError::Unrecognised { path: folder.to_owned() })
}

/// Where the toolchain buildpacks look: code in `src/`, `META-INF/` beside it.
fn below_src(mut files: Vec<collect::File>) -> Vec<collect::File> {
    for file in &mut files {
        if !file.name.starts_with("META-INF") {
            file.name = Path::new("src").join(&file.name);
        }
    }
    files
}

fn pack(path: &Path, source: Source, options: &CreateOptions) -> Result<Created, CreateError> {
    let kind = options.kind.clone().unwrap_or_else(|| source.kind.to_owned());
    let label = options.label.clone().unwrap_or_else(|| label_for(path));
    let metadata = Metadata { kind: kind.clone(), path: source.path, label };
    let code = pack::code(&source.files)?;
    let bytes = pack::package(&metadata, &code);
    let id = PackageId::new(&metadata.label, &windlass_proto::hash::sha256(&bytes));
    Ok(Created { bytes, id, kind })
}

fn pass_through(path: PathBuf, bytes: Bytes, options: &CreateOptions) -> Result<Created, CreateError> {
    let package = match Package::parse(&bytes, &Limits::default()) {
        Ok(package) => package,
        Err(cause) => return Err(CreateError::Package { path, cause }),
    };
    let fixed = |what, has: &str, wanted: &str| {
        let (has, wanted) = (has.to_owned(), wanted.to_owned());
        Err(CreateError::Fixed { path: path.clone(), what, has, wanted })
    };
    match options {
        CreateOptions { label: Some(label), .. } if *label != package.label => {
            fixed("label", package.label.as_str(), label.as_str())
        }
        CreateOptions { kind: Some(kind), .. } if !kind.eq_ignore_ascii_case(&package.metadata.kind) => {
            fixed("type", &package.metadata.kind, kind)
        }
        _ => Ok(Created { bytes, id: package.id, kind: package.metadata.kind }),
    }
}

/// A label made of the last part of the path, with `-` for what a label may not have.
fn label_for(path: &Path) -> Label {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".jar").unwrap_or(&name);
    let legal = |c: char| if c.is_ascii_alphanumeric() || "_.+-".contains(c) { c } else { '-' };
    let label: String = name.chars().map(legal).collect();
    let label = label.trim_start_matches(|first: char| !first.is_ascii_alphanumeric());
    label.parse().unwrap_or_else(|_| "chaincode".parse().expect("a label"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_labels_of_folder_names() {
        for (path, label) in [
            ("/a/basic_1.0", "basic_1.0"),
            ("/a/my chaincode", "my-chaincode"),
            ("/a/assets.jar", "assets"),
            ("/a/.hidden", "hidden"),
            ("/a/é", "chaincode"),
            ("/", "chaincode"),
        ] {
            assert_eq!(label_for(Path::new(path)).as_str(), label);
        }
    }
}
