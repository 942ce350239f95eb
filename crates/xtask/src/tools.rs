//! What the tests need besides Rust: looked for before anything is compiled, so that a machine without it says so at once.

use std::{path::Path, process::Command};

use anyhow::bail;

use crate::steps;

/// A program, and where it comes from.
struct Tool {
    program: &'static str,
    /// How it tells its version, and the oldest that will do.
    version: Option<(&'static str, u32, u32)>,
    source: Source,
}

enum Source {
    /// A package of Debian that is recent enough.
    Debian(&'static str),
    /// Debian's is too old: what to say instead.
    Elsewhere(&'static str),
}

const TOOLS: [Tool; 6] = [
    Tool { program: "cc", version: None, source: Source::Debian("gcc") },
    Tool { program: "go", version: Some(("version", 1, 24)), source: Source::Elsewhere("Go 1.24 or newer") },
    Tool { program: "node", version: Some(("--version", 20, 0)), source: Source::Elsewhere("Node.js 20 or newer") },
    Tool { program: "npm", version: None, source: Source::Elsewhere("npm, which comes with Node.js") },
    Tool { program: "javac", version: Some(("-version", 11, 0)), source: Source::Debian("default-jdk-headless") },
    Tool { program: "mvn", version: None, source: Source::Debian("maven") },
];

/// What a test is left out without, and says so.
const OPTIONAL: Tool = Tool { program: "gradle", version: None, source: Source::Debian("gradle") };

/// What the packages that mean no good try their luck with, in the tests of the sandbox, which is there on Linux only.
const SANDBOX: [Tool; 5] = [
    Tool { program: "perl", version: None, source: Source::Debian("perl") },
    Tool { program: "setsid", version: None, source: Source::Debian("util-linux") },
    Tool { program: "taskset", version: None, source: Source::Debian("util-linux") },
    Tool { program: "unshare", version: None, source: Source::Debian("util-linux") },
    Tool { program: "nproc", version: None, source: Source::Debian("coreutils") },
];

fn missing() -> impl Iterator<Item = &'static Tool> {
    let sandbox = SANDBOX.iter().filter(|_| cfg!(target_os = "linux"));
    TOOLS.iter().chain(sandbox).filter(|tool| !tool.is_there())
}

/// Installs what is missing where that is possible (Debian, as root), and fails with one line that says what is missing.
pub(crate) fn ensure(root: &Path) -> anyhow::Result<()> {
    let packages: Vec<_> = missing().filter_map(Tool::package).collect();
    let wants_optional = !OPTIONAL.is_there();
    if (!packages.is_empty() || wants_optional) && may_install() {
        let environment = [("DEBIAN_FRONTEND", "noninteractive")];
        steps::run(root, "apt-get", &["update", "--quiet"], &environment)?;
        let install = ["install", "--quiet", "--yes", "--no-install-recommends"];
        let install = |packages: &[&str]| steps::run(root, "apt-get", &[&install[..], packages].concat(), &environment);
        if !packages.is_empty() {
            install(&packages)?;
        }
        if wants_optional {
            // Why not, apt says; and the test, that it is left out.
            let _ = install(&OPTIONAL.package().into_iter().collect::<Vec<_>>());
        }
    }
    let missing: Vec<_> = missing().map(Tool::description).collect();
    if !missing.is_empty() {
        bail!("the tests need what is not there: {}; hint: install it and put it on the PATH", missing.join(", "));
    }
    Ok(())
}

fn may_install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    is_root && Command::new("apt-get").arg("--version").output().is_ok_and(|output| output.status.success())
}

impl Tool {
    fn is_there(&self) -> bool {
        let (argument, oldest) = match self.version {
            Some((argument, major, minor)) => (argument, Some((major, minor))),
            None => ("--version", None),
        };
        let Ok(output) = Command::new(self.program).arg(argument).output() else { return false };
        let said = String::from_utf8_lossy(&output.stdout);
        output.status.success() && oldest.is_none_or(|oldest| version(&said).is_some_and(|found| found >= oldest))
    }

    fn package(&self) -> Option<&'static str> {
        match self.source {
            Source::Debian(package) => Some(package),
            Source::Elsewhere(_) => None,
        }
    }

    fn description(&self) -> String {
        match self.source {
            Source::Debian(package) => format!("{} (Debian package {package})", self.program),
            Source::Elsewhere(what) => what.to_owned(),
        }
    }
}

/// The first two numbers of the first word that has two: `1.26`, `v20.19.2`, `17.0.15`.
fn version(said: &str) -> Option<(u32, u32)> {
    said.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches(|c: char| !c.is_ascii_digit()).split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_as_each_tool_tells_them() {
        for (said, expected) in [
            ("go version go1.26.1 linux/amd64", Some((1, 26))),
            ("v20.19.2\n", Some((20, 19))),
            ("javac 17.0.15\n", Some((17, 0))),
            ("no number", None),
        ] {
            assert_eq!(version(said), expected, "{said}");
        }
    }
}
