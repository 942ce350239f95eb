//! How much a program and everything that it starts may use.

use std::{fmt, fs, str::FromStr};

use serde::{Deserialize, Serialize};

/// Limits on one program of a builder and everything that it starts. What is `None` is left as it is said more
/// generally; zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory, all processes together.
    pub memory: Option<u64>,
    /// Processes at one time.
    pub processes: Option<u64>,
    /// Bytes on disk, in all folders that may be written; no file may be larger either.
    pub disk: Option<u64>,
    /// Processors that it may run on.
    pub cpus: Option<u64>,
    /// Open files of one process.
    pub open_files: Option<u64>,
}

const GIB: u64 = 1 << 30;
/// For each process that is allowed.
const THREADS_EACH: u64 = 16;
/// What one process may need: runtimes start threads for each processor.
const FEWEST_THREADS: u64 = 1024;

impl Limits {
    /// What is usual for the programs `detect`, `build` and `release`.
    pub fn of_builds() -> Self {
        Self {
            memory: share_of_memory(50),
            processes: Some(1024),
            disk: Some(8 * GIB),
            cpus: Some(0),
            open_files: Some(65_536),
        }
    }

    /// What is usual for chaincode.
    pub fn of_runs() -> Self {
        Self { processes: Some(256), disk: Some(GIB), ..Self::of_builds() }
    }

    /// The same, with what `more` says instead where it says something.
    #[must_use]
    pub fn overlaid(self, more: Self) -> Self {
        Self {
            memory: more.memory.or(self.memory),
            processes: more.processes.or(self.processes),
            disk: more.disk.or(self.disk),
            cpus: more.cpus.or(self.cpus),
            open_files: more.open_files.or(self.open_files),
        }
    }

    /// Threads at one time, all processes together: no program of few processes comes near it.
    pub(super) fn threads(&self) -> Option<u64> {
        self.processes.map(|processes| processes.saturating_mul(THREADS_EACH).max(FEWEST_THREADS))
    }

    /// The same without what is no limit.
    pub(super) fn in_force(self) -> Self {
        let limit = |limit: Option<u64>| limit.filter(|limit| *limit > 0);
        Self {
            memory: limit(self.memory),
            processes: limit(self.processes),
            disk: limit(self.disk),
            cpus: limit(self.cpus),
            open_files: limit(self.open_files),
        }
    }
}

/// A number of bytes, as people write it: `512MiB`, `2 GiB`, `1g`, `1048576`, or `50%` of this machine's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| ())?;
        let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => GIB,
            "t" | "tb" | "tib" => 1 << 40,
            "%" => return Ok(Self(share_of_memory(number.min(100)).unwrap_or(0))),
            _ => return Err(()),
        };
        number.checked_mul(factor).map(Self).ok_or(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(GIB, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) if self.0.is_multiple_of(unit) => write!(f, "{} {name}", self.0 / unit),
            Some((unit, name)) => write!(f, "{:.1} {name}", self.0 as f64 / unit as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

fn share_of_memory(percent: u64) -> Option<u64> {
    total_memory().map(|total| total / 100 * percent)
}

/// What this machine has, or what the container that we are in may use.
fn total_memory() -> Option<u64> {
    let information = fs::read_to_string("/proc/meminfo").ok()?;
    let line = information.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some((kibibytes << 10).min(container.unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows_sizes() {
        for (text, bytes, shown) in [
            ("0", 0, "0 bytes"),
            ("4096", 4096, "4 KiB"),
            ("512MiB", 512 << 20, "512 MiB"),
            (" 2 g ", 2 << 30, "2 GiB"),
            ("1536m", 1536 << 20, "1.5 GiB"),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), shown);
        }
        for text in ["", "much", "1.5g", "-1", "5 apples", "99999999999t"] {
            assert_eq!(text.parse::<Size>(), Err(()), "{text}");
        }
        assert_eq!("50%".parse::<Size>().map(|size| size.0).ok(), Limits::of_builds().memory);
    }

    #[test]
    fn zero_takes_a_limit_away() {
        let said = Limits { memory: Some(0), ..Limits::default() };
        let limits = Limits { memory: Some(1), processes: Some(2), ..Limits::default() }.overlaid(said).in_force();
        assert_eq!(limits, Limits { processes: Some(2), ..Limits::default() });
    }
}
