//! Java programs: Maven and Gradle projects, and jars that are ready.

mod gradle;
mod jar;
mod maven;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::build::buildpacks::{
    chaincode::Chaincode,
    folders,
    tools::{self, Home},
};
use jar::{Jar, ROUTER};

const PROGRAM: &str = "chaincode.jar";
const LIBRARIES: &str = "lib";
const HINT: &str = "install a JDK, version 11 or later (https://adoptium.net), or set JAVA_HOME";
/// What version 2.5 of Fabric's Java library needs.
const OLDEST: u32 = 11;

/// What is in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Project {
    Maven,
    Gradle,
    /// Ready jars.
    Jars,
}

pub(super) fn build(source: &Path, output: &Path) -> Result<(), String> {
    let (folder, project) = find(source)?;
    let (program, libraries) = (output.join(PROGRAM), output.join(LIBRARIES));
    let home = Home::find()?;
    if project != Project::Jars {
        let compiler = tool("javac")?;
        tools::record(output, &check_version(&compiler)?)?;
    }
    match project {
        Project::Maven => {
            copy(&maven::package(&folder, &home)?, &program)?;
            if !Jar::read(&program)?.has_shim {
                maven::dependencies(&folder, &home, &libraries)?;
            }
        }
        Project::Gradle => gradle::package(&folder, &home, output)?,
        Project::Jars => {
            let ready = ready(&folder)?;
            copy(&ready, &program)?;
            copy_others(&folder, &ready, &libraries)?;
        }
    }
    main_class(&Jar::read(&program)?, &libraries)?;
    folders::keep_meta_inf(source, output)
}

// Fabric: chaincode-protocol §18
pub(super) fn run(output: &Path, metadata: &Path) -> Result<(), String> {
    let chaincode = Chaincode::read(metadata)?;
    let (program, libraries) = (output.join(PROGRAM), output.join(LIBRARIES));
    let main = main_class(&Jar::read(&program)?, &libraries)?;
    let mut classes = OsString::from(&program);
    if libraries.is_dir() {
        classes.push(":");
        classes.push(libraries.join("*"));
    }
    let mut home = OsString::from("-Duser.home=");
    home.push(chaincode.home());
    let mut command = Command::new(tool("java")?);
    if let Some(folder) = env::var_os("TMPDIR") {
        // Java takes it from nowhere else.
        let mut temporary = OsString::from("-Djava.io.tmpdir=");
        temporary.push(folder);
        command.arg(temporary);
    }
    command
        .arg(home)
        .arg("-cp")
        .arg(classes)
        .arg(main)
        .args(["-i", chaincode.id(), "--peer.address", &chaincode.peer_address])
        .current_dir(output);
    chaincode.become_it(command)
}

fn find(source: &Path) -> Result<(PathBuf, Project), String> {
    let below = source.join("src");
    // A Maven project has a folder src/ of its own, so what lies at the root is as likely.
    for folder in [below.as_path(), source] {
        let has = |name: &&str| folder.join(name).is_file();
        if has(&"pom.xml") {
            return Ok((folder.to_owned(), Project::Maven));
        }
        if gradle::FILES.iter().any(has) {
            return Ok((folder.to_owned(), Project::Gradle));
        }
    }
    for folder in [below.as_path(), source] {
        if !jars_in(folder).is_empty() {
            return Ok((folder.to_owned(), Project::Jars));
        }
    }
    Err("looked for pom.xml (Maven), build.gradle or settings.gradle (Gradle) and jars at src/ and at the root of the package, and found \
         none"
        .to_owned())
}

/// The jar of a package of ready ones that is the program.
fn ready(folder: &Path) -> Result<PathBuf, String> {
    let jars = jars_in(folder);
    program(jars, |_| false).map_err(|error| format!("looked for the chaincode's jar {error}"))
}

/// Ready jars beside the program, and those in `lib/`, are what it needs.
fn copy_others(folder: &Path, program: &Path, libraries: &Path) -> Result<(), String> {
    let others = jars_in(folder).into_iter().filter(|jar| jar != program).chain(jars_in(&folder.join(LIBRARIES)));
    for jar in others {
        fs::create_dir_all(libraries).map_err(|error| format!("cannot create '{}': {error}", libraries.display()))?;
        copy(&jar, &libraries.join(jar.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| format!("cannot copy '{}': {error}", from.display()))
}

/// The jars in a folder, sorted by name.
fn jars_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut jars: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "jar") && path.is_file()).collect();
    jars.sort();
    jars
}

/// Which of several jars is the program: `chaincode.jar`, which is what Fabric's own Java image takes, the only one,
/// or the only one with a main class. The error goes on after "looked for … ".
fn program(jars: Vec<PathBuf>, is_plain: impl Fn(&str) -> bool) -> Result<PathBuf, String> {
    const BESIDE: [&str; 4] = ["-sources.jar", "-javadoc.jar", "-tests.jar", "-test-sources.jar"];
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let candidates: Vec<_> = jars
        .into_iter()
        .filter(|jar| !is_plain(&name(jar)) && !BESIDE.iter().any(|ending| name(jar).ends_with(ending)))
        .collect();
    if let Some(usual) = candidates.iter().find(|jar| name(jar) == PROGRAM) {
        return Ok(usual.clone());
    }
    match candidates.as_slice() {
        [] => return Err("and found none".to_owned()),
        [only] => return Ok(only.clone()),
        _ => {}
    }
    let runs = |jar: &&PathBuf| Jar::read(jar).is_ok_and(|jar| jar.main_class.is_some());
    let programs: Vec<_> = candidates.iter().filter(runs).collect();
    match programs.as_slice() {
        [only] => Ok((*only).clone()),
        _ => {
            let names: Vec<_> = candidates.iter().map(|jar| name(jar)).collect();
            Err(format!("and found several ({}); name the one to run {PROGRAM}", names.join(", ")))
        }
    }
}

