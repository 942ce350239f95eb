//! `core.yaml` and the `CORE_…` environment, as far as a client reads them.
//!
//! A peer's own configuration is checked as a whole ([`windlass_peer::config`]). A client takes what it needs and
//! does not look at the rest: the file is often one that was written for another peer.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use windlass_proto::duration;

/// Where Fabric's packages put the configuration.
const OFFICIAL: &str = "/etc/hyperledger/fabric";

/// What is configured.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    path: PathBuf,
    file: Value,
    /// Relative paths are relative to the configuration file.
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Settings {
    /// Finds and reads `core.yaml`. The error is what Fabric says after `Fatal error when initializing core config : `.
    pub(crate) fn load(environment: BTreeMap<String, String>) -> Result<Self, String> {
        let file = find(environment.get("FABRIC_CFG_PATH").map(String::as_str))?;
        Self::read(&file, environment)
    }

    /// The same, but without a file the variables are enough.
    pub(crate) fn load_if_any(environment: BTreeMap<String, String>) -> Result<Self, String> {
        match find_if_any(environment.get("FABRIC_CFG_PATH").map(String::as_str))? {
            Some(file) => Self::read(&file, environment),
            None => Ok(Self { path: PathBuf::new(), file: Value::Null, folder: PathBuf::new(), environment }),
        }
    }

    fn read(file: &Path, environment: BTreeMap<String, String>) -> Result<Self, String> {
        let reading = "error when reading core config file";
        let text = std::fs::read_to_string(file).map_err(|error| format!("{reading}: {error}"))?;
        let parsed = if text.trim().is_empty() {
            Value::Null
        } else {
            serde_saphyr::from_str(&text).map_err(|error| {
                // The log has a line for it; the excerpt below stays away.
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("{reading}: While parsing config: yaml: {first}")
            })?
        };
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { path: file.to_owned(), file: parsed, folder, environment })
    }

    /// A value as text: the variable's if there is one, else the file's. An empty variable counts.
    pub(crate) fn text(&self, key: &str) -> String {
        if let Some(value) = self.environment.get(&variable(key)) {
            return value.clone();
        }
        let found = key.split('.').try_fold(&self.file, |node, name| {
            let entries = node.as_object()?;
            entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        });
        match found {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            _ => String::new(),
        }
    }

    /// A switch; whatever does not say yes is no.
    pub(crate) fn is(&self, key: &str) -> bool {
        matches!(self.text(key).as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True")
    }

    /// A duration; a bare number counts nanoseconds. Zero if there is none.
    pub(crate) fn duration(&self, key: &str) -> Duration {
        duration::parse_setting(&self.text(key)).unwrap_or_default()
    }

    /// A path; relative to the configuration file. Empty stays empty.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        match self.text(key) {
            text if text.is_empty() => PathBuf::new(),
            text => self.folder.join(text),
        }
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> &Path {
        &self.path
    }

    /// The environment that is laid over it.
    pub(crate) fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The configuration file's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// `peer.tls.enabled` → `CORE_PEER_TLS_ENABLED`.
fn variable(key: &str) -> String {
    format!("CORE_{}", key.replace('.', "_").to_uppercase())
}

/// The environment of this process.
pub(crate) fn environment() -> BTreeMap<String, String> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// Where the configuration file is, if there is one; where FABRIC_CFG_PATH says that there is, there must be.
fn find_if_any(configured: Option<&str>) -> Result<Option<PathBuf>, String> {
    match find(configured) {
        Ok(file) => Ok(Some(file)),
        Err(error) if configured.is_some_and(|folder| !folder.is_empty()) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Where the configuration file is.
pub(crate) fn find(configured: Option<&str>) -> Result<PathBuf, String> {
    let folders = match configured {
        Some(folder) if !folder.is_empty() => {
            if !Path::new(folder).exists() {
                return Err(format!("FABRIC_CFG_PATH {folder} does not exist"));
            }
            vec![PathBuf::from(folder)]
        }
        _ => {
            let official = Path::new(OFFICIAL);
            let mut folders = vec![PathBuf::from(".")];
            folders.extend(official.exists().then(|| official.to_owned()));
            folders
        }
    };
    let folders: Vec<_> = folders.into_iter().map(|folder| std::path::absolute(&folder).unwrap_or(folder)).collect();
    for folder in &folders {
        for name in ["core.yaml", "core.yml"] {
            let file = folder.join(name);
            if file.is_file() {
                return Ok(file);
            }
        }
    }
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    Err(format!("error when reading core config file: Config File \"core\" Not Found in \"[{}]\"", folders.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("core.yaml"), yaml).expect("a file");
        let mut environment: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        environment.insert("FABRIC_CFG_PATH".into(), folder.path().display().to_string());
        let settings = Settings::load(environment).expect("settings");
        (folder, settings)
    }

    #[test]
    fn takes_a_variable_before_the_file() {
        let yaml = "peer:\n  address: a:1\n  localMspId: M\n  tls:\n    enabled: true\n    rootcert: {file: tls/ca.crt}\n  client: {connTimeout: 7s}\n";
        let (folder, settings) = settings(yaml, &[("CORE_PEER_ADDRESS", "b:2"), ("CORE_PEER_LOCALMSPID", "")]);
        assert_eq!(settings.text("peer.address"), "b:2");
        assert_eq!(settings.text("peer.localMspId"), "");
        assert!(settings.is("peer.tls.enabled"));
        assert_eq!(settings.path("peer.tls.rootcert.file"), folder.path().join("tls/ca.crt"));
        assert_eq!(settings.path("peer.nothing"), PathBuf::new());
        assert_eq!(settings.duration("peer.client.connTimeout"), Duration::from_secs(7));
        assert_eq!(settings.duration("peer.client.none"), Duration::ZERO);
    }

    #[test]
    fn names_the_folder_without_configuration() {
        let environment = [("FABRIC_CFG_PATH".to_owned(), "/nonexistent".to_owned())].into();
        assert_eq!(Settings::load(environment).expect_err("no folder"), "FABRIC_CFG_PATH /nonexistent does not exist");
        let environment = [("FABRIC_CFG_PATH".to_owned(), "/nonexistent".to_owned())].into();
        assert!(Settings::load_if_any(environment).is_err(), "what is named must be there");
        let empty = tempfile::tempdir().expect("a folder");
        let path = empty.path().display().to_string();
        let error = Settings::load([("FABRIC_CFG_PATH".to_owned(), path.clone())].into()).expect_err("no file");
        assert_eq!(
            error,
            format!("error when reading core config file: Config File \"core\" Not Found in \"[{path}]\"")
        );
    }
}
