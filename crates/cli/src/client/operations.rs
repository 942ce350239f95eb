//! A peer's operations endpoint, over HTTP.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use windlass_transport::ClientTls;

use crate::args::operations::OperationsArgs;

/// How long the peer may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// An answer that is longer is none of ours.
const LONGEST: u64 = 64 << 20;
/// So is one with more than this before the body.
const HEAD: u64 = 64 << 10;

/// A connection, secured or not.
trait Connection: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Connection for T {}

/// An answer, of which the body is still to be read.
pub(crate) struct Reply {
    status: u16,
    body: BufReader<Pin<Box<dyn Connection>>>,
}

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
    pub(crate) toolchain: Option<String>,
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
    /// The endpoint that the arguments name, if they do.
    pub(crate) fn named(args: &OperationsArgs) -> anyhow::Result<Option<Self>> {
        let Some(address) = &args.operations else { return Ok(None) };
        Ok(Some(match (&args.tls_root, args.tls_cert.as_deref().zip(args.tls_key.as_deref())) {
            (Some(root), identity) => Self::secured(address, root, identity)?,
            (None, _) => Self::plain(address),
        }))
    }

    /// An endpoint without TLS.
    pub(crate) fn plain(address: &str) -> Self {
        Self { address: address.to_owned(), tls: None }
    }

    /// An endpoint with TLS; `identity` is certificate and key, where it wants to know us.
    fn secured(address: &str, root: &Path, identity: Option<(&Path, &Path)>) -> anyhow::Result<Self> {
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
        self.in_time(async {
            let mut reply = self.ask(path).await?;
            let body = reply.text().await;
            Ok((reply.status, body.with_context(|| format!("{} does not answer to the end", self.address))?))
        })
        .await
    }

    /// A successful answer, whose body is read line by line, as it comes.
    pub(crate) async fn open(&self, path: &str) -> anyhow::Result<Reply> {
        /// What a refusal says.
        #[derive(Deserialize)]
        struct Refusal {
            error: String,
        }
        self.in_time(async {
            let address = &self.address;
            let mut reply = self.ask(path).await?;
            let refused = reply.status != 200;
            let said = if refused { reply.text().await.unwrap_or_default() } else { String::new() };
            match (reply.status, serde_json::from_str::<Refusal>(&said)) {
                (200, _) => Ok(reply),
                (_, Ok(Refusal { error })) => bail!(error),
                (401, _) => {
                    bail!("{address} wants a client certificate; hint: give --tls-cert FILE and --tls-key FILE")
                }
                (404, _) => bail!("{address} knows nothing of logs: is it a Windlass peer?"),
                (code, _) => bail!("{address} answers with status {code}"),
            }
        })
        .await
    }

    async fn in_time<T>(&self, asked: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let asked = tokio::time::timeout(LIMIT, asked).await;
        asked.map_err(|_| anyhow::anyhow!("{} does not answer within {}s", self.address, LIMIT.as_secs()))?
    }

    /// HTTP/1.0, so that the body ends with the connection.
    async fn ask(&self, path: &str) -> anyhow::Result<Reply> {
        let address = &self.address;
        let mut body = BufReader::new(self.connect().await?);
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\naccept: application/json\r\n\r\n");
        body.write_all(request.as_bytes()).await.with_context(|| format!("cannot ask {address}"))?;
        let mut head = Vec::new();
        let mut limited = (&mut body).take(HEAD);
        while !head.ends_with(b"\r\n\r\n") {
            let read = limited.read_until(b'\n', &mut head).await;
            if read.with_context(|| format!("{address} does not answer"))? == 0 || !head.starts_with(b"HTTP/") {
                bail!("{address} does not speak HTTP; hint: with TLS, give --tls-root FILE");
            }
        }
        let status = String::from_utf8_lossy(&head).split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("{address} does not speak HTTP"))?;
        Ok(Reply { status, body })
    }

    async fn connect(&self) -> anyhow::Result<Pin<Box<dyn Connection>>> {
        let address = &self.address;
        let unreachable = || {
            format!("no peer answers at {address}; hint: --operations HOST:PORT says where its operations endpoint is")
        };
        let stream = TcpStream::connect(address.as_str()).await.with_context(unreachable)?;
        let Some(tls) = &self.tls else { return Ok(Box::pin(stream)) };
        let mut config = tls.config()?;
        // The configuration is made for gRPC; here the protocol is HTTP/1.1.
        Arc::make_mut(&mut config).alpn_protocols = vec![b"http/1.1".to_vec()];
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        let stream = tokio_rustls::TlsConnector::from(config)
            .connect(tls.name_for(host)?, stream)
            .await
            .with_context(|| format!("TLS with {address} failed"))?;
        Ok(Box::pin(stream))
    }
}

impl Reply {
    /// The rest of the body.
    async fn text(&mut self) -> io::Result<String> {
        let mut text = Vec::new();
        match (&mut self.body).take(LONGEST).read_to_end(&mut text).await {
            // Not every server says in TLS that this was all.
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(String::from_utf8_lossy(&text).into_owned()),
        }
    }

    /// The next line of the body, however long that takes; `None` at its end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        // A peer that is killed breaks the connection off: no more lines either way.
        let read = (&mut self.body).take(LONGEST).read_until(b'\n', &mut line).await.unwrap_or(0);
        (read > 0).then(|| String::from_utf8_lossy(&line).into_owned())
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
