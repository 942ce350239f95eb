//! `connection.json`: where a chaincode serves, when it is a server.

mod duration;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::package::{errno, json::Fields};

/// Where a chaincode serves and how to dial it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What to dial, normally `host:port`.
    pub address: String,
    /// The name to verify instead of the host in `address`.
    pub domain: Option<String>,
    /// For the whole dial, TLS included.
    pub dial_timeout: Duration,
    /// How to secure it; `None`: plain text.
    pub tls: Option<ConnectionTls>,
}

/// TLS towards a chaincode server. All texts are PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionTls {
    /// Whom to trust.
    pub root_cert: String,
    /// Our certificate and its key, if the server wants to know us.
    pub client: Option<(String, String)>,
}

impl fmt::Debug for ConnectionTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionTls").field("client", &self.client.is_some()).finish_non_exhaustive()
    }
}

/// Why `connection.json` cannot be used.
// Fabric: external-builders §8
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// No `address`.
    #[error("chaincode address not provided")]
    Address,
    /// Client authentication without `client_key`.
    #[error("chaincode tls key not provided")]
    Key,
    /// Client authentication without `client_cert`.
    #[error("chaincode tls cert not provided")]
    Certificate,
    /// TLS without `root_cert`.
    #[error("chaincode tls root cert not provided")]
    Root,
    /// Not the expected JSON object.
    #[error("malformed chaincode info at '{}': {cause}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The file cannot be read.
    #[error("could not read '{}' for chaincode info: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
}

/// The whole dial, if nothing else is said.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);

/// Reads a `connection.json`; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Connection>, ConnectionError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ConnectionError::Read { path: path.to_owned(), cause: errno::text(&error) }),
    };
    let raw = Raw::parse(&text).map_err(|cause| ConnectionError::Malformed { path: path.to_owned(), cause })?;
    raw.check().map(Some)
}

/// The file as it is written.
struct Raw {
    address: String,
    domain: String,
    dial_timeout: Duration,
    tls_required: bool,
    client_auth_required: bool,
    client_key: String,
    client_cert: String,
    root_cert: String,
}

impl Raw {
    fn parse(json: &[u8]) -> Result<Self, String> {
        let fields = Fields::parse(json, "externalbuilder", "ChaincodeServerUserData")?;
        let text = |key| fields.text(key).map(Option::unwrap_or_default);
        let flag = |key| fields.flag(key).map(Option::unwrap_or_default);
        Ok(Self {
            address: text("address")?,
            domain: text("domain")?,
            dial_timeout: dial_timeout(fields.get("dial_timeout"))?,
            tls_required: flag("tls_required")?,
            client_auth_required: flag("client_auth_required")?,
            client_key: text("client_key")?,
            client_cert: text("client_cert")?,
            root_cert: text("root_cert")?,
        })
    }

    fn check(self) -> Result<Connection, ConnectionError> {
        if self.address.is_empty() {
            return Err(ConnectionError::Address);
        }
        let mut connection =
            Connection { address: self.address, domain: None, dial_timeout: self.dial_timeout, tls: None };
        if !self.tls_required {
            return Ok(connection);
        }
        let client = match (self.client_auth_required, self.client_cert, self.client_key) {
            (false, ..) => None,
            (true, _, key) if key.is_empty() => return Err(ConnectionError::Key),
            (true, certificate, _) if certificate.is_empty() => return Err(ConnectionError::Certificate),
            (true, certificate, key) => Some((certificate, key)),
        };
        if self.root_cert.is_empty() {
            return Err(ConnectionError::Root);
        }
        // Fabric heeds the name only together with client authentication; who wrote one means it.
        connection.domain = Some(self.domain).filter(|domain| !domain.is_empty());
        connection.tls = Some(ConnectionTls { root_cert: self.root_cert, client });
        Ok(connection)
    }
}

