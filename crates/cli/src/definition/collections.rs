//! The file of private data collections.

use serde_json::{Map, Value};
use windlass_identity::policy::text;
use windlass_proto::protos::{
    CollectionConfig, CollectionConfigPackage, CollectionPolicyConfig, StaticCollectionConfig, collection_config,
    collection_policy_config,
};

use super::policy::application_policy;
use crate::plumbing::golang;

/// Reads the file.
pub(crate) fn read(path: &str) -> Result<CollectionConfigPackage, String> {
    let text = golang::read_file(path.as_ref()).map_err(|error| format!("could not read file '{path}': {error}"))?;
    parse(&text)
}

fn parse(text: &[u8]) -> Result<CollectionConfigPackage, String> {
    let wrong = |error: String| format!("could not parse the collection configuration: {error}");
    let entries: Vec<Map<String, Value>> =
        serde_json::from_slice(text).map_err(|error| wrong(golang::json_error(text, &error)))?;
    let config = entries.iter().map(|entry| {
        let entry = Entry(entry);
        let members = entry.text("policy").map_err(wrong)?;
        let policy = text::parse(members).map_err(|error| format!("invalid policy {members}: {error}"))?;
        let endorsement_policy = match entry.find("endorsementPolicy") {
            None | Some(Value::Null) => None,
            Some(Value::Object(policy)) => {
                let policy = Entry(policy);
                let (signature, channel) = (
                    policy.text("signaturePolicy").map_err(wrong)?,
                    policy.text("channelConfigPolicy").map_err(wrong)?,
                );
                application_policy(signature, channel).map_err(|error| {
                    let shown = format!(
                        "&chaincode.endorsementPolicy{{ChannelConfigPolicy:{channel:?}, SignaturePolicy:{signature:?}}}"
                    );
                    format!("invalid endorsement policy [{shown}]: {error}")
                })?
            }
            Some(other) => return Err(wrong(mismatch(other, "endorsementPolicy", "chaincode.endorsementPolicy"))),
        };
        let collection = StaticCollectionConfig {
            name: entry.text("name").map_err(wrong)?.to_owned(),
            member_orgs_policy: Some(CollectionPolicyConfig {
                payload: Some(collection_policy_config::Payload::SignaturePolicy(policy)),
            }),
            required_peer_count: entry.number("requiredPeerCount", "int32").map_err(wrong)?.unwrap_or(0),
            maximum_peer_count: entry.number("maxPeerCount", "int32").map_err(wrong)?.unwrap_or(1),
            block_to_live: entry.number("blockToLive", "uint64").map_err(wrong)?.unwrap_or(0),
            member_only_read: entry.flag("memberOnlyRead").map_err(wrong)?,
            member_only_write: entry.flag("memberOnlyWrite").map_err(wrong)?,
            endorsement_policy,
        };
        Ok(CollectionConfig { payload: Some(collection_config::Payload::StaticCollectionConfig(collection)) })
    });
    Ok(CollectionConfigPackage { config: config.collect::<Result<_, String>>()? })
}

/// One object of the file. Names compare without regard to case, and what is missing or null is empty.
struct Entry<'a>(&'a Map<String, Value>);

impl<'a> Entry<'a> {
    fn find(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        match self.find(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(mismatch(other, name, "string")),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.find(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(mismatch(other, name, "bool")),
        }
    }

    fn number<T: TryFrom<i128>>(&self, name: &str, kind: &str) -> Result<Option<T>, String> {
        match self.find(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                number.and_then(|number| T::try_from(number).ok()).map(Some).ok_or_else(|| mismatch(value, name, kind))
            }
        }
    }
}

fn mismatch(value: &Value, name: &str, kind: &str) -> String {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if kind == "string" || kind == "bool" => {
            let _ = number;
            "number".to_owned()
        }
        Value::Number(number) => format!("number {number}"),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    format!("json: cannot unmarshal {found} into Go struct field collectionConfigJson.{name} of type {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> StaticCollectionConfig {
        let package = parse(text.as_bytes()).expect("collections");
        let Some(collection_config::Payload::StaticCollectionConfig(collection)) = package.config[0].payload.clone()
        else {
            panic!("no collection")
        };
        collection
    }

    #[test]
    fn fills_in_defaults() {
        let collection = first(r#"[{"name":"c","policy":"OR('Org1MSP.member')"}]"#);
        assert_eq!((collection.required_peer_count, collection.maximum_peer_count), (0, 1));
        assert_eq!((collection.block_to_live, collection.member_only_read), (0, false));
        assert!(collection.endorsement_policy.is_none());
    }

    #[test]
    fn takes_names_in_any_case() {
        let collection = first(
            r#"[{"Name":"c","POLICY":"OR('Org1MSP.member')","requiredPeerCount":2,"MaxPeerCount":3,"blockToLive":9,"memberOnlyWrite":true,"endorsementPolicy":{"channelConfigPolicy":"/a"}}]"#,
        );
        assert_eq!((collection.name.as_str(), collection.maximum_peer_count), ("c", 3));
        assert!(collection.member_only_write && collection.endorsement_policy.is_some());
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error) in [
            ("[", "could not parse the collection configuration: unexpected end of JSON input"),
            (
                r#"[{"name":1,"policy":"OR('A.member')"}]"#,
                "could not parse the collection configuration: json: cannot unmarshal number into Go struct field collectionConfigJson.name of type string",
            ),
            (
                r#"[{"name":"c","policy":"OR('A.member')","endorsementPolicy":{"signaturePolicy":"x","channelConfigPolicy":"y"}}]"#,
                "invalid endorsement policy [&chaincode.endorsementPolicy{ChannelConfigPolicy:\"y\", SignaturePolicy:\"x\"}]: cannot specify both \"--signature-policy\" and \"--channel-config-policy\"",
            ),
        ] {
            assert_eq!(parse(text.as_bytes()).expect_err(text), error);
        }
        assert!(parse(br#"[{"name":"c","policy":"x"}]"#).expect_err("no policy").starts_with("invalid policy x: "));
    }
}
