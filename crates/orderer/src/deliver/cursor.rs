//! From position to position, block by block.
// Fabric: endorsement-and-gateway §8

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::{Block, Status},
    orderer::{
        SeekInfo, SeekPosition,
        seek_info::{SeekBehavior, SeekContentType},
        seek_position::Type as Position,
    },
};

use super::{BlockSource, DeliverRequest, DeliverService, Refusal};
use crate::blocks::is_config_block;

/// A request being served.
pub(super) struct Cursor<B> {
    source: B,
    heights: watch::Receiver<u64>,
    request: DeliverRequest,
    session: Session,
    next: u64,
    stop: u64,
}

/// What comes next.
pub(super) enum Step<R> {
    /// A block.
    Block(R),
    /// Nothing more: the request is done, well or badly.
    End(Status),
}

impl<B: BlockSource> Cursor<B> {
    /// Authorizes the request and finds its first block.
    pub(super) fn open<S: DeliverService<Source = B>>(
        service: &S,
        source: B,
        request: DeliverRequest,
    ) -> Result<Self, Status> {
        let session = Session::open(service, &source.config(), &request).map_err(|refusal| {
            tracing::debug!(channel = request.channel, %refusal, "deliver refused");
            Status::Forbidden
        })?;
        let heights = source.heights();
        let height = *heights.borrow();
        let (next, stop) = bounds(&request.seek, height)?;
        let cursor = Self { source, heights, request, session, next, stop };
        if cursor.is_beyond_tip() || next > height {
            return Err(Status::NotFound);
        }
        Ok(cursor)
    }

    /// Waits for the next block and turns it into a response.
    pub(super) async fn advance<S: DeliverService<Source = B>>(&mut self, service: &S) -> Step<S::Response> {
        match self.step(service).await {
            Ok(response) => Step::Block(response),
            Err(status) => Step::End(status),
        }
    }

    async fn step<S: DeliverService<Source = B>>(&mut self, service: &S) -> Result<S::Response, Status> {
        if self.is_done() {
            return Err(Status::Success);
        }
        if self.is_beyond_tip() {
            return Err(Status::NotFound);
        }
        let next = self.next;
        // The sender is gone when the channel has stopped.
        self.heights.wait_for(|height| *height > next).await.map_err(|_| Status::ServiceUnavailable)?;
        let failed = |reason: &dyn std::fmt::Display| {
            tracing::error!(channel = self.request.channel, number = next, %reason, "cannot deliver a block");
            Status::InternalServerError
        };
        let block = self.source.block(next).await.map_err(|error| failed(&error))?;
        let (block, beside) = block.ok_or_else(|| failed(&"it is missing"))?;
        self.session.check(service, &self.source.config(), &self.request).map_err(|refusal| {
            tracing::debug!(channel = self.request.channel, %refusal, "deliver ended");
            Status::Forbidden
        })?;
        let block = self.content(block);
        let response = service.block(&self.source, block, beside, &self.request);
        // The position after the last block that can exist is never asked for.
        match next.checked_add(1) {
            Some(after) if next != self.stop => self.next = after,
            _ => self.next = DONE,
        }
        Ok(response)
    }

    fn is_done(&self) -> bool {
        self.next == DONE
    }

    fn is_beyond_tip(&self) -> bool {
        self.request.seek.behavior == SeekBehavior::FailIfNotReady as i32 && self.next >= *self.heights.borrow()
    }

    fn content(&self, block: Arc<Block>) -> Arc<Block> {
        let bare = self.request.seek.content_type == SeekContentType::HeaderWithSig as i32;
        if !bare || is_config_block(&block) {
            return block;
        }
        Arc::new(Block { header: block.header.clone(), data: None, metadata: block.metadata.clone() })
    }
}

/// The position of a cursor that has delivered its last block.
const DONE: u64 = u64::MAX;

/// The first block, and the last one.
fn bounds(seek: &SeekInfo, height: u64) -> Result<(u64, u64), Status> {
    let position = |position: &Option<SeekPosition>| position.and_then(|position| position.r#type);
    let (Some(start), Some(stop)) = (position(&seek.start), position(&seek.stop)) else {
        return Err(Status::BadRequest);
    };
    let newest = height.saturating_sub(1);
    let first = match start {
        Position::Newest(_) => newest,
        Position::Oldest(_) => 0,
        Position::Specified(specified) => specified.number,
        Position::NextCommit(_) => height,
    };
    let last = match stop {
        Position::Oldest(_) => first,
        Position::Newest(_) => newest,
        Position::Specified(specified) if specified.number < first => return Err(Status::BadRequest),
        Position::Specified(specified) => specified.number,
        // Fabric knows no such end and falls back to block zero.
        Position::NextCommit(_) => 0,
    };
    Ok((first, last))
}

/// Whether the reader may go on reading.
struct Session {
    sequence: u64,
    expires_at: Option<SystemTime>,
}

impl Session {
    fn open<S: DeliverService>(service: &S, config: &ChannelConfig, request: &DeliverRequest) -> Result<Self, Refusal> {
        // An identity that cannot be read does not expire; the policy is what refuses it.
        let identity = config.msps().deserialize(&request.signed.identity).ok();
        let session = Self { sequence: config.sequence(), expires_at: identity.map(|identity| identity.expires_at()) };
        session.check_expiry()?;
        service.authorize(config, request)?;
        Ok(session)
    }

    fn check<S: DeliverService>(
        &mut self,
        service: &S,
        config: &ChannelConfig,
        request: &DeliverRequest,
    ) -> Result<(), Refusal> {
        self.check_expiry()?;
        if config.sequence() != self.sequence {
            service.authorize(config, request)?;
            self.sequence = config.sequence();
        }
        Ok(())
    }

    fn check_expiry(&self) -> Result<(), Refusal> {
        match self.expires_at {
            Some(end) if end < SystemTime::now() => Err(Refusal("deliver client identity expired".into())),
            _ => Ok(()),
        }
    }
}
