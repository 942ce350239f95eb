//! The built binary as a child process.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::{self, Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    output::{Output, Pipe},
    place::Place,
    processes::{self, Process},
    ready::Ready,
};

/// Toolchains download and compile meanwhile, on a machine that does much else.
const READY: Duration = Duration::from_secs(900);
const END: Duration = Duration::from_secs(60);

/// A `windlass dev` that is still to be started.
#[derive(Debug)]
pub(crate) struct Command {
    args: Vec<OsString>,
    data: Option<PathBuf>,
    environment: Vec<(String, OsString)>,
    ready_file: PathBuf,
    folder: PathBuf,
}

impl Command {
    pub(super) fn new(place: &Place) -> Self {
        let args = ["--port-base".into(), place.port_base().to_string().into()].into();
        let environment = vec![("TMPDIR".to_owned(), place.temporary().into())];
        let (ready_file, folder) = (place.ready_file(), place.path().to_owned());
        Self { args, data: Some(place.data()), environment, ready_file, folder }
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<const N: usize>(self, args: [&str; N]) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Listens at these ports instead of the place's.
    pub(crate) fn at_ports_from(mut self, base: u16) -> Self {
        self.args[1] = base.to_string().into();
        self
    }

    /// A chaincode under a name.
    pub(crate) fn chaincode(self, name: &str, path: impl Into<PathBuf>) -> Self {
        let mut arg = OsString::from(format!("{name}="));
        arg.push(path.into());
        self.arg(arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Keeps nothing.
    pub(crate) fn ephemeral(mut self) -> Self {
        self.data = None;
        self.arg("--ephemeral")
    }

    /// Runs in the place's folder, and says nothing of where to keep things.
    pub(crate) fn in_current_folder(mut self) -> Self {
        self.data = None;
        self
    }

    /// Starts it and waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn start(self) -> Windlass {
        let ready_file = self.ready_file.clone();
        let _ = std::fs::remove_file(&ready_file);
        let mut child = self.spawn();
        let said = child.output.wait_for(Pipe::Stdout, READY, |line| line.starts_with("ready in "));
        assert!(said.is_some(), "windlass dev is not ready ({:?})\n{}", child.child.try_wait(), child.output.shown());
        Windlass { child, ready: Ready::read(&ready_file), ready_file }
    }

    /// Runs it to its end, which must not be a success.
    #[track_caller]
    pub(crate) fn fail(self) -> Output {
        let mut child = self.spawn();
        let status = child.wait(READY);
        let output = child.output.clone();
        output.wait_for_end(END);
        assert!(status.is_some_and(|status| !status.success()), "expected a failure\n{}", output.shown());
        output
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn spawn(self) -> Running {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.arg("dev").args(&self.args).arg("--ready-file").arg(&self.ready_file);
        if let Some(data) = &self.data {
            command.arg("--data").arg(data);
        }
        command.current_dir(&self.folder).env_remove("FABRIC_LOGGING_SPEC").envs(self.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::spawn(command)
    }
}

/// A process whose output is read, and that ends with this value.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    output: Output,
}

impl Running {
    /// Starts it; stdout and stderr must be piped.
    #[track_caller]
    pub(crate) fn spawn(mut command: process::Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let output = Output::default();
        output.follow(Pipe::Stdout, child.stdout.take().expect("a pipe"));
        output.follow(Pipe::Stderr, child.stderr.take().expect("a pipe"));
        Self { child, output }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    pub(crate) fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.try_wait();
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            // The standard library cannot wait with a limit.
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        processes::signal(self.child.id(), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.try_wait().is_some() {
            return;
        }
        // Gently first: it has children of its own.
        self.signal(Signal::TERM);
        if self.wait(Duration::from_secs(10)).is_none() {
            let children = processes::descendants(self.pid());
            let _ = self.child.kill();
            let _ = self.child.wait();
            for child in children {
                processes::signal(child.pid, Signal::KILL);
            }
        }
    }
}

/// A network that is ready.
#[derive(Debug)]
pub(crate) struct Windlass {
    child: Running,
    pub(crate) ready: Ready,
    ready_file: PathBuf,
}

impl Windlass {
    pub(crate) fn output(&self) -> &Output {
        &self.child.output
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub(crate) fn ready_file(&self) -> &PathBuf {
        &self.ready_file
    }

    /// The ID of a chaincode's package.
    pub(crate) fn package_id(&self, chaincode: &str) -> &str {
        let found = self.ready.chaincodes.iter().find(|one| one.name == chaincode);
        &found.expect("a chaincode of that name").package_id
    }

    /// Its child processes, and theirs.
    pub(crate) fn children(&self) -> Vec<Process> {
        processes::descendants(self.child.pid())
    }

    /// Stops it as a service manager would. It ends by itself, and nothing of it stays.
    #[track_caller]
    pub(crate) fn stop(self) -> Output {
        self.stop_within(END)
    }

    /// The same, and it must have ended in time.
    #[track_caller]
    pub(crate) fn stop_within(mut self, limit: Duration) -> Output {
        let children = self.children();
        self.child.signal(Signal::TERM);
        let status = self.child.wait(limit);
        let output = self.child.output.clone();
        assert!(status.is_some_and(|status| status.success()), "ended with {status:?}\n{}", output.shown());
        let left = processes::survivors(&children, Duration::ZERO);
        assert!(left.is_empty(), "children that are still there: {left:?}\n{}", output.shown());
        output.wait_for_end(END);
        output
    }

    /// Ends it without warning, and returns the children that it leaves.
    pub(crate) fn kill(mut self) -> Vec<Process> {
        let children = self.children();
        self.child.signal(Signal::KILL);
        self.child.wait(END).expect("nothing survives that");
        children
    }
}
