//! Go modules: which folder is the module, and which of its packages is the program.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::package::create::{CreateError, Source, below_src, collect};

/// Whether a folder without `go.mod` is a package of a Go module around it.
pub(super) fn is_inside_a_module(folder: &Path) -> bool {
    is_program(folder) && module_root(folder).is_some()
}

/// The module that `folder` is, or is in. The metadata's path is the import path of the program, as Fabric's
/// command line writes it.
pub(super) fn source(folder: &Path) -> Result<Source, CreateError> {
    let root = module_root(folder).ok_or_else(|| CreateError::Unrecognised { path: folder.to_owned() })?;
    let module = module_path(&root.join("go.mod"))?;
    let files = collect::collect(&root)?;
    let program =
        if root == folder { program(&root, &files)? } else { folder.strip_prefix(&root).unwrap_or(folder).into() };
    let path = match program.to_str() {
        Some("") => module,
        _ => format!("{module}/{}", program.display()),
    };
    let mut files = below_src(files);
    // Indexes may lie beside the program rather than beside go.mod; the peer looks for them in one place.
    let beside = Path::new("src").join(&program).join("META-INF");
    for file in &mut files {
        if let Ok(rest) = file.name.strip_prefix(&beside) {
            file.name = Path::new("META-INF").join(rest);
        }
    }
    files.sort_by(|a, b| a.name.as_os_str().cmp(b.name.as_os_str()));
    files.dedup_by(|a, b| a.name == b.name);
    Ok(Source { kind: "golang", path, files })
}

fn module_root(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join("go.mod").is_file()).map(Path::to_owned)
}

fn module_path(go_mod: &Path) -> Result<String, CreateError> {
    let text = fs::read_to_string(go_mod).map_err(|cause| CreateError::Read { path: go_mod.to_owned(), cause })?;
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("module"))
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map(|rest| rest.split("//").next().unwrap_or_default().trim().trim_matches(['"', '`']).to_owned())
        .find(|path| !path.is_empty())
        .ok_or_else(|| CreateError::Module { path: go_mod.to_owned() })
}

/// The folder of the program, relative to the module: the module itself, or the only other one.
fn program(root: &Path, files: &[collect::File]) -> Result<PathBuf, CreateError> {
    let mut programs: Vec<PathBuf> = files
        .iter()
        .filter(|file| !file.name.starts_with("vendor") && is_main_file(&file.path))
        .map(|file| file.name.parent().unwrap_or(Path::new("")).to_owned())
        .collect();
    programs.sort();
    programs.dedup();
    match programs.as_slice() {
        [] => Err(CreateError::NoMain { path: root.to_owned() }),
        [only] => Ok(only.clone()),
        [first, ..] if first.as_os_str().is_empty() => Ok(PathBuf::new()),
        several => Err(CreateError::SeveralMains {
            path: root.to_owned(),
            programs: several.iter().map(|folder| folder.display().to_string()).collect(),
        }),
    }
}

fn is_program(folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| is_main_file(&entry.path()))
}

fn is_main_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !name.ends_with(".go") || name.ends_with("_test.go") {
        return false;
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    // Tools that `go generate` runs are marked so, and are not part of the build.
    let ignored = text.lines().any(|line| line.trim() == "//go:build ignore");
    let clause = text.lines().map(str::trim).find(|line| line.starts_with("package "));
    !ignored && clause.is_some_and(|clause| clause.split_whitespace().nth(1) == Some("main"))
}
