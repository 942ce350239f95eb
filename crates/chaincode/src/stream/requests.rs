//! What chaincode may ask for, one function a message type.

mod batch;
mod metadata;
mod private;
mod query;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use prost::Message;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::protos::{
    ChaincodeMessage, ChaincodeSpec, DelState, GetState, GetStateMultiple, GetStateMultipleResult, PutState,
    chaincode_message::Type,
};

use crate::{
    simulation::Simulation,
    stream::{cursor::Cursors, errors::RequestError, message::encode},
    transaction::Transaction,
};

/// What an execution needs from outside its stream.
pub(crate) trait Host: Send + Sync {
    /// The configuration of a channel.
    fn channel_config(&self, channel: &str) -> Option<Arc<ChannelConfig>>;

    /// How many rows one query may return in all.
    fn total_query_limit(&self) -> u32;

    /// Calls another chaincode and returns its final message.
    fn invoke(
        self: Arc<Self>,
        transaction: Arc<Transaction>,
        caller: String,
        spec: ChaincodeSpec,
    ) -> BoxFuture<'static, Result<ChaincodeMessage, RequestError>>;
}

/// What belongs to one transaction under execution, and ends with it.
pub(crate) struct Context {
    namespace: String,
    init: bool,
    transaction: Arc<Transaction>,
    cursors: Cursors,
    host: Arc<dyn Host>,
}

impl Context {
    pub(crate) fn new(namespace: String, init: bool, transaction: Arc<Transaction>, host: Arc<dyn Host>) -> Self {
        Self { namespace, init, transaction, cursors: Cursors::default(), host }
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
                let call = self.host.clone().invoke(self.transaction.clone(), self.namespace.clone(), spec);
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
