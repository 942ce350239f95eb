//! The ordering service as a value: its channels, and the in-process road to them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::Stream;
use parking_lot::RwLock;
use windlass_identity::{ChannelConfig, SigningIdentity};
use windlass_proto::{
    common::{Block, Envelope},
    orderer::{BroadcastResponse, atomic_broadcast_server::AtomicBroadcastServer},
};

use crate::{
    OrdererError, broadcast,
    chain::{Chain, ChainState},
    log::ChannelLog,
    service::BroadcastService,
};

/// How the orderer works.
#[derive(Clone, Debug)]
pub struct OrdererConfig {
    /// Where the channels' logs lie, one folder each.
    pub folder: PathBuf,
    /// Whether a batch is cut as soon as nothing more is waiting. Otherwise the channel's batch timeout
    /// decides, as in Fabric.
    pub eager: bool,
    /// How far the timestamp of a Deliver request may be from our clock.
    pub authentication_window: Duration,
}

impl OrdererConfig {
    /// An eager orderer with Fabric's authentication window of 15 minutes.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), eager: true, authentication_window: Duration::from_secs(15 * 60) }
    }
}

/// The ordering service. Clones are the same service; when the last one is dropped its channels stop.
#[derive(Clone, Debug)]
pub struct Orderer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: OrdererConfig,
    signer: SigningIdentity,
    chains: RwLock<BTreeMap<String, Arc<Chain>>>,
}

impl Orderer {
    /// Opens the orderer with every channel that its folder holds. Must be called within a Tokio runtime.
    pub fn open(config: OrdererConfig, signer: SigningIdentity) -> Result<Self, OrdererError> {
        tokio::runtime::Handle::try_current().map_err(|_| OrdererError::NoRuntime)?;
        let orderer = Self(Arc::new(Shared { config, signer, chains: RwLock::default() }));
        for (name, folder) in channel_folders(&orderer.0.config.folder)? {
            let log = ChannelLog::open(&name, &folder)?;
            if log.height() == 0 {
                // Creation was interrupted before the genesis block was durable, so nobody was told of it.
                tracing::warn!(channel = name, "the log is empty, leaving it out until the channel is created again");
                continue;
            }
            orderer.start(log)?;
        }
        Ok(orderer)
    }

    /// Creates the channel of a genesis block. Does nothing if the channel exists with the same block.
    pub fn create_channel(&self, genesis: &Block) -> Result<(), OrdererError> {
        let config = ChannelConfig::from_block(genesis)?;
        let channel = config.channel_id().to_owned();
        ChainState::check(&config)?;
        // Held to the end, so that two creations of one channel cannot both write block zero.
        let mut chains = self.0.chains.write();
        if let Some(chain) = chains.get(&channel) {
            return chain.state().log().check_genesis(genesis);
        }
        let log = ChannelLog::open(&channel, &self.0.config.folder.join(&channel))?;
        if log.height() == 0 {
            log.append_genesis(genesis)?;
        } else {
            log.check_genesis(genesis)?;
        }
        chains.insert(channel, Arc::new(self.chain(log)?));
        Ok(())
    }

    /// The names of the channels, sorted.
    pub fn channels(&self) -> Vec<String> {
        self.0.chains.read().keys().cloned().collect()
    }

    /// The configuration of a channel as of now.
    pub fn channel_config(&self, channel: &str) -> Option<Arc<ChannelConfig>> {
        self.chain_of(channel).map(|chain| chain.state().config())
    }

    /// The number of blocks of a channel.
    pub fn height(&self, channel: &str) -> Option<u64> {
        self.chain_of(channel).map(|chain| chain.state().height())
    }

    /// Orders a message. SUCCESS means that a block holding it is durable.
    pub async fn broadcast(&self, envelope: Envelope) -> BroadcastResponse {
        match self.submit(envelope).await {
            Ok(ticket) => ticket.outcome().await,
            Err(response) => response,
        }
    }

    /// The blocks of a channel from number `from` on, each as soon as it is durable. The stream ends with an
    /// error when the channel stops.
    pub fn blocks(
        &self,
        channel: &str,
        from: u64,
    ) -> Result<impl Stream<Item = Result<Arc<Block>, OrdererError>> + Send + use<>, OrdererError> {
        let chain = self.chain_of(channel).ok_or(OrdererError::UnknownChannel)?;
        Ok(chain.state().follow(from))
    }

    /// The gRPC service: Broadcast and Deliver, messages up to 100 MiB.
    pub fn service(&self) -> AtomicBroadcastServer<BroadcastService> {
        BroadcastService::new(self.clone()).into_server()
    }

    /// Stops taking messages, orders what was taken and ends every channel's task.
    pub async fn shutdown(&self) {
        let chains: Vec<_> = self.0.chains.read().values().cloned().collect();
        for chain in chains {
            chain.shutdown().await;
        }
    }

    pub(crate) fn config(&self) -> &OrdererConfig {
        &self.0.config
    }

    pub(crate) fn signer(&self) -> &SigningIdentity {
        &self.0.signer
    }

    pub(crate) fn chain_of(&self, channel: &str) -> Option<Arc<Chain>> {
        self.0.chains.read().get(channel).cloned()
    }

    /// Checks a message and puts it into its channel's queue. The error is the refusal to send.
    pub(crate) async fn submit(&self, envelope: Envelope) -> Result<broadcast::Ticket, BroadcastResponse> {
        broadcast::submit(self, envelope).await
    }

    fn start(&self, log: ChannelLog) -> Result<(), OrdererError> {
        let channel = log.channel().to_owned();
        let chain = self.chain(log)?;
        self.0.chains.write().insert(channel, Arc::new(chain));
        Ok(())
    }

    fn chain(&self, log: ChannelLog) -> Result<Chain, OrdererError> {
        Chain::start(log, self.0.signer.clone(), self.0.config.eager)
    }
}

/// The folders of channels with their names, sorted. Makes the parent when it is missing.
fn channel_folders(parent: &Path) -> Result<BTreeMap<String, PathBuf>, OrdererError> {
    let fault = |source| OrdererError::Folder { path: parent.to_owned(), source };
    std::fs::create_dir_all(parent).map_err(fault)?;
    let mut folders = BTreeMap::new();
    for entry in std::fs::read_dir(parent).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What is not a channel's name was not made here.
        if entry.path().is_dir() && name.parse::<windlass_proto::ids::ChannelId>().is_ok() {
            folders.insert(name, entry.path());
        }
    }
    Ok(folders)
}
