//! What the ready file says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// A network, as the file of `--ready-file` describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Ready {
    pub(crate) channel: String,
    pub(crate) msp_id: String,
    pub(crate) data: PathBuf,
    pub(crate) pid: u32,
    pub(crate) peer: Server,
    pub(crate) orderer: Server,
    pub(crate) chaincode: Listener,
    pub(crate) operations: Listener,
    pub(crate) users: Users,
    pub(crate) env: PathBuf,
    pub(crate) connection_profile: PathBuf,
    pub(crate) chaincodes: Vec<Chaincode>,
    #[serde(rename = "sandbox")]
    _sandbox: Vec<String>,
    #[serde(rename = "organizations")]
    _organizations: serde_json::Value,
    #[serde(rename = "channels")]
    _channels: serde_json::Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) endpoint: String,
    pub(crate) tls_root_cert: PathBuf,
    pub(crate) hostname: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listener {
    pub(crate) endpoint: String,
    #[serde(default)]
    pub(crate) url: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Users {
    pub(crate) admin: User,
    pub(crate) user1: User,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) msp: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Chaincode {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) package_id: String,
    /// What it registers as, if it is started by hand.
    #[serde(default, rename = "chaincodeId")]
    _chaincode_id: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) sequence: i64,
}

impl Ready {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read(path).expect("the ready file is written before the line that says ready");
        serde_json::from_slice(&text).expect("the ready file is as documented")
    }
}
