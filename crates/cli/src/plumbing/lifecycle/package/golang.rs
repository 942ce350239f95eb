//! Go modules: everything in the module but hidden folders. Go itself is not needed for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{Code, Source, folder::walk, gopath, index};
use crate::plumbing::{failure::Failure, golang::read_file};

/// The module that `path` is in, or the package of that import path from before modules.
pub(super) fn code(path: &str) -> Result<Code, Failure> {
    let normalizing = |error: String| Failure::failed(format!("failed to normalize chaincode path: {error}"));
    let getting = |error: String| Failure::failed(format!("error getting chaincode bytes: {error}"));
    if let Some(module) = module(path).map_err(normalizing)? {
        return module.code().map_err(getting);
    }
    gopath::code(path).map_err(getting)
}

#[derive(Debug)]
struct Module {
    /// Where `go.mod` is.
    folder: PathBuf,
    /// The import path of the chaincode.
    import_path: String,
    /// Where its indexes are.
    indexes: PathBuf,
}

fn module(path: &str) -> Result<Option<Module>, String> {
    let Ok(path) = fs::canonicalize(path) else { return Ok(None) };
    if !path.is_dir() || std::env::var("GO111MODULE").is_ok_and(|mode| mode == "off") {
        return Ok(None);
    }
    let Some(folder) = path.ancestors().find(|folder| folder.join("go.mod").is_file()) else { return Ok(None) };
    let below = path.strip_prefix(folder).unwrap_or(Path::new(""));
    if !has_source(&path) {
        return Err(format!("'go list' failed with: no Go files in {}: exit status 1", path.display()));
    }
    let go_mod = folder.join("go.mod");
    let name = module_name(&String::from_utf8_lossy(&read_file(&go_mod)?))
        .ok_or_else(|| format!("'go list' failed with: {} has no module declaration", go_mod.display()))?;
    let import_path = if below.as_os_str().is_empty() { name } else { format!("{name}/{}", below.display()) };
    Ok(Some(Module { indexes: path.join("META-INF"), folder: folder.to_owned(), import_path }))
}

fn has_source(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| {
        let name = name.to_string_lossy();
        name.ends_with(".go") && !name.ends_with("_test.go") && !name.starts_with(['_', '.'])
    })
}

fn module_name(text: &str) -> Option<String> {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("module") && line[6..].starts_with([' ', '\t', '"']))?;
    let name = line[6..].split("//").next().unwrap_or_default().trim().trim_matches(['"', '`']);
    (!name.is_empty()).then(|| name.to_owned())
}

impl Module {
    fn code(self) -> Result<Code, String> {
        let files = files(&self.folder, &self.indexes, Some(""))?;
        Ok(finish(self.import_path, files))
    }
}

/// Files below `folder`, by their names in the archive. `below_src` is the folder in `src` they go to; in one that is
/// not empty, only the top folder's files are taken.
pub(super) fn files(
    folder: &Path,
    indexes: &Path,
    below_src: Option<&str>,
) -> Result<BTreeMap<String, PathBuf>, String> {
    let target = below_src.unwrap_or_default();
    let is_module = target.is_empty();
    let mut files = BTreeMap::new();
    let walked = walk(folder, &mut |entry| {
        let is_index = entry.path.display().to_string().starts_with(&indexes.display().to_string());
        if entry.is_folder {
            return Ok(entry.path == folder || is_index || is_module && !entry.name.starts_with('.'));
        }
        let relative = |root: &Path| entry.path.strip_prefix(root).unwrap_or(entry.path).display().to_string();
        let name = if is_index {
            if entry.name.starts_with('.') {
                return Ok(false);
            }
            let name = format!("META-INF/{}", relative(indexes));
            index::check(&name, entry.path)?;
            name
        } else if is_module {
            format!("src/{}", relative(folder))
        } else if matches!(entry.name, "go.mod" | "go.sum") {
            return Ok(false);
        } else {
            format!("src/{target}/{}", relative(folder))
        };
        files.insert(name, entry.path.to_owned());
        Ok(false)
    });
    walked.map_err(|error| format!("walk failed: {error}"))?;
    Ok(files)
}

/// Files with all folders above them.
pub(super) fn finish(path: String, files: BTreeMap<String, PathBuf>) -> Code {
    let mut folders = BTreeSet::new();
    for name in files.keys() {
        let above = Path::new(name).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        folders.extend(above.map(|folder| folder.display().to_string()));
    }
    let files = files.into_iter().map(|(name, path)| Source { name, path }).collect();
    Code { path, folders: folders.into_iter().collect(), files }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[&str]) {
        for name in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "package main\n").expect("a file");
        }
    }

    #[test]
    fn takes_the_whole_module_but_hidden_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = ["cc/main.go", "cc/.env", ".git/config", "vendor/a/b.go", "lib/x.txt", "node_modules/y.js"];
        write(folder.path(), &files);
        fs::write(folder.path().join("go.mod"), "// a comment\nmodule example.com/m // main\n").expect("a file");
        let code = code(&folder.path().join("cc").display().to_string()).expect("code");
        assert_eq!(code.path, "example.com/m/cc");
        let names: Vec<_> = code.files.iter().map(|file| file.name.as_str()).collect();
        let expected = [
            "src/cc/.env",
            "src/cc/main.go",
            "src/go.mod",
            "src/lib/x.txt",
            "src/node_modules/y.js",
            "src/vendor/a/b.go",
        ];
        assert_eq!(names, expected);
        assert_eq!(code.folders, ["src", "src/cc", "src/lib", "src/node_modules", "src/vendor", "src/vendor/a"]);
    }

    #[test]
    fn moves_the_indexes_beside_the_program_to_the_top() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &["cc/main.go"]);
        fs::write(folder.path().join("go.mod"), "module m\n").expect("a file");
        let indexes = folder.path().join("cc/META-INF/statedb/couchdb/indexes");
        fs::create_dir_all(&indexes).expect("a folder");
        fs::write(indexes.join("i.json"), r#"{"index":{"fields":["a"]},"ddoc":"d","name":"n","type":"json"}"#)
            .expect("a file");
        let code = code(&folder.path().join("cc").display().to_string()).expect("code");
        assert_eq!(code.files[0].name, "META-INF/statedb/couchdb/indexes/i.json");
    }

    #[test]
    fn finds_the_name_of_a_module() {
        for text in ["module m", "\n\nmodule   \"m\"\n", "module m // x\ngo 1.24", "module `m`"] {
            assert_eq!(module_name(text).as_deref(), Some("m"), "{text}");
        }
        assert_eq!(module_name("modules m"), None);
    }
}
