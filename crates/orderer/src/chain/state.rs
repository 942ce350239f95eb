//! What others may read of a chain.

use std::sync::Arc;

use futures::{Stream, stream};
use parking_lot::RwLock;
use tokio::sync::watch;
use windlass_identity::ChannelConfig;
use windlass_proto::common::Block;

use crate::{
    OrdererError,
    deliver::{BlockSource, SourceError},
    log::ChannelLog,
};

/// What others may read of a chain: its blocks, its height, its configuration.
#[derive(Debug)]
pub struct ChainState {
    log: ChannelLog,
    config: RwLock<Arc<ChannelConfig>>,
    heights: watch::Receiver<u64>,
}

impl ChainState {
    pub(super) fn new(log: ChannelLog, config: ChannelConfig, heights: watch::Receiver<u64>) -> Self {
        Self { log, config: RwLock::new(Arc::new(config)), heights }
    }

    /// Refuses a configuration that nothing can be ordered by.
    pub(crate) fn check(config: &ChannelConfig) -> Result<(), OrdererError> {
        let root = config.config().channel_group.as_ref();
        if root.is_some_and(|root| root.groups.contains_key("Orderer")) {
            return Ok(());
        }
        Err(OrdererError::NoOrdererGroup { channel: config.channel_id().to_owned() })
    }

    /// The configuration as of now.
    pub fn config(&self) -> Arc<ChannelConfig> {
        self.config.read().clone()
    }

    pub(super) fn set_config(&self, config: ChannelConfig) {
        *self.config.write() = Arc::new(config);
    }

    /// The log.
    pub(crate) fn log(&self) -> &ChannelLog {
        &self.log
    }

    /// The number of durable blocks.
    pub fn height(&self) -> u64 {
        *self.heights.borrow()
    }

    /// The height, changing after a block is durable. The sender is gone when the chain has stopped.
    pub fn heights(&self) -> watch::Receiver<u64> {
        self.heights.clone()
    }

    /// Whether the chain is being ordered.
    pub fn is_running(&self) -> bool {
        self.heights.has_changed().is_ok()
    }

    /// The blocks from number `from` on, each as soon as it is durable.
    pub(crate) fn follow(
        self: &Arc<Self>,
        from: u64,
    ) -> impl Stream<Item = Result<Arc<Block>, OrdererError>> + Send + use<> {
        let start = Some((self.clone(), self.heights(), from));
        stream::unfold(start, |position| async move {
            let (state, mut heights, next) = position?;
            let block = state.wait_for(&mut heights, next).await;
            let position = block.is_ok().then_some((state, heights, next + 1));
            Some((block, position))
        })
    }

    async fn wait_for(&self, heights: &mut watch::Receiver<u64>, number: u64) -> Result<Arc<Block>, OrdererError> {
        let channel = || self.log.channel().to_owned();
        heights.wait_for(|height| *height > number).await.map_err(|_| OrdererError::Stopped { channel: channel() })?;
        self.log.block(number).await?.ok_or_else(|| OrdererError::MissingBlock { channel: channel(), number })
    }
}

impl BlockSource for Arc<ChainState> {
    type Beside = ();

    fn config(&self) -> Arc<ChannelConfig> {
        ChainState::config(self)
    }

    fn heights(&self) -> watch::Receiver<u64> {
        ChainState::heights(self)
    }

    async fn block(&self, number: u64) -> Result<Option<(Arc<Block>, ())>, SourceError> {
        let block = self.log.block(number).await.map_err(|error| SourceError(error.to_string()))?;
        Ok(block.map(|block| (block, ())))
    }

    fn is_available(&self) -> bool {
        self.is_running()
    }
}
