//! `chaincode invoke` and `chaincode query`.

mod input;

use windlass_proto::envelope::{Call, unpack_response_payload};

use super::{
    connect::Peer,
    failure::{After, Failure},
    golang,
    log::Source,
    session::Session,
    submit::{Endorsed, Watch, broadcast, endorse},
};
use crate::client::{assemble::assemble, orderer::OrdererClient};

/// Where the commands log.
const LOGGER: &str = "chaincodeCmd";

/// From this status on a chaincode's answer is a refusal.
// Fabric: endorsement-and-gateway §2
const REFUSAL: i32 = 400;

/// Endorses a call at every peer that is named, and orders it.
pub(crate) async fn invoke(session: &Session) -> Result<(), Failure> {
    let channel = channel(session)?;
    let peers = peers(session, "invoke", true, &channel).await?;
    let orderers = orderers(session, &channel, &peers).await?;
    let call = call(session, channel)?;
    let endorsed = endorsed(session, &peers, &call, "invoke").await?;
    let answer = endorsed.responses.first().cloned().unwrap_or_default();
    let response = answer.response.clone().unwrap_or_default();
    if response.status < REFUSAL {
        submit(session, &peers, &orderers, &call, &endorsed).await?;
    }
    let (_, action) = unpack_response_payload(&answer.payload).after("error while unmarshalling chaincode action")?;
    if answer.endorsement.is_none() {
        let response = golang::response(answer.response.as_ref());
        return Err(Failure::failed(format!("endorsement failure during invoke. response: {response}")));
    }
    session.log.info(
        Source(LOGGER, "chaincodeInvokeOrQuery"),
        format_args!("Chaincode invoke successful. result: {}", golang::response(action.response.as_ref())),
    );
    Ok(())
}

/// Calls a chaincode on one peer and prints what it answers.
pub(crate) async fn query(session: &Session) -> Result<(), Failure> {
    let channel = channel(session)?;
    let peers = peers(session, "query", false, &channel).await?;
    let call = call(session, channel)?;
    let endorsed = endorsed(session, &peers, &call, "query").await?;
    let answer = endorsed.responses.first().cloned().unwrap_or_default();
    let response = answer.response.unwrap_or_default();
    if answer.endorsement.is_none() {
        let response = golang::response(Some(&response));
        return Err(Failure::failed(format!("endorsement failure during query. response: {response}")));
    }
    match (session.values.is("raw"), session.values.is("hex")) {
        (true, true) => return Err(Failure::failed("options --raw (-r) and --hex (-x) are not compatible")),
        (true, false) => session.print(golang::byte_list(&response.payload)),
        (false, true) => session.print(hex::encode(&response.payload)),
        (false, false) => session.print_bytes(&response.payload),
    }
    Ok(())
}

fn channel(session: &Session) -> Result<String, Failure> {
    match session.values.text("channelID") {
        "" => Err(Failure::usage("The required parameter 'channelID' is empty. Rerun the command with -C flag")),
        channel => Ok(channel.to_owned()),
    }
}

fn call(session: &Session, channel: String) -> Result<Call, Failure> {
    let chaincode = session.values.text("name");
    if chaincode.is_empty() {
        return Err(Failure::usage("must supply value for chaincode name parameter"));
    }
    let args = input::arguments(session.values.text("ctor"))?;
    let is_init = session.values.is("isInit");
    Ok(Call { channel, chaincode: chaincode.to_owned(), args, is_init, ..Default::default() })
}

async fn peers(session: &Session, command: &str, orderer: bool, channel: &str) -> Result<Vec<Peer>, Failure> {
    session
        .log
        .info(Source(LOGGER, "InitCmdFactory"), format_args!("InitCmdFactory: Entry: {command}, true, {orderer}"));
    let targets = session.chaincode_targets(command, channel);
    let targets = targets.map_err(|failure| failure.after("error validating peer connection parameters"))?;
    let mut peers = Vec::new();
    for target in &targets {
        let peer = session.connect(target, "endorser").await;
        peers.push(peer.map_err(|failure| failure.after(format_args!("error getting endorser client for {command}")))?);
    }
    if peers.is_empty() {
        return Err(Failure::failed("no endorser clients retrieved - this might indicate a bug"));
    }
    Ok(peers)
}

/// The orderers of the flags, or the first that the channel's configuration names.
async fn orderers(session: &Session, channel: &str, peers: &[Peer]) -> Result<Vec<OrdererClient>, Failure> {
    let address = match (session.values.text("orderer"), peers) {
        ("", []) => {
            return Err(Failure::failed("orderer is required, but no ordering endpoint or endorser client supplied"));
        }
        ("", [first, ..]) => session.first_orderer(channel, first, Source(LOGGER, "InitCmdFactory")).await?,
        (address, _) => address.to_owned(),
    };
    session.connect_orderers(&address).await.map_err(|failure| failure.after("error getting broadcast client"))
}

/// Endorses; whatever goes wrong is said with the answer that there is not.
async fn endorsed(session: &Session, peers: &[Peer], call: &Call, command: &str) -> Result<Endorsed, Failure> {
    let without_answer = |text: String| Failure::failed(format!("{text} - proposal response: <nil>"));
    let mut call = call.clone();
    call.transient = input::transient(session.values.text("transient"))
        .map_err(|error| without_answer(format!("error parsing transient string: {error}")))?;
    endorse(session, peers, &call).await.map_err(|failure| match failure {
        Failure::Failed(text) => without_answer(format!("error endorsing {command}: {text}")),
        other => other,
    })
}

async fn submit(
    session: &Session,
    peers: &[Peer],
    orderers: &[OrdererClient],
    call: &Call,
    endorsed: &Endorsed,
) -> Result<(), Failure> {
    // What fails before the transaction is sent is said with the answer, what fails after it without.
    let with_answer = |failure: Failure, answer: &str| match failure {
        Failure::Failed(text) => Failure::Failed(format!("{text} - proposal response: {answer}")),
        other => other,
    };
    let answer = golang::proposal_response(endorsed.responses.first());
    let envelope = assemble(session.identity(), &endorsed.signed, &endorsed.responses)
        .after("could not assemble transaction")
        .map_err(|failure| with_answer(failure, &answer))?;
    let watch = if session.values.is("waitForEvent") {
        let time = session.values.duration("waitForEventTimeout");
        let watch = Watch::begin(peers, &call.channel, session.peer_tls_hash()?, time).await;
        Some(watch.map_err(|failure| with_answer(failure, "<nil>"))?)
    } else {
        None
    };
    broadcast(orderers, &envelope)
        .await
        .map_err(|failure| with_answer(failure.after("error sending transaction for invoke"), &answer))?;
    match watch {
        Some(watch) => {
            watch.wait(session, &endorsed.transaction_id).await.map_err(|failure| with_answer(failure, "<nil>"))
        }
        None => Ok(()),
    }
}
