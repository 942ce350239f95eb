//! Where blocks come from and transactions go.
//!
//! - [`Ordering`]: the seam, with the orderer of this process behind it or a real ordering service
//! - [`OrderingService`]: the client of a real one

mod service;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use windlass_identity::ChannelConfig;
use windlass_orderer::{Orderer, OrdererError};
use windlass_proto::{
    common::{Block, Envelope, Status},
    gateway::ErrorDetail,
    orderer::BroadcastResponse,
};

pub use service::OrderingService;

/// What orders a peer's channels. Clones are the same.
#[derive(Clone, Debug)]
pub enum Ordering {
    /// The orderer of this process.
    Embedded(Orderer),
    /// The orderers that each channel's configuration names.
    Service(OrderingService),
}

/// Blocks as they are ordered. The stream ends with an error, or when whoever orders has stopped.
pub type Blocks = BoxStream<'static, Result<Arc<Block>, OrderingError>>;

/// Why no blocks come.
#[derive(Debug, thiserror::Error)]
pub enum OrderingError {
    /// The embedded orderer does not deliver.
    #[error(transparent)]
    Embedded(#[from] OrdererError),
    /// The configuration of the channel names nobody.
    #[error("the configuration of channel {0} names no orderer")]
    NoOrderers(String),
    /// Nobody answers.
    #[error("no orderer of channel {channel} can be reached: {}", causes.join("; "))]
    Unreachable {
        /// The channel.
        channel: String,
        /// Each orderer with what was wrong with it.
        causes: Vec<String>,
    },
    /// An orderer said something else than the next block.
    #[error("orderer {endpoint} ended delivery with status {}{}", status.as_str_name(), hint(*status))]
    Status {
        /// The orderer.
        endpoint: String,
        /// What it said.
        status: Status,
    },
    /// The stream broke.
    #[error("the stream of blocks from orderer {endpoint} broke: {reason}")]
    Broken {
        /// The orderer.
        endpoint: String,
        /// Why.
        reason: String,
    },
}

/// Why a transaction is not ordered.
#[derive(Debug, PartialEq)]
pub enum BroadcastError {
    /// The configuration of the channel names nobody.
    NoOrderers,
    /// An orderer refused the transaction; others would too.
    Refused {
        /// What it said.
        status: i32,
        /// And why.
        info: String,
    },
    /// No orderer took it. Each has its detail.
    Failed(Vec<ErrorDetail>),
    /// Too few orderers of a channel without trust among them took it. Each of the others has its detail.
    NoQuorum(Vec<ErrorDetail>),
    /// Time ran out.
    TimedOut,
}

impl Ordering {
    /// The blocks of the channel with this configuration, from number `from` on.
    ///
    /// # Errors
    /// When nobody delivers them now.
    pub async fn blocks(&self, config: &ChannelConfig, from: u64) -> Result<Blocks, OrderingError> {
        match self {
            Self::Embedded(orderer) => {
                let blocks = orderer.blocks(config.channel_id(), from)?;
                Ok(blocks.map(|block| block.map_err(OrderingError::from)).boxed())
            }
            Self::Service(service) => service.blocks(config, from).await,
        }
    }

    /// Has a transaction of the channel with this configuration ordered. It is durable on success. Where orderers
    /// are tried one after another, each has until `limit`; else all together.
    ///
    /// # Errors
    /// When nobody takes it.
    pub async fn broadcast(
        &self,
        config: &ChannelConfig,
        envelope: Envelope,
        limit: Duration,
    ) -> Result<(), BroadcastError> {
        match self {
            Self::Embedded(orderer) => {
                let answer = async { Ok(orderer.broadcast(envelope).await) };
                verdict(within(limit, answer).await?)?.map_err(|_| BroadcastError::Failed(Vec::new()))
            }
            Self::Service(service) => service.broadcast(config, envelope, limit).await,
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, BroadcastError>>,
) -> Result<T, BroadcastError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(BroadcastError::TimedOut))
}

/// What an orderer's answer means: it is taken, or another orderer may take it, or none would.
// Fabric: endorsement-and-gateway §7 "Submit"
fn verdict(answer: BroadcastResponse) -> Result<Result<(), String>, BroadcastError> {
    let BroadcastResponse { status, info } = answer;
    match status {
        status if status == Status::Success as i32 => Ok(Ok(())),
        500.. => Ok(Err(unsuccessful(status, &info))),
        _ => Err(BroadcastError::Refused { status, info }),
    }
}

/// How an orderer's refusal is told.
// Fabric: endorsement-and-gateway §7 "Submit"
pub(crate) fn unsuccessful(status: i32, info: &str) -> String {
    let name = Status::try_from(status).map_or("UNKNOWN", |status| status.as_str_name());
    format!("received unsuccessful response from orderer: status={name}, info={info}")
}

fn hint(status: Status) -> &'static str {
    match status {
        Status::Forbidden => "; hint: this peer's certificate is not one of the channel's readers, or has expired",
        Status::NotFound => "; hint: this orderer has not joined the channel",
        Status::ServiceUnavailable => "; hint: the ordering service has no leader now",
        _ => "",
    }
}
