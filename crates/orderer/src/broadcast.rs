//! From a client's message to its place in a channel's queue, and back to the client with the outcome.
//!
//! - `admit`: the checks on a message
//! - `rejection`: why a message is refused, with status and text

mod admit;
mod rejection;

use futures::{Stream, StreamExt, stream};
use tokio::sync::oneshot;
use windlass_proto::{
    common::{ChannelHeader, Envelope, HeaderType, Payload, Status},
    envelope::decode,
    orderer::BroadcastResponse,
};

pub use admit::{Access, PreparedUpdate, check_message, check_policy, prepare_update};
pub use rejection::Rejection;

use crate::{
    Orderer,
    chain::{Submission, Work},
};

/// How many messages of one stream may be on their way at once.
const IN_FLIGHT: usize = 256;

/// A queued message's outcome to come.
#[derive(Debug)]
pub(crate) struct Ticket {
    outcome: oneshot::Receiver<Result<u64, Rejection>>,
}

impl Ticket {
    /// Waits until the message is in a durable block, or refused after all.
    pub(crate) async fn outcome(self) -> BroadcastResponse {
        // A task that ends drops what it has not answered.
        match self.outcome.await.unwrap_or(Err(Rejection::Stopped)) {
            Ok(_) => BroadcastResponse { status: Status::Success as i32, info: String::new() },
            Err(rejection) => rejection.response(),
        }
    }
}

/// Checks a message and queues it. The error is the response to send.
pub(crate) async fn submit(orderer: &Orderer, envelope: Envelope) -> Result<Ticket, BroadcastResponse> {
    enqueue(orderer, envelope).await.map_err(|rejection| {
        tracing::debug!(%rejection, "message refused");
        rejection.response()
    })
}

async fn enqueue(orderer: &Orderer, envelope: Envelope) -> Result<Ticket, Rejection> {
    let header = channel_header(&envelope)?;
    let chain = orderer.chain_of(&header.channel_id).ok_or(Rejection::UnknownChannel)?;
    let config = chain.state().config();
    let work = match HeaderType::try_from(header.r#type) {
        Ok(HeaderType::Config | HeaderType::OrdererTransaction) => return Err(Rejection::Direct),
        Ok(HeaderType::ConfigUpdate) => Work::Update(Box::new(prepare_update(&config, envelope, orderer.signer())?)),
        _ => {
            check_message(&config, &envelope)?;
            Work::Message(envelope)
        }
    };
    let (reply, outcome) = oneshot::channel();
    chain.submit(Submission { work, sequence: config.sequence(), reply }).await?;
    Ok(Ticket { outcome })
}

/// Finds the channel that a message is for.
fn channel_header(envelope: &Envelope) -> Result<ChannelHeader, Rejection> {
    let unreadable = |reason: String| Rejection::NoChannel(reason);
    let payload: Payload = decode("Payload", &envelope.payload).map_err(|error| unreadable(error.to_string()))?;
    let header = payload.header.ok_or_else(|| unreadable("header not set".into()))?;
    if header.channel_header.is_empty() {
        return Err(unreadable("channel header not set".into()));
    }
    decode("ChannelHeader", &header.channel_header).map_err(|error| unreadable(error.to_string()))
}

/// Serves one Broadcast stream: responses in the order of the messages, and none after the first that is not
/// SUCCESS. Messages are checked one by one but may share blocks: the next one does not wait for the block of
/// the one before.
// Fabric: ledger §6, §11
pub(crate) fn serve<R>(
    orderer: Orderer,
    requests: R,
) -> impl Stream<Item = Result<BroadcastResponse, tonic::Status>> + Send
where
    R: Stream<Item = Result<Envelope, tonic::Status>> + Send + 'static,
{
    let submitted = requests.then(move |request| {
        let orderer = orderer.clone();
        async move { Ok(submit(&orderer, request?).await) }
    });
    // What follows a refused message is not looked at.
    let submitted = through_first(submitted, |submitted| !matches!(submitted, Ok(Ok(_))));
    let outcomes = submitted.map(|submitted: Result<_, tonic::Status>| async move {
        Ok(match submitted? {
            Ok(ticket) => ticket.outcome().await,
            Err(response) => response,
        })
    });
    let failed = |outcome: &Result<BroadcastResponse, tonic::Status>| !matches!(outcome, Ok(response) if response.status == Status::Success as i32);
    through_first(outcomes.buffered(IN_FLIGHT), failed)
}

/// The items of `source` up to and including the first that `is_last` holds for.
fn through_first<S: Stream + Send>(
    source: S,
    is_last: impl Fn(&S::Item) -> bool + Send,
) -> impl Stream<Item = S::Item> + Send
where
    S::Item: Send,
{
    let state = Some((Box::pin(source), is_last));
    stream::unfold(state, |state| async move {
        let (mut source, is_last) = state?;
        let item = source.next().await?;
        let more = (!is_last(&item)).then_some((source, is_last));
        Some((item, more))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn asks_for_nothing_after_the_last() {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let source = stream::iter(1..10).inspect(|_| {
            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        let items: Vec<i32> = through_first(source, |item| *item == 3).collect().await;
        assert_eq!(items, [1, 2, 3]);
        assert_eq!(asked.into_inner(), 3);
    }
}
