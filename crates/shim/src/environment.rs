//! Settings as peers and builders hand them to chaincode: environment variables, and flags.

use std::{fs, io, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};

/// Why chaincode cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting without which nothing goes.
    #[error("{what} is not set\nhint: set {how}")]
    Missing {
        /// What the setting is.
        what: &'static str,
        /// How to set it.
        how: &'static str,
    },
    /// A flag without its value.
    #[error("flag {0} has no value")]
    NoValue(String),
    /// A variable that should be a boolean.
    // Fabric: chaincode-protocol §16
    #[error("'{0}' must be set to 'true' or 'false'")]
    NotBool(&'static str),
    /// A file cannot be read.
    #[error("cannot read the file that {variable} names, {}: {source}", path.display())]
    File {
        /// The variable.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file should hold the base64 of a PEM text.
    #[error("the file that {variable} names should hold the base64 of a PEM text: {}", path.display())]
    NotBase64 {
        /// The variable.
        variable: &'static str,
        /// The file.
        path: PathBuf,
    },
}

/// The MSP of the peer that launched this chaincode, as it says through `CORE_PEER_LOCALMSPID`.
pub fn local_msp_id() -> Option<String> {
    std::env::var("CORE_PEER_LOCALMSPID").ok().filter(|id| !id.is_empty())
}

/// Where settings are looked up: the process's environment, or a table in tests.
pub(crate) struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Environment<'a> {
    pub(crate) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(lookup)
    }

    /// A variable's value; set but empty counts as unset.
    pub(crate) fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.is_empty())
    }

    /// A boolean as Go parses one.
    pub(crate) fn bool(&self, variable: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.get(variable).as_deref() {
            None => Ok(None),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(Some(true)),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(Some(false)),
            Some(_) => Err(ConfigError::NotBool(variable)),
        }
    }

    /// The text of the file that a variable names.
    pub(crate) fn file(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(path) = self.get(variable).map(PathBuf::from) else { return Ok(None) };
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(source) => Err(ConfigError::File { variable, path, source }),
        }
    }

    /// The PEM text whose base64 is in the file that a variable names.
    pub(crate) fn base64_file(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(text) = self.file(variable)? else { return Ok(None) };
        let packed: String = text.split_whitespace().collect();
        let decoded = STANDARD.decode(packed).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let path = || PathBuf::from(self.get(variable).unwrap_or_default());
        decoded.map(Some).ok_or_else(|| ConfigError::NotBase64 { variable, path: path() })
    }
}

/// The value of a flag in either form, `-name value` or `-name=value`, with one dash or two. The last one counts.
pub(crate) fn flag(args: &[String], name: &str) -> Result<Option<String>, ConfigError> {
    let mut found = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(bare) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else { continue };
        let (flag, value) = match bare.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (bare, None),
        };
        if flag == name {
            let value = value.or_else(|| args.next().cloned());
            found = Some(value.ok_or_else(|| ConfigError::NoValue(arg.clone()))?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flags_in_every_form() {
        for args in [
            &["-peer.address", "a:1"][..],
            &["--peer.address", "a:1"],
            &["-peer.address=a:1"],
            &["x", "--other", "--peer.address=b:2", "--peer.address=a:1"],
        ] {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(flag(&args, "peer.address").expect("legal"), Some("a:1".to_owned()), "{args:?}");
        }
        assert_eq!(flag(&[], "peer.address").expect("legal"), None);
        let error = flag(&["--peer.address".to_owned()], "peer.address").expect_err("no value");
        assert_eq!(error.to_string(), "flag --peer.address has no value");
    }

    #[test]
    fn names_the_variable_that_is_no_boolean() {
        let lookup = |_: &str| Some("yes".to_owned());
        let error = Environment::new(&lookup).bool("CORE_PEER_TLS_ENABLED").expect_err("not a boolean");
        assert_eq!(error.to_string(), "'CORE_PEER_TLS_ENABLED' must be set to 'true' or 'false'");
    }
}
