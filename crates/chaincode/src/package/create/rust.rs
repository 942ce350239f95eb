//! Rust crates: with them goes what they depend on by path, wherever it lies.
//!
//! A crate that depends only on registries, or on folders inside its own, is packaged as it is. If it depends on
//! folders outside, the package is laid out as the disk is, below the folder that holds them all, and the metadata's
//! path says where the crate is.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use crate::package::create::{CreateError, Source, below_src, collect};

const MANIFEST: &str = "Cargo.toml";

/// What a crate needs to be built.
#[derive(Debug, Default)]
struct Needed {
    /// Folders of crates, whole.
    crates: BTreeSet<PathBuf>,
    /// Folders of workspaces, of which only the manifest is needed.
    workspaces: BTreeSet<PathBuf>,
}

pub(super) fn source(folder: &Path) -> Result<Source, CreateError> {
    let mut needed = Needed::default();
    needed.add(folder)?;
    // Cargo does not build a member without the others that the workspace names.
    if let Some(own) = workspace_of(folder, &read(folder)?)? {
        needed.crates.insert(own);
    }
    let all = || needed.crates.iter().chain(&needed.workspaces);
    let root = all().fold(folder.to_owned(), |root, path| common(&root, path));
    if root == folder {
        return Ok(Source { kind: "rust", path: String::new(), files: below_src(collect::collect(folder)?) });
    }
    let path = folder.strip_prefix(&root).unwrap_or(folder);
    let mut files = Vec::new();
    for one in &needed.crates {
        let is_inside_another = needed.crates.iter().any(|other| other != one && one.starts_with(other));
        if is_inside_another {
            continue;
        }
        let below = one.strip_prefix(&root).unwrap_or(one);
        for mut file in collect::collect(one)? {
            // Indexes lie beside the crate, and the peer looks for them in one place.
            let is_index = one == folder && file.name.starts_with("META-INF");
            file.name = if is_index { file.name } else { Path::new("src").join(below).join(file.name) };
            files.push(file);
        }
    }
    for workspace in &needed.workspaces {
        let below = workspace.strip_prefix(&root).unwrap_or(workspace);
        for name in [MANIFEST, "Cargo.lock", "rust-toolchain.toml", ".cargo/config.toml"] {
            let path = workspace.join(name);
            if path.is_file() {
                files.push(collect::File { name: Path::new("src").join(below).join(name), path, executable: false });
            }
        }
    }
    files.sort_by(|a, b| a.name.as_os_str().cmp(b.name.as_os_str()));
    files.dedup_by(|a, b| a.name == b.name);
    Ok(Source { kind: "rust", path: path.to_string_lossy().into_owned(), files })
}

impl Needed {
    /// Adds a crate, its workspace, and whatever it depends on by path.
    fn add(&mut self, folder: &Path) -> Result<(), CreateError> {
        if !self.crates.insert(folder.to_owned()) {
            return Ok(());
        }
        let manifest = read(folder)?;
        let mut paths: Vec<_> = paths_of(&manifest).into_iter().map(|path| (folder.to_owned(), path)).collect();
        if let Some(workspace) = workspace_of(folder, &manifest)? {
            let of_workspace = read(&workspace)?;
            let inherited = inherited_paths(&manifest, &of_workspace);
            paths.extend(inherited.into_iter().map(|path| (workspace.clone(), path)));
            if workspace != folder {
                self.workspaces.insert(workspace);
            }
        }
        for (base, named) in paths {
            let path = base.join(&named);
            let read = |cause| CreateError::Read { path: path.clone(), cause };
            let found = fs::canonicalize(&path).map_err(read)?;
            if named.is_absolute() {
                return Err(CreateError::Absolute {
                    path: base.join(MANIFEST),
                    instead: relative(&base, &found),
                    dependency: named,
                });
            }
            self.add(&found)?;
        }
        Ok(())
    }
}

fn read(folder: &Path) -> Result<Table, CreateError> {
    let path = folder.join(MANIFEST);
    match fs::read_to_string(&path) {
        Ok(text) => text
            .parse()
            .map_err(|error: toml::de::Error| CreateError::Manifest { path, cause: error.message().to_owned() }),
        Err(cause) => Err(CreateError::Read { path, cause }),
    }
}

/// The workspace that a crate is in: the one it names, else the nearest above it that does not exclude it.
fn workspace_of(folder: &Path, manifest: &Table) -> Result<Option<PathBuf>, CreateError> {
    if manifest.contains_key("workspace") {
        return Ok(Some(folder.to_owned()));
    }
    if let Some(path) = manifest.get("package").and_then(|package| package.get("workspace")?.as_str()) {
        let path = folder.join(path);
        return fs::canonicalize(&path).map(Some).map_err(|cause| CreateError::Read { path, cause });
    }
    for above in folder.ancestors().skip(1).filter(|above| above.join(MANIFEST).is_file()) {
        let manifest = read(above)?;
        let Some(workspace) = manifest.get("workspace") else { continue };
        let excluded = workspace.get("exclude").and_then(Value::as_array).into_iter().flatten();
        let is_excluded = excluded.filter_map(Value::as_str).any(|path| folder.starts_with(above.join(path)));
        return Ok((!is_excluded).then(|| above.to_owned()));
    }
    Ok(None)
}

/// The dependency tables of a manifest. Those for tests are needed too: Cargo resolves them with the rest.
fn dependencies(manifest: &Table) -> impl Iterator<Item = &Table> {
    const KINDS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];
    let of_targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(of_targets.filter_map(Value::as_table));
    tables.flat_map(|table| KINDS.iter().filter_map(|kind| table.get(*kind)?.as_table()))
}

/// The folders that a manifest itself names.
fn paths_of(manifest: &Table) -> Vec<PathBuf> {
    let patches = manifest.get("patch").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = dependencies(manifest).chain(patches.filter_map(Value::as_table));
    tables.flat_map(Table::values).filter_map(|one| one.get("path")?.as_str().map(PathBuf::from)).collect()
}

/// The folders that its workspace names for it, relative to the workspace.
fn inherited_paths(manifest: &Table, workspace: &Table) -> Vec<PathBuf> {
    let shared = workspace.get("workspace").and_then(|workspace| workspace.get("dependencies")?.as_table());
    let Some(shared) = shared else { return Vec::new() };
    let inherits = |one: &Value| one.get("workspace").and_then(Value::as_bool) == Some(true);
    let names = dependencies(manifest).flatten().filter(|(_, one)| inherits(one)).map(|(name, _)| name);
    names.filter_map(|name| shared.get(name)?.get("path")?.as_str().map(PathBuf::from)).collect()
}

/// The way from a folder to another.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let both = common(from, to);
    let up = from.components().skip(both.components().count()).map(|_| Path::new(".."));
    up.chain(to.strip_prefix(&both)).collect()
}

/// The deepest folder that holds both.
fn common(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}
