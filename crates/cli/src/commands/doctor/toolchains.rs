//! What builds chaincode.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

use super::{Finding, Subject, chaincode::Needs};

/// How long a program may take to say its version.
const LIMIT: Duration = Duration::from_secs(20);

/// A program that a buildpack runs.
struct Tool {
    program: &'static str,
    arguments: &'static [&'static str],
    /// The kind of need that it meets.
    kind: &'static str,
    /// The same in words.
    purpose: &'static str,
    /// What of it is too old for any chaincode library that is published.
    least: &'static str,
    hint: &'static str,
}

const TOOLS: [Tool; 7] = [
    Tool {
        program: "go",
        arguments: &["version"],
        kind: "golang",
        purpose: "Go chaincode",
        least: "1.18",
        hint: "install Go, and put its bin folder on PATH",
    },
    Tool {
        program: "node",
        arguments: &["--version"],
        kind: "node",
        purpose: "Node chaincode",
        least: "18",
        hint: "install Node.js 18 or newer, and put it on PATH",
    },
    Tool {
        program: "npm",
        arguments: &["--version"],
        kind: "node",
        purpose: "Node chaincode",
        least: "",
        hint: "install npm, which comes with Node.js, and put it on PATH",
    },
    Tool {
        program: "javac",
        arguments: &["-version"],
        kind: "java",
        purpose: "Java chaincode",
        least: "11",
        hint: "install a JDK 11 or newer; a JRE alone cannot compile",
    },
    Tool {
        program: "mvn",
        arguments: &["--version"],
        kind: "maven",
        purpose: "Java chaincode with a pom.xml",
        least: "",
        hint: "install Maven, or add its wrapper (mvnw) to the project",
    },
    Tool {
        program: "gradle",
        arguments: &["--version"],
        kind: "gradle",
        purpose: "Java chaincode with a build.gradle",
        least: "",
        hint: "install Gradle, or add its wrapper (gradlew) to the project",
    },
    Tool {
        program: "cargo",
        arguments: &["--version"],
        kind: "rust",
        purpose: "Rust chaincode",
        least: "",
        hint: "install Rust, and put cargo on PATH",
    },
];

/// With chaincode: what it needs. Without: whatever is there, for nobody knows what will be needed.
pub(super) async fn check(subject: &Subject) -> Vec<Finding> {
    let needs = subject.chaincode.as_ref().map(|chaincode| chaincode.needs.as_slice());
    let mut findings = Vec::new();
    for tool in &TOOLS {
        match needs {
            None => findings.push(judge(tool, version(tool).await, None)),
            Some(needs) => {
                if let Some(need) = needs.iter().find(|need| need.kind == tool.kind) {
                    findings.push(judge(tool, version(tool).await, Some(need)));
                }
            }
        }
    }
    findings
}

fn judge(tool: &Tool, version: Option<String>, need: Option<&Needs>) -> Finding {
    let Tool { program, least, hint, .. } = tool;
    let Some(version) = version else {
        let found = format!("not found on PATH; it is for {}", tool.purpose);
        return match need {
            Some(_) => Finding::fail(*program, found, *hint),
            None => Finding::warn(*program, found, *hint),
        };
    };
    let wanted = need.and_then(|need| need.version.as_ref()).filter(|_| tool.program != "npm");
    if let Some(wanted) = wanted.filter(|wanted| is_older(&version, &wanted.version)) {
        let found = format!("{version}; {} wants {} or newer", wanted.file, wanted.version);
        return match tool.program {
            // Go fetches what it is too old for.
            "go" if !is_older(&version, "1.21") => {
                Finding::ok(*program, format!("{found}, which Go downloads by itself"))
            }
            _ => Finding::fail(*program, found, *hint),
        };
    }
    if is_older(&version, least) {
        return Finding::warn(*program, format!("{version}; chaincode libraries want {least} or newer"), *hint);
    }
    Finding::ok(*program, version)
}

/// The first number with dots that the program says; None if it does not run.
async fn version(tool: &Tool) -> Option<String> {
    let mut command = Command::new(tool.program);
    command.args(tool.arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.ok()?.ok()?;
    if !output.status.success() {
        return None;
    }
    let said = [output.stdout, output.stderr].concat();
    Some(number_in(&String::from_utf8_lossy(&said)).unwrap_or_else(|| "of unknown version".to_owned()))
}

/// `1.26.1` of `go version go1.26.1 linux/amd64`.
fn number_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == '(' || c == ')');
    let numbers = words.filter_map(|word| {
        let number = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let number: String = number.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        number.starts_with(|c: char| c.is_ascii_digit()).then(|| number.trim_end_matches('.').to_owned())
    });
    numbers.into_iter().find(|number| number.contains('.'))
}

/// Compares as far as both say something.
fn is_older(version: &str, than: &str) -> bool {
    let numbers = |text: &str| text.split('.').map_while(|part| part.parse::<u64>().ok()).collect::<Vec<_>>();
    let (version, than) = (numbers(version), numbers(than));
    let both = version.len().min(than.len());
    version[..both] < than[..both]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::{chaincode::Version, finding::Level};

    #[test]
    fn reads_versions_as_programs_say_them() {
        for (said, version) in [
            ("go version go1.26.1 linux/amd64", Some("1.26.1")),
            ("v20.19.2\n", Some("20.19.2")),
            ("9.2.0\n", Some("9.2.0")),
            ("javac 17.0.19", Some("17.0.19")),
            ("Apache Maven 3.8.7\nMaven home: /usr/share/maven", Some("3.8.7")),
            ("cargo 1.95.0 (abc 2026-01-01)", Some("1.95.0")),
            ("nothing", None),
        ] {
            assert_eq!(number_in(said).as_deref(), version, "{said}");
        }
    }

    #[test]
    fn compares_versions_by_their_numbers() {
        assert!(is_older("1.9.3", "1.18"));
        assert!(!is_older("1.18.1", "1.18"));
        assert!(!is_older("20.1.0", "18"));
        assert!(!is_older("of unknown version", "18"));
    }

    #[test]
    fn a_missing_tool_fails_only_what_needs_it() {
        let go = &TOOLS[0];
        let need = |version: &str| Needs {
            kind: "golang",
            version: Some(Version { version: version.to_owned(), file: "go.mod" }),
        };
        assert_eq!(judge(go, None, None).level, Level::Warn);
        assert_eq!(judge(go, None, Some(&need("1.20"))).level, Level::Fail);
        assert_eq!(judge(go, Some("1.20.0".into()), Some(&need("1.24"))).level, Level::Fail);
        assert_eq!(judge(go, Some("1.22.0".into()), Some(&need("1.24"))).level, Level::Ok);
        assert_eq!(judge(go, Some("1.26.0".into()), Some(&need("1.24"))).found, "1.26.0");
    }
}
