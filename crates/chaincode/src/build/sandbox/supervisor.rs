//! The process between the peer and a program that is confined: `windlass sandbox supervise POLICY PROGRAM ARGS…`.
//!
//! Whatever the program leaves behind becomes a child of the supervisor, which ends it: when the program has ended,
//! when the peer asks for it by closing the supervisor's input, and so also when the peer dies. The supervisor then
//! ends as the program did.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{Read, stdin},
    os::unix::process::CommandExt,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{
        Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group,
        set_child_subreaper, setrlimit, wait,
    },
};
use signal_hook::{consts, flag, low_level::emulate_default_handler};

use super::{leash::TERMINATE, tree};

/// The variable by which the supervisor says that it is the parent.
pub(super) const PARENT: &str = "WINDLASS_SUPERVISOR";

/// Signals that ask programs to end: the supervisor ends after all others, whoever sends them. They are caught, since the
/// program would inherit that they are ignored.
const OUTLIVED: [i32; 3] = [consts::SIGHUP, consts::SIGINT, consts::SIGTERM];

/// Runs a program to its end, and ends as it did.
pub(super) fn supervise(policy: &OsStr, program: &OsStr, args: &[OsString]) -> Result<ExitCode, String> {
    for signal in OUTLIVED {
        flag::register(signal, Arc::default()).map_err(|error| format!("cannot outlive signals: {error}"))?;
    }
    set_child_subreaper(Some(getpid())).map_err(|error| format!("cannot adopt what is left behind: {error}"))?;
    let this = env::current_exe().map_err(|error| format!("cannot find the windlass executable: {error}"))?;
    let child = Command::new(this)
        .args(["sandbox", "enter"])
        .args([policy, program])
        .args(args)
        .env(PARENT, std::process::id().to_string())
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start this program again: {error}"))?;
    let group = Pid::from_child(&child);
    thread::Builder::new()
        .name("peer".to_owned())
        .spawn(move || obey(group))
        .map_err(|error| format!("cannot listen to the peer: {error}"))?;
    let mut ended = None;
    // Waits for one end, then takes all that are there: looking at what is left costs much where much is left.
    let mut options = WaitOptions::empty();
    loop {
        match wait(options) {
            Ok(Some((pid, status))) => {
                if pid == group {
                    ended = Some(status);
                }
                options = WaitOptions::NOHANG;
            }
            Ok(None) => {
                if ended.is_some() {
                    tree::kill_below(std::process::id());
                }
                options = WaitOptions::empty();
            }
            Err(Errno::INTR) => {}
            // Nothing is left.
            Err(_) => break,
        }
    }
    Ok(end_like(ended))
}

/// Does what the peer says, until it says nothing any more.
fn obey(group: Pid) {
    for word in stdin().lock().bytes().map_while(Result::ok) {
        if word == TERMINATE {
            // It may have ended.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
    loop {
        // Until the main thread has seen the end of all and ends this process.
        tree::kill_below(std::process::id());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Ends this process as another did.
fn end_like(status: Option<WaitStatus>) -> ExitCode {
    let Some(status) = status else { return ExitCode::FAILURE };
    if let Some(signal) = status.terminating_signal().and_then(Signal::from_named_raw) {
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let _ = setrlimit(Resource::Core, none);
        if OUTLIVED.contains(&signal.as_raw()) {
            let _ = emulate_default_handler(signal.as_raw());
        }
        let _ = kill_process(getpid(), signal);
    }
    let code = status.exit_status().unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
