//! One transaction, as chaincode sees it.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use windlass_proto::{
    hash::Digest,
    msp::SerializedIdentity,
    protos::{
        ChaincodeEvent, ChaincodeId, ChaincodeInput, ChaincodeMessage, ChaincodeSpec, DelState, GetState,
        GetStateMetadata, GetStateMultiple, GetStateMultipleResult, PutState, PutStateMetadata, SignedProposal,
        StateMetadata, StateMetadataResult, chaincode_message::Type,
    },
};

use crate::{
    Error, KeyValue, Modification, Page, Private, Response, Rows,
    batch::Batch,
    composite,
    exchange::{Caller, decode},
    proposal::ProposalParts,
    rows::{self, Paging, Scan},
};

/// The metadata entry that holds a key's endorsement policy.
// Fabric: chaincode-protocol §10
const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";

/// The smallest portion in which batches and multiple reads go out, whatever the peer advertises.
// Fabric: chaincode-protocol §16
const SMALLEST_PORTION: usize = 100;

/// One transaction, as chaincode sees it: its arguments, its caller, and the ledger.
///
/// Reads see the state before the transaction: never its own writes. A request waits for the one before it, because
/// the peer takes one at a time; a transaction that joins several gains nothing and loses nothing.
#[derive(Debug)]
pub struct Stub {
    caller: Caller,
    input: ChaincodeInput,
    proposal: Option<SignedProposal>,
    parts: ProposalParts,
    event: Mutex<Option<ChaincodeEvent>>,
    batch: Mutex<Option<Batch>>,
}

/// The transaction.
impl Stub {
    pub(crate) fn new(caller: Caller, message: ChaincodeMessage) -> Result<Self, Error> {
        let input = decode("ChaincodeInput", message.payload)?;
        let parts = message.proposal.as_ref().map(ProposalParts::of).transpose()?.unwrap_or_default();
        let proposal = message.proposal;
        Ok(Self { caller, input, proposal, parts, event: Mutex::default(), batch: Mutex::default() })
    }

    /// All arguments, the function's name first.
    pub fn args(&self) -> &[Bytes] {
        &self.input.args
    }

    /// The function's name: the first argument, or nothing if there is none or it is not text.
    pub fn function(&self) -> &str {
        self.input.args.first().and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// The arguments after the function's name.
    pub fn parameters(&self) -> &[Bytes] {
        self.input.args.get(1..).unwrap_or_default()
    }

    /// A parameter, counted from 0.
    pub fn parameter(&self, index: usize) -> Result<&Bytes, Error> {
        self.parameters().get(index).ok_or(Error::MissingParameter { index })
    }

    /// A parameter as text, counted from 0.
    pub fn text(&self, index: usize) -> Result<&str, Error> {
        std::str::from_utf8(self.parameter(index)?).map_err(|_| Error::NotText { index })
    }

    /// Whether this is the call of Init.
    pub fn is_init(&self) -> bool {
        self.input.is_init
    }

    /// What the peer's decorators added.
    pub fn decorations(&self) -> &BTreeMap<String, Bytes> {
        &self.input.decorations
    }

    /// The channel; empty for calls outside any.
    pub fn channel(&self) -> &str {
        &self.caller.key.channel
    }

    /// The transaction's ID.
    pub fn tx_id(&self) -> &str {
        &self.caller.key.tx_id
    }

    /// Who signed the proposal: a serialized identity.
    pub fn creator(&self) -> &Bytes {
        &self.parts.creator
    }

    /// The MSP of who signed the proposal.
    pub fn creator_msp_id(&self) -> Result<String, Error> {
        decode::<SerializedIdentity>("SerializedIdentity", self.parts.creator.clone()).map(|identity| identity.mspid)
    }

    /// Input that never reaches the ledger.
    pub fn transient(&self) -> &BTreeMap<String, Bytes> {
        &self.parts.transient
    }

    /// When the client made the proposal, by the client's clock.
    pub fn timestamp(&self) -> Option<prost_types::Timestamp> {
        self.parts.timestamp
    }

    /// A digest that binds data to this proposal: SHA-256 of nonce, creator and epoch.
    pub fn binding(&self) -> Digest {
        self.parts.binding()
    }

    /// The proposal as the client signed it.
    pub fn signed_proposal(&self) -> Option<&SignedProposal> {
        self.proposal.as_ref()
    }

    /// Sets the transaction's event. A transaction has one: setting it again replaces it. Only the chaincode that the
    /// client called has its event recorded.
    pub fn set_event(&self, name: impl Into<String>, payload: impl Into<Bytes>) -> Result<(), Error> {
        let (event_name, payload) = (name.into(), payload.into());
        if event_name.is_empty() {
            return Err(Error::EmptyEventName);
        }
        *self.event.lock() = Some(ChaincodeEvent { event_name, payload, ..Default::default() });
        Ok(())
    }

    pub(crate) fn take_event(&self) -> Option<ChaincodeEvent> {
        self.event.lock().take()
    }
}

/// State.
impl Stub {
    /// A key's value; nothing if the key is absent.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        self.get_from("", key).await
    }

