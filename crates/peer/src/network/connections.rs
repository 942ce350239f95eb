//! Connections to other nodes: dialled when first needed, kept, and dialled again after a loss.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tonic::{Code, Status, transport::Channel};
use windlass_identity::{Certificate, ChannelConfig};
use windlass_proto::{
    Bytes,
    protos::{ProposalResponse, SignedProposal, endorser_client::EndorserClient},
};
use windlass_transport::{ClientTls, DialOptions, Keepalive, MAX_MESSAGE_SIZE, dial};

use super::Member;

/// HTTP/2 pings after this much silence; nodes allow no shorter interval.
// Fabric: endorsement-and-gateway §1
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connection in the making or made: whoever comes first dials, others wait for the outcome.
type Slot = Arc<OnceCell<Channel>>;

/// Connections to other nodes, by endpoint. Clones share them.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    /// Whether nodes speak TLS; then, who we are towards them, if they ask.
    tls: Option<Option<(String, String)>>,
    /// The hash of the certificate that says so.
    certificate_hash: Option<Bytes>,
    timeout: Duration,
    open: Mutex<HashMap<String, Slot>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("open", &self.shared.open.lock().keys()).finish_non_exhaustive()
    }
}

impl Connections {
    /// Connections without TLS.
    pub fn plain(timeout: Duration) -> Self {
        Self::new(None, timeout)
    }

    /// Connections with TLS, under this certificate and key (PEM).
    pub fn secure(identity: Option<(String, String)>, timeout: Duration) -> Self {
        Self::new(Some(identity), timeout)
    }

    fn new(tls: Option<Option<(String, String)>>, timeout: Duration) -> Self {
        let identity = tls.as_ref().and_then(Option::as_ref);
        let certificate = identity.and_then(|(certificate, _)| Certificate::from_pem(certificate.as_bytes()).ok());
        let certificate_hash = certificate.map(|certificate| Bytes::copy_from_slice(certificate.hash()));
        Self { shared: Arc::new(Shared { tls, certificate_hash, timeout, open: Mutex::default() }) }
    }

    /// The hash of the certificate that these connections show, if they show one.
    pub(crate) fn certificate_hash(&self) -> Option<&Bytes> {
        self.shared.certificate_hash.as_ref()
    }

    /// The connection to `endpoint`, whose certificate must verify under `roots` (PEM).
    pub(crate) async fn open(&self, endpoint: &str, roots: impl Fn() -> Vec<String>) -> Result<Channel, Status> {
        let slot = self.shared.open.lock().entry(endpoint.to_owned()).or_default().clone();
        let channel = slot.get_or_try_init(|| self.dial(endpoint, roots())).await;
        channel.cloned().inspect_err(|_| self.forget(endpoint, &slot))
    }

    /// Whether there is a connection to `endpoint`, as far as is known.
    pub(crate) fn is_open(&self, endpoint: &str) -> bool {
        self.shared.open.lock().get(endpoint).is_some_and(|slot| slot.initialized())
    }

    /// The connection to a peer, verified under its organization's TLS roots on the channel.
    pub(super) async fn connect(&self, config: &ChannelConfig, member: &Member) -> Result<Channel, Status> {
        let roots = || config.msps().msp(&member.msp_id).map(|msp| msp.tls_roots_pem()).unwrap_or_default();
        self.open(&member.endpoint, roots).await
    }

    pub(super) async fn endorse(
        &self,
        config: &ChannelConfig,
        member: &Member,
        proposal: SignedProposal,
    ) -> Result<ProposalResponse, Status> {
        let kept = self.is_open(&member.endpoint);
        match self.endorse_once(config, member, proposal.clone()).await {
            // The connection may have ended long ago, as when the peer was started anew.
            Err(status) if kept && is_loss(&status) => self.endorse_once(config, member, proposal).await,
            outcome => outcome,
        }
    }

    async fn endorse_once(
        &self,
        config: &ChannelConfig,
        member: &Member,
        proposal: SignedProposal,
    ) -> Result<ProposalResponse, Status> {
        let channel = self.connect(config, member).await?;
        let mut endorser = EndorserClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        let answer = endorser.process_proposal(proposal).await;
        answer.map(tonic::Response::into_inner).inspect_err(|status| {
            if is_loss(status) {
                self.disconnect(&member.endpoint);
            }
        })
    }

    pub(crate) fn disconnect(&self, endpoint: &str) {
        self.shared.open.lock().remove(endpoint);
    }

    fn forget(&self, endpoint: &str, slot: &Slot) {
        let mut open = self.shared.open.lock();
        if open.get(endpoint).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            open.remove(endpoint);
        }
    }

    async fn dial(&self, endpoint: &str, roots: Vec<String>) -> Result<Channel, Status> {
        let tls = self.shared.tls.as_ref();
        let tls = tls.map(|identity| ClientTls { roots, identity: identity.clone(), server_name: None });
        let options = DialOptions { timeout: self.shared.timeout, keepalive: Some(Keepalive::after(KEEPALIVE)) };
        dial(endpoint, tls.as_ref(), &options)
            .await
            .map_err(|error| Status::unavailable(format!("connection error: desc = \"{error}\"")))
    }
}

/// Whether it was not the other node that said so.
pub(crate) fn is_loss(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}
