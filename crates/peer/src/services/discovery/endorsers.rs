//! The query for endorsers: which peers, and how many of which.

use windlass_chaincode::channels::Channels;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    discovery::{ChaincodeQueryResult, EndorsementDescriptor, Layout, Peers},
    protos::{ChaincodeCall, ChaincodeInterest},
};

use super::{Discovery, QueryError};
use crate::{
    network::ChannelMember,
    planner::{Interest, PlanError},
};

impl Discovery {
    /// A descriptor for each interest.
    pub(super) fn endorsers(
        &self,
        config: &ChannelConfig,
        interests: &[ChaincodeInterest],
    ) -> Result<ChaincodeQueryResult, QueryError> {
        check(interests)?;
        let descriptors = interests.iter().map(|interest| {
            self.descriptor(config, interest).map_err(|error| {
                tracing::warn!(channel = config.channel_id(), %error, "no descriptor");
                QueryError::Descriptor(describe(interest))
            })
        });
        Ok(ChaincodeQueryResult { content: descriptors.collect::<Result<_, _>>()? })
    }

    fn descriptor(
        &self,
        config: &ChannelConfig,
        wanted: &ChaincodeInterest,
    ) -> Result<EndorsementDescriptor, PlanError> {
        let interest = self.interest(config, wanted)?;
        let members = self.parts.network.introduced_on_channel(config);
        let identities: Vec<_> =
            members.iter().map(|peer| config.msps().deserialize(&peer.member.identity).ok()).collect();
        let plan = interest.plan(config, &identities, |at| self.has_all(&members[at], &interest))?;

        let group = |number: &usize| format!("G{number}");
        let layouts = plan.layouts.iter().map(|layout| Layout {
            quantities_by_group: layout.iter().map(|(number, count)| (group(number), *count)).collect(),
        });
        let groups = plan.groups.iter().enumerate();
        let groups = groups.filter(|(number, _)| plan.layouts.iter().any(|layout| layout.contains_key(number)));
        let groups = groups.map(|(number, peers)| {
            let peers = peers.iter().map(|at| self.peer(&members[*at].member, Some(config.channel_id())));
            (group(&number), Peers { peers: peers.collect() })
        });
        Ok(EndorsementDescriptor {
            chaincode: wanted.chaincodes.first().map(|call| call.name.clone()).unwrap_or_default(),
            endorsers_by_groups: groups.collect(),
            layouts: layouts.collect(),
        })
    }

    /// What an interest is subject to.
    pub(super) fn interest(&self, config: &ChannelConfig, wanted: &ChaincodeInterest) -> Result<Interest, PlanError> {
        let state = Channels::simulate(&self.parts.channels, config.channel_id(), "")
            .ok_or_else(|| PlanError::State("the channel is gone".to_owned()))?
            .map_err(|error| PlanError::State(error.to_string()))?;
        Interest::read(wanted, config, &self.parts.lifecycle, state.as_ref())
    }

    /// Whether a peer has every chaincode of an interest.
    pub(super) fn has_all(&self, peer: &ChannelMember, interest: &Interest) -> bool {
        let has = |name: &String| peer.chaincodes.contains_key(name) || self.parts.endorser.is_system(name);
        interest.chaincodes().iter().all(has)
    }
}

// Fabric: endorsement-and-gateway §9
fn check(interests: &[ChaincodeInterest]) -> Result<(), QueryError> {
    if interests.is_empty() {
        return Err(QueryError::NoInterest);
    }
    for interest in interests {
        if interest.chaincodes.is_empty() {
            return Err(QueryError::NoChaincode);
        }
        if interest.chaincodes.iter().any(|call| call.name.is_empty()) {
            return Err(QueryError::NoName);
        }
    }
    Ok(())
}

/// An interest in the text form of protobuf.
fn describe(interest: &ChaincodeInterest) -> String {
    let calls = interest.chaincodes.iter().map(|call| format!("chaincodes:{{{}}}", describe_call(call)));
    calls.collect::<Vec<_>>().join(" ")
}

fn describe_call(call: &ChaincodeCall) -> String {
    let mut fields = vec![format!("name:{:?}", call.name)];
    fields.extend(call.collection_names.iter().map(|name| format!("collection_names:{name:?}")));
    fields.extend(call.no_private_reads.then(|| "no_private_reads:true".to_owned()));
    fields.extend(call.no_public_writes.then(|| "no_public_writes:true".to_owned()));
    fields.extend(call.key_policies.iter().map(|_| "key_policies:{…}".to_owned()));
    fields.extend(call.disregard_namespace_policy.then(|| "disregard_namespace_policy:true".to_owned()));
    fields.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> ChaincodeCall {
        ChaincodeCall { name: name.to_owned(), ..Default::default() }
    }

    #[test]
    fn names_what_a_query_lacks() {
        let interest = |calls: &[ChaincodeCall]| ChaincodeInterest { chaincodes: calls.to_vec() };
        for (interests, text) in [
            (vec![], "chaincode query must have at least one chaincode interest"),
            (vec![interest(&[])], "chaincode interest must contain at least one chaincode"),
            (vec![interest(&[call("a"), call("")])], "chaincode name in interest cannot be empty"),
        ] {
            assert_eq!(check(&interests).expect_err(text).to_string(), text);
        }
        assert!(check(&[interest(&[call("a")])]).is_ok());
    }

    #[test]
    fn describes_an_interest() {
        let mut second = call("b");
        second.collection_names.push("c".to_owned());
        second.no_private_reads = true;
        let interest = ChaincodeInterest { chaincodes: vec![call("a"), second] };
        let text = r#"chaincodes:{name:"a"} chaincodes:{name:"b" collection_names:"c" no_private_reads:true}"#;
        assert_eq!(describe(&interest), text);
    }
}
