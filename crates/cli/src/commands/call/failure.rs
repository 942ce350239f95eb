//! Why a call failed, and what may have been meant.

use serde_json::{Value, json};
use windlass_proto::{envelope::Call, gateway::ErrorDetail};

use crate::{
    client::{
        Client,
        gateway::{CallError, Refusal},
    },
    deploy::answer::Answer,
    suggest::{instead, nearest},
};

/// What stands before a chaincode's own words in what a Gateway says.
// Fabric: endorsement-and-gateway §8
const RESPONSE: &str = "chaincode response ";

/// A failed call, for people and programs.
#[derive(Clone, Debug, Default)]
pub(super) struct Failed {
    pub(super) what: String,
    /// What each peer said, where that is more than `what`.
    endpoints: Vec<ErrorDetail>,
    pub(super) hint: Option<String>,
    /// Of a transaction that is on the ledger but invalid.
    invalid: Option<Value>,
}

impl Failed {
    /// The chaincode said no.
    pub(super) fn by_chaincode(call: &Call, message: &str) -> Self {
        Self { what: format!("{} refuses {}: {message}", call.chaincode, function(call)), ..Default::default() }
    }

    /// Looks for what is at fault: the channel, the name, the function, or the call itself.
    pub(super) async fn explain(client: &Client, call: &Call, error: CallError) -> Self {
        let refusal = match error {
            CallError::Refused(refusal) => refusal,
            CallError::Invalid { ref transaction_id, block, code } => {
                let code = code.as_str_name();
                return Self {
                    what: format!("block {block} has the transaction {transaction_id}, and it is invalid: {code}"),
                    hint: hint_for(code).map(str::to_owned),
                    invalid: Some(json!({ "transactionId": transaction_id, "block": block, "code": code })),
                    ..Default::default()
                };
            }
            other => return Self { what: other.to_string(), ..Default::default() },
        };
        // Only what answers can say what is wrong.
        if let Some(what) = wrong_place(client, call).await {
            return Self { what, ..Default::default() };
        }
        Self { hint: wrong_function(client, call).await, ..Self::refused(call, refusal) }
    }

    fn refused(call: &Call, refusal: Refusal) -> Self {
        let mut said = refusal.details.iter().filter_map(|detail| words_of_chaincode(&detail.message));
        match said.next().or_else(|| words_of_chaincode(&refusal.message)) {
            Some(words) => Self { endpoints: refusal.details.clone(), ..Self::by_chaincode(call, words) },
            None if refusal.details.is_empty() => {
                Self { what: format!("{} failed: {refusal}", function(call)), ..Default::default() }
            }
            None => Self {
                what: format!("{} failed: {}", function(call), refusal.message),
                endpoints: refusal.details,
                ..Default::default()
            },
        }
    }

    /// A line for each peer; words that have been said are not said again.
    pub(super) fn details(&self) -> Vec<String> {
        let line = |detail: &ErrorDetail| {
            let said = match words_of_chaincode(&detail.message).filter(|words| self.what.ends_with(words)) {
                Some(words) => detail.message.trim_end_matches(words).trim_end_matches(", "),
                None => &detail.message,
            };
            format!("{} at {}: {said}", detail.msp_id, detail.address)
        };
        self.endpoints.iter().map(line).collect()
    }

    pub(super) fn json(&self) -> Value {
        let details: Vec<_> = self
            .endpoints
            .iter()
            .map(|one| json!({ "mspId": one.msp_id, "address": one.address, "message": one.message }))
            .collect();
        let mut value = self.invalid.clone().unwrap_or_else(|| json!({}));
        value["error"] = self.what.as_str().into();
        value["details"] = details.into();
        value["hint"] = self.hint.as_deref().into();
        value
    }
}

/// `the asset a does not exist` of `chaincode response 500, the asset a does not exist`.
fn words_of_chaincode(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(RESPONSE)?;
    rest.split_once(", ").map(|(_, words)| words)
}

fn function(call: &Call) -> String {
    call.args.first().map(|function| String::from_utf8_lossy(function).into_owned()).unwrap_or_default()
}

