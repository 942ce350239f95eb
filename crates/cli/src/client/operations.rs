//! A peer's operations endpoint, over HTTP.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use windlass_transport::ClientTls;

/// How long the peer may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// An answer that is longer is none of ours.
const LONGEST: u64 = 64 << 20;

/// Where a peer's operations endpoint is, and how it is secured.
#[derive(Clone, Debug)]
pub(crate) struct Operations {
    pub(crate) address: String,
    tls: Option<ClientTls>,
}

/// What the endpoint says of what runs.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) chaincodes: Vec<Chaincode>,
}

/// One chaincode, by its package ID.
#[derive(Debug, Deserialize)]
pub(crate) struct Chaincode {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) builder: String,
    pub(crate) streams: usize,
    pub(crate) executions: usize,
    pub(crate) restarts: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) output: Vec<String>,
    pub(crate) instances: Vec<Instance>,
}

/// One process of a chaincode, or one server.
#[derive(Debug, Deserialize)]
pub(crate) struct Instance {
    pub(crate) number: u32,
    pub(crate) place: String,
    pub(crate) state: String,
    pub(crate) streams: usize,
    pub(crate) executions: usize,
    pub(crate) restarts: u64,
    pub(crate) last_error: Option<String>,
}

impl Operations {
    /// An endpoint without TLS.
    pub(crate) fn plain(address: &str) -> Self {
        Self { address: address.to_owned(), tls: None }
    }

    /// An endpoint with TLS; `identity` is certificate and key, where it wants to know us.
    pub(crate) fn secured(address: &str, root: &Path, identity: Option<(&Path, &Path)>) -> anyhow::Result<Self> {
        let identity = match identity {
            Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
            None => None,
        };
        let tls = Some(ClientTls { roots: vec![read(root)?], identity, server_name: None });
        Ok(Self { address: address.to_owned(), tls })
    }

    /// What runs: as text, and understood.
    pub(crate) async fn chaincodes(&self) -> anyhow::Result<(String, Answer)> {
        let address = &self.address;
        let body = match self.get("/chaincodes").await? {
            (200, body) => body,
            (401, _) => bail!("{address} wants a client certificate; hint: give --tls-cert FILE and --tls-key FILE"),
            (404, _) => bail!("{address} knows nothing of chaincodes: is it a Windlass peer?"),
            (code, _) => bail!("{address} answers with status {code}"),
        };
        let answer = serde_json::from_str(&body)
            .with_context(|| format!("{address} is not the operations endpoint of a Windlass peer"))?;
        Ok((body, answer))
    }

    /// Status and body of an answer.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let asked = tokio::time::timeout(LIMIT, self.ask(path)).await;
        asked.map_err(|_| anyhow::anyhow!("{} does not answer within {}s", self.address, LIMIT.as_secs()))?
    }

    async fn ask(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let address = &self.address;
        let unreachable = || {
            format!("no peer answers at {address}; hint: --operations HOST:PORT says where its operations endpoint is")
        };
        let stream = TcpStream::connect(address.as_str()).await.with_context(unreachable)?;
        let Some(tls) = &self.tls else { return exchange(stream, address, path).await };
        let mut config = tls.config()?;
        // The configuration is made for gRPC; here the protocol is HTTP/1.1.
        Arc::make_mut(&mut config).alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let stream = tokio_rustls::TlsConnector::from(config)
            .connect(tls.name_for(host)?, stream)
            .await
            .with_context(|| format!("TLS with {address} failed"))?;
        exchange(stream, address, path).await
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    address: &str,
    path: &str,
) -> anyhow::Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\naccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await.with_context(|| format!("cannot ask {address}"))?;
    let mut answer = Vec::new();
    let read = stream.take(LONGEST).read_to_end(&mut answer).await;
    if answer.is_empty() {
        read.with_context(|| format!("{address} does not answer"))?;
    }
    let answer = String::from_utf8_lossy(&answer);
    let understood = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let code = head.split(' ').nth(1)?.parse().ok()?;
        Some((code, body.to_owned()))
    });
    understood.with_context(|| format!("{address} does not speak HTTP; hint: with TLS, give --tls-root FILE"))
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
