//! `querycommitted`.

use windlass_proto::lifecycle::{
    QueryChaincodeDefinitionArgs, QueryChaincodeDefinitionResult, QueryChaincodeDefinitionsArgs,
    QueryChaincodeDefinitionsResult,
};

use super::{ask, decode, peer, wants_json};
use crate::plumbing::{failure::Failure, json, session::Session};

/// Tells what a channel has agreed on: one definition, or all.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let channel = session.values.text("channelID");
    let name = session.values.text("name");
    let peer = peer(session, "querycommitted", Some(channel)).await?;
    if channel.is_empty() {
        return Err(Failure::failed("channel name must be specified"));
    }
    if name.is_empty() {
        let call = ("QueryChaincodeDefinitions", &QueryChaincodeDefinitionsArgs {});
        let response = ask(session, &peer, channel, call, "query").await?;
        let result: QueryChaincodeDefinitionsResult = decode(response)?;
        if wants_json(session) {
            session.print(json::pretty(&json::committed_list(&result)));
            return Ok(());
        }
        session.print(format_args!("Committed chaincode definitions on channel '{channel}':"));
        for one in &result.chaincode_definitions {
            session.print(format_args!(
                "Name: {}, Version: {}, Sequence: {}, Endorsement Plugin: {}, Validation Plugin: {}",
                one.name, one.version, one.sequence, one.endorsement_plugin, one.validation_plugin
            ));
        }
        return Ok(());
    }
    let args = QueryChaincodeDefinitionArgs { name: name.to_owned() };
    let response = ask(session, &peer, channel, ("QueryChaincodeDefinition", &args), "query").await?;
    let result: QueryChaincodeDefinitionResult = decode(response)?;
    if wants_json(session) {
        session.print(json::pretty(&json::committed(&result)));
        return Ok(());
    }
    let approvals: Vec<_> = result.approvals.iter().map(|(name, approved)| format!("{name}: {approved}")).collect();
    session.print(format_args!("Committed chaincode definition for chaincode '{name}' on channel '{channel}':"));
    session.print(format_args!(
        "Version: {}, Sequence: {}, Endorsement Plugin: {}, Validation Plugin: {}, Approvals: [{}]",
        result.version,
        result.sequence,
        result.endorsement_plugin,
        result.validation_plugin,
        approvals.join(", ")
    ));
    Ok(())
}