/// Says so if there is no such channel or no such chaincode.
async fn wrong_place(client: &Client, call: &Call) -> Option<String> {
    let channels = client.channels().await.ok()?;
    if !channels.contains(&call.channel) {
        return Some(super::channel::unknown(&call.channel, &channels));
    }
    let defined = client.definitions(&call.channel).await.ok()?;
    let defined: Vec<_> = defined.into_iter().map(|definition| definition.name).collect();
    if defined.contains(&call.chaincode) || is_inside_the_peer(&call.chaincode) {
        return None;
    }
    let (name, channel) = (&call.chaincode, &call.channel);
    Some(match defined.as_slice() {
        [] => format!("{channel} has no chaincode {name}, nor any other; hint: `windlass deploy {name}=PATH` makes it"),
        _ => format!("{channel} has no chaincode {name}; it has {}", instead(name, &defined)),
    })
}

fn is_inside_the_peer(name: &str) -> bool {
    matches!(name, "_lifecycle" | "cscc" | "qscc" | "lscc")
}

/// Says which functions there are if this is none of them, where the chaincode tells.
async fn wrong_function(client: &Client, call: &Call) -> Option<String> {
    let functions = Answer::ask(client, &call.channel, &call.chaincode).await.functions();
    let function = function(call);
    if functions.is_empty() || functions.iter().any(|known| known.eq_ignore_ascii_case(&function)) {
        return None;
    }
    // A function may be called with its contract's name even where the bare name is enough.
    let bare = function.split_once(':').map_or(function.as_str(), |(_, bare)| bare);
    if functions.iter().any(|known| known == bare) {
        return None;
    }
    let near = nearest(&function, functions.iter().map(String::as_str));
    let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Some(format!("{near}{} has {}", call.chaincode, functions.join(", ")))
}

/// What can be done about a transaction that is invalid for this reason.
fn hint_for(code: &str) -> Option<&'static str> {
    match code {
        "MVCC_READ_CONFLICT" | "PHANTOM_READ_CONFLICT" => {
            Some("another transaction changed what this one had read; submit it again")
        }
        "ENDORSEMENT_POLICY_FAILURE" => Some(
            "too few organizations endorsed it; leave --endorsing-organizations out, and those are asked that are needed",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use windlass_proto::Bytes;

    use super::*;

    fn call(chaincode: &str, args: &[&str]) -> Call {
        let args = args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect();
        Call { channel: "ch".into(), chaincode: chaincode.into(), args, ..Default::default() }
    }

    fn detail(address: &str, msp_id: &str, message: &str) -> ErrorDetail {
        ErrorDetail { address: address.into(), msp_id: msp_id.into(), message: message.into() }
    }

    #[test]
    fn gives_the_chaincodes_words_first_and_what_each_peer_said_below() {
        let said = "chaincode response 500, the asset a, b does not exist";
        let refusal = Refusal {
            code: Code::Aborted,
            message: "failed to endorse transaction, see attached details for more info".into(),
            details: vec![detail("peer0:7051", "Org1MSP", said)],
        };
        let failed = Failed::refused(&call("basic", &["Read", "a"]), refusal);
        assert_eq!(failed.what, "basic refuses Read: the asset a, b does not exist");
        assert_eq!(failed.details(), ["Org1MSP at peer0:7051: chaincode response 500"]);
        assert_eq!(failed.json()["details"][0]["message"], said);
    }

    #[test]
    fn gives_the_gateways_words_where_the_chaincode_has_none() {
        let refusal = |message: &str, details| Refusal { code: Code::Unavailable, message: message.into(), details };
        let call = call("basic", &["Read"]);
        let failed = Failed::refused(&call, refusal("no peers", vec![]));
        assert_eq!(
            (failed.what.as_str(), failed.details().len()),
            ("Read failed: The service is currently unavailable: no peers", 0)
        );
        let failed = Failed::refused(&call, refusal("see details", vec![detail("p:1", "Org2MSP", "EOF")]));
        assert_eq!(
            (failed.what.as_str(), failed.details()),
            ("Read failed: see details", vec!["Org2MSP at p:1: EOF".into()])
        );
    }
}