/// A text such as `1m30s`, or a number of nanoseconds. Fabric refuses `null` and `""`, the latter being what its
/// own builder writes when a package says nothing; here they mean the default, as if nothing were said.
fn dial_timeout(value: Option<&Value>) -> Result<Duration, String> {
    let timeout = match value {
        None | Some(Value::Null) => Duration::ZERO,
        Some(Value::String(text)) if text.is_empty() => Duration::ZERO,
        Some(Value::String(text)) => duration::parse(text)?,
        Some(Value::Number(number)) => number
            .as_f64()
            .filter(|nanoseconds| (0.0..9.3e18).contains(nanoseconds))
            .map(|nanoseconds| Duration::from_nanos(nanoseconds as u64))
            .ok_or("invalid duration")?,
        Some(_) => return Err("invalid duration".to_owned()),
    };
    Ok(if timeout.is_zero() { DIAL_TIMEOUT } else { timeout })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Option<Connection>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("connection.json");
        fs::write(&path, text).expect("a file");
        read(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn finds_no_connection_where_there_is_no_file() {
        assert_eq!(read(Path::new("/nonexistent/connection.json")), Ok(None));
    }

    #[test]
    fn reads_names_in_any_case_and_durations_of_all_kinds() {
        for (value, expected) in [
            ("\"10s\"", Duration::from_secs(10)),
            ("\"1m30s\"", Duration::from_secs(90)),
            ("\"1.5s\"", Duration::from_millis(1500)),
            ("2000000000", Duration::from_secs(2)),
            ("0", DIAL_TIMEOUT),
            ("\"\"", DIAL_TIMEOUT),
            ("null", DIAL_TIMEOUT),
        ] {
            let text = format!(r#"{{"Address":"host:1","DIAL_TIMEOUT":{value},"unknown":[]}}"#);
            let connection = read_text(&text).expect(value).expect("a connection");
            assert_eq!((connection.address.as_str(), connection.dial_timeout), ("host:1", expected), "{value}");
            assert_eq!(connection.tls, None);
        }
    }

    #[test]
    fn takes_tls_and_the_client_certificate() {
        let text = r#"{"address":"a:1","domain":"d","tls_required":true,"root_cert":"R"}"#;
        let connection = read_text(text).expect("valid").expect("a connection");
        assert_eq!(connection.domain.as_deref(), Some("d"));
        assert_eq!(connection.tls, Some(ConnectionTls { root_cert: "R".into(), client: None }));
        let text = r#"{"address":"a:1","tls_required":true,"client_auth_required":true,
            "root_cert":"R","client_key":"K","client_cert":"C"}"#;
        let tls = read_text(text).expect("valid").expect("a connection").tls.expect("tls");
        assert_eq!(tls.client, Some(("C".into(), "K".into())));
    }

    #[test]
    fn says_what_is_missing_in_fabrics_words() {
        for (text, expected) in [
            ("{}", "chaincode address not provided"),
            (r#"{"address":"a","tls_required":true}"#, "chaincode tls root cert not provided"),
            (
                r#"{"address":"a","tls_required":true,"client_auth_required":true,"client_cert":"c","root_cert":"r"}"#,
                "chaincode tls key not provided",
            ),
            (
                r#"{"address":"a","tls_required":true,"client_auth_required":true,"client_key":"k","root_cert":"r"}"#,
                "chaincode tls cert not provided",
            ),
            ("{", "malformed chaincode info at 'FILE': unexpected end of JSON input"),
            (
                r#"{"address":1}"#,
                "malformed chaincode info at 'FILE': json: cannot unmarshal number into Go struct field \
                 ChaincodeServerUserData.address of type string",
            ),
            (
                r#"{"address":"a","dial_timeout":"10"}"#,
                "malformed chaincode info at 'FILE': time: missing unit in duration \"10\"",
            ),
            (r#"{"address":"a","dial_timeout":true}"#, "malformed chaincode info at 'FILE': invalid duration"),
        ] {
            assert_eq!(read_text(text), Err(expected.to_owned()), "{text}");
        }
    }
}
