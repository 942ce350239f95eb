//! One transaction on a session.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use prost::Message;
use tokio::time::{Instant, timeout};
use windlass_proto::protos::{ChaincodeInput, ChaincodeMessage, chaincode_message::Type};
use windlass_transport::MAX_MESSAGE_SIZE;

use crate::{
    stream::{
        cursor::Cursors,
        errors::{RequestError, SendError, request_failed, short},
        message::{ReturnAddress, encode},
        requests::{CallTree, Context, Host},
        session::{LaneHandle, Session},
    },
    transaction::Transaction,
};

/// What to execute.
pub(crate) struct Execution {
    /// The chaincode's name: its namespace in the ledger.
    pub(crate) namespace: String,
    /// Whether this is the call of Init.
    pub(crate) init: bool,
    pub(crate) transaction: Arc<Transaction>,
    /// The calls that it is one of.
    pub(crate) tree: Arc<CallTree>,
    pub(crate) input: ChaincodeInput,
}

/// Executes one transaction and returns the final message, COMPLETED or ERROR. The future owns everything
/// that belongs to the transaction on its lane, open queries included; whoever drops it ends the transaction, and what
/// the chaincode asks for afterwards finds no context.
pub(crate) async fn execute(
    lane: LaneHandle,
    host: &Arc<dyn Host>,
    execution: Execution,
    limit: Duration,
) -> Result<ChaincodeMessage, SendError> {
    let Execution { namespace, init, transaction, tree, input } = execution;
    let session = lane.session().clone();
    let kind = if init { Type::Init } else { Type::Transaction };
    let message = ChaincodeMessage {
        r#type: kind as i32,
        payload: encode(&input),
        txid: transaction.tx_id.clone(),
        channel_id: transaction.channel.clone(),
        proposal: transaction.proposal.as_deref().cloned(),
        ..Default::default()
    };
    if let Some(refusal) = too_large(kind, &message) {
        return Ok(refusal);
    }
    let expired = |_| {
        session.metrics.execute_timeout(session.id());
        SendError::Timeout
    };
    // The time of the transaction begins when it is queued; a full queue has the same time to drain.
    // Fabric: chaincode-protocol §9
    timeout(limit, session.send(message)).await.map_err(expired)??;
    let context = Context::new(namespace, init, transaction, tree, host.clone(), Cursors::on(&session));
    timeout(limit, answer_requests(lane, context)).await.map_err(expired)?
}

async fn answer_requests(mut lane: LaneHandle, mut context: Context) -> Result<ChaincodeMessage, SendError> {
    while let Some(message) = lane.next().await {
        match Type::try_from(message.r#type) {
            Ok(Type::Completed | Type::Error) | Err(_) => return Ok(message),
            Ok(kind) => {
                let answer = answer(kind, message, lane.session(), &mut context).await;
                lane.answer(answer).await?;
            }
        }
    }
    Err(lane.session().terminated())
}

/// Serves one request. There is always exactly one answer.
async fn answer(
    kind: Type,
    message: ChaincodeMessage,
    session: &Arc<Session>,
    context: &mut Context,
) -> ChaincodeMessage {
    let began = Instant::now();
    let address = ReturnAddress::of(&message);
    let served = AssertUnwindSafe(context.serve(kind, message.payload)).catch_unwind().await;
    let outcome = served.unwrap_or(Err(RequestError::Panic)).and_then(|payload| {
        let response = address.response(payload);
        let size = response.encoded_len();
        if size > MAX_MESSAGE_SIZE {
            return Err(RequestError::AnswerTooLarge { size, limit: MAX_MESSAGE_SIZE });
        }
        Ok(response)
    });
    let name = kind.as_str_name();
    session.metrics.shim_request_completed(name, &address.channel, session.id(), outcome.is_ok(), began.elapsed());
    outcome.unwrap_or_else(|error| {
        let text = request_failed(name, &address.tx_id, &error);
        tracing::debug!(id = session.id(), "{text}");
        address.error(text)
    })
}

/// What a call that no message can carry ends with. Fabric ends the stream as well; we keep it for the others.
// Fabric: chaincode-protocol §9
fn too_large(kind: Type, message: &ChaincodeMessage) -> Option<ChaincodeMessage> {
    let size = message.encoded_len();
    let tx_id = &message.txid;
    (size > MAX_MESSAGE_SIZE).then(|| {
        ReturnAddress::of(message).error(format!(
            "[{}] error sending {}: rpc error: code = ResourceExhausted desc = trying to send message larger than max \
             ({size} vs. {MAX_MESSAGE_SIZE})",
            short(tx_id),
            kind.as_str_name()
        ))
    })
}
