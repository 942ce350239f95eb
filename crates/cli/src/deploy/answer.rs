//! Whether chaincode runs, as a call finds it.
//!
//! No function is there in every chaincode. The contract API answers a question about itself; any other chaincode may
//! do with an unknown function what it wants, and whatever it answers, it runs. Nothing is submitted.

use serde_json::Value;
use windlass_proto::{
    Bytes,
    envelope::Call,
    protos::{ProposalResponse, Response},
};

use crate::client::{Client, gateway::Refusal, sign_proposal};

/// What the contract API's libraries answer with a description of the contracts.
const METADATA: &str = "org.hyperledger.fabric:GetMetadata";

/// What chaincode on one peer had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is made with the contract API, and has these functions.
    Contracts(Vec<Contract>),
    /// It runs, and has no description of itself; what it said instead.
    Other(String),
    /// It runs as soon as Init was called.
    BeforeInit,
    /// The peer cannot run it.
    Fails(String),
}

/// A contract and its functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contract {
    pub(crate) name: String,
    pub(crate) functions: Vec<String>,
    /// Whether its functions are called by their bare names.
    pub(crate) is_default: bool,
}

impl Answer {
    /// Asks the chaincode through this peer and no other.
    pub(crate) async fn ask(client: &Client, channel: &str, name: &str) -> Self {
        let call = Call {
            channel: channel.to_owned(),
            chaincode: name.to_owned(),
            args: vec![Bytes::from_static(METADATA.as_bytes())],
            ..Default::default()
        };
        let (signed, _) = sign_proposal(client.identity(), &call);
        match client.endorse(signed).await {
            Ok(answer) => Self::read(&answer),
            Err(status) => Self::Fails(Refusal::from(status).to_string()),
        }
    }

    fn read(answer: &ProposalResponse) -> Self {
        let Response { status, message, payload } = answer.response.clone().unwrap_or_default();
        if status < 400 {
            return match contracts(&payload) {
                Some(contracts) => Self::Contracts(contracts),
                None => Self::Other(format!("status {status}")),
            };
        }
        // Fabric: endorsement-and-gateway §2, §13. Who has refused is told by the payload, or by the status; an ERROR
        // frame is the chaincode's too.
        let from_chaincode =
            status < 500 || !answer.payload.is_empty() || message.contains("transaction returned with failure: ");
        if from_chaincode {
            Self::Other(message)
        } else if message.contains("has not been initialized for this version") {
            Self::BeforeInit
        } else {
            Self::Fails(message)
        }
    }

    /// Whether the chaincode runs there.
    pub(crate) fn runs(&self) -> bool {
        !matches!(self, Self::Fails(_))
    }

    /// What can be called, as it is called.
    pub(crate) fn functions(&self) -> Vec<String> {
        let Self::Contracts(contracts) = self else { return Vec::new() };
        let of_one = |contract: &Contract| {
            let Contract { name, functions, is_default } = contract.clone();
            functions.into_iter().map(move |function| if is_default { function } else { format!("{name}:{function}") })
        };
        contracts.iter().flat_map(of_one).collect()
    }
}

/// The contracts of a description, without the one that describes.
fn contracts(payload: &[u8]) -> Option<Vec<Contract>> {
    let described: Value = serde_json::from_slice(payload).ok()?;
    let described = described.get("contracts")?.as_object()?;
    let own: Vec<_> = described.iter().filter(|(name, _)| *name != "org.hyperledger.fabric").collect();
    let alone = own.len() == 1;
    let contracts = own.into_iter().map(|(name, contract)| {
        let functions = contract.get("transactions").and_then(Value::as_array).into_iter().flatten();
        let functions = functions.filter_map(|function| function.get("name")?.as_str());
        Contract {
            name: name.clone(),
            functions: functions.map(str::to_owned).collect(),
            is_default: alone || contract.get("default").and_then(Value::as_bool).unwrap_or(false),
        }
    });
    Some(contracts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: i32, message: &str, response_payload: &str, payload: &'static str) -> Answer {
        let response = Response { status, message: message.into(), payload: response_payload.to_owned().into() };
        Answer::read(&ProposalResponse { response: Some(response), payload: payload.into(), ..Default::default() })
    }

    #[test]
    fn reads_what_the_contract_api_says_of_itself() {
        let metadata = r#"{"contracts":{
            "Assets":{"name":"Assets","default":true,"transactions":[{"name":"Create"},{"name":"Read"}]},
            "Admin":{"name":"Admin","transactions":[{"name":"Reset"}]},
            "org.hyperledger.fabric":{"transactions":[{"name":"GetMetadata"}]}}}"#;
        let answer = answer(200, "", metadata, "simulated");
        assert!(answer.runs());
        assert_eq!(answer.functions(), ["Create", "Read", "Admin:Reset"]);
    }

    #[test]
    fn tells_a_chaincode_that_refuses_from_a_peer_that_cannot_run_it() {
        assert_eq!(answer(500, "unknown function", "", "simulated"), Answer::Other("unknown function".into()));
        assert_eq!(answer(404, "no such thing", "", ""), Answer::Other("no such thing".into()));
        assert_eq!(answer(200, "", "ok", "simulated"), Answer::Other("status 200".into()));
        let shim = "error in simulation: transaction returned with failure: bad";
        assert_eq!(answer(500, shim, "", ""), Answer::Other(shim.into()));
        let launch = "error in simulation: failed to execute transaction x: could not launch chaincode";
        assert_eq!(answer(500, launch, "", ""), Answer::Fails(launch.into()));
        let init =
            "invalid invocation: chaincode 'x' has not been initialized for this version, must call as init first";
        assert_eq!(answer(500, init, "", ""), Answer::BeforeInit);
    }
}