    /// The values of several keys, in their order. One request where the peer can, one a key where it cannot.
    pub async fn get_multiple(&self, keys: &[impl AsRef<str>]) -> Result<Vec<Option<Bytes>>, Error> {
        let keys = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        self.get_multiple_from("", keys).await
    }

    /// Writes a key. An empty value deletes it.
    // Fabric: chaincode-protocol trap 22
    pub async fn put(&self, key: &str, value: impl Into<Bytes>) -> Result<(), Error> {
        self.put_into("", key, value.into()).await
    }

    /// Deletes a key.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        self.delete_from("", key).await
    }

    /// The endorsement policy of a key, if it has one: a marshalled signature policy envelope.
    pub async fn validation_parameter(&self, key: &str) -> Result<Option<Bytes>, Error> {
        self.validation_parameter_from("", key).await
    }

    /// Sets the endorsement policy of a key.
    pub async fn set_validation_parameter(&self, key: &str, policy: impl Into<Bytes>) -> Result<(), Error> {
        self.set_validation_parameter_in("", key, policy.into()).await
    }

    /// The private data of a collection.
    pub fn private<'a>(&'a self, collection: &'a str) -> Private<'a> {
        Private::new(self, collection)
    }
}

/// Queries.
impl Stub {
    /// The simple keys from `start` (included; empty: the first) to `end` (excluded; empty: the last).
    pub async fn range(&self, start: &str, end: &str) -> Result<Rows<'_, KeyValue>, Error> {
        let (start, end) = rows::simple_range(start, end)?;
        Rows::open(&self.caller, Scan::range("", start, end, None)).await
    }

    /// A page of [`range`](Self::range): at most `size` rows from `bookmark` on, which is empty for the first page.
    /// Only for transactions that write nothing.
    pub async fn range_page(&self, start: &str, end: &str, size: i32, bookmark: &str) -> Result<Page<KeyValue>, Error> {
        let (start, end) = rows::simple_range(start, end)?;
        rows::page(&self.caller, Scan::range("", start, end, Some(Paging { size, bookmark }))).await
    }

    /// The composite keys of a type that begin with these attributes.
    pub async fn composite_range(
        &self,
        object_type: &str,
        attributes: &[impl AsRef<str> + Sync],
    ) -> Result<Rows<'_, KeyValue>, Error> {
        let (start, end) = composite::range(object_type, attributes)?;
        Rows::open(&self.caller, Scan::range("", start, end, None)).await
    }

    /// A page of [`composite_range`](Self::composite_range).
    pub async fn composite_range_page(
        &self,
        object_type: &str,
        attributes: &[impl AsRef<str> + Sync],
        size: i32,
        bookmark: &str,
    ) -> Result<Page<KeyValue>, Error> {
        let (start, end) = composite::range(object_type, attributes)?;
        rows::page(&self.caller, Scan::range("", start, end, Some(Paging { size, bookmark }))).await
    }

    /// A rich query in the language of the peer's state database.
    pub async fn query(&self, query: &str) -> Result<Rows<'_, KeyValue>, Error> {
        Rows::open(&self.caller, Scan::query("", query, None)).await
    }

    /// A page of [`query`](Self::query).
    pub async fn query_page(&self, query: &str, size: i32, bookmark: &str) -> Result<Page<KeyValue>, Error> {
        rows::page(&self.caller, Scan::query("", query, Some(Paging { size, bookmark }))).await
    }

    /// What happened to a key, newest first.
    pub async fn history(&self, key: &str) -> Result<Rows<'_, Modification>, Error> {
        Rows::open(&self.caller, Scan::history(key)).await
    }
}

/// Other chaincode, and batches.
impl Stub {
    /// Calls another chaincode within this transaction: on this channel if `channel` is empty, where its writes join
    /// ours; on another channel its writes are lost. Fails when the call could not be made or the callee failed
    /// outright; a refusal of the callee is a [`Response`] with its status.
    pub async fn invoke_chaincode(
        &self,
        name: &str,
        args: impl IntoIterator<Item = impl Into<Bytes>>,
        channel: &str,
    ) -> Result<Response, Error> {
        let name = if channel.is_empty() { name.to_owned() } else { format!("{name}/{channel}") };
        let args = args.into_iter().map(Into::into).collect();
        let spec = ChaincodeSpec {
            chaincode_id: Some(ChaincodeId { name, ..Default::default() }),
            input: Some(ChaincodeInput { args, ..Default::default() }),
            ..Default::default()
        };
        let answer: ChaincodeMessage = self.caller.ask_for(Type::InvokeChaincode, &spec, "ChaincodeMessage").await?;
        match answer.r#type() {
            Type::Completed => Ok(decode::<windlass_proto::protos::Response>("Response", answer.payload)?.into()),
            _ => Err(Error::Peer(String::from_utf8_lossy(&answer.payload).into_owned())),
        }
    }

    /// From here on, writes are collected and sent together: by [`finish_write_batch`](Self::finish_write_batch), or
    /// when the function returns. Of several writes of a key the last counts. Without effect where the peer takes no
    /// batches, or while one is open.
    pub fn start_write_batch(&self) {
        if self.caller.abilities().use_write_batch {
            self.batch.lock().get_or_insert_default();
        }
    }

    /// Sends what was collected since [`start_write_batch`](Self::start_write_batch).
    pub async fn finish_write_batch(&self) -> Result<(), Error> {
        let Some(batch) = self.batch.lock().take() else { return Ok(()) };
        let portion = SMALLEST_PORTION.max(self.caller.abilities().max_size_write_batch as usize);
        for records in batch.portions(portion) {
            self.caller.ask(Type::WriteBatchState, &records).await?;
        }
        Ok(())
    }
}

