//! The channels that the peer has joined: for each its ledger, its configuration, and the task that commits.

mod commit;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use windlass_chaincode::{
    channels::{AccessDenied, Channels},
    lifecycle::Lifecycle,
    simulation::{Simulation, SimulationError, SimulationResult},
};
use windlass_identity::channel::{ChannelConfig, ChannelConfigError};
use windlass_ledger::{Ledger, LedgerError, LedgerOptions};
use windlass_proto::{
    common::Block,
    protos::{SignedProposal, TxValidationCode},
};

use crate::{
    acl::Acl,
    events::Events,
    ledgers::{Ledgers, LedgersError},
    operations::HealthCheck,
    ordering::Ordering,
    simulation::LedgerSimulation,
    telemetry::Metrics,
};

/// One joined channel.
#[derive(Debug)]
pub struct Channel {
    id: String,
    ledger: Ledger,
    config: RwLock<Arc<ChannelConfig>>,
    heights: watch::Sender<u64>,
    // Cancelled when no further block will be committed.
    stopped: CancellationToken,
}

impl Channel {
    fn new(ledger: Ledger) -> Result<Self, JoinError> {
        let config = ChannelConfig::from_block(&ledger.last_config_block()?)?;
        let heights = watch::Sender::new(ledger.height());
        let id = ledger.channel_id().to_owned();
        Ok(Self { id, ledger, config: RwLock::new(Arc::new(config)), heights, stopped: CancellationToken::new() })
    }

    /// The channel's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Its configuration as of the last block.
    pub fn config(&self) -> Arc<ChannelConfig> {
        self.config.read().clone()
    }

    /// The ledger's height, as soon as everything that follows from a block is done: state, configuration
    /// and chaincode definitions. Who waits for a transaction waits on this.
    pub fn heights(&self) -> watch::Receiver<u64> {
        self.heights.subscribe()
    }

    /// The verdict on a transaction and its block's number, as soon as there is one.
    ///
    /// # Errors
    /// When the ledger cannot be read, and when the channel has stopped without a verdict.
    pub async fn wait_for(&self, tx_id: &str) -> Result<(TxValidationCode, u64), WaitError> {
        let stopped = self.stopped.cancelled();
        tokio::pin!(stopped);
        let mut heights = self.heights();
        loop {
            heights.mark_unchanged();
            // The sender is a field of self, so that waiting for heights does not fail while we are here.
            if let Some(status) = self.ledger.transaction_status(tx_id)? {
                tokio::select! {
                    biased;
                    _ = heights.wait_for(|height| *height > status.1) => {}
                    () = &mut stopped => {}
                }
                return Ok(status);
            }
            tokio::select! {
                biased;
                _ = heights.changed() => {}
                () = &mut stopped => return Err(WaitError::Stopped(self.id.clone())),
            }
        }
    }

    /// Whether the channel has stopped: a block could not be judged or stored, and until the peer is started again
    /// no other will be.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    fn set_config(&self, config: ChannelConfig) {
        *self.config.write() = Arc::new(config);
    }
}

/// Why there will be no verdict on a transaction.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The channel has stopped.
    #[error("channel {0} has stopped: a block could not be committed")]
    Stopped(String),
}

