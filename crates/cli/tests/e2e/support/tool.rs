//! Other commands of the binary, as the admin of a running network.

use std::{path::PathBuf, process::Command};

use super::{output::Output, ready::Ready, windlass::Running};

/// A command that is still to be run.
#[derive(Debug)]
pub(crate) struct Tool(Command);

/// What a command printed, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Tool {
    /// `windlass` with these words, in a folder whose network it finds by itself.
    pub(crate) fn new(ready: &Ready, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command
            .args(words)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .env("FABRIC_CFG_PATH", ready.data.join("config"))
            .env("CORE_PEER_ADDRESS", &ready.peer.endpoint)
            .env("CORE_PEER_LOCALMSPID", &ready.msp_id)
            .env("CORE_PEER_MSPCONFIGPATH", &ready.users.admin.msp)
            .env("CORE_PEER_TLS_ENABLED", "true")
            .env("CORE_PEER_TLS_ROOTCERT_FILE", &ready.peer.tls_root_cert);
        Self(command)
    }

    /// Further words, which may be paths.
    pub(crate) fn arg(mut self, arg: impl Into<PathBuf>) -> Self {
        self.0.arg(arg.into());
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(mut self) -> Said {
        let output = self.0.output().unwrap_or_else(|error| panic!("{:?}: {error}", self.0));
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Said { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts it, and reads what it prints.
    #[track_caller]
    pub(crate) fn start(self) -> (Running, Output) {
        let running = Running::spawn(self.0);
        let output = running.output().clone();
        (running, output)
    }
}
