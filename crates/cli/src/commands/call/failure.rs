//! Why a call failed, and what may have been meant.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
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

/// How long an explanation may take. The chaincode that has to give it may be what hangs.
const EXPLAINING: Duration = Duration::from_secs(3);

/// A failed call, for people and programs.
#[derive(Clone, Debug, Default)]
pub(super) struct Failed {
    pub(super) what: String,
    /// What each peer said, where that is more than `what`.
    endpoints: Vec<ErrorDetail>,
    pub(super) hint: Option<String>,
    /// Of a transaction that is on the ledger but invalid, or of which nothing more is known.
    transaction: Option<Value>,
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
                    transaction: Some(json!({ "transactionId": transaction_id, "block": block, "code": code })),
                    ..Default::default()
                };
            }
            CallError::Unknown { transaction_id, refusal } => {
                return Self::fate_unknown(call, transaction_id, refusal);
            }
            other => return Self { what: other.to_string(), ..Default::default() },
        };
        // Only what answers can say what is wrong.
        if let Some(what) = within(wrong_place(client, call)).await {
            return Self { what, ..Default::default() };
        }
        let has_spoken = words(&refusal).is_some();
        let failed = Self::refused(call, refusal);
        if !has_spoken {
            return failed;
        }
        let functions = async { Some(Answer::ask(client, &call.channel, &call.chaincode).await.functions()) };
        let hint = within(functions).await.and_then(|functions| wrong_function(call, &functions));
        Self { hint, ..failed }
    }

    fn fate_unknown(call: &Call, transaction_id: String, refusal: Refusal) -> Self {
        let channel = &call.channel;
        let look = format!("windlass query qscc GetTransactionByID {channel} {transaction_id} -C {channel}");
        Self {
            transaction: Some(json!({ "transactionId": transaction_id, "code": null })),
            hint: Some(format!("before it is submitted again, see whether it is on the ledger: {look}")),
            endpoints: refusal.details.clone(),
            what: CallError::Unknown { transaction_id, refusal }.to_string(),
        }
    }

    fn refused(call: &Call, refusal: Refusal) -> Self {
        match words(&refusal) {
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
        let mut value = self.transaction.clone().unwrap_or_else(|| json!({}));
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

/// What the chaincode itself said, if it said something.
fn words(refusal: &Refusal) -> Option<&str> {
    let mut said = refusal.details.iter().filter_map(|detail| words_of_chaincode(&detail.message));
    said.next().or_else(|| words_of_chaincode(&refusal.message))
}

/// What is found out in time.
async fn within<T>(question: impl Future<Output = Option<T>>) -> Option<T> {
    timeout(EXPLAINING, question).await.ok().flatten()
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

/// Says which functions there are if this is none of them, where the chaincode has told any.
fn wrong_function(call: &Call, functions: &[String]) -> Option<String> {
    let function = function(call);
    // A function may be called with its contract's name even where the bare name is enough.
    let bare = function.split_once(':').map_or(function.as_str(), |(_, bare)| bare);
    let called = [capitalized(&function), capitalized(bare)];
    if functions.is_empty() || functions.iter().any(|known| called.contains(&capitalized(known))) {
        return None;
    }
    let near = nearest(&function, functions.iter().map(String::as_str));
    let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Some(format!("{near}{} has {}", call.chaincode, functions.join(", ")))
}

/// The function with a capital: the contract API for Go takes its first letter in either case.
fn capitalized(function: &str) -> String {
    let start = function.rfind(':').map_or(0, |colon| colon + 1);
    let (contract, name) = function.split_at(start);
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{contract}{first}{}", letters.as_str())
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
    fn keeps_the_transaction_whose_fate_is_not_known() {
        let refusal = Refusal { code: Code::Unknown, message: "EOF".into(), details: vec![] };
        let failed = Failed::fate_unknown(&call("basic", &["Pay"]), "ab12".into(), refusal);
        assert_eq!(failed.what, "transaction ab12 was handed in, and its fate is not known: EOF");
        let json = failed.json();
        assert_eq!((&json["transactionId"], &json["code"]), (&json!("ab12"), &Value::Null));
        assert!(failed.hint.is_some_and(|hint| hint.contains("GetTransactionByID ch ab12 -C ch")));
    }

    #[test]
    fn names_the_functions_where_it_is_none_of_them() {
        let functions = ["ReadAsset".to_owned(), "b:Move".to_owned()];
        let hint = |function| wrong_function(&call("basic", &[function, "a"]), &functions);
        let has = "did you mean ReadAsset? basic has ReadAsset, b:Move";
        assert_eq!(hint("readasset").as_deref(), Some(has), "case counts");
        assert_eq!((hint("readAsset"), hint("b:move")), (None, None), "but for the first letter");
        assert_eq!((hint("ReadAsset"), hint("a:ReadAsset"), hint("b:Move")), (None, None, None));
        assert_eq!(wrong_function(&call("basic", &["x"]), &[]), None, "it has not told");
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
