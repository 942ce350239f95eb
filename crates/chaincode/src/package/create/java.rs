//! Java projects, and jars that are ready.

use std::{fs, path::Path};

use crate::package::create::{CreateError, Source, below_src, collect};

/// Whether a folder is a project of Maven or Gradle.
pub(super) fn is_project(folder: &Path) -> bool {
    const FILES: [&str; 5] = ["pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];
    FILES.iter().any(|file| folder.join(file).is_file())
}

/// Whether there are jars in a folder.
pub(super) fn has_jars(folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| has_extension(&entry.path()))
}

/// Whether a file is a jar: a zip archive of that name.
pub(super) fn is_jar(path: &Path, bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") && has_extension(path)
}

fn has_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jar")
}

/// Everything goes into the package, as Fabric's command line has it.
pub(super) fn source(folder: &Path) -> Result<Source, CreateError> {
    Ok(Source { kind: "java", path: String::new(), files: below_src(collect::collect(folder)?) })
}
