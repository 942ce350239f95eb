//! Connections to other peers' endorsers: dialled when first needed, kept, and dialled again after a loss.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tonic::{Code, Status, transport::Channel};
use windlass_identity::ChannelConfig;
use windlass_proto::protos::{ProposalResponse, SignedProposal, endorser_client::EndorserClient};
use windlass_transport::{ClientTls, DialOptions, Keepalive, MAX_MESSAGE_SIZE, dial};

use super::Member;

/// HTTP/2 pings after this much silence; peers allow no shorter interval.
// Fabric: endorsement-and-gateway §1
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connection in the making or made: whoever comes first dials, others wait for the outcome.
type Slot = Arc<OnceCell<Channel>>;

/// Connections to other peers, by endpoint. Clones share them.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    /// Whether peers speak TLS; then, who we are towards them, if they ask.
    tls: Option<Option<(String, String)>>,
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

    /// Connections with TLS, under this certificate and key (PEM). The other side is verified against the TLS
    /// roots of its organization in the channel's configuration.
    pub fn secure(identity: Option<(String, String)>, timeout: Duration) -> Self {
        Self::new(Some(identity), timeout)
    }

    fn new(tls: Option<Option<(String, String)>>, timeout: Duration) -> Self {
        Self { shared: Arc::new(Shared { tls, timeout, open: Mutex::default() }) }
    }

    pub(super) async fn connect(&self, config: &ChannelConfig, member: &Member) -> Result<Channel, Status> {
        let slot = self.shared.open.lock().entry(member.endpoint.clone()).or_default().clone();
        let channel = slot.get_or_try_init(|| self.dial(config, member)).await;
        channel.cloned().inspect_err(|_| self.forget(&member.endpoint, &slot))
    }

    pub(super) async fn endorse(
        &self,
        config: &ChannelConfig,
        member: &Member,
        proposal: SignedProposal,
    ) -> Result<ProposalResponse, Status> {
        let kept = self.shared.open.lock().get(&member.endpoint).is_some_and(|slot| slot.initialized());
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

    pub(super) fn disconnect(&self, endpoint: &str) {
        self.shared.open.lock().remove(endpoint);
    }

    fn forget(&self, endpoint: &str, slot: &Slot) {
        let mut open = self.shared.open.lock();
        if open.get(endpoint).is_some_and(|current| Arc::ptr_eq(current, slot)) {
            open.remove(endpoint);
        }
    }

    async fn dial(&self, config: &ChannelConfig, member: &Member) -> Result<Channel, Status> {
        let tls = self.shared.tls.as_ref().map(|identity| ClientTls {
            roots: config.msps().msp(&member.msp_id).map(|msp| msp.tls_roots_pem()).unwrap_or_default(),
            identity: identity.clone(),
            server_name: None,
        });
        let options = DialOptions { timeout: self.shared.timeout, keepalive: Some(Keepalive::after(KEEPALIVE)) };
        dial(&member.endpoint, tls.as_ref(), &options)
            .await
            .map_err(|error| Status::unavailable(format!("connection error: desc = \"{error}\"")))
    }
}

/// Whether it was not the other peer that said so.
fn is_loss(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}
