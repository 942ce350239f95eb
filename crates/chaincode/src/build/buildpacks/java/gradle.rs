//! Gradle projects.

use std::{fs, path::Path, process::Command};

use crate::build::buildpacks::{
    complete,
    java::{LIBRARIES, PROGRAM, wrapper},
    tools::{self, Home},
};

const HINT: &str = "install Gradle (https://gradle.org), add its wrapper to the project (gradle wrapper), or package the \
                    built jar";

/// Adds a task to the build that makes the program and what it needs at run time. Gradle itself is asked what that is,
/// since a build can have several projects, and every project may put its jar where it likes. It works from Gradle 4 on.
const SCRIPT: &str = include_str!("windlass.gradle");
const TASK: &str = "windlassChaincode";

/// Whether a folder is a Gradle project.
pub(super) const FILES: [&str; 4] = ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];

/// Builds the project at `folder` as its own build file says, and puts the program and its libraries into `output`.
pub(super) fn package(folder: &Path, home: &Home, output: &Path) -> Result<(), String> {
    let script = folder.join("windlass.gradle");
    fs::write(&script, SCRIPT).map_err(|error| format!("cannot write '{}': {error}", script.display()))?;
    let mut command = match wrapper(folder, "gradlew") {
        Some(command) => command,
        None => Command::new(tools::find("gradle", HINT)?),
    };
    // A daemon would outlive the build and hold its output open; Kotlin's compiler starts one of its own.
    command.args(["--no-daemon", "--quiet", "--console=plain", "-Pkotlin.compiler.execution.strategy=in-process"]);
    // What a script of ours adds is not to be kept; older versions do not know the option, but any property.
    command.arg("-Dorg.gradle.configuration-cache=false");
    command.arg("--init-script").arg(&script).arg(TASK).current_dir(folder);
    command.env("WINDLASS_OUTPUT", output).env("WINDLASS_PROGRAM", PROGRAM).env("WINDLASS_LIBRARIES", LIBRARIES);
    home.lend(&mut command);
    if let Some(folder) = home.temporary() {
        command.env("GRADLE_USER_HOME", folder.join(".gradle"));
    }
    complete(command)
}
