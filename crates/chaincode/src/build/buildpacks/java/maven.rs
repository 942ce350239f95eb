//! Maven projects.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::build::buildpacks::{
    complete,
    java::{jars_in, wrapper},
    tools::{self, Home},
};

const HINT: &str = "install Maven (https://maven.apache.org), add its wrapper to the project (mvn wrapper:wrapper), or \
                    package the built jar";

/// Builds the project at `folder` as its own `pom.xml` says.
pub(super) fn package(folder: &Path, home: &Home) -> Result<PathBuf, String> {
    complete(maven(folder, home, &["-DskipTests", "package"])?)?;
    program(folder)
}

/// Puts what the project needs at run time below `folder/lib`.
pub(super) fn dependencies(folder: &Path, home: &Home, to: &Path) -> Result<(), String> {
    let to = format!("-DoutputDirectory={}", to.display());
    complete(maven(folder, home, &["dependency:copy-dependencies", "-DincludeScope=runtime", &to])?)
}

fn maven(folder: &Path, home: &Home, args: &[&str]) -> Result<Command, String> {
    let mut command = match wrapper(folder, "mvnw") {
        Some(command) => command,
        None => Command::new(tools::find("mvn", HINT)?),
    };
    // Nobody answers questions, and nobody wants to see downloads.
    command.args(["--batch-mode", "--quiet"]).args(args).current_dir(folder);
    home.lend(&mut command);
    if let Some(folder) = home.temporary() {
        // Java takes the home from the system's list of users, whatever HOME says.
        let ours = format!("-Duser.home={}", folder.display());
        let theirs = std::env::var("MAVEN_OPTS").unwrap_or_default();
        command.env("MAVEN_OPTS", format!("{theirs} {ours}").trim());
    }
    Ok(command)
}

/// The jar that was made: `chaincode.jar`, as Fabric's own Java image wants it, or the only one that is a program.
fn program(folder: &Path) -> Result<PathBuf, String> {
    let target = folder.join("target");
    // Plugins that put everything into one jar leave the plain one beside it under such a name.
    let is_plain = |name: &str| name.starts_with("original-");
    super::program(jars_in(&target), is_plain)
        .map_err(|error| format!("looked for the project's jar in target/ {error}"))
}
