//! What chaincode may ask for, one function a message type.

mod batch;
mod metadata;
mod private;
mod query;

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use prost::Message;
use tokio_util::sync::CancellationToken;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::protos::{
    ChaincodeMessage, ChaincodeSpec, DelState, GetState, GetStateMultiple, GetStateMultipleResult, PutState,
    chaincode_message::Type,
};

use crate::{
    simulation::Simulation,
    stream::{cursor::Cursors, errors::RequestError, message::encode, session::Session},
    transaction::Transaction,
};

/// What an execution needs from outside its stream.
pub(crate) trait Host: Send + Sync {
    /// The configuration of a channel.
    fn channel_config(&self, channel: &str) -> Option<Arc<ChannelConfig>>;

    /// How many rows one query may return in all.
    fn total_query_limit(&self) -> u32;

    /// Whether `namespace` has this private data collection, defined or implicit, as the transaction sees it.
    fn has_collection(&self, transaction: &Transaction, namespace: &str, collection: &str) -> bool;

    /// Calls another chaincode and returns its final message.
    fn invoke(
        self: Arc<Self>,
        transaction: Arc<Transaction>,
        tree: Arc<CallTree>,
        caller: String,
        spec: ChaincodeSpec,
    ) -> BoxFuture<'static, Result<ChaincodeMessage, RequestError>>;
}

/// One transaction and every call that its chaincode makes of others.
#[derive(Debug, Default)]
pub(crate) struct CallTree {
    /// The stream that each chaincode, by ID, was called on.
    streams: Mutex<Vec<(String, Weak<Session>)>>,
    /// A stream below the first was lost, and the whole is to be thrown away.
    pub(crate) lost: CancellationToken,
    /// Whether the whole may be run again.
    repeatable: AtomicBool,
}

impl CallTree {
    pub(crate) fn may_be_repeated(&self) {
        self.repeatable.store(true, Ordering::Release);
    }

    pub(crate) fn is_repeatable(&self) -> bool {
        self.repeatable.load(Ordering::Acquire)
    }

    /// The stream that `id` was called on before: a transaction stays on its streams.
    pub(crate) fn stream(&self, id: &str) -> Option<Arc<Session>> {
        let streams = self.streams.lock();
        streams.iter().find(|(called, _)| called == id).and_then(|(_, session)| session.upgrade())
    }

    /// Notes the stream that `id` is called on.
    pub(crate) fn call_on(&self, id: &str, session: &Arc<Session>) {
        let mut streams = self.streams.lock();
        let session = Arc::downgrade(session);
        match streams.iter_mut().find(|(called, _)| called == id) {
            Some(entry) => entry.1 = session,
            None => streams.push((id.to_owned(), session)),
        }
    }
}

/// What belongs to one transaction under execution, and ends with it.
pub(crate) struct Context {
    namespace: String,
    init: bool,
    transaction: Arc<Transaction>,
    tree: Arc<CallTree>,
    cursors: Cursors,
    host: Arc<dyn Host>,
}

impl Context {
    pub(crate) fn new(
        namespace: String,
        init: bool,
        transaction: Arc<Transaction>,
        tree: Arc<CallTree>,
        host: Arc<dyn Host>,
        cursors: Cursors,
    ) -> Self {
        Self { namespace, init, transaction, tree, cursors, host }
    }

    /// Serves one request and returns the payload of RESPONSE.
    pub(crate) async fn serve(&mut self, kind: Type, payload: Bytes) -> Result<Bytes, RequestError> {
        match kind {
            Type::GetState => self.get_state(&GetState::decode(payload)?),
            Type::GetStateMultiple => self.get_state_multiple(&GetStateMultiple::decode(payload)?),
            Type::PutState => self.put_state(PutState::decode(payload)?),
            Type::DelState => self.delete_state(&DelState::decode(payload)?),
            Type::GetStateByRange => self.range(payload),
            Type::GetQueryResult => self.query(payload),
            Type::GetHistoryForKey => self.history(payload),
            Type::QueryStateNext => self.next_page(payload),
            Type::QueryStateClose => self.close_query(payload),
            Type::GetStateMetadata => self.get_metadata(payload),
            Type::PutStateMetadata => self.put_metadata(payload),
            Type::GetPrivateDataHash => self.private_hash(payload),
            Type::PurgePrivateData => self.purge(payload),
            Type::WriteBatchState => self.write_batch(payload),
            Type::InvokeChaincode => {
                let spec = ChaincodeSpec::decode(payload)?;
                let call =
                    self.host.clone().invoke(self.transaction.clone(), self.tree.clone(), self.namespace.clone(), spec);
                Ok(encode(&call.await?))
            }
            // The driver lets nothing else through.
            _ => Err(RequestError::NoContext),
        }
    }

    fn get_state(&self, request: &GetState) -> Result<Bytes, RequestError> {
        self.only_public(&request.collection)?;
        let value = self.simulation()?.get_state(&self.namespace, &request.key)?;
        Ok(value.unwrap_or_default())
    }

    fn get_state_multiple(&self, request: &GetStateMultiple) -> Result<Bytes, RequestError> {
        self.only_public(&request.collection)?;
        let values = self.simulation()?.get_state_multiple(&self.namespace, &request.keys)?;
        let values = values.into_iter().map(Option::unwrap_or_default).collect();
        Ok(encode(&GetStateMultipleResult { values }))
    }

    fn put_state(&self, request: PutState) -> Result<Bytes, RequestError> {
        self.only_public(&request.collection)?;
        self.simulation()?.put_state(&self.namespace, &request.key, request.value)?;
        Ok(Bytes::new())
    }

    fn delete_state(&self, request: &DelState) -> Result<Bytes, RequestError> {
        self.only_public(&request.collection)?;
        self.simulation()?.delete_state(&self.namespace, &request.key)?;
        Ok(Bytes::new())
    }

    fn simulation(&self) -> Result<&dyn Simulation, RequestError> {
        self.transaction.simulation.as_deref().ok_or(RequestError::NoContext)
    }

    /// Fails as `otherwise` unless the channel has this application capability, or a later one.
    fn capability(&self, name: &str, otherwise: RequestError) -> Result<(), RequestError> {
        let channel = &self.transaction.channel;
        let config = self.host.channel_config(channel).filter(|config| config.has_application());
        let config = config.ok_or_else(|| RequestError::NoApplicationConfig(channel.clone()))?;
        if config.application_capability(name) { Ok(()) } else { Err(otherwise) }
    }
}
