//! A program of a builder, running: its process group, its output, its end.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time,
};

use crate::{
    build::{
        BuilderConfig, Journal, OutputLine, Program, Step, StepError, StepTimes, Stream, buildpacks, children::Group,
        environment, output::read_lines, progress::Reporter, spawner::Spawner,
    },
    package::errno,
};

/// What every program of one builder is started with.
#[derive(Clone, Debug)]
pub(super) struct Launcher {
    pub(super) config: Arc<BuilderConfig>,
    pub(super) reporter: Reporter,
    pub(super) spawner: Arc<Spawner>,
    /// Where running children are noted.
    pub(super) children: Arc<Path>,
    pub(super) times: StepTimes,
    /// Variables beside those that the builder passes on.
    pub(super) variables: BTreeMap<String, String>,
}

/// A program that was started. Dropping it kills its whole group.
#[derive(Debug)]
pub(super) struct Running {
    // Dropped first: signals the group while its leader has not been waited for.
    group: Group,
    child: Child,
    readers: JoinSet<()>,
    journal: Journal,
    // Its thread must outlive the child, which asked for a signal when it ends.
    _spawner: Arc<Spawner>,
}

/// How long a killed group may take to let go of its pipes.
const LETTING_GO: Duration = Duration::from_secs(1);

impl Launcher {
    /// Whether the builder has this program. Only `release` may be missing.
    // Fabric: external-builders §6
    pub(super) fn has(&self, step: Step) -> bool {
        match &self.config.program {
            Program::Folder(folder) => {
                rustix::fs::access(program_in(folder, step), rustix::fs::Access::EXEC_OK).is_ok()
            }
            Program::Buildpack { .. } => true,
        }
    }

    /// Runs a program to its end, or kills it when its time is over. What it prints goes to `journal`, too.
    pub(super) async fn complete(&self, step: Step, args: &[&Path], journal: &Journal) -> Result<(), StepError> {
        let started = Instant::now();
        let limit = self.times.of(step);
        let ended = async {
            let mut running = self.start(step, args, journal, None)?;
            let Ok(result) = time::timeout(limit, running.wait()).await else {
                running.kill().await;
                return Err(StepError::TimedOut { step, limit });
            };
            running.drain(self.times.aftermath).await;
            result
        };
        let result = ended.await;
        self.reporter.finished(step, started.elapsed(), result.as_ref().err());
        result
    }

    /// Starts a program. `temporary` is a folder to remove if we are killed meanwhile.
    pub(super) fn start(
        &self,
        step: Step,
        args: &[&Path],
        journal: &Journal,
        temporary: Option<&Path>,
    ) -> Result<Running, StepError> {
        self.reporter.started(step);
        let (program, mut command) = self.command(step);
        command
            .args(args)
            .env_clear()
            .envs(environment::cut(std::env::vars_os(), &self.config.propagate_environment))
            .envs(&self.variables)
            .envs(self.parent())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let not_started = |error: io::Error| StepError::NotStarted {
            program: program.display().to_string(),
            cause: errno::text(&error),
        };
        let mut child = self.spawner.spawn(command).map_err(not_started)?;
        let pid = child.id().ok_or_else(|| not_started(io::Error::other("it ended at once")))?;
        let group = Group::new(&self.children, pid, temporary);
        let mut readers = JoinSet::new();
        let sink = |stream| {
            let (journal, reporter) = (journal.clone(), self.reporter.clone());
            move |text| reporter.output(&journal.push(OutputLine::new(step, stream, text)))
        };
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(read_lines(stdout, sink(Stream::Out)));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read_lines(stderr, sink(Stream::Error)));
        }
        Ok(Running { group, child, readers, journal: journal.clone(), _spawner: self.spawner.clone() })
    }

    /// Lets a buildpack tie itself to us: the spawner's thread lasts as long as we want its children.
    fn parent(&self) -> Option<(&'static str, String)> {
        let buildpack = matches!(self.config.program, Program::Buildpack { .. });
        buildpack.then(|| (buildpacks::PARENT, std::process::id().to_string()))
    }

    fn command(&self, step: Step) -> (PathBuf, Command) {
        match &self.config.program {
            Program::Folder(folder) => {
                let program = program_in(folder, step);
                let command = Command::new(&program);
                (program, command)
            }
            Program::Buildpack { executable, name } => {
                let mut command = Command::new(executable);
                command.args([OsStr::new("buildpack"), OsStr::new(name), OsStr::new(step.name())]);
                (executable.clone(), command)
            }
        }
    }
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.group.pid()
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Waits for the program itself, not for what it left. May be dropped and called again.
    pub(super) async fn wait(&mut self) -> Result<(), StepError> {
        let status = self.child.wait().await;
        self.group.leader_is_gone();
        match status {
            Ok(status) => outcome(status),
            Err(error) => Err(StepError::Signalled(errno::text(&error))),
        }
    }

    /// Reads the output to its end. What still holds it after a while is killed.
    async fn drain(&mut self, patience: Duration) {
        if time::timeout(patience, Self::end_of(&mut self.readers)).await.is_err() {
            self.group.signal(Signal::KILL);
            let _ = time::timeout(LETTING_GO, Self::end_of(&mut self.readers)).await;
        }
    }

    /// Gives output that is on its way some time to arrive.
    pub(super) async fn read_on(&mut self, patience: Duration) {
        let _ = time::timeout(patience, Self::end_of(&mut self.readers)).await;
    }

    /// Asks the group to end, and kills what has not after `patience`.
    // Fabric: external-builders §7 (which signals the program only, and leaves its children behind)
    pub(super) async fn stop(&mut self, patience: Duration) {
        self.group.signal(Signal::TERM);
        let polite = async {
            let _ = self.child.wait().await;
            self.group.leader_is_gone();
            while self.group.is_alive() {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        if time::timeout(patience, polite).await.is_err() {
            self.kill().await;
        }
    }

    async fn kill(&mut self) {
        self.group.signal(Signal::KILL);
        if time::timeout(LETTING_GO, self.child.wait()).await.is_ok() {
            self.group.leader_is_gone();
        }
        let _ = time::timeout(LETTING_GO, Self::end_of(&mut self.readers)).await;
    }

    async fn end_of(readers: &mut JoinSet<()>) {
        while readers.join_next().await.is_some() {}
    }
}

fn program_in(folder: &Path, step: Step) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    folder.join("bin").join(step.name())
}

/// Go's words for how a process ended.
fn outcome(status: ExitStatus) -> Result<(), StepError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(StepError::Exited(code)),
        (None, signal) => Err(StepError::Signalled(signal_name(signal.unwrap_or_default()))),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
