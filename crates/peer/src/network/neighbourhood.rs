//! The peers of one process.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;
use windlass_proto::gossip;

use super::{ChannelMember, Member, Membership, Status};

/// The peers of one process, which know each other without talking. Clones are the same neighbourhood. A peer is
/// in it as long as the value lives that was added.
#[derive(Clone, Debug, Default)]
pub struct Neighbourhood(Arc<RwLock<Vec<Weak<Status>>>>);

impl Neighbourhood {
    /// Lets the others know of a peer.
    pub fn add(&self, peer: &Arc<Status>) {
        let mut peers = self.0.write();
        peers.retain(|peer| peer.strong_count() > 0);
        peers.push(Arc::downgrade(peer));
    }

    fn all(&self) -> Vec<Arc<Status>> {
        self.0.read().iter().filter_map(Weak::upgrade).collect()
    }

    fn find(&self, pki_id: &[u8]) -> Option<Arc<Status>> {
        self.all().into_iter().find(|peer| peer.member().pki_id == pki_id)
    }
}

impl Membership for Neighbourhood {
    fn peers(&self) -> Vec<Arc<Member>> {
        self.all().iter().map(|peer| peer.member().clone()).collect()
    }

    fn on_channel(&self, channel: &str) -> Vec<ChannelMember> {
        self.all().iter().filter_map(|peer| peer.on_channel(channel)).collect()
    }

    fn alive(&self, pki_id: &[u8]) -> Option<gossip::Envelope> {
        self.find(pki_id).map(|peer| peer.alive())
    }

    fn state_info(&self, pki_id: &[u8], channel: &str) -> Option<gossip::Envelope> {
        self.find(pki_id)?.state_info(channel)
    }
}