/// Why a channel cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The block is not a configuration that this peer can follow.
    #[error(transparent)]
    Config(#[from] ChannelConfigError),
    /// The ledger cannot be created or opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No ordering service serves the channel.
    #[error("cannot follow the channel: {0}")]
    Ordering(String),
    /// The ledgers' folder cannot be read.
    #[error(transparent)]
    Ledgers(#[from] LedgersError),
    /// The definitions on the channel cannot be read.
    #[error("cannot read the chaincode definitions of the channel: {0}")]
    Definitions(String),
}

/// The joined channels. Clones share them.
#[derive(Clone)]
pub struct PeerChannels {
    shared: Arc<Shared>,
}

struct Shared {
    ledgers: Ledgers,
    options: LedgerOptions,
    acl: Acl,
    joined: RwLock<BTreeMap<String, Arc<Channel>>>,
}

impl std::fmt::Debug for PeerChannels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl PeerChannels {
    /// The channels of these ledgers, those that are paused left out. So is a channel whose joining was interrupted
    /// before its first block was durable: nobody was told of it, and it can be joined again. Nothing is committed
    /// until [`Committing::follow`].
    ///
    /// # Errors
    /// When a ledger cannot be opened.
    pub fn open(ledgers: Ledgers, options: LedgerOptions, acl: Acl) -> Result<Self, JoinError> {
        let mut joined = BTreeMap::new();
        for name in ledgers.active()? {
            let ledger = match Ledger::open(&ledgers.of(&name), &name, options.clone()) {
                Err(LedgerError::NotFound(folder)) => {
                    tracing::warn!(folder = %folder.display(), "no ledger is in this folder, leaving it out");
                    continue;
                }
                ledger => ledger?,
            };
            joined.insert(name, Arc::new(Channel::new(ledger)?));
        }
        Ok(Self { shared: Arc::new(Shared { ledgers, options, acl, joined: RwLock::new(joined) }) })
    }

    /// The channel called `name`, if it is joined.
    pub fn get(&self, name: &str) -> Option<Arc<Channel>> {
        self.shared.joined.read().get(name).cloned()
    }

    /// The names of the joined channels, sorted.
    pub fn names(&self) -> Vec<String> {
        self.shared.joined.read().keys().cloned().collect()
    }

    /// All joined channels, by name.
    pub fn all(&self) -> Vec<Arc<Channel>> {
        self.shared.joined.read().values().cloned().collect()
    }

    fn create(&self, genesis: &Block) -> Result<Arc<Channel>, JoinError> {
        let config = ChannelConfig::from_join_block(genesis)?;
        let name = config.channel_id().to_owned();
        let mut joined = self.shared.joined.write();
        let ledger = Ledger::create(&self.shared.ledgers.of(&name), genesis, self.shared.options.clone())?;
        let channel = Arc::new(Channel::new(ledger)?);
        joined.insert(name, channel.clone());
        Ok(channel)
    }
}

impl Channels for PeerChannels {
    fn names(&self) -> Vec<String> {
        PeerChannels::names(self)
    }

    fn config(&self, channel: &str) -> Option<Arc<ChannelConfig>> {
        self.get(channel).map(|channel| channel.config())
    }

    fn simulate(&self, channel: &str, tx_id: &str) -> Option<SimulationResult<Arc<dyn Simulation>>> {
        let channel = self.get(channel)?;
        Some(match channel.ledger().simulator(tx_id) {
            Ok(simulator) => Ok(Arc::new(LedgerSimulation(simulator))),
            Err(error) => Err(SimulationError(error.to_string())),
        })
    }

    fn authorize(&self, resource: &str, channel: &str, proposal: &SignedProposal) -> Result<(), AccessDenied> {
        let config = self.config(channel);
        self.shared
            .acl
            .check_proposal(resource, config.as_deref(), proposal)
            .map_err(|error| AccessDenied(error.on_channel(channel).to_string()))
    }
}

#[async_trait]
impl HealthCheck for PeerChannels {
    fn component(&self) -> &str {
        "channels"
    }

    async fn check(&self) -> Result<(), String> {
        let stopped: Vec<_> = self.all().iter().filter(|channel| channel.is_stopped()).map(|c| c.id.clone()).collect();
        if stopped.is_empty() { Ok(()) } else { Err(format!("no more blocks are committed on {}", stopped.join(", "))) }
    }
}

/// Follows the ordering service on every joined channel.
#[derive(Clone)]
pub struct Committing {
    /// The channels.
    pub channels: PeerChannels,
    /// Where blocks come from.
    pub ordering: Ordering,
    /// Told when definitions change; asked for policies.
    pub lifecycle: Lifecycle,
    /// Told of every transaction.
    pub events: Events,
    /// Counts.
    pub metrics: Metrics,
    /// Ends the tasks.
    pub shutdown: CancellationToken,
    /// The tasks.
    pub tasks: TaskTracker,
}

impl std::fmt::Debug for Committing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committing").field("channels", &self.channels).finish_non_exhaustive()
    }
}

impl Committing {
    /// Joins the channel of `genesis` and follows it.
    ///
    /// # Errors
    /// The text is what `cscc` answers.
    pub fn join(&self, genesis: &Block) -> Result<(), JoinError> {
        let channel = self.channels.create(genesis)?;
        self.follow(channel)
    }

    /// Commits every further block of `channel`, until shutdown.
    ///
    /// # Errors
    /// When the definitions on the channel cannot be read.
    pub fn follow(&self, channel: Arc<Channel>) -> Result<(), JoinError> {
        self.lifecycle.refresh(channel.id()).map_err(|error| JoinError::Definitions(error.to_string()))?;
        let (committing, shutdown) = (self.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            let run = commit::run(&committing, channel.clone());
            if shutdown.run_until_cancelled_owned(run).await.is_some() {
                channel.stopped.cancel();
            }
        });
        Ok(())
    }
}
