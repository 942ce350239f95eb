//! Application policies, each looked up and compiled once a block.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use windlass_chaincode::lifecycle::ValidationInfo;
use windlass_identity::{ChannelConfig, Identity, SignaturePolicy};
use windlass_proto::{
    common::SignaturePolicyEnvelope,
    protos::{ApplicationPolicy, TxValidationCode, application_policy},
};

use super::{
    Fault, Halt, invalid,
    state::{ChannelState, NoCollection},
};

/// The policies that a block's transactions have needed so far.
pub(super) struct Policies<'a, S> {
    config: &'a ChannelConfig,
    state: &'a S,
    definitions: Cache<String, Option<Arc<ValidationInfo>>>,
    collections: Cache<(String, String), Result<Bytes, String>>,
    application: Cache<Bytes, Arc<Compiled>>,
    signature: Cache<Bytes, Arc<Compiled>>,
}

/// A policy ready for use.
enum Compiled {
    Signature(SignaturePolicy),
    /// A policy of the channel's configuration, by its absolute path.
    Channel(String),
    /// No policy; nothing satisfies it. The reason is for the log.
    Unusable(String),
}

impl<'a, S: ChannelState> Policies<'a, S> {
    pub(super) fn new(config: &'a ChannelConfig, state: &'a S) -> Self {
        Self {
            config,
            state,
            definitions: Cache::default(),
            collections: Cache::default(),
            application: Cache::default(),
            signature: Cache::default(),
        }
    }

    /// How a chaincode is validated; `None` if it is not defined.
    pub(super) fn definition(&self, chaincode: &str) -> Result<Option<Arc<ValidationInfo>>, Fault> {
        self.definitions.get(chaincode.to_owned(), || {
            let found = self.state.validation_info(chaincode);
            let found = found.map_err(|reason| halted(format!("the definition of {chaincode}"), reason))?;
            Ok(found.map(Arc::new))
        })
    }

    /// The policy for writes to a collection. One that does not exist cannot be written.
    pub(super) fn collection(&self, chaincode: &str, collection: &str) -> Result<Bytes, Fault> {
        let found = self.collections.get((chaincode.to_owned(), collection.to_owned()), || {
            match self.state.collection_policy(chaincode, collection) {
                Ok(policy) => Ok(Ok(policy)),
                Err(NoCollection::Undefined(reason)) => Ok(Err(reason)),
                Err(NoCollection::Unreadable(reason)) => {
                    Err(halted(format!("collection {collection} of {chaincode}"), reason))
                }
            }
        })?;
        found.or_else(|reason| invalid(TxValidationCode::EndorsementPolicyFailure, reason))
    }

    /// Whether the endorsers satisfy a serialized application policy.
    pub(super) fn evaluate(&self, policy: &Bytes, endorsers: &[Arc<Identity>]) -> Result<(), String> {
        self.judge(&self.application.compiled(policy, |policy| self.compile(policy)), endorsers)
    }

    /// Whether the endorsers satisfy a serialized signature policy.
    pub(super) fn evaluate_signature_policy(&self, policy: &Bytes, endorsers: &[Arc<Identity>]) -> Result<(), String> {
        self.judge(&self.signature.compiled(policy, Compiled::signature), endorsers)
    }

    fn judge(&self, policy: &Compiled, endorsers: &[Arc<Identity>]) -> Result<(), String> {
        let msps = self.config.msps();
        let outcome = match policy {
            Compiled::Signature(policy) => policy.evaluate_identities(msps, endorsers),
            // A policy that the channel lacks is satisfied by nobody.
            Compiled::Channel(path) => self.config.policies().evaluate_identities(path, msps, endorsers),
            Compiled::Unusable(reason) => return Err(reason.clone()),
        };
        outcome.map_err(|error| error.to_string())
    }

    fn compile(&self, bytes: &Bytes) -> Compiled {
        let policy = match ApplicationPolicy::decode(bytes.clone()) {
            Ok(policy) => policy,
            Err(error) => return Compiled::Unusable(format!("error unmarshalling ApplicationPolicy: {error}")),
        };
        match policy.r#type {
            // Definitions from before `_lifecycle` hold a bare signature policy. Its rule reads as a reference,
            // but its list of identities is then missing from what we would write.
            Some(application_policy::Type::ChannelConfigPolicyReference(_))
                if policy.encoded_len() != bytes.len() && SignaturePolicyEnvelope::decode(bytes.clone()).is_ok() =>
            {
                Compiled::signature(bytes)
            }
            Some(application_policy::Type::ChannelConfigPolicyReference(reference)) => {
                Compiled::Channel(ChannelConfig::absolute_policy(&reference))
            }
            Some(application_policy::Type::SignaturePolicy(envelope)) => Compiled::envelope(&envelope),
            None => Compiled::Unusable("unsupported policy type <nil>".to_owned()),
        }
    }
}

impl Compiled {
    fn signature(bytes: &Bytes) -> Self {
        match SignaturePolicyEnvelope::decode(bytes.clone()) {
            Ok(envelope) => Self::envelope(&envelope),
            Err(error) => Self::Unusable(format!("error unmarshalling SignaturePolicyEnvelope: {error}")),
        }
    }

    fn envelope(envelope: &SignaturePolicyEnvelope) -> Self {
        match SignaturePolicy::compile(envelope) {
            Ok(policy) => Self::Signature(policy),
            Err(error) => Self::Unusable(error.to_string()),
        }
    }
}

fn halted(what: String, reason: String) -> Fault {
    Fault::Halt(Halt::State { what, reason })
}

/// Values that are the same for the whole block. Two threads may find the same one; both find the same.
struct Cache<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    fn get(&self, key: K, find: impl FnOnce() -> Result<V, Fault>) -> Result<V, Fault> {
        if let Some(value) = self.0.lock().get(&key) {
            return Ok(value.clone());
        }
        let value = find()?;
        self.0.lock().insert(key, value.clone());
        Ok(value)
    }
}

impl Cache<Bytes, Arc<Compiled>> {
    fn compiled(&self, policy: &Bytes, compile: impl FnOnce(&Bytes) -> Compiled) -> Arc<Compiled> {
        if let Some(compiled) = self.0.lock().get(policy) {
            return compiled.clone();
        }
        let compiled = Arc::new(compile(policy));
        self.0.lock().insert(policy.clone(), compiled.clone());
        compiled
    }
}
