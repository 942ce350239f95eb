//! The end of a chain: makes the next block, has it written, and tells who waits for it.

use std::sync::Arc;

use tokio::sync::watch;
use windlass_identity::{ChannelConfig, SigningIdentity};
use windlass_proto::common::{Block, BlockHeader};

use super::{ChainState, Failed, Pending};
use crate::{OrdererError, blocks::next_block, broadcast::Rejection};

/// The end of a chain.
pub(super) struct Writer {
    state: Arc<ChainState>,
    signer: SigningIdentity,
    previous: BlockHeader,
    last_config: u64,
    // Dropped last: its end tells that the log is closed.
    heights: watch::Sender<u64>,
}

impl Writer {
    pub(super) fn new(
        state: Arc<ChainState>,
        signer: SigningIdentity,
        heights: watch::Sender<u64>,
        previous: BlockHeader,
        last_config: u64,
    ) -> Self {
        Self { state, signer, heights, previous, last_config }
    }

    /// Writes a block of messages.
    pub(super) async fn write(&mut self, batch: Vec<Pending>) -> Result<(), Failed> {
        self.append(batch, None).await
    }

    /// Writes a block of one configuration, which holds for the blocks after it.
    pub(super) async fn write_config(&mut self, message: Pending, config: ChannelConfig) -> Result<(), Failed> {
        self.append(vec![message], Some(config)).await
    }

    async fn append(&mut self, batch: Vec<Pending>, config: Option<ChannelConfig>) -> Result<(), Failed> {
        let (entries, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|pending| (pending.entry, pending.reply)).unzip();
        let number = self.previous.number + 1;
        let last_config = if config.is_some() { number } else { self.last_config };
        let block = Arc::new(next_block(&self.previous, entries, last_config, &self.signer));
        let transactions = replies.len();
        if let Err(error) = self.make_durable(block.clone()).await {
            tracing::error!(channel = self.state.log().channel(), number, %error, "cannot write a block, ordering stops");
            for reply in replies {
                let _ = reply.send(Err(Rejection::Stopped));
            }
            return Err(Failed);
        }
        self.previous = block.header.clone().unwrap_or_default();
        self.last_config = last_config;
        // Before the height, so that whoever sees the block sees its configuration.
        if let Some(config) = config {
            self.state.set_config(config);
        }
        self.heights.send_replace(number + 1);
        tracing::debug!(channel = self.state.log().channel(), number, transactions, "block written");
        for reply in replies {
            // A client that hung up does not want to know.
            let _ = reply.send(Ok(number));
        }
        Ok(())
    }

    async fn make_durable(&self, block: Arc<Block>) -> Result<(), OrdererError> {
        let log = self.state.log().clone();
        let channel = log.channel().to_owned();
        let written = tokio::task::spawn_blocking(move || log.append(&block)).await;
        // The task ends without a result only when the runtime ends.
        written.unwrap_or(Err(OrdererError::Stopped { channel }))
    }
}
