//! Gradle projects.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::build::buildpacks::{
    complete,
    java::{jars_in, wrapper},
    tools::{self, Home},
};

const HINT: &str = "install Gradle (https://gradle.org), add its wrapper to the project (gradle wrapper), or package the \
                    built jar";

/// Adds a task to the project that collects what it needs at run time.
const COLLECT: &str = "\
allprojects {
    afterEvaluate { project ->
        if (project == project.rootProject && project.plugins.hasPlugin('java')) {
            project.tasks.create(name: 'windlassLibraries', type: Copy) {
                from project.configurations.runtimeClasspath
                into System.getenv('WINDLASS_LIBRARIES')
            }
        }
    }
}
";

/// Whether a folder is a Gradle project.
pub(super) const FILES: [&str; 2] = ["build.gradle", "build.gradle.kts"];

/// Builds the project at `folder` as its own build file says.
pub(super) fn package(folder: &Path, home: &Home) -> Result<PathBuf, String> {
    let shadow = FILES.iter().any(|file| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.contains("shadow")
    });
    complete(gradle(folder, home, &[if shadow { "shadowJar" } else { "jar" }])?)?;
    program(folder)
}

/// Puts what the project needs at run time below `to`.
pub(super) fn dependencies(folder: &Path, home: &Home, to: &Path) -> Result<(), String> {
    let script = folder.join("windlass-libraries.gradle");
    fs::write(&script, COLLECT).map_err(|error| format!("cannot write '{}': {error}", script.display()))?;
    let mut command = gradle(folder, home, &["--init-script"])?;
    command.arg(&script).arg("windlassLibraries").env("WINDLASS_LIBRARIES", to);
    complete(command)
}

fn gradle(folder: &Path, home: &Home, args: &[&str]) -> Result<Command, String> {
    let mut command = match wrapper(folder, "gradlew") {
        Some(command) => command,
        None => Command::new(tools::find("gradle", HINT)?),
    };
    // A daemon would outlive the build and hold its output open.
    command.args(["--no-daemon", "--quiet", "--console=plain"]).args(args).current_dir(folder);
    home.lend(&mut command);
    if let Some(folder) = home.temporary() {
        command.env("GRADLE_USER_HOME", folder.join(".gradle"));
    }
    Ok(command)
}

fn program(folder: &Path) -> Result<PathBuf, String> {
    let libs = folder.join("build").join("libs");
    let jars = jars_in(&libs);
    // The shadow plugin marks the jar that has everything.
    let whole = jars.iter().any(|jar| stem(jar).ends_with("-all"));
    let is_plain =
        |name: &str| whole && !name.trim_end_matches(".jar").ends_with("-all") || name.ends_with("-plain.jar");
    super::program(jars.clone(), is_plain)
        .map_err(|error| format!("looked for the project's jar in build/libs/ {error}"))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