/// What public and private state share; the public collection is the empty one.
impl Stub {
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Records a write in the open batch, if there is one.
    pub(crate) fn batched(&self, record: impl FnOnce(&mut Batch)) -> bool {
        let mut batch = self.batch.lock();
        batch.as_mut().map(record).is_some()
    }

    pub(crate) async fn get_from(&self, collection: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let request = GetState { key: key.to_owned(), collection: collection.to_owned() };
        let value = self.caller.ask(Type::GetState, &request).await?;
        Ok(present(value))
    }

    pub(crate) async fn get_multiple_from(
        &self,
        collection: &str,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let mut values = Vec::with_capacity(keys.len());
        let abilities = self.caller.abilities();
        if !abilities.use_get_multiple_keys {
            for key in &keys {
                values.push(self.get_from(collection, key).await?);
            }
            return Ok(values);
        }
        let portion = SMALLEST_PORTION.max(abilities.max_size_get_multiple_keys as usize);
        for keys in keys.chunks(portion) {
            let request = GetStateMultiple { keys: keys.to_vec(), collection: collection.to_owned() };
            let result: GetStateMultipleResult =
                self.caller.ask_for(Type::GetStateMultiple, &request, "GetStateMultipleResult").await?;
            if result.values.len() != keys.len() {
                let found = result.values.len();
                return Err(Error::new(format!("expected {} values from the peer, found {found}", keys.len())));
            }
            values.extend(result.values.into_iter().map(present));
        }
        Ok(values)
    }

    pub(crate) async fn put_into(&self, collection: &str, key: &str, value: Bytes) -> Result<(), Error> {
        // Fabric: chaincode-protocol §16
        if key.is_empty() {
            return Err(Error::EmptyKey);
        }
        if self.batched(|batch| batch.put(collection, key, value.clone())) {
            return Ok(());
        }
        let request = PutState { key: key.to_owned(), value, collection: collection.to_owned() };
        self.caller.ask(Type::PutState, &request).await.map(drop)
    }

    pub(crate) async fn delete_from(&self, collection: &str, key: &str) -> Result<(), Error> {
        if self.batched(|batch| batch.delete(collection, key)) {
            return Ok(());
        }
        let request = DelState { key: key.to_owned(), collection: collection.to_owned() };
        self.caller.ask(Type::DelState, &request).await.map(drop)
    }

    pub(crate) async fn validation_parameter_from(&self, collection: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let request = GetStateMetadata { key: key.to_owned(), collection: collection.to_owned() };
        let result: StateMetadataResult =
            self.caller.ask_for(Type::GetStateMetadata, &request, "StateMetadataResult").await?;
        Ok(result.entries.into_iter().find(|entry| entry.metakey == VALIDATION_PARAMETER).map(|entry| entry.value))
    }

    pub(crate) async fn set_validation_parameter_in(
        &self,
        collection: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), Error> {
        if key.is_empty() {
            return Err(Error::EmptyKey);
        }
        let metadata = StateMetadata { metakey: VALIDATION_PARAMETER.to_owned(), value };
        if self.batched(|batch| batch.set_metadata(collection, key, metadata.clone())) {
            return Ok(());
        }
        let (key, collection) = (key.to_owned(), collection.to_owned());
        let request = PutStateMetadata { key, collection, metadata: Some(metadata) };
        self.caller.ask(Type::PutStateMetadata, &request).await.map(drop)
    }
}

/// Absent and empty are the same on the wire.
// Fabric: chaincode-protocol §5
pub(crate) fn present(value: Bytes) -> Option<Bytes> {
    (!value.is_empty()).then_some(value)
}

impl Stub {
    /// The final message of this transaction.
    pub(crate) fn completed(&self, kind: Type, payload: Bytes, event: Option<ChaincodeEvent>) -> ChaincodeMessage {
        ChaincodeMessage {
            r#type: kind as i32,
            payload,
            txid: self.tx_id().to_owned(),
            channel_id: self.channel().to_owned(),
            chaincode_event: event,
            ..Default::default()
        }
    }

    pub(crate) fn response(&self, response: Response) -> ChaincodeMessage {
        let payload = windlass_proto::protos::Response::from(response).encode_to_vec().into();
        self.completed(Type::Completed, payload, self.take_event())
    }
}
