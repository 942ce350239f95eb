//! `node …`: a peer as a process of its own, and what operators do to its ledgers while it is down.
//!
//! - [`start`]: runs the peer until it is told to stop
//! - [`offline`]: reset, rollback, pause, resume, unjoin, rebuild-dbs, upgrade-dbs

pub(crate) mod offline;
pub(crate) mod start;

use windlass_peer::config::{PeerConfig, Warning};

use super::{failure::Failure, session::Session};

/// The peer's configuration: the file that the session found, and the environment over it.
fn configuration(session: &Session) -> Result<(PeerConfig, Vec<Warning>), Failure> {
    let environment = session.settings.environment();
    PeerConfig::load(Some(session.settings.file()), environment).map_err(Failure::failed)
}
