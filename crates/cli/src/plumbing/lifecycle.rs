//! `lifecycle chaincode …`.
//!
//! - [`package`], [`package_id`]: making a package, and its ID
//! - [`install`], [`installed`]: packages on a peer
//! - [`define`]: approving and committing a definition
//! - [`readiness`], [`approved`], [`committed`]: asking about definitions
//! - [`definition`]: a definition as flags give it

pub(crate) mod approved;
pub(crate) mod committed;
pub(crate) mod define;
mod definition;
pub(crate) mod install;
pub(crate) mod installed;
pub(crate) mod package;
pub(crate) mod package_id;
pub(crate) mod readiness;

use prost::Message;
use windlass_proto::protos::Response;

use super::{
    connect::Peer,
    failure::{After, Failure},
    golang,
    log::Source,
    session::Session,
};
use crate::client::{lifecycle_call, sign_proposal};

/// Where the commands log.
pub(super) const LOGGER: &str = "cli.lifecycle.chaincode";

/// Connects to the peers of the flags. `channel` is None for commands without one.
async fn peers(session: &Session, command: &str, channel: Option<&str>) -> Result<Vec<Peer>, Failure> {
    let connect =
        async {
            let targets = session.lifecycle_targets(command, channel);
            let targets = targets.map_err(|failure| failure.after("failed to validate peer connection parameters"))?;
            let mut peers = Vec::new();
            for target in &targets {
                let peer = session.connect(target, "endorser").await;
                peers.push(peer.map_err(|failure| {
                    failure.after(format_args!("failed to retrieve endorser client for {command}"))
                })?);
            }
            if peers.is_empty() {
                return Err(Failure::failed("no endorser clients retrieved"));
            }
            Ok(peers)
        };
    connect.await.map_err(Failure::with_usage)
}

/// The one peer of a command that takes no more.
async fn peer(session: &Session, command: &str, channel: Option<&str>) -> Result<Peer, Failure> {
    let mut peers = peers(session, command, channel).await?;
    Ok(peers.swap_remove(0))
}

/// Asks one peer; whatever status but 200 is a failure, `what` failed.
async fn ask(
    session: &Session,
    peer: &Peer,
    channel: &str,
    (function, args): (&str, &impl Message),
    what: &str,
) -> Result<Response, Failure> {
    let (signed, _) = sign_proposal(session.identity(), &lifecycle_call(channel, function, args));
    let answer = peer.client.endorse(signed).await;
    let answer = answer.map_err(|status| golang::status(&status)).after("failed to endorse proposal")?;
    let response = answer.response.ok_or_else(|| Failure::failed("received proposal response with nil response"))?;
    if response.status != 200 {
        return Err(Failure::failed(format!("{what} failed with status: {} - {}", response.status, response.message)));
    }
    Ok(response)
}

/// Decodes a result.
fn decode<M: Message + Default>(response: Response) -> Result<M, Failure> {
    M::decode(response.payload)
        .map_err(golang::message_error)
        .after("failed to unmarshal proposal response's response payload")
}

/// Whether JSON was asked for.
fn wants_json(session: &Session) -> bool {
    session.values.text("output").eq_ignore_ascii_case("json")
}

/// Writes a package so that nobody sees half of it; only its owner may read it.
fn write_package(
    session: &Session,
    path: &std::path::Path,
    bytes: &[u8],
    what: &str,
    function: &'static str,
) -> Result<(), Failure> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::failed(golang::system_error(&error)))?;
    let folder = absolute.parent().unwrap_or(std::path::Path::new("/"));
    let write = || -> Result<(), String> {
        let mut temporary = tempfile::Builder::new().prefix(".ccpackage.").tempfile_in(folder).map_err(|error| {
            let error = golang::system_error(&error);
            format!("error creating temp file in directory '{}': {error}", folder.display())
        })?;
        let name = temporary.path().display().to_string();
        let failed = |verb: &str, error: &std::io::Error| format!("{verb} {name}: {}", golang::system_error(error));
        std::io::Write::write_all(&mut temporary, bytes).map_err(|error| failed("write", &error))?;
        temporary.as_file().sync_all().map_err(|error| failed("sync", &error))?;
        temporary.persist(&absolute).map_err(|error| failed("rename", &error.error))?;
        Ok(())
    };
    write().map_err(|error| {
        let text = format!("{what} to {}: {error}", path.display());
        session.log.error(Source(LOGGER, function), &text);
        Failure::Failed(text)
    })
}
