//! `checkcommitreadiness`.

use windlass_proto::lifecycle::CheckCommitReadinessResult;

use super::{ask, decode, definition, peer, wants_json};
use crate::{
    definition::Definition,
    plumbing::{failure::Failure, json, session::Session},
};

/// Tells which organizations have approved a definition.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let definition = definition::read(&session.values)?;
    let peer = peer(session, "checkcommitreadiness", Some(&definition.channel)).await?;
    definition::check(&definition)?;
    let Definition { channel, name, version, sequence, .. } = definition.clone();
    let call = ("CheckCommitReadiness", &definition.check_readiness());
    let response = ask(session, &peer, &channel, call, "query").await?;
    let result: CheckCommitReadinessResult = decode(response)?;
    let inspect = session.values.is("inspect");
    if wants_json(session) {
        session.print(json::pretty(&json::readiness(&result, inspect)));
        return Ok(());
    }
    session.print(format_args!(
        "Chaincode definition for chaincode '{name}', version '{version}', sequence '{sequence}' on channel '{channel}' approval status by org:"
    ));
    for (organization, approved) in &result.approvals {
        let mismatches = result.mismatches.get(organization).filter(|_| inspect);
        let mismatches = mismatches.map(|mismatches| format!(" (mismatch: [{}])", mismatches.items.join(", ")));
        session.print(format_args!("{organization}: {approved}{}", mismatches.unwrap_or_default()));
    }
    Ok(())
}
