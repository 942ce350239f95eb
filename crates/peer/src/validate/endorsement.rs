//! Do the right organizations endorse what a transaction writes?
//!
//! A key may have a policy of its own; else its collection's counts, else the chaincode's. Each is evaluated
//! once, and the chaincode's even when nothing was written.
// Fabric: ledger §4 "Per-key and collection policies"

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use windlass_identity::{Identity, SignedData, verify_signature_set};
use windlass_ledger::rwset::{CollectionSet, NamespaceSet, TransactionWrites};
use windlass_proto::protos::TxValidationCode;

use super::{Fault, Halt, Judge, invalid, message::EndorsedAction, state::ChannelState};

/// The plugin that checks endorsements, the only one there is.
const PLUGIN: &str = "vscc";

/// Checks the endorsements of every namespace in turn. `passed` counts those that are in order.
pub(super) fn check<S: ChannelState>(
    judge: &Judge<'_, S>,
    action: &EndorsedAction,
    namespaces: &[String],
    writes: &TransactionWrites,
    passed: &mut usize,
) -> Result<(), Fault> {
    let endorsers = verify_signature_set(judge.config.msps(), &signatures(action));
    for namespace in namespaces {
        let set = writes.namespaces.iter().find(|set| set.name == *namespace);
        check_namespace(judge, namespace, set, &endorsers)?;
        *passed += 1;
    }
    Ok(())
}

/// Every endorser signs what was endorsed, followed by its own identity.
fn signatures(action: &EndorsedAction) -> Vec<SignedData> {
    let signed = action.endorsements.iter().map(|endorsement| SignedData {
        data: [action.endorsed.as_ref(), endorsement.endorser.as_ref()].concat().into(),
        identity: endorsement.endorser.clone(),
        signature: endorsement.signature.clone(),
    });
    signed.collect()
}

fn check_namespace<S: ChannelState>(
    judge: &Judge<'_, S>,
    namespace: &str,
    set: Option<&NamespaceSet>,
    endorsers: &[Arc<Identity>],
) -> Result<(), Fault> {
    let Some(info) = judge.policies.definition(namespace)? else {
        return invalid(TxValidationCode::InvalidChaincode, format!("chaincode {namespace} is not defined"));
    };
    if info.plugin != PLUGIN {
        let halt = Halt::UnknownPlugin { chaincode: namespace.to_owned(), plugin: info.plugin.clone() };
        return Err(Fault::Halt(halt));
    }
    let mut endorsement = Endorsement {
        judge,
        namespace,
        chaincode: &info.parameter,
        endorsers,
        held: HashSet::new(),
        own_held: HashSet::new(),
    };
    if let Some(set) = set {
        endorsement.check_public(set)?;
        for collection in &set.collections {
            endorsement.check_collection(collection)?;
        }
    }
    if endorsement.held.is_empty() && endorsement.own_held.is_empty() {
        endorsement.require(&info.parameter, || "the chaincode".to_owned())?;
    }
    Ok(())
}

/// The endorsement of one namespace under examination.
struct Endorsement<'a, S> {
    judge: &'a Judge<'a, S>,
    namespace: &'a str,
    /// The chaincode's policy.
    chaincode: &'a Bytes,
    endorsers: &'a [Arc<Identity>],
    /// The application policies that hold.
    held: HashSet<Bytes>,
    /// The keys' own policies that hold; they are of another type, in which the same bytes mean another thing.
    own_held: HashSet<Bytes>,
}

impl<S: ChannelState> Endorsement<'_, S> {
    fn check_public(&mut self, set: &NamespaceSet) -> Result<(), Fault> {
        let written = set.public.writes.iter().map(|write| &write.key);
        for key in written.chain(set.public.metadata_writes.iter().map(|write| &write.key)) {
            let own = self.judge.state.key_policy(self.namespace, key);
            match own.map_err(|reason| self.judge.unreadable(format!("the policy of key {key}"), reason))? {
                Some(policy) => self.require_key(&policy, key.as_bytes())?,
                None => self.require(self.chaincode, || "the chaincode".to_owned())?,
            }
        }
        Ok(())
    }

    fn check_collection(&mut self, collection: &CollectionSet) -> Result<(), Fault> {
        let name = collection.name.as_str();
        let written = collection.hashed.hashed_writes.iter().map(|write| &write.key_hash);
        for key_hash in written.chain(collection.hashed.metadata_writes.iter().map(|write| &write.key_hash)) {
            let own = self.judge.state.private_key_policy(self.namespace, name, key_hash);
            match own.map_err(|reason| self.judge.unreadable("the policy of a private key", reason))? {
                Some(policy) => self.require_key(&policy, key_hash)?,
                None => {
                    let policy = self.judge.policies.collection(self.namespace, name)?;
                    self.require(&policy, || format!("collection {name}"))?;
                }
            }
        }
        Ok(())
    }

    /// A key's own policy is a bare signature policy.
    fn require_key(&mut self, policy: &Bytes, key: &[u8]) -> Result<(), Fault> {
        if self.own_held.contains(policy) {
            return Ok(());
        }
        let outcome = self.judge.policies.evaluate_signature_policy(policy, self.endorsers);
        outcome.or_else(|reason| self.fail(&format!("key {}", String::from_utf8_lossy(key)), &reason))?;
        self.own_held.insert(policy.clone());
        Ok(())
    }

    fn require(&mut self, policy: &Bytes, whose: impl Fn() -> String) -> Result<(), Fault> {
        if self.held.contains(policy) {
            return Ok(());
        }
        let outcome = self.judge.policies.evaluate(policy, self.endorsers);
        outcome.or_else(|reason| self.fail(&whose(), &reason))?;
        self.held.insert(policy.clone());
        Ok(())
    }

    fn fail(&self, whose: &str, reason: &str) -> Result<(), Fault> {
        let reason = format!("the endorsement policy of {whose} of {} failed: {reason}", self.namespace);
        invalid(TxValidationCode::EndorsementPolicyFailure, reason)
    }
}
