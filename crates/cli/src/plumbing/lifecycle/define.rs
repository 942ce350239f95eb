//! `approveformyorg` and `commit`: a transaction endorsed by every peer that is named.

use windlass_proto::envelope::Call;

use super::{definition, peers};
use crate::{
    client::{assemble::assemble, lifecycle_call, orderer::OrdererClient},
    plumbing::{
        connect::Peer,
        failure::{After, Failure},
        log::Source,
        session::Session,
        submit::{Watch, broadcast, endorse},
    },
};

/// Approves a definition for the organization of the identity.
pub(crate) async fn approve(session: &Session) -> Result<(), Failure> {
    let definition = definition::read(&session.values)?;
    let (peers, orderers) = connect(session, "approveformyorg", &definition.channel).await?;
    definition::check(&definition)?;
    let channel = definition.channel.clone();
    let args = definition.approve(session.values.text("package-id"));
    let call = lifecycle_call(&channel, "ApproveChaincodeDefinitionForMyOrg", &args);
    submit(session, &peers, &orderers, &call).await
}

/// Commits a definition to a channel.
pub(crate) async fn commit(session: &Session) -> Result<(), Failure> {
    let definition = definition::read(&session.values)?;
    let (peers, orderers) = connect(session, "commit", &definition.channel).await?;
    definition::check(&definition)?;
    let channel = definition.channel.clone();
    let call = lifecycle_call(&channel, "CommitChaincodeDefinition", &definition.commit());
    submit(session, &peers, &orderers, &call).await
}

async fn connect(session: &Session, command: &str, channel: &str) -> Result<(Vec<Peer>, Vec<OrdererClient>), Failure> {
    let peers = peers(session, command, Some(channel)).await?;
    let orderers = orderers(session, channel, &peers).await.map_err(Failure::with_usage)?;
    Ok((peers, orderers))
}

/// The orderers of the flags, or the first that the channel's configuration names.
async fn orderers(session: &Session, channel: &str, peers: &[Peer]) -> Result<Vec<OrdererClient>, Failure> {
    let address = match session.values.text("orderer") {
        "" => {
            let [first, ..] = peers else {
                return Err(Failure::failed("cannot obtain orderer endpoint, empty endorser list"));
            };
            session.first_orderer(channel, first, Source(super::LOGGER, "setOrdererClient")).await?
        }
        address => address.to_owned(),
    };
    session.connect_orderers(&address).await.map_err(|failure| failure.after("failed to retrieve broadcast client"))
}

async fn submit(session: &Session, peers: &[Peer], orderers: &[OrdererClient], call: &Call) -> Result<(), Failure> {
    let endorsed = endorse(session, peers, call).await;
    let endorsed = endorsed.map_err(|failure| failure.after("failed to endorse proposal"))?;
    let Some(response) = endorsed.responses.first().and_then(|answer| answer.response.as_ref()) else {
        return Err(Failure::failed("received proposal response with nil response"));
    };
    if response.status != 200 {
        let (status, message) = (response.status, &response.message);
        return Err(Failure::failed(format!("proposal failed with status: {status} - {message}")));
    }
    let envelope = assemble(session.identity(), &endorsed.signed, &endorsed.responses);
    let envelope = envelope.after("failed to create signed transaction")?;
    let watch = if session.values.is("waitForEvent") {
        let time = session.values.duration("waitForEventTimeout");
        Some(Watch::begin(peers, &call.channel, session.peer_tls_hash()?, time).await?)
    } else {
        None
    };
    broadcast(orderers, &envelope).await.map_err(|failure| failure.after("failed to send transaction"))?;
    match watch {
        Some(watch) => watch.wait(session, &endorsed.transaction_id).await,
        None => Ok(()),
    }
}
