//! `queryinstalled` and `getinstalledpackage`.

use std::path::Path;

use windlass_proto::lifecycle::{
    GetInstalledChaincodePackageArgs, GetInstalledChaincodePackageResult, QueryInstalledChaincodesArgs,
    QueryInstalledChaincodesResult,
};

use super::{ask, decode, peer, wants_json, write_package};
use crate::plumbing::{failure::Failure, json, session::Session};

/// Lists the packages on a peer.
pub(crate) async fn query(session: &Session) -> Result<(), Failure> {
    let peer = peer(session, "queryinstalled", None).await?;
    let call = ("QueryInstalledChaincodes", &QueryInstalledChaincodesArgs {});
    let result: QueryInstalledChaincodesResult = decode(ask(session, &peer, "", call, "query").await?)?;
    if wants_json(session) {
        session.print(json::pretty(&json::installed(&result)));
        return Ok(());
    }
    session.print("Installed chaincodes on peer:");
    for package in result.installed_chaincodes {
        session.print(format_args!("Package ID: {}, Label: {}", package.package_id, package.label));
    }
    Ok(())
}

/// Fetches a package from a peer into a file of its name.
pub(crate) async fn get(session: &Session) -> Result<(), Failure> {
    let peer = peer(session, "getinstalledpackage", None).await?;
    let package_id = session.values.text("package-id");
    if package_id.is_empty() {
        return Err(Failure::failed(
            "The required parameter 'package-id' is empty. Rerun the command with --package-id flag",
        ));
    }
    let args = GetInstalledChaincodePackageArgs { package_id: package_id.to_owned() };
    let response = ask(session, &peer, "", ("GetInstalledChaincodePackage", &args), "proposal").await?;
    let result: GetInstalledChaincodePackageResult = decode(response)?;
    let file = Path::new(session.values.text("output-directory")).join(format!("{package_id}.tar.gz"));
    let what = "failed to write chaincode package";
    write_package(session, &file, &result.chaincode_install_package, what, "writePackage")
}
