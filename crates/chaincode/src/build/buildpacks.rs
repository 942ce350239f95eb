//! The builders that come with Windlass: `windlass buildpack NAME STEP ARGS…` obeys the contract of external
//! builders, so a stock Fabric peer can use them, too.
//!
//! - `binary`: programs that are ready
//! - `golang`: Go programs, in module mode
//! - `node`: Node packages, with npm
//! - `java`: Maven and Gradle projects, and ready jars
//! - `rust`: Rust crates, with Cargo
//! - `ccaas`: chaincode that is a server elsewhere
//!
//! [`install`] writes them as folders of programs, for peers that know nothing of us.
//!
//! They are plain, short programs without a runtime; what they print is what people see when a build fails.

mod base64;
mod binary;
mod ccaas;
mod chaincode;
mod environment;
mod folders;
mod golang;
mod install;
mod java;
mod node;
mod rust;
mod template;
mod tools;

use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

pub use install::{core_yaml, install};

use crate::build::{BuilderConfig, Program};

/// The buildpacks, in the order in which they are asked: the quickest to build with come first.
pub const NAMES: [&str; 6] = ["ccaas", "binary", "golang", "node", "java", "rust"];

/// The configuration of all buildpacks, `executable` being the Windlass binary.
pub fn builders(executable: &Path) -> Vec<BuilderConfig> {
    let builder = |name: &str| BuilderConfig {
        name: name.to_owned(),
        program: Program::Buildpack { executable: executable.to_owned(), name: name.to_owned() },
        propagate_environment: environment::propagated(name),
    };
    NAMES.map(builder).to_vec()
}

/// The variable by which a peer of ours says that it is the parent, and that its thread will last. Another peer
/// may start programs on a thread that ends.
pub(super) const PARENT: &str = "WINDLASS_PARENT";

/// Runs one step: what `windlass buildpack NAME STEP ARGS…` does. Needs no runtime. `run` returns only if the
/// chaincode cannot be started.
pub fn main(name: &str, step: &str, args: &[OsString]) -> ExitCode {
    let ended = tie_to_parent().and_then(|()| dispatch(name, step, args));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault::Usage(text)) => {
            say(&text);
            ExitCode::from(2)
        }
        Err(Fault::Failed(text)) => {
            say(&text);
            ExitCode::FAILURE
        }
    }
}

/// Why a step failed.
#[derive(Debug)]
enum Fault {
    /// It was not called as the contract says.
    Usage(String),
    /// It could not do its work.
    Failed(String),
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

fn dispatch(name: &str, step: &str, args: &[OsString]) -> Result<(), Fault> {
    // Tools are called in other folders; a person may have typed relative paths.
    let absolute = |arg: &OsString| std::path::absolute(arg).unwrap_or_else(|_| PathBuf::from(arg));
    let args: Vec<PathBuf> = args.iter().map(absolute).collect();
    let args: Vec<&Path> = args.iter().map(PathBuf::as_path).collect();
    match (name, step, args.as_slice()) {
        ("ccaas", "detect", [_, metadata]) => ccaas::detect(metadata)?,
        ("ccaas", "build", [source, metadata, output]) => ccaas::build(source, metadata, output)?,
        ("ccaas", "release", [output, release]) => ccaas::release(output, release)?,
        ("golang", "detect", [_, metadata]) => folders::expect_type(metadata, "golang")?,
        ("golang", "build", [source, metadata, output]) => golang::build(source, metadata, output)?,
        ("golang", "run", [output, metadata]) => golang::run(output, metadata)?,
        ("node", "detect", [_, metadata]) => folders::expect_type(metadata, "node")?,
        ("node", "build", [source, _, output]) => node::build(source, output)?,
        ("node", "run", [output, metadata]) => node::run(output, metadata)?,
        ("java", "detect", [_, metadata]) => folders::expect_type(metadata, "java")?,
        ("java", "build", [source, _, output]) => java::build(source, output)?,
        ("java", "run", [output, metadata]) => java::run(output, metadata)?,
        ("rust", "detect", [_, metadata]) => folders::expect_type(metadata, "rust")?,
        ("rust", "build", [source, metadata, output]) => rust::build(source, metadata, output)?,
        ("rust", "run", [output, metadata]) => rust::run(output, metadata)?,
        ("binary", "detect", [_, metadata]) => folders::expect_type(metadata, "binary")?,
        ("binary", "build", [source, _, output]) => binary::build(source, output)?,
        ("binary", "run", [output, metadata]) => binary::run(output, metadata)?,
        ("golang" | "node" | "java" | "rust" | "binary", "release", [output, release]) => {
            folders::release_indexes(output, release)?;
        }
        _ => return Err(misuse(name, step, args.len())),
    }
    Ok(())
}

fn misuse(name: &str, step: &str, given: usize) -> Fault {
    if !NAMES.contains(&name) {
        return Fault::Usage(format!("there is no buildpack '{name}'; there are {}", NAMES.join(", ")));
    }
    let usage = match step {
        "detect" => "SOURCE METADATA",
        "build" => "SOURCE METADATA OUTPUT",
        "release" => "OUTPUT RELEASE",
        "run" if name == "ccaas" => {
            return Fault::Usage("chaincode as a service is not run by a peer: it has no step 'run'".to_owned());
        }
        "run" => "OUTPUT METADATA",
        _ => return Fault::Usage(format!("there is no step '{step}'; there are detect, build, release and run")),
    };
    Fault::Usage(format!("usage: windlass buildpack {name} {step} {usage} ({given} arguments given)"))
}

/// Prints a line for people.
fn say(text: &str) {
    // Nobody listening is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Has the system end us when the peer dies, however it dies. The request stays with this process through the
/// exec that makes it the chaincode.
fn tie_to_parent() -> Result<(), Fault> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(parent) = std::env::var_os(PARENT) {
        let signal = Some(rustix::process::Signal::TERM);
        let tied = rustix::process::set_parent_process_death_signal(signal);
        tied.map_err(|error| Fault::Failed(format!("cannot tie this process to its peer: {error}")))?;
        // It may have died before.
        let current = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
        if current.is_none_or(|current| *current != *parent) {
            return Err(Fault::Failed("the peer that started this is gone".to_owned()));
        }
    }
    Ok(())
}

/// Runs a tool to its end, its output being ours.
fn complete(mut command: Command) -> Result<(), String> {
    let shown = shown(&command);
    say(&format!("$ {shown}"));
    command.env_remove(PARENT);
    let status = command.status().map_err(|error| format!("cannot start '{shown}': {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("'{shown}' failed: {status}")) }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
