//! What a simulation touched, as the Gateway needs it to find the endorsers still missing.

use prost::Message;
use windlass_ledger::SimulationResults;
use windlass_proto::{
    common::SignaturePolicyEnvelope,
    protos::{ChaincodeCall, ChaincodeInterest},
};

/// One call for each namespace written or read, and one for each of its collections. System namespaces count for
/// nobody.
// Fabric: endorsement-and-gateway §2 "interest"
pub(super) fn of(results: &SimulationResults, is_system: impl Fn(&str) -> bool) -> ChaincodeInterest {
    let mut chaincodes = Vec::new();
    for (name, touched) in results.interest.iter().filter(|(name, _)| !is_system(name) && *name != "lscc") {
        let disregard = !touched.written.is_empty() && touched.written.values().all(Option::is_some);
        let mut key_policies: Vec<SignaturePolicyEnvelope> = Vec::new();
        for bytes in touched.written.values().flatten() {
            // What does not decode cannot be planned for; validation judges it.
            if let Ok(policy) = SignaturePolicyEnvelope::decode(bytes.clone())
                && !key_policies.contains(&policy)
            {
                key_policies.push(policy);
            }
        }
        chaincodes.push(ChaincodeCall {
            name: name.clone(),
            key_policies,
            disregard_namespace_policy: disregard,
            ..Default::default()
        });
        chaincodes.extend(touched.collections.iter().map(|(collection, touched)| ChaincodeCall {
            name: name.clone(),
            collection_names: vec![collection.clone()],
            no_private_reads: !touched.read,
            ..Default::default()
        }));
    }
    ChaincodeInterest { chaincodes }
}
