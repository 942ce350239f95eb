//! `_lifecycle` as it is called: the checks before a function runs, and the answer after.

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::{
    envelope::MALFORMED,
    lifecycle::{
        ApproveChaincodeDefinitionForMyOrgArgs, CheckCommitReadinessArgs, CommitChaincodeDefinitionArgs,
        GetInstalledChaincodePackageArgs, InstallChaincodeArgs, QueryApprovedChaincodeDefinitionArgs,
        QueryApprovedChaincodeDefinitionsArgs, QueryChaincodeDefinitionArgs, QueryChaincodeDefinitionsArgs,
        QueryInstalledChaincodeArgs, QueryInstalledChaincodesArgs,
    },
    protos::Response,
    windlass::{QueryUnusedChaincodesArgs, UninstallChaincodeArgs},
};

use super::{
    Lifecycle, approve, commit,
    definition::{Definition, Parameters},
    errors::FunctionError,
    query,
    scope::Scope,
    state::LIFECYCLE,
};
use crate::system::{SystemCall, SystemChaincode, failure, success};

/// Why a call was not answered with a result.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("receiver *lifecycle.Invocation.{0} does not exist")]
    UnknownFunction(String),
    #[error("could not decode input arg for *lifecycle.Invocation.{function}: {MALFORMED}")]
    Decode { function: String, source: prost::DecodeError },
    #[error(transparent)]
    Function(#[from] FunctionError),
}

#[async_trait]
impl SystemChaincode for Lifecycle {
    fn name(&self) -> &str {
        LIFECYCLE
    }

    // Fabric: lifecycle §1, the order of checks
    async fn invoke(&self, call: SystemCall) -> Response {
        let (function, input) = match call.args.as_slice() {
            [] => return failure("lifecycle scc must be invoked with arguments"),
            [function, input] => (String::from_utf8_lossy(function), input),
            args => {
                let count = args.len();
                return failure(format!("lifecycle scc operations require exactly two arguments but received {count}"));
            }
        };
        let transaction = &call.transaction;
        let channel_id = transaction.channel.as_str();
        let channel = self.channels().config(channel_id).filter(|_| !channel_id.is_empty());
        if let Err(message) = usable(channel_id, channel.as_deref()) {
            return failure(message);
        }
        let Some(proposal) = &transaction.proposal else {
            return failure("Failed getting signed proposal from stub: [the transaction has no proposal]");
        };
        if let Err(denied) = self.channels().authorize(&format!("{LIFECYCLE}/{function}"), channel_id, proposal) {
            return failure(format!("Failed to authorize invocation due to failed ACL check: {denied}"));
        }
        let simulation = transaction.simulation.as_deref();
        let scope = Scope { msp_id: self.msp_id(), channel_id, channel, simulation };
        match self.call(&function, input, &scope).await {
            Ok(result) => success(result),
            // Tools tell an undefined chaincode from a failure by this status (lifecycle §13.4).
            Err(CallError::Function(error @ FunctionError::NotDefined(_))) => {
                Response { status: 404, message: error.to_string(), payload: Bytes::new() }
            }
            Err(error) => failure(format!("failed to invoke backing implementation of '{function}': {error}")),
        }
    }
}

impl Lifecycle {
    async fn call(&self, function: &str, input: &Bytes, scope: &Scope<'_>) -> Result<Vec<u8>, CallError> {
        Ok(match function {
            "InstallChaincode" => {
                let args: InstallChaincodeArgs = decode(function, input)?;
                self.install_chaincode(args).await?.encode_to_vec()
            }
            "QueryInstalledChaincode" => {
                let args: QueryInstalledChaincodeArgs = decode(function, input)?;
                self.query_installed(&args)?.encode_to_vec()
            }
            "QueryInstalledChaincodes" => {
                let QueryInstalledChaincodesArgs {} = decode(function, input)?;
                self.query_all_installed().encode_to_vec()
            }
            "GetInstalledChaincodePackage" => {
                let args: GetInstalledChaincodePackageArgs = decode(function, input)?;
                self.installed_package(&args)?.encode_to_vec()
            }
            "ApproveChaincodeDefinitionForMyOrg" => {
                let mut args: ApproveChaincodeDefinitionForMyOrgArgs = decode(function, input)?;
                let source = args.source.take();
                approve::approve(scope, args.into(), source)?.encode_to_vec()
            }
            "QueryApprovedChaincodeDefinition" => {
                let args: QueryApprovedChaincodeDefinitionArgs = decode(function, input)?;
                approve::query(scope, &args)?.encode_to_vec()
            }
            "QueryApprovedChaincodeDefinitions" => {
                let QueryApprovedChaincodeDefinitionsArgs {} = decode(function, input)?;
                approve::query_all(scope)?.encode_to_vec()
            }
            "CheckCommitReadiness" => {
                let args: CheckCommitReadinessArgs = decode(function, input)?;
                commit::check_readiness(scope, args.into())?.encode_to_vec()
            }
            "CommitChaincodeDefinition" => {
                let args: CommitChaincodeDefinitionArgs = decode(function, input)?;
                commit::commit(scope, args.into())?.encode_to_vec()
            }
            "QueryChaincodeDefinition" => {
                let args: QueryChaincodeDefinitionArgs = decode(function, input)?;
                query::definition(scope, &args.name)?.encode_to_vec()
            }
            "QueryChaincodeDefinitions" => {
                let QueryChaincodeDefinitionsArgs {} = decode(function, input)?;
                query::definitions(scope)?.encode_to_vec()
            }
            // Ours: other peers do not know these.
            "UninstallChaincode" => {
                let args: UninstallChaincodeArgs = decode(function, input)?;
                self.uninstall_chaincode(args).await?.encode_to_vec()
            }
            "QueryUnusedChaincodes" => {
                let QueryUnusedChaincodesArgs {} = decode(function, input)?;
                self.query_unused().await?.encode_to_vec()
            }
            _ => return Err(CallError::UnknownFunction(function.to_owned())),
        })
    }
}

/// Whether `_lifecycle` may be used on the channel that a call names, if it names one.
fn usable(channel_id: &str, channel: Option<&ChannelConfig>) -> Result<(), String> {
    match channel {
        _ if channel_id.is_empty() => Ok(()),
        None => Err(format!("could not get channelconfig for channel '{channel_id}'")),
        Some(channel) if !channel.has_application() => {
            Err(format!("could not get application config for channel '{channel_id}'"))
        }
        Some(channel) if !super::has_lifecycle(channel) => Err(format!(
            "cannot use new lifecycle for channel '{channel_id}' as it does not have the required capabilities enabled"
        )),
        Some(_) => Ok(()),
    }
}

fn decode<M: Message + Default>(function: &str, input: &Bytes) -> Result<M, CallError> {
    M::decode(input.clone()).map_err(|source| CallError::Decode { function: function.to_owned(), source })
}

macro_rules! definition_from {
    ($args:ty) => {
        impl From<$args> for Definition {
            fn from(args: $args) -> Self {
                Self {
                    name: args.name,
                    sequence: args.sequence,
                    parameters: Parameters {
                        version: args.version,
                        endorsement_plugin: args.endorsement_plugin,
                        init_required: args.init_required,
                        validation_plugin: args.validation_plugin,
                        validation_parameter: args.validation_parameter,
                        collections: args.collections.unwrap_or_default(),
                    },
                }
            }
        }
    };
}

definition_from!(ApproveChaincodeDefinitionForMyOrgArgs);
definition_from!(CheckCommitReadinessArgs);
definition_from!(CommitChaincodeDefinitionArgs);
