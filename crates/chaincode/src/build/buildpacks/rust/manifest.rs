//! Which program of a crate or workspace is the chaincode.

use std::path::Path;

use serde_json::Value;

/// The program to build.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) package: String,
    pub(super) name: String,
    /// Whether the versions of its dependencies are fixed.
    pub(super) is_locked: bool,
}

impl Binary {
    /// Finds it in what `cargo metadata` says of `folder`: the only program, the default one, or the one that has the
    /// package's name.
    pub(super) fn find(metadata: &Value, folder: &Path) -> Result<Self, String> {
        let manifest = folder.join("Cargo.toml");
        let is_here = |package: &&Value| {
            let path = package["manifest_path"].as_str().unwrap_or_default();
            // Links may be resolved in one of the two.
            let resolved = |path: &Path| std::fs::canonicalize(path).ok();
            Path::new(path) == manifest
                || resolved(Path::new(path)).is_some_and(|path| Some(path) == resolved(&manifest))
        };
        let all = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let here: Vec<&Value> = all.iter().filter(is_here).collect();
        // A workspace without a package of its own: any member may have the program.
        let packages: Vec<&Value> = if here.is_empty() { all.iter().collect() } else { here };
        let programs: Vec<(&Value, &str)> = packages.iter().flat_map(|package| programs(package)).collect();
        let default = |(package, name): &(&Value, &str)| package["default_run"] == *name;
        let namesake = |(package, name): &(&Value, &str)| package["name"] == *name;
        let chosen = match programs.as_slice() {
            [] => {
                return Err("the package has no program: chaincode is a crate with a main.rs, or a [[bin]]".to_owned());
            }
            [only] => only,
            several => match only(several, default).or_else(|| only(several, namesake)) {
                Some(chosen) => chosen,
                None => {
                    let names: Vec<_> = several.iter().map(|(_, name)| *name).collect();
                    let names = names.join(", ");
                    return Err(format!("found several programs ({names}); set default-run in the manifest"));
                }
            },
        };
        let root = metadata["workspace_root"].as_str().map_or(folder, Path::new);
        Ok(Self {
            package: chosen.0["name"].as_str().unwrap_or_default().to_owned(),
            name: chosen.1.to_owned(),
            is_locked: root.join("Cargo.lock").is_file(),
        })
    }
}

fn programs(package: &Value) -> Vec<(&Value, &str)> {
    let targets = package["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_binary =
        |target: &&Value| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
    targets.iter().filter(is_binary).filter_map(|target| Some((package, target["name"].as_str()?))).collect()
}

/// The one that satisfies a condition, unless several do.
fn only<T>(of: &[T], condition: impl Fn(&T) -> bool) -> Option<&T> {
    let mut found = of.iter().filter(|one| condition(one));
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, programs: &[&str], default: Option<&str>) -> Value {
        let targets: Vec<_> = programs.iter().map(|name| json!({ "kind": ["bin"], "name": name })).collect();
        json!({ "name": name, "manifest_path": format!("/w/{name}/Cargo.toml"), "targets": targets, "default_run": default })
    }

    fn find(folder: &str, packages: &[Value]) -> Result<(String, String), String> {
        let found = Binary::find(&json!({ "packages": packages, "workspace_root": "/w" }), Path::new(folder))?;
        Ok((found.package, found.name))
    }

    #[test]
    fn finds_the_program() {
        let ok = |package: &str, name: &str| Ok((package.to_owned(), name.to_owned()));
        assert_eq!(find("/w/a", &[package("a", &["x"], None), package("b", &["y"], None)]), ok("a", "x"));
        assert_eq!(find("/w", &[package("a", &[], None), package("b", &["y"], None)]), ok("b", "y"));
        assert_eq!(find("/w/a", &[package("a", &["x", "y"], Some("y"))]), ok("a", "y"));
        assert_eq!(find("/w/a", &[package("a", &["x", "a"], None)]), ok("a", "a"));
        let several = find("/w/a", &[package("a", &["x", "y"], None)]).expect_err("several");
        assert_eq!(several, "found several programs (x, y); set default-run in the manifest");
        assert!(find("/w/a", &[package("a", &[], None)]).expect_err("none").starts_with("the package has no program"));
    }
}
