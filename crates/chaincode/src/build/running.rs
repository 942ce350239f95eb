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
        BuilderConfig, Journal, OutputLine, Program, Step, StepError, StepTimes, Stream, buildpacks,
        children::Group,
        environment,
        output::read_lines,
        progress::Reporter,
        sandbox::{self, Confinement, Leash, Limits, Sandbox},
        spawner::Spawner,
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
    pub(super) sandbox: Arc<Sandbox>,
    /// What is said of this chaincode's limits.
    pub(super) limits: Limits,
}

/// A program that was started. Dropping it kills its whole group.
#[derive(Debug)]
pub(super) struct Running {
    // Dropped first: while its supervisor lives, it ends everything.
    leash: Option<Leash>,
    // Dropped next: signals the group while its leader has not been waited for.
    group: Group,
    child: Child,
    readers: JoinSet<()>,
    journal: Journal,
    // Its thread must outlive the child, which asked for a signal when it ends.
    _spawner: Arc<Spawner>,
}

/// How long a killed group may take to let go of its pipes.
const LETTING_GO: Duration = Duration::from_secs(1);
/// How long a supervisor may take to end everything below it.
const SUPERVISED_END: Duration = Duration::from_secs(10);

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
    /// `own` is the program's own folder.
    pub(super) async fn complete(
        &self,
        step: Step,
        args: &[&Path],
        own: &Path,
        journal: &Journal,
    ) -> Result<(), StepError> {
        let started = Instant::now();
        let limit = self.times.of(step);
        let ended = async {
            let mut running = self.start(step, args, own, journal)?;
            let Ok(result) = time::timeout(limit, running.wait()).await else {
                running.kill().await;
                return Err(StepError::TimedOut { step, limit });
            };
            running.drain(self.times.aftermath).await;
            running.explain(step, &result);
            result
        };
        let result = ended.await;
        self.reporter.finished(step, started.elapsed(), result.as_ref().err());
        result
    }

    /// Starts a program. `own` is its own folder, which goes with it.
    pub(super) fn start(
        &self,
        step: Step,
        args: &[&Path],
        own: &Path,
        journal: &Journal,
    ) -> Result<Running, StepError> {
        self.reporter.started(step);
        let environment = environment::cut(std::env::vars_os(), &self.config.propagate_environment);
        let confinement = self.sandbox.confine(&self.config, step, args, own, &environment, self.limits)?;
        let (program, words) = self.program(step);
        let not_started = |error: io::Error| StepError::NotStarted {
            program: program.display().to_string(),
            cause: errno::text(&error),
        };
        let words = words.into_iter().chain(args.iter().map(|arg| arg.as_os_str()));
        let mut command = match &confinement {
            None => {
                let mut command = Command::new(&program);
                command.args(words);
                command
            }
            Some(confinement) => {
                // Found out here, it says so in the words of the contract.
                rustix::fs::access(&program, rustix::fs::Access::EXEC_OK).map_err(|error| not_started(error.into()))?;
                confinement.command(&program, words)
            }
        };
        let supervised = confinement.is_some();
        command
            .env_clear()
            .envs(environment)
            .envs(confinement.iter().flat_map(Confinement::variables))
            .envs(&self.variables)
            // A supervisor ties itself to us by its input.
            .envs(self.parent().filter(|_| !supervised))
            .stdin(if supervised { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            // A supervisor ends by itself, after everything else.
            .kill_on_drop(!supervised);
        let mut child = self.spawner.spawn(command).map_err(not_started)?;
        let pid = child.id().ok_or_else(|| not_started(io::Error::other("it ended at once")))?;
        let temporary = (step == Step::Run).then_some(own);
        let group = Group::new(&self.children, pid, temporary, supervised);
        let leash = confinement
            .zip(child.stdin.take())
            .map(|(confinement, input)| Leash::new(pid, input, step, confinement.watched));
        let leash = leash.transpose().map_err(not_started)?;
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
        Ok(Running { leash, group, child, readers, journal: journal.clone(), _spawner: self.spawner.clone() })
    }

    /// Lets a buildpack tie itself to us: the spawner's thread lasts as long as we want its children.
    fn parent(&self) -> Option<(&'static str, String)> {
        let buildpack = matches!(self.config.program, Program::Buildpack { .. });
        buildpack.then(|| (buildpacks::PARENT, std::process::id().to_string()))
    }

    fn program(&self, step: Step) -> (PathBuf, Vec<&OsStr>) {
        match &self.config.program {
            Program::Folder(folder) => (program_in(folder, step), Vec::new()),
            Program::Buildpack { executable, name } => {
                let words = [OsStr::new("buildpack"), OsStr::new(name), OsStr::new(step.name())];
                (executable.clone(), words.into())
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
        if let Some(cause) = self.leash.as_ref().and_then(Leash::cause) {
            return Err(cause);
        }
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

    /// To be called when the output is there: says that the program was confined, if that may be why it failed.
    pub(super) fn explain(&self, step: Step, result: &Result<(), StepError>) {
        let refused = |line: &Arc<OutputLine>| line.step == step && sandbox::may_have_refused(&line.text);
        if self.leash.is_some()
            && matches!(result, Err(StepError::Exited(_)))
            && self.journal.lines().iter().any(refused)
        {
            self.journal.push(OutputLine::new(step, Stream::Error, sandbox::HINT.to_owned()));
        }
    }

    /// Asks the group to end, and kills what has not after `patience`.
    // Fabric: external-builders §7 (which signals the program only, and leaves its children behind)
    pub(super) async fn stop(&mut self, patience: Duration) {
        match &self.leash {
            Some(leash) => leash.terminate(),
            None => self.group.signal(Signal::TERM),
        }
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
        if let Some(leash) = &self.leash {
            leash.end();
            if time::timeout(SUPERVISED_END, self.child.wait()).await.is_ok() {
                self.group.leader_is_gone();
            }
        }
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
        24 => "CPU time limit exceeded",
        25 => "file size limit exceeded",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
