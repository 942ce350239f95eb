//! What this system can enforce.

use std::fmt;

use super::{
    Mode, SandboxConfig,
    limits::{Limits, Size},
};

/// What this system can enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// The version of Landlock, which restricts files. `None`: there is none.
    pub landlock: Option<u32>,
    /// Whether system calls can be filtered.
    pub calls: bool,
    /// Whether what a program leaves behind can be found.
    pub supervisor: bool,
}

/// One thing that programs are kept from, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// What.
    pub name: &'static str,
    /// By what it is enforced; else why it is not.
    pub by: Result<String, String>,
}

#[cfg(not(target_os = "linux"))]
pub(super) const ELSEWHERE: &str = "programs are confined on Linux only";
/// The version of Landlock that keeps signals inside.
const SIGNALS: u32 = 6;

impl Support {
    /// Asks the system.
    pub fn detect() -> Self {
        #[cfg(target_os = "linux")]
        return Self {
            landlock: super::confine::landlock_version(),
            calls: super::confine::filters_calls(),
            supervisor: true,
        };
        #[cfg(not(target_os = "linux"))]
        Self { landlock: None, calls: false, supervisor: false }
    }

    /// What is missing for programs to be confined wholly.
    pub(super) fn missing(self, has_executable: bool) -> Option<String> {
        if !self.supervisor {
            return Some("this system is not Linux".to_owned());
        }
        if !has_executable {
            return Some("the peer does not know the windlass binary".to_owned());
        }
        match (self.landlock, self.calls) {
            (None, _) => {
                Some("the kernel does not restrict files: Landlock is not there or not switched on".to_owned())
            }
            (_, false) => Some("the kernel does not filter system calls (seccomp)".to_owned()),
            _ => None,
        }
    }

    /// What programs of the built-in buildpacks are kept from under this configuration, and what not, and why.
    pub fn report(self, config: &SandboxConfig) -> Vec<Protection> {
        let protection = |name, by| Protection { name, by };
        if config.mode == Mode::Off {
            return vec![protection("sandbox", Err("windlass.sandbox.mode is off".to_owned()))];
        }
        if !self.supervisor || config.executable.is_none() {
            let missing = self.missing(config.executable.is_some()).unwrap_or_default();
            return vec![protection("sandbox", Err(missing))];
        }
        let landlock = |text: &str| match self.landlock {
            Some(version) => Ok(format!("Landlock, version {version}{text}")),
            None => Err("the kernel has no Landlock, or it is not switched on".to_owned()),
        };
        let filtered = || match self.calls {
            true => Ok("seccomp".to_owned()),
            false => Err("the kernel does not filter system calls".to_owned()),
        };
        let signals = match self.landlock {
            Some(version) if version < SIGNALS => {
                Err(format!("needs version {SIGNALS} of Landlock, here is {version}"))
            }
            _ => landlock(""),
        };
        let (build, run) = (Limits::of_builds().overlaid(config.build), Limits::of_runs().overlaid(config.run));
        let size = |limit: u64| Size(limit).to_string();
        let watched = |of: fn(&Limits) -> Option<u64>, shown: &dyn Fn(u64) -> String| {
            let shown = |limits: &Limits| of(&limits.in_force()).map_or("no limit".to_owned(), shown);
            match (of(&build.in_force()), of(&run.in_force())) {
                (None, None) => Err("no limit is set".to_owned()),
                _ => Ok(format!("the peer's watch: {} for builds, {} for chaincode", shown(&build), shown(&run))),
            }
        };
        let cpus = match (build.in_force().cpus, run.in_force().cpus) {
            (None, None) => Err("no limit is set".to_owned()),
            _ => Ok("processor affinity".to_owned()),
        };
        let network = match config.offline {
            false => Err("builds may use it (windlass.sandbox.network is allow)".to_owned()),
            true => filtered(),
        };
        vec![
            protection("files", landlock("")),
            // Without Landlock, `/proc` shows the memory of others.
            protection("other processes", landlock("").and_then(|files| Ok(format!("{files}; {}", filtered()?)))),
            protection("signals", signals),
            protection("sockets of this machine", filtered()),
            protection("network of builds", network),
            protection("processes left behind", Ok("a supervisor that adopts and kills them".to_owned())),
            protection("memory", watched(|limits| limits.memory, &size)),
            protection("processes", watched(|limits| limits.processes, &|limit| limit.to_string())),
            protection("disk", watched(|limits| limits.disk, &size)),
            protection("processors", cpus),
        ]
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Ok(by) => write!(f, "{}: {by}", self.name),
            Err(reason) => write!(f, "{}: not enforced, {reason}", self.name),
        }
    }
}
