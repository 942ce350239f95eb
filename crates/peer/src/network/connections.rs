//! Connections to other nodes: dialled when first needed, kept, and dialled again after a loss.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tonic::{Code, Status, transport::Channel};
use windlass_identity::{Certificate, ChannelConfig};
use windlass_proto::{
    Bytes,
    hash::{Digest, sha256_of},
    protos::{ProposalResponse, SignedProposal, endorser_client::EndorserClient},
};
use windlass_transport::{ClientTls, DialOptions, Keepalive, MAX_MESSAGE_SIZE, dial};

use super::Member;

/// HTTP/2 pings after this much silence; nodes allow no shorter interval.
// Fabric: endorsement-and-gateway §1
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connection in the making or made, or why there is none: whoever comes first dials, others wait for the outcome.
type Slot = Arc<OnceCell<Result<Channel, Status>>>;

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
    /// By endpoint, and then by what the certificate was verified under: it may be trusted here and not there.
    open: Mutex<HashMap<String, HashMap<Digest, Slot>>>,
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
        let roots = if self.shared.tls.is_some() { roots() } else { Vec::new() };
        let trust = sha256_of(roots.iter().map(String::as_bytes));
        let slot = self.shared.open.lock().entry(endpoint.to_owned()).or_default().entry(trust).or_default().clone();
        let channel = slot.get_or_init(|| self.dial(endpoint, roots)).await;
        channel.clone().inspect_err(|_| self.forget(endpoint, trust, &slot))
    }

    /// Whether there is a connection to `endpoint`, as far as is known.
    pub(crate) fn is_open(&self, endpoint: &str) -> bool {
        let open = self.shared.open.lock();
        open.get(endpoint).is_some_and(|slots| slots.values().any(|slot| matches!(slot.get(), Some(Ok(_)))))
    }

    /// The connection to a peer, verified under what the channel trusts its organization's TLS certificates by.
    pub(super) async fn connect(&self, config: &ChannelConfig, member: &Member) -> Result<Channel, Status> {
        self.open(&member.endpoint, || tls_trust(config, &member.msp_id)).await
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

    /// Forgets every connection to `endpoint`. Who uses one now keeps it.
    pub(crate) fn disconnect(&self, endpoint: &str) {
        self.shared.open.lock().remove(endpoint);
    }

    fn forget(&self, endpoint: &str, trust: Digest, slot: &Slot) {
        let mut open = self.shared.open.lock();
        let Some(slots) = open.get_mut(endpoint) else { return };
        if slots.get(&trust).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            slots.remove(&trust);
        }
        if slots.is_empty() {
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

/// What the TLS certificates of an organization's nodes verify under, PEM: its roots and its intermediate CAs, since
/// a server need not send the latter along.
pub(crate) fn tls_trust(config: &ChannelConfig, msp_id: &str) -> Vec<String> {
    let msp = config.msps().msp(msp_id);
    msp.map(|msp| [msp.tls_roots_pem(), msp.tls_intermediates_pem()].concat()).unwrap_or_default()
}

/// Whether it was not the other node that said so.
pub(crate) fn is_loss(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}

#[cfg(test)]
mod tests;
