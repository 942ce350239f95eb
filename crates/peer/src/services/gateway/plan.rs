//! Whether this peer's endorsement alone is enough for a transaction.

use std::sync::Arc;

use windlass_chaincode::channels::Channels;
use windlass_identity::{Identity, channel::ChannelConfig, policy::SignaturePolicy};
use windlass_proto::{
    envelope::decode,
    protos::{ApplicationPolicy, ChaincodeCall, application_policy::Type},
};

use super::Gateway;
use crate::channel::Channel;

impl Gateway {
    /// Checks the policy of every chaincode, key and collection that `calls` name; without calls, that of
    /// `called`, because a transaction that writes nothing is still judged by the chaincode's policy.
    pub(super) fn enough(&self, channel: &Channel, called: &str, calls: &[ChaincodeCall]) -> Result<(), String> {
        let config = channel.config();
        let endorser = config
            .msps()
            .deserialize(self.parts.endorser.signer().serialized())
            .map_err(|error| format!("this peer is not a member of the channel: {error}"))?;
        let mut called_is_judged = false;
        for call in calls {
            for policy in &call.key_policies {
                let policy = SignaturePolicy::compile(policy).map_err(|error| error.to_string())?;
                policy
                    .evaluate_identities(config.msps(), std::slice::from_ref(&endorser))
                    .map_err(|error| format!("a key of chaincode {}: {error}", call.name))?;
            }
            called_is_judged |= call.name == called;
            if !call.disregard_namespace_policy {
                self.namespace(channel, &config, &endorser, &call.name)?;
            }
        }
        if called_is_judged { Ok(()) } else { self.namespace(channel, &config, &endorser, called) }
    }

    fn namespace(&self, channel: &Channel, config: &ChannelConfig, endorser: &Arc<Identity>, name: &str) -> Result<(), String> {
        let state = Channels::simulate(&self.parts.channels, channel.id(), "")
            .ok_or("the channel is gone")?
            .map_err(|error| error.to_string())?;
        let info = self
            .parts
            .lifecycle
            .validation_info(config, name, state.as_ref())
            .map_err(|error| error.to_string())?;
        // System chaincode has no policy, and its transactions are invalid in any case.
        let Some(info) = info else { return Ok(()) };
        let policy: ApplicationPolicy =
            decode("ApplicationPolicy", &info.parameter).map_err(|error| error.to_string())?;
        let identities = std::slice::from_ref(endorser);
        let verdict = match &policy.r#type {
            Some(Type::SignaturePolicy(policy)) => SignaturePolicy::compile(policy)
                .and_then(|policy| policy.evaluate_identities(config.msps(), identities)),
            Some(Type::ChannelConfigPolicyReference(path)) => {
                let path = if path.starts_with('/') { path.clone() } else { format!("/Channel/Application/{path}") };
                config.policies().evaluate_identities(&path, config.msps(), identities)
            }
            None => return Err(format!("chaincode {name} has no endorsement policy")),
        };
        verdict.map_err(|error| format!("chaincode {name}: {error}"))
    }
}
