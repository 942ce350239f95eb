//! An endorsement policy as flags and files give it.

use windlass_identity::policy::text;
use windlass_proto::protos::{ApplicationPolicy, application_policy::Type};

/// The policy of two texts of which at most one is given; None for the default.
pub(crate) fn application_policy(signature: &str, channel: &str) -> Result<Option<ApplicationPolicy>, String> {
    let policy = match (signature, channel) {
        ("", "") => return Ok(None),
        (signature, "") => {
            let envelope = text::parse(signature).map_err(|_| format!("invalid signature policy: {signature}"))?;
            Type::SignaturePolicy(envelope)
        }
        ("", channel) => Type::ChannelConfigPolicyReference(channel.to_owned()),
        _ => return Err("cannot specify both \"--signature-policy\" and \"--channel-config-policy\"".to_owned()),
    };
    Ok(Some(ApplicationPolicy { r#type: Some(policy) }))
}
