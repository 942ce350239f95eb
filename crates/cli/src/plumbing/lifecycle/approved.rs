//! `queryapproved`.

use windlass_proto::lifecycle::{
    ChaincodeSource, QueryApprovedChaincodeDefinitionArgs, QueryApprovedChaincodeDefinitionResult,
    QueryApprovedChaincodeDefinitionsArgs, QueryApprovedChaincodeDefinitionsResult, chaincode_source,
};

use super::{ask, decode, peer, wants_json};
use crate::plumbing::{failure::Failure, json, session::Session};

/// Tells what the peer's organization has approved: one definition, or all.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let channel = session.values.text("channelID");
    let name = session.values.text("name");
    let sequence = session.values.integer("sequence");
    let peer = peer(session, "queryapproved", Some(channel)).await?;
    if channel.is_empty() {
        return Err(Failure::failed("The required parameter 'channelID' is empty. Rerun the command with -C flag"));
    }
    if name.is_empty() && sequence != 0 {
        return Err(Failure::failed(
            "Specifying parameter 'sequence' is invalid without parameter 'name'. Rerun the command with -n flag",
        ));
    }
    if name.is_empty() {
        let call = ("QueryApprovedChaincodeDefinitions", &QueryApprovedChaincodeDefinitionsArgs {});
        let response = ask(session, &peer, channel, call, "query").await?;
        let result: QueryApprovedChaincodeDefinitionsResult = decode(response)?;
        if wants_json(session) {
            session.print(json::pretty(&json::approved_list(&result)));
            return Ok(());
        }
        session.print(format_args!("Approved chaincode definitions on channel '{channel}':"));
        for one in &result.approved_chaincode_definitions {
            session.print(format_args!(
                "name: {}, sequence: {}, version: {}, init-required: {}, package-id: {}, endorsement plugin: {}, validation plugin: {}",
                one.name,
                one.sequence,
                one.version,
                one.init_required,
                package_id(one.source.as_ref()),
                one.endorsement_plugin,
                one.validation_plugin
            ));
        }
        return Ok(());
    }
    let args = QueryApprovedChaincodeDefinitionArgs { name: name.to_owned(), sequence };
    let response = ask(session, &peer, channel, ("QueryApprovedChaincodeDefinition", &args), "query").await?;
    let result: QueryApprovedChaincodeDefinitionResult = decode(response)?;
    if wants_json(session) {
        session.print(json::pretty(&json::approved(&result)));
        return Ok(());
    }
    session.print(format_args!("Approved chaincode definition for chaincode '{name}' on channel '{channel}':"));
    session.print(format_args!(
        "sequence: {}, version: {}, init-required: {}, package-id: {}, endorsement plugin: {}, validation plugin: {}",
        result.sequence,
        result.version,
        result.init_required,
        package_id(result.source.as_ref()),
        result.endorsement_plugin,
        result.validation_plugin
    ));
    Ok(())
}

/// Empty for a definition that was approved without a package.
fn package_id(source: Option<&ChaincodeSource>) -> &str {
    match source.and_then(|source| source.r#type.as_ref()) {
        Some(chaincode_source::Type::LocalPackage(local)) => &local.package_id,
        _ => "",
    }
}
