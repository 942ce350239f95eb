//! A person at a terminal: the binary under the name `peer`, the settings of an organization, and nothing else.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::e2e::support::{place::Place, windlass::Windlass};

/// A terminal of a network's, and what has been typed and said since the last look.
#[derive(Debug)]
pub(crate) struct Terminal {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    /// The scripts with each organization's settings.
    settings: Vec<String>,
    /// What no snapshot can know, and what to call it.
    names: Vec<(String, String)>,
    transcript: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Terminal {
    /// Beside the settings of an organization there are `$ORDERER`, and `$PEER1` and so on, which name a peer.
    pub(crate) fn new(place: &Place, windlass: &Windlass, description: &Value) -> Self {
        let folder = place.path().join("terminal");
        fs::create_dir(&folder).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_windlass"), folder.join("peer")).expect("a link");
        let path = std::env::var("PATH").expect("a path of programs");
        let orderer = &windlass.ready.orderer;
        let mut environment = vec![
            ("PATH".to_owned(), format!("{}:{path}", folder.display())),
            ("TMPDIR".to_owned(), place.temporary().display().to_string()),
            (
                "ORDERER".to_owned(),
                format!("-o {} --tls --cafile {}", orderer.endpoint, orderer.tls_root_cert.display()),
            ),
        ];
        let mut names = vec![(orderer.endpoint.clone(), "orderer:7050".to_owned())];
        let mut settings = Vec::new();
        for (at, organization) in (1..).zip(description["organizations"].as_array().expect("a list")) {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let (peer, root) = (text(&organization["peer"]["endpoint"]), text(&organization["peer"]["tlsRootCert"]));
            environment.push((format!("PEER{at}"), format!("--peerAddresses {peer} --tlsRootCertFiles {root}")));
            names.push((peer, format!("peer{at}:7051")));
            settings.push(text(&organization["env"]));
        }
        names.push((folder.display().to_string(), "DIR".to_owned()));
        Self { folder, environment, settings, names, transcript: String::new() }
    }

    /// Sets a variable for what is typed from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Where commands run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Types a command with the settings of an organization, counted from 1.
    pub(crate) fn types(&mut self, organization: usize, command: &str) -> Said {
        let said = self.runs(organization, command);
        let _ = write!(self.transcript, "org{organization}$ {command}\n{}{}", said.stdout, said.stderr);
        if said.code != 0 {
            let _ = writeln!(self.transcript, "[exit code {}]", said.code);
        }
        self.transcript.push('\n');
        said
    }

    /// The same for each of several organizations.
    pub(crate) fn each_types<const N: usize>(&mut self, organizations: [usize; N], command: &str) {
        for organization in organizations {
            self.types(organization, command);
        }
    }

    /// Runs a command without a word about it.
    pub(crate) fn runs(&self, organization: usize, command: &str) -> Said {
        let output = self.shell(organization, command);
        let text = |bytes: &[u8]| self.without_what_changes(&String::from_utf8_lossy(bytes));
        let code = output.status.code().expect("an exit code");
        Said { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Sets a variable to what a command prints.
    pub(crate) fn set_to_output_of(&mut self, name: &str, command: &str) {
        let output = self.shell(1, command);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        self.set(name, String::from_utf8_lossy(&output.stdout).trim_end());
    }

    fn shell(&self, organization: usize, command: &str) -> Output {
        let settings = &self.settings[organization - 1];
        Command::new("sh")
            .args(["-c", &format!(". '{settings}'\n{command}")])
            .current_dir(&self.folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env_remove("FABRIC_LOGGING_SPEC")
            .output()
            .expect("a shell")
    }

    /// What was typed and said since the last look.
    pub(crate) fn transcript(&mut self) -> String {
        std::mem::take(&mut self.transcript)
    }

    fn without_what_changes(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (volatile, name) in &self.names {
            text = text.replace(volatile, name);
        }
        let mut lines: Vec<String> = text.split('\n').map(|line| without_hashes(without_time(line))).collect();
        // Peers commit in no particular order.
        let waited = |line: &String| line.contains("committed with status");
        for group in lines.chunk_by_mut(|one, next| waited(one) && waited(next)) {
            if waited(&group[0]) {
                group.sort();
            }
        }
        lines.join("\n")
    }
}

/// A log line without its time and number.
fn without_time(line: &str) -> &str {
    match line.split_once(" UTC ") {
        Some((time, rest)) if time.starts_with("20") => rest.split_once(' ').map_or(rest, |(_, rest)| rest),
        _ => line,
    }
}

/// The text with HASH for whatever has the length of one in hexadecimal or base64.
fn without_hashes(line: &str) -> String {
    let digit = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
    let hashes = |text: &str, length: usize, is_digit: &dyn Fn(char) -> bool| {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(is_digit) {
            let end = rest[start..].find(|c| !is_digit(c)).map_or(rest.len(), |end| start + end);
            out.push_str(&rest[..start]);
            out.push_str(if end - start == length { "HASH" } else { &rest[start..end] });
            rest = &rest[end..];
        }
        out + rest
    };
    let line = hashes(line, 64, &digit);
    if line.contains("BlockHash") {
        hashes(&line, 44, &|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
    } else {
        line
    }
}
