//! `install`.

use windlass_proto::lifecycle::{InstallChaincodeArgs, InstallChaincodeResult};

use super::{LOGGER, decode, peer};
use crate::{
    client::{lifecycle_call, sign_proposal},
    plumbing::{
        failure::{After, Failure},
        golang,
        log::Source,
        session::Session,
    },
};

const SOURCE: Source = Source(LOGGER, "submitInstallProposal");

/// Installs a package on a peer.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let peer = peer(session, "install", None).await?;
    let path = session.operands.first().map_or("", String::as_str);
    if path.is_empty() {
        return Err(Failure::failed("chaincode install package must be provided"));
    }
    let package =
        golang::read_file(path.as_ref()).after(format_args!("failed to read chaincode package at '{path}'"))?;
    let args = InstallChaincodeArgs { chaincode_install_package: package.into() };
    let (signed, _) = sign_proposal(session.identity(), &lifecycle_call("", "InstallChaincode", &args));
    let answer = peer.client.endorse(signed).await;
    let answer = answer.map_err(|status| golang::status(&status)).after("failed to endorse chaincode install")?;
    let Some(response) = answer.response.clone() else {
        return Err(Failure::failed("chaincode install failed: received proposal response with nil response"));
    };
    if response.status != 200 {
        let (status, message) = (response.status, response.message);
        return Err(Failure::failed(format!("chaincode install failed with status: {status} - {message}")));
    }
    session.log.info(SOURCE, format_args!("Installed remotely: {}", golang::proposal_response(Some(&answer))));
    let result: InstallChaincodeResult = decode(response)?;
    session.log.info(SOURCE, format_args!("Chaincode code package identifier: {}", result.package_id));
    Ok(())
}
