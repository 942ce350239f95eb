//! Keeping what packages bring away from everything that is not theirs.
//!
//! A program that is confined gets a home and a folder for temporary files that go away with it, sees the system and its
//! toolchain, writes to its own folders and the caches of its toolchain, and nothing else: not the peer's keys, not the
//! ledger, no other chaincode. It cannot reach into other processes, and whatever it leaves behind ends with it.
//!
//! Since a process can only take rights away from itself, the peer starts a program through its own binary:
//!
//! ```text
//! peer ── windlass sandbox supervise ── windlass sandbox enter = the program ── what it starts
//!           adopts what is left behind    takes its rights away, then execs
//! ```
//!
//! - [`SandboxConfig`]: what operators say
//! - [`Support`]: what this system can enforce, and what [`Support::report`] says of it
//! - `policy`, `toolchains`: what a program may read and write
//! - `confine`: taking rights away; `supervisor`: ending what is left; `leash`: the peer's hold on both

#[cfg(target_os = "linux")]
mod confine;
mod leash;
mod limits;
mod policy;
#[cfg(target_os = "linux")]
mod supervisor;
mod support;
mod toolchains;
mod tree;

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use tokio::process::Command;

use crate::{
    build::{BuilderConfig, Program, Step, StepError},
    package::errno,
};

pub use leash::Excess;
pub(super) use leash::{Leash, Watched};
pub use limits::{Limits, Size};
use policy::Policy;
pub use support::{Protection, Support};
use toolchains::{Folders, Toolchain};

/// Whether programs are confined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Not at all.
    #[default]
    Off,
    /// As far as this system can.
    Auto,
    /// Wholly, or they are not started.
    Require,
}

/// What operators say of confinement.
#[derive(Clone, Debug, Default)]
pub struct SandboxConfig {
    /// Whether the built-in buildpacks are confined, and the chaincode that they run.
    pub mode: Mode,
    /// The same for other builders, by name. Who is not named is not: such builders may need anything.
    pub builders: BTreeMap<String, Mode>,
    /// The Windlass binary, through which programs are started; without it there is no confinement.
    pub executable: Option<PathBuf>,
    /// Whether builds have no network.
    pub offline: bool,
    /// Whether each build starts with empty caches, which go away with it. Otherwise the builds of one toolchain
    /// share caches.
    pub own_caches: bool,
    /// What programs may read beside the usual.
    pub read: Vec<PathBuf>,
    /// What programs may write beside the usual.
    pub write: Vec<PathBuf>,
    /// What no program may read even where it lies in a folder that they may: the peer's keys and files.
    pub secrets: Vec<PathBuf>,
    /// Limits on `detect`, `build` and `release`, over [`Limits::of_builds`].
    pub build: Limits,
    /// Limits on chaincode, over [`Limits::of_runs`].
    pub run: Limits,
}

/// Confines programs.
#[derive(Debug)]
pub(super) struct Sandbox {
    config: SandboxConfig,
    support: Support,
}

/// How one program is confined.
#[derive(Debug)]
pub(super) struct Confinement {
    supervisor: PathBuf,
    policy: Policy,
    variables: BTreeMap<OsString, OsString>,
    pub(super) watched: Watched,
}

/// What is said beside a failure that the sandbox may have caused.
pub(super) const HINT: &str = "hint: the sandbox (windlass.sandbox.mode) lets packages read, run and write little outside \
                               of them; windlass.sandbox.read and windlass.sandbox.write name more";

/// Whether a line of a program's output sounds as if the sandbox had refused something.
pub(super) fn may_have_refused(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["permission denied", "operation not permitted", "eacces", "eperm", "accessdenied"]
        .iter()
        .any(|sign| line.contains(sign))
}

impl Sandbox {
    pub(super) fn new(mut config: SandboxConfig) -> Self {
        // What programs may read of `/etc` holds the keys of this machine on some systems.
        let keys = ["/etc/ssl/private", "/etc/pki/tls/private"].map(PathBuf::from);
        config.secrets.extend(keys.into_iter().filter(|folder| folder.exists()));
        // Links would hide where something really is.
        for secret in &mut config.secrets {
            *secret = std::path::absolute(&secret).and_then(fs::canonicalize).unwrap_or_else(|_| secret.clone());
        }
        Self { config, support: Support::detect() }
    }

    /// How a program is confined whose own folder is `own`; `None` if it is not.
    pub(super) fn confine(
        &self,
        builder: &BuilderConfig,
        step: Step,
        args: &[&Path],
        own: &Path,
        environment: &[(OsString, OsString)],
        limits: Limits,
    ) -> Result<Option<Confinement>, StepError> {
        let (mode, buildpack) = match &builder.program {
            // All that this step does is read a type. `release` sees what a build made.
            Program::Buildpack { .. } if step == Step::Detect => (Mode::Off, None),
            Program::Buildpack { name, .. } => (self.config.mode, Some(name.as_str())),
            Program::Folder(_) => (self.config.builders.get(&builder.name).copied().unwrap_or_default(), None),
        };
        let missing = || self.support.missing(self.config.executable.is_some());
        match (mode, &self.config.executable) {
            (Mode::Off, _) => Ok(None),
            (Mode::Require, _) if missing().is_some() => {
                Err(StepError::NotConfined { reason: missing().unwrap_or_default() })
            }
            (_, Some(supervisor)) if self.support.supervisor => {
                let confined = Subject { sandbox: self, builder, step, buildpack, args, own, environment, limits };
                let failed = |error| StepError::NotConfined { reason: errno::text(&error) };
                confined.confinement(supervisor).map(Some).map_err(failed)
            }
            _ => Ok(None),
        }
    }
}

