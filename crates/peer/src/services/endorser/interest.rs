//! What a simulation touched, as the Gateway needs it to find the endorsers still missing.

use prost::Message;
use windlass_ledger::{NamespaceInterest, SimulationResults};
use windlass_proto::{
    common::SignaturePolicyEnvelope,
    protos::{ChaincodeCall, ChaincodeInterest},
};

/// One call for each namespace that a policy of the namespace or of its keys decides on, and one for each collection
/// whose policy or readers count. System namespaces count for nobody.
// Fabric: endorsement-and-gateway §2 "interest"
pub(super) fn of(results: &SimulationResults, is_system: impl Fn(&str) -> bool) -> ChaincodeInterest {
    let mut chaincodes = Vec::new();
    for (name, touched) in results.interest.iter().filter(|(name, _)| !is_system(name) && *name != "lscc") {
        let key_policies = key_policies(touched);
        let namespace_decides = namespace_decides(touched);
        if namespace_decides || !key_policies.is_empty() {
            chaincodes.push(ChaincodeCall {
                name: name.clone(),
                key_policies,
                disregard_namespace_policy: !namespace_decides,
                ..Default::default()
            });
        }
        let collections = touched.collections.iter();
        let counting = collections.filter(|(_, touched)| touched.read || touched.written.values().any(Option::is_none));
        chaincodes.extend(counting.map(|(collection, touched)| ChaincodeCall {
            name: name.clone(),
            collection_names: vec![collection.clone()],
            no_private_reads: !touched.read,
            ..Default::default()
        }));
    }
    ChaincodeInterest { chaincodes }
}

/// Whether the namespace's own policy has a say: over public keys without one of their own, and where nothing is
/// written at all.
fn namespace_decides(touched: &NamespaceInterest) -> bool {
    let mut written = touched.written.values().peekable();
    match written.peek() {
        Some(_) => written.any(Option::is_none),
        None => touched.collections.values().all(|collection| collection.written.is_empty()),
    }
}

/// The policies of the keys written, public and private, each once.
fn key_policies(touched: &NamespaceInterest) -> Vec<SignaturePolicyEnvelope> {
    let private = touched.collections.values().flat_map(|collection| collection.written.values());
    let mut policies = Vec::new();
    for bytes in touched.written.values().chain(private).flatten() {
        // What does not decode cannot be planned for; validation judges it.
        if let Ok(policy) = SignaturePolicyEnvelope::decode(bytes.clone())
            && !policies.contains(&policy)
        {
            policies.push(policy);
        }
    }
    policies
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use windlass_ledger::CollectionInterest;
    use windlass_proto::Bytes;

    use super::*;

    /// A key that was written, and the policy of its own, if it has one.
    type Key<'a> = (&'a str, Option<i32>);

    fn written(keys: &[Key<'_>]) -> BTreeMap<String, Option<Bytes>> {
        let bytes = |version: i32| SignaturePolicyEnvelope { version, ..Default::default() }.encode_to_vec().into();
        keys.iter().map(|(key, policy)| ((*key).to_owned(), policy.map(bytes))).collect()
    }

    /// A collection: its name, whether it was read, and what was written.
    type Collection<'a> = (&'a str, bool, &'a [Key<'a>]);

    /// Every call as name, collection, number of key policies, whether the namespace's policy is disregarded, and
    /// whether private values were not read.
    fn calls(public: &[Key<'_>], collections: &[Collection<'_>]) -> Vec<String> {
        let collections = collections
            .iter()
            .map(|(name, read, keys)| ((*name).to_owned(), CollectionInterest { read: *read, written: written(keys) }));
        let touched = NamespaceInterest { written: written(public), collections: collections.collect() };
        let interest = BTreeMap::from([("basic".to_owned(), touched.clone()), ("_lifecycle".to_owned(), touched)]);
        let results = SimulationResults { public: Bytes::new(), private: None, reads: 0, writes: 0, interest };
        let calls = of(&results, |name| name == "_lifecycle").chaincodes.into_iter().map(|call| {
            let mut text = format!("{}/{}", call.name, call.collection_names.join(","));
            for (flag, name) in [
                (call.disregard_namespace_policy, " disregard".to_owned()),
                (call.no_private_reads, " unread".to_owned()),
                (!call.key_policies.is_empty(), format!(" keys:{}", call.key_policies.len())),
            ] {
                text += if flag { &name } else { "" };
            }
            text
        });
        calls.collect()
    }

    #[test]
    fn names_what_decides_who_must_endorse() {
        assert_eq!(calls(&[], &[]), ["basic/"], "only read");
        assert_eq!(calls(&[("a", None), ("b", None)], &[]), ["basic/"]);
        assert_eq!(calls(&[("a", Some(1)), ("b", None)], &[]), ["basic/ keys:1"]);
        assert_eq!(calls(&[("a", Some(1)), ("b", Some(1)), ("c", Some(2))], &[]), ["basic/ disregard keys:2"]);
    }

    #[test]
    fn names_the_collections_touched() {
        assert_eq!(calls(&[], &[("c", true, &[])]), ["basic/", "basic/c"]);
        assert_eq!(calls(&[], &[("c", false, &[("k", None)])]), ["basic/c unread"]);
        assert_eq!(
            calls(&[], &[("c", true, &[("k", None)]), ("d", false, &[("k", None)])]),
            ["basic/c", "basic/d unread"]
        );
        assert_eq!(calls(&[], &[("c", false, &[("k", Some(1))])]), ["basic/ disregard keys:1"]);
        assert_eq!(calls(&[("a", None)], &[("c", false, &[("k", Some(1))])]), ["basic/ keys:1"]);
        assert_eq!(calls(&[], &[("c", false, &[])]), ["basic/"], "only a hash was read");
    }
}
