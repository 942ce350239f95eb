//! `connection.json`: where a chaincode serves, when it is a server.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use windlass_proto::duration;
use windlass_transport::ClientTls;

use crate::package::{errno, json::Fields};

/// Where a chaincode serves and how to dial it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What to dial, normally `host:port`.
    pub address: String,
    /// More of the same: other instances of the chaincode. Fabric knows nothing of them.
    pub addresses: Vec<String>,
    /// The name to verify instead of the host in `address`.
    pub domain: Option<String>,
    /// For the whole dial, TLS included.
    pub dial_timeout: Duration,
    /// How to secure it; `None`: plain text.
    pub tls: Option<ConnectionTls>,
}

impl Connection {
    /// Reads a `connection.json`; `None` if there is none.
    ///
    /// # Errors
    /// See [`ConnectionError`].
    pub fn read(path: &Path) -> Result<Option<Self>, ConnectionError> {
        read(path)
    }

    /// How to secure a dial.
    pub fn client_tls(&self) -> Option<ClientTls> {
        self.tls.as_ref().map(|tls| ClientTls {
            roots: vec![tls.root_cert.clone()],
            identity: tls.client.clone(),
            server_name: self.domain.clone(),
        })
    }

    /// Where all the instances serve.
    pub fn all_addresses(&self) -> impl Iterator<Item = &str> {
        let others = self.addresses.iter().filter(|other| **other != self.address);
        std::iter::once(&self.address).chain(others).map(String::as_str)
    }
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
    raw.check(path.parent().unwrap_or(Path::new(""))).map(Some)
}

/// The file as it is written.
struct Raw {
    address: String,
    addresses: Vec<String>,
    domain: String,
    dial_timeout: Duration,
    tls_required: bool,
    client_auth_required: bool,
    client_key: String,
    client_cert: String,
    root_cert: String,
    client_key_file: String,
    client_cert_file: String,
    root_cert_file: String,
}

impl Raw {
    fn parse(json: &[u8]) -> Result<Self, String> {
        let fields = Fields::parse(json, "externalbuilder", "ChaincodeServerUserData")?;
        let text = |key| fields.text(key).map(Option::unwrap_or_default);
        let flag = |key| fields.flag(key).map(Option::unwrap_or_default);
        Ok(Self {
            address: text("address")?,
            addresses: addresses(fields.get("addresses"))?,
            domain: text("domain")?,
            dial_timeout: dial_timeout(fields.get("dial_timeout"))?,
            tls_required: flag("tls_required")?,
            client_auth_required: flag("client_auth_required")?,
            client_key: text("client_key")?,
            client_cert: text("client_cert")?,
            root_cert: text("root_cert")?,
            client_key_file: text("client_key_file")?,
            client_cert_file: text("client_cert_file")?,
            root_cert_file: text("root_cert_file")?,
        })
    }

    /// `folder` is what file names are relative to.
    fn check(self, folder: &Path) -> Result<Connection, ConnectionError> {
        let mut addresses = self.addresses;
        let address = match (self.address, addresses.is_empty()) {
            (address, true) if address.is_empty() => return Err(ConnectionError::Address),
            (address, false) if address.is_empty() => addresses.remove(0),
            (address, _) => address,
        };
        let mut connection =
            Connection { address, addresses, domain: None, dial_timeout: self.dial_timeout, tls: None };
        if !self.tls_required {
            return Ok(connection);
        }
        let root_cert = or_file(self.root_cert, &self.root_cert_file, folder)?;
        let (client_cert, client_key) = if self.client_auth_required {
            let certificate = or_file(self.client_cert, &self.client_cert_file, folder)?;
            (certificate, or_file(self.client_key, &self.client_key_file, folder)?)
        } else {
            Default::default()
        };
        let client = match (self.client_auth_required, client_cert, client_key) {
            (false, ..) => None,
            (true, _, key) if key.is_empty() => return Err(ConnectionError::Key),
            (true, certificate, _) if certificate.is_empty() => return Err(ConnectionError::Certificate),
            (true, certificate, key) => Some((certificate, key)),
        };
        if root_cert.is_empty() {
            return Err(ConnectionError::Root);
        }
        // Fabric heeds the name only together with client authentication; who wrote one means it.
        connection.domain = Some(self.domain).filter(|domain| !domain.is_empty());
        connection.tls = Some(ConnectionTls { root_cert, client });
        Ok(connection)
    }
}

/// What a file holds, if one is named, else the text.
fn or_file(text: String, file: &str, folder: &Path) -> Result<String, ConnectionError> {
    if file.is_empty() {
        return Ok(text);
    }
    let path = folder.join(file);
    fs::read_to_string(&path).map_err(|error| ConnectionError::Read { cause: errno::text(&error), path })
}

/// A list of addresses, or nothing.
fn addresses(value: Option<&Value>) -> Result<Vec<String>, String> {
    let wrong = || String::from("addresses: expected a list of texts such as \"host:port\"");
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// A text such as `1m30s`, or a number of nanoseconds. Fabric refuses `null` and `""`, the latter being what its
/// own builder writes when a package says nothing; here they mean the default, as if nothing were said.
fn dial_timeout(value: Option<&Value>) -> Result<Duration, String> {
    let timeout = match value {
        None | Some(Value::Null) => Duration::ZERO,
        Some(Value::String(text)) if text.is_empty() => Duration::ZERO,
        Some(Value::String(text)) => duration::parse(text).map_err(|error| error.to_string())?,
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
    fn takes_several_addresses() {
        let all = |text: &str| {
            let connection = read_text(text).expect("valid").expect("a connection");
            connection.all_addresses().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(all(r#"{"address":"a:1","addresses":["b:1","a:1","c:1"]}"#), ["a:1", "b:1", "c:1"]);
        assert_eq!(all(r#"{"addresses":["b:1","c:1"]}"#), ["b:1", "c:1"]);
        assert_eq!(all(r#"{"address":"a:1","addresses":null}"#), ["a:1"]);
        let wrong = "malformed chaincode info at 'FILE': addresses: expected a list of texts such as \"host:port\"";
        assert_eq!(read_text(r#"{"address":"a:1","addresses":[1]}"#), Err(wrong.to_owned()));
    }

    #[test]
    fn reads_named_files_anew_each_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("connection.json");
        let text = r#"{"address":"a:1","tls_required":true,"client_auth_required":true,"root_cert":"old",
            "root_cert_file":"root.pem","client_key_file":"key.pem","client_cert_file":"cert.pem"}"#;
        fs::write(&path, text).expect("a file");
        let missing = read(&path).expect_err("no files").to_string();
        assert!(missing.ends_with("root.pem' for chaincode info: no such file or directory"), "{missing}");
        for generation in ["1", "2"] {
            for name in ["root", "key", "cert"] {
                fs::write(folder.path().join(format!("{name}.pem")), format!("{name}{generation}")).expect("a file");
            }
            let tls = read(&path).expect("valid").expect("a connection").tls.expect("TLS");
            let client = Some((format!("cert{generation}"), format!("key{generation}")));
            assert_eq!(tls, ConnectionTls { root_cert: format!("root{generation}"), client });
        }
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