/// A program to be confined.
struct Subject<'a> {
    sandbox: &'a Sandbox,
    builder: &'a BuilderConfig,
    step: Step,
    buildpack: Option<&'a str>,
    args: &'a [&'a Path],
    own: &'a Path,
    environment: &'a [(OsString, OsString)],
    limits: Limits,
}

impl Subject<'_> {
    fn confinement(&self, supervisor: &Path) -> io::Result<Confinement> {
        let Sandbox { config, support } = self.sandbox;
        let theirs = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let (home, temporary) = (self.own.join("home"), self.own.join("tmp"));
        for folder in [&home, &temporary] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let caches = self.caches(theirs.as_deref(), &home);
        let folders =
            Folders { theirs: theirs.as_deref(), home: &home, temporary: &temporary, caches: &caches.join("windlass") };

        let toolchain = Toolchain::of(self.buildpack);
        let (provision, limits) = match self.step {
            Step::Run => {
                let read = toolchain.to_run(theirs.as_deref());
                (toolchains::Provision { read, ..Default::default() }, Limits::of_runs().overlaid(config.run))
            }
            _ => (toolchain.to_build(&folders)?, Limits::of_builds().overlaid(config.build)),
        };
        let limits = limits.overlaid(self.limits).in_force();

        let mut read = policy::system();
        read.extend(policy::programs(theirs.as_deref()));
        read.extend(policy::certificates(self.environment));
        read.extend(provision.read);
        let mut read = policy::without(&read, &config.secrets);
        read.extend(config.read.iter().cloned());
        read.extend(self.args.iter().map(|arg| (*arg).to_owned()));
        read.push(match &self.builder.program {
            Program::Folder(folder) => std::path::absolute(folder)?,
            Program::Buildpack { executable, .. } => executable.clone(),
        });
        read.push(supervisor.to_owned());
        let shared = provision.write;
        let mut write = vec![self.own.to_owned()];
        write.extend(shared.iter().cloned());
        write.extend(config.write.iter().cloned());
        write.extend(policy::devices());

        let mut variables: BTreeMap<OsString, OsString> =
            provision.variables.into_iter().map(|(name, value)| (name.into(), value)).collect();
        for (name, value) in [("HOME", &home), ("TMPDIR", &temporary), ("XDG_CACHE_HOME", &caches)] {
            variables.insert(name.into(), value.into());
        }
        if config.own_caches && self.buildpack == Some("golang") {
            // What Go downloads is read-only otherwise, and could not be removed with the folder.
            let theirs = env::var("GOFLAGS").unwrap_or_default();
            variables.insert("GOFLAGS".into(), format!("{theirs} -modcacherw").trim().into());
        }
        let policy = Policy {
            read,
            write,
            files: support.landlock.is_some(),
            calls: support.calls,
            run: self.step == Step::Run,
            network: self.step == Step::Run || !config.offline,
            limits,
        };
        let watched = Watched { limits, own: self.own.to_owned(), shared };
        Ok(Confinement { supervisor: supervisor.to_owned(), policy, variables, watched })
    }

    /// Below which folder `windlass` holds the caches of toolchains.
    fn caches(&self, theirs: Option<&Path>, home: &Path) -> PathBuf {
        let own = || home.join(".cache");
        if self.sandbox.config.own_caches || self.step == Step::Run {
            return own();
        }
        let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        named.or_else(|| theirs.map(|home| home.join(".cache"))).unwrap_or_else(own)
    }
}

impl Confinement {
    /// The command that starts `program` confined. Its input holds the supervisor.
    pub(super) fn command<'a>(&self, program: &Path, words: impl IntoIterator<Item = &'a OsStr>) -> Command {
        let policy = serde_json::to_string(&self.policy).expect("paths of text and numbers");
        let mut command = Command::new(&self.supervisor);
        command.args(["sandbox", "supervise", &policy]).arg(program).args(words);
        command
    }

    /// Variables instead of those that the program would get.
    pub(super) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }
}

/// What `windlass sandbox supervise|enter POLICY PROGRAM ARGS…` does. Needs no runtime.
pub fn main(words: &[OsString]) -> ExitCode {
    let [stage, policy, program, args @ ..] = words else {
        return refuse("usage: windlass sandbox supervise|enter POLICY PROGRAM ARGS…");
    };
    start(stage, policy, program, args).unwrap_or_else(|problem| refuse(&problem))
}

#[cfg(target_os = "linux")]
fn start(stage: &OsStr, policy: &OsStr, program: &OsStr, args: &[OsString]) -> Result<ExitCode, String> {
    match stage.to_str() {
        Some("supervise") => supervisor::supervise(policy, program, args),
        Some("enter") => {
            let policy = serde_json::from_slice(policy.as_encoded_bytes());
            let policy = policy.map_err(|error| format!("the policy cannot be read: {error}"))?;
            confine::become_program(&policy, program, args).map(|()| ExitCode::SUCCESS)
        }
        _ => Err("there are two stages: supervise and enter".to_owned()),
    }
}

#[cfg(not(target_os = "linux"))]
fn start(_: &OsStr, _: &OsStr, _: &OsStr, _: &[OsString]) -> Result<ExitCode, String> {
    Err(support::ELSEWHERE.to_owned())
}

/// What shells use for a program that could not be started.
const NOT_STARTED: u8 = 126;

fn refuse(problem: &str) -> ExitCode {
    // Nobody listening is no reason to go on.
    let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("sandbox: {problem}\n"));
    ExitCode::from(NOT_STARTED)
}
