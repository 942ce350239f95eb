//! Running the program under the name `peer`.

use std::{
    fmt,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder with the program under the name `peer`, and a configuration.
#[derive(Debug)]
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// All that a run says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_windlass"), folder.path().join("peer")).expect("a link");
        std::fs::create_dir(folder.path().join("config")).expect("a folder");
        let place = Self { folder };
        place.write("config/core.yaml", "peer:\n  address: 127.0.0.1:1\n  localMspId: Org1MSP\n  mspConfigPath: msp\n");
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// `peer WORDS…`.
    pub(crate) fn peer(&self, words: &str) -> Said {
        self.run(&self.path().join("peer"), words, &[])
    }

    /// `peer WORDS…` with variables.
    pub(crate) fn peer_with(&self, words: &str, variables: &[(&str, &str)]) -> Said {
        self.run(&self.path().join("peer"), words, variables)
    }

    /// `windlass WORDS…`.
    pub(crate) fn windlass(&self, words: &str) -> Said {
        self.run(Path::new(env!("CARGO_BIN_EXE_windlass")), words, &[])
    }

    fn run(&self, program: &Path, words: &str, variables: &[(&str, &str)]) -> Said {
        let output = Command::new(program)
            .args(words.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("FABRIC_CFG_PATH", self.path().join("config"))
            .envs(variables.iter().copied())
            .output()
            .expect("the program runs");
        let folder = self.path().display().to_string();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text").replace(&folder, "DIR");
        Said {
            code: output.status.code().or(output.status.signal()),
            stdout: text(output.stdout),
            stderr: without_times(&text(output.stderr)),
        }
    }
}

/// Log lines begin with the time, which no test can know.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.split_once(" UTC ") {
        Some((time, rest)) if time.starts_with("20") => format!("TIME {rest}"),
        _ => line.to_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        write!(f, "exit code {code}\n--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr)
    }
}