/// The class to run: the one that the jar names, else the router of the contract API if it is there.
fn main_class(jar: &Jar, libraries: &Path) -> Result<String, String> {
    if let Some(main) = &jar.main_class {
        return Ok(main.clone());
    }
    let has_router = |path: &PathBuf| Jar::read(path).is_ok_and(|jar| jar.has_router);
    if jar.has_router || jars_in(libraries).iter().any(has_router) {
        return Ok(ROUTER.to_owned());
    }
    Err(format!(
        "the jar names no Main-Class in its manifest, and {ROUTER} is not among the dependencies; there is nothing to run"
    ))
}

/// A script of the project that brings the right version of its build tool.
fn wrapper(folder: &Path, name: &str) -> Option<Command> {
    let script = folder.join(name);
    if !script.is_file() {
        return None;
    }
    // Archivers lose the bit that would let it run by itself.
    let mut command = Command::new("/bin/sh");
    command.arg(script);
    Some(command)
}

/// A program of the JDK.
fn tool(name: &str) -> Result<PathBuf, String> {
    let home = env::var_os("JAVA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    match home {
        Some(home) => {
            let program = home.join("bin").join(name);
            let missing =
                || format!("looked for '{name}' in JAVA_HOME ({}) and did not find it; {HINT}", home.display());
            if program.is_file() { Ok(program) } else { Err(missing()) }
        }
        None => tools::find(name, HINT),
    }
}

/// What the compiler calls itself, if it is recent enough.
fn check_version(compiler: &Path) -> Result<String, String> {
    let output = Command::new(compiler).arg("-version").output();
    let output = output.map_err(|error| format!("cannot start '{}': {error}", compiler.display()))?;
    // Version 8 says it on stderr.
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().find(|line| line.starts_with("javac ")).unwrap_or_default();
    let version = line.trim_start_matches("javac ").trim();
    match major(version) {
        Some(found) if found < OLDEST => {
            Err(format!("found javac {version} ({}), and need {OLDEST} or later; {HINT}", compiler.display()))
        }
        // A version that we do not understand is the compiler's business.
        _ => Ok(format!("javac {version}")),
    }
}

/// `17` of `17.0.15`, `8` of `1.8.0_402`, `22` of `22-ea`.
fn major(version: &str) -> Option<u32> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(folder: &Path, name: &str) {
        fs::create_dir_all(folder.join(name).parent().expect("a folder")).expect("a folder");
        fs::write(folder.join(name), "").expect("a file");
    }

    #[test]
    fn reads_versions_old_and_new() {
        for (text, version) in [("17.0.15", 17), ("1.8.0_402", 8), ("22-ea", 22), ("11", 11)] {
            assert_eq!(major(text), Some(version));
        }
        assert_eq!(major("unknown"), None);
    }

    #[test]
    fn finds_the_project_in_either_place() {
        for (file, place, project) in [
            ("src/pom.xml", "src", Project::Maven),
            ("pom.xml", "", Project::Maven),
            ("src/build.gradle.kts", "src", Project::Gradle),
            ("build.gradle", "", Project::Gradle),
            ("src/chaincode.jar", "src", Project::Jars),
            ("other.jar", "", Project::Jars),
        ] {
            let root = tempfile::tempdir().expect("a folder");
            touch(root.path(), file);
            touch(root.path(), "src/main/java/A.java");
            assert_eq!(find(root.path()).expect(file), (root.path().join(place), project).into_normal(), "{file}");
        }
        let root = tempfile::tempdir().expect("a folder");
        assert!(find(root.path()).expect_err("nothing").ends_with("and found none"));
    }

    /// `join("")` leaves a separator at the end.
    trait Normal {
        fn into_normal(self) -> Self;
    }

    impl Normal for (PathBuf, Project) {
        fn into_normal(self) -> Self {
            (self.0.components().collect(), self.1)
        }
    }

    #[test]
    fn chooses_the_jar_to_run() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        let choose = |names: &[&str]| {
            let jars = names.iter().map(|name| path(name)).collect();
            program(jars, |name| name.starts_with("original-"))
        };
        assert_eq!(choose(&["a.jar"]), Ok(path("a.jar")));
        assert_eq!(choose(&["a.jar", "chaincode.jar"]), Ok(path("chaincode.jar")));
        assert_eq!(choose(&["a-sources.jar", "a.jar", "original-a.jar"]), Ok(path("a.jar")));
        assert_eq!(choose(&[]), Err("and found none".to_owned()));
        assert_eq!(
            choose(&["a.jar", "b.jar"]),
            Err("and found several (a.jar, b.jar); name the one to run chaincode.jar".to_owned())
        );
    }
}
