//! A connection profile, the file that SDKs read: where peers are, how to trust them, and who may act. YAML or JSON.
//!
//! Everything may be missing here; who needs something says so.

use std::{collections::BTreeMap, fs};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

/// The parts of a connection profile that are used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) client: Client,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) organizations: BTreeMap<String, Organization>,
    pub(crate) peers: BTreeMap<String, Node>,
}

/// Whose profile it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Client {
    pub(crate) organization: String,
    tls_certs: TlsCertificates,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TlsCertificates {
    client: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Channel {
    pub(crate) peers: BTreeMap<String, Role>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Role {
    pub(crate) endorsing_peer: bool,
}

/// An organization. SDKs disagree on where the certificates of its users are.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Organization {
    pub(crate) mspid: String,
    pub(crate) peers: Vec<String>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) signed_cert: Pem,
    pub(crate) admin_private_key: Pem,
}

/// A certificate and its key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) cert: Pem,
    pub(crate) key: Pem,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Node {
    pub(crate) url: String,
    #[serde(rename = "tlsCACerts")]
    pub(crate) tls_ca_certs: Pem,
    pub(crate) grpc_options: GrpcOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GrpcOptions {
    #[serde(rename = "ssl-target-name-override")]
    ssl_target_name: String,
    #[serde(rename = "hostnameOverride")]
    hostname: String,
}

/// PEM in the profile or in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pem {
    pub(crate) path: String,
    pem: Texts,
}

/// SDKs write one text or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::One(String::new())
    }
}

impl Profile {
    /// From what the file says; a key without a value is as good as none.
    pub(crate) fn understand(mut file: Value) -> Result<Self, serde_json::Error> {
        remove_nulls(&mut file);
        serde_json::from_value(file)
    }
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

impl Client {
    /// The certificate and key for mutual TLS, if there are some.
    pub(crate) fn tls(&self) -> Option<&User> {
        let user = &self.tls_certs.client;
        user.cert.is_given().then_some(user)
    }
}

impl Node {
    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        ["grpcs://", "grpc://"].iter().find_map(|scheme| self.url.strip_prefix(scheme)).unwrap_or(&self.url)
    }
}

impl GrpcOptions {
    /// The name in the peer's certificate, where that is not the host of its address.
    pub(crate) fn server_name(&self) -> Option<String> {
        [&self.ssl_target_name, &self.hostname].into_iter().find(|name| !name.is_empty()).cloned()
    }
}

impl Pem {
    pub(crate) fn is_given(&self) -> bool {
        !self.path.is_empty() || !self.inline().is_empty()
    }

    /// What is in the profile itself.
    pub(crate) fn inline(&self) -> String {
        match &self.pem {
            Texts::One(text) => text.clone(),
            Texts::Several(texts) => texts.join("\n"),
        }
    }

    /// The text; `key` is where it is in the profile. As in SDKs, a path is relative to the current folder.
    pub(crate) fn read(&self, key: &str) -> anyhow::Result<String> {
        match self.path.as_str() {
            "" => Ok(self.inline()),
            path => fs::read_to_string(path).with_context(|| format!("{key}.path: cannot read {path}")),
        }
    }
}
