//! The buildpacks as folders of programs, which any Fabric peer takes as external builders.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{NAMES, environment};
use crate::build::{BuilderConfig, Program, Step};

/// Writes a folder `NAME/bin/{detect,build,release,run}` for every buildpack below `folder`, each program a script
/// that runs `executable`. What is there of an earlier call is replaced. Returns the builders' configuration.
///
/// # Errors
/// When the disk refuses.
pub fn install(folder: &Path, executable: &Path) -> io::Result<Vec<BuilderConfig>> {
    let folder = std::path::absolute(folder)?;
    let builder = |name: &str| {
        let path = folder.join(name);
        write(&path, name, executable)?;
        let (name, propagate_environment) = (name.to_owned(), environment::propagated(name));
        Ok(BuilderConfig { name, program: Program::Folder(path), propagate_environment })
    };
    NAMES.iter().map(|name| builder(name)).collect()
}

fn write(folder: &Path, name: &str, executable: &Path) -> io::Result<()> {
    let programs = folder.join("bin");
    fs::create_dir_all(&programs)?;
    for step in Step::ALL {
        let program = programs.join(step.name());
        // Without it, a peer never tries to run what serves elsewhere.
        if (name, step) == ("ccaas", Step::Run) {
            continue;
        }
        // Written aside, so that a peer that is running finds the old program or the new one.
        let partial = programs.join(format!(".{}.partial", step.name()));
        fs::write(&partial, script(name, step, executable))?;
        fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))?;
        fs::rename(partial, program)?;
    }
    Ok(())
}

/// Fabric peers log what programs print on standard error, and nothing else; Maven and others print elsewhere.
// Fabric: external-builders §6
fn script(name: &str, step: Step, executable: &Path) -> String {
    let executable = executable.display().to_string().replace('\'', r"'\''");
    format!("#!/bin/sh\nexec '{executable}' buildpack {name} {step} \"$@\" 1>&2\n")
}

/// The part of `core.yaml` that names these builders. Fabric knows no patterns, so where a builder wants every
/// variable that begins with something, those of `variables` are listed that do.
pub fn core_yaml(builders: &[BuilderConfig], variables: impl IntoIterator<Item = String>) -> String {
    let variables: Vec<String> = variables.into_iter().collect();
    let mut text = String::from("chaincode:\n  externalBuilders:\n");
    for builder in builders {
        let path = match &builder.program {
            Program::Folder(path) => path.clone(),
            Program::Buildpack { .. } => PathBuf::new(),
        };
        text.push_str(&format!("    - name: {}\n      path: {}\n", builder.name, quoted(&path.display().to_string())));
        let names = names(&builder.propagate_environment, &variables);
        if !names.is_empty() {
            text.push_str("      propagateEnvironment:\n");
            names.iter().for_each(|name| text.push_str(&format!("        - {name}\n")));
        }
    }
    text
}

fn names(patterns: &[String], variables: &[String]) -> BTreeSet<String> {
    let is_name = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let of = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => {
            variables.iter().filter(|name| name.starts_with(beginning)).filter(is_name).cloned().collect()
        }
        None => vec![pattern.clone()],
    };
    patterns.iter().flat_map(of).collect()
}

/// A text that YAML takes literally.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_programs_that_run_the_executable() {
        let root = tempfile::tempdir().expect("a folder");
        let builders = install(root.path(), Path::new("/opt/it's/windlass")).expect("scripts");
        assert_eq!(builders.iter().map(|builder| builder.name.as_str()).collect::<Vec<_>>(), NAMES);
        let build = root.path().join("golang/bin/build");
        assert_eq!(
            fs::read_to_string(&build).expect("a script"),
            "#!/bin/sh\nexec '/opt/it'\\''s/windlass' buildpack golang build \"$@\" 1>&2\n"
        );
        assert_eq!(fs::metadata(build).expect("a script").permissions().mode() & 0o777, 0o755);
        let programs = |name: &str| fs::read_dir(root.path().join(name).join("bin")).expect("a folder").count();
        assert_eq!((programs("golang"), programs("ccaas")), (4, 3));
        install(root.path(), Path::new("/windlass")).expect("the same again");
    }

    #[test]
    fn lists_variables_by_name_for_peers_that_know_no_patterns() {
        let builder = BuilderConfig {
            name: "node".into(),
            program: Program::Folder("/b/node".into()),
            propagate_environment: vec!["HOME".into(), "npm_config_*".into()],
        };
        let variables = ["npm_config_cache", "npm_config_//registry/:_authToken", "PATH"].map(str::to_owned);
        let bare = BuilderConfig { name: "binary".into(), propagate_environment: Vec::new(), ..builder.clone() };
        assert_eq!(
            core_yaml(&[builder, bare], variables),
            "chaincode:\n  externalBuilders:\n    - name: node\n      path: '/b/node'\n      propagateEnvironment:\n        \
             - HOME\n        - npm_config_cache\n    - name: binary\n      path: '/b/node'\n"
        );
    }
}
