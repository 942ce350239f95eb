//! A test's own folder and ports, and its turn to run a network.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use tempfile::TempDir;

use super::windlass::Command;

/// Networks that run at once: each has toolchains beside it, and machines may be small.
const NETWORKS: usize = 2;

static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A turn to run a network; the next test gets it on drop.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn wait() -> Self {
        let running = RUNNING.0.lock().expect("no test panics here");
        let mut running = RUNNING.1.wait_while(running, |running| *running == NETWORKS).expect("no test panics here");
        *running += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().expect("no test panics here") -= 1;
        RUNNING.1.notify_one();
    }
}

/// Where one test's network lives.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    port_base: u16,
    _turn: Turn,
}

impl Place {
    /// Waits for a turn.
    pub(crate) fn new() -> Self {
        let turn = Turn::wait();
        let folder = tempfile::Builder::new().prefix("e2e-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        fs::create_dir(folder.path().join("tmp")).expect("a folder");
        Self { folder, port_base: free_block(), _turn: turn }
    }

    /// `windlass dev` with this place's ports and ready file.
    pub(crate) fn dev(&self) -> Command {
        Command::new(self)
    }

    /// The first of ten ports: as many as three organizations take.
    pub(crate) fn port_base(&self) -> u16 {
        self.port_base
    }

    /// Where `--data` keeps everything.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What `windlass` sees as the folder of temporary files.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    pub(crate) fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    /// A new folder with these files.
    pub(crate) fn folder_with(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.folder.path().join(name);
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        folder
    }

    /// A new folder whose only file is a script, which is the chaincode.
    pub(crate) fn program(&self, name: &str, command: &str) -> PathBuf {
        let folder = self.folder_with(name, &[("chaincode", &format!("#!/bin/sh\n{command} \"$@\"\n"))]);
        make_executable(&folder.join("chaincode"));
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Chaincode that needs no toolchain: the bundled sample.
pub(crate) const SAMPLE: &str = "exec \"$WINDLASS_EXECUTABLE\" sample";

/// Lets a file be run.
pub(crate) fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file");
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    free_ports(1)
}

/// Ten of them, one after another.
pub(crate) fn free_block() -> u16 {
    free_ports(10)
}

/// Below the range from which the system takes ports of outgoing connections, so that a free one stays free; and each
/// is asked for once, so that tests do not meet.
fn free_ports(count: u16) -> u16 {
    const FIRST: u16 = 12_000;
    const LAST: u16 = 32_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = (std::process::id() % 2_000) as u16 * 10;
    loop {
        let next = NEXT.fetch_add(count, Ordering::Relaxed);
        let port = FIRST + offset.wrapping_add(next) % (LAST - FIRST - count);
        if (port..port + count).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return port;
        }
    }
}
