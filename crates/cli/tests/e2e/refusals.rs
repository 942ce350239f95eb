//! What is refused, in which words, and that nothing of it stays.
//!
//! - [`packages`]: hostile packages
//! - [`proposals`]: signatures, identities, channels, chaincodes that are not what they should be
//! - [`gateway`]: requests that are incomplete
//! - [`lifecycle`]: definitions out of order
//! - [`ordering`]: what the orderer does not take
//! - [`blocks`]: who may not have blocks

mod blocks;
mod gateway;
mod lifecycle;
mod ordering;
mod packages;
mod proposals;

use prost::Message;
use windlass_proto::{
    Bytes,
    envelope::Call,
    lifecycle::{InstallChaincodeArgs, QueryInstalledChaincodesArgs, QueryInstalledChaincodesResult},
};

use crate::support::{client::Client, refusal::Refusal};

/// A call of a function of `_lifecycle`.
fn lifecycle_call(channel: &str, function: &str, args: &impl Message) -> Call {
    Call {
        channel: channel.to_owned(),
        chaincode: "_lifecycle".to_owned(),
        args: vec![Bytes::copy_from_slice(function.as_bytes()), args.encode_to_vec().into()],
        ..Default::default()
    }
}

async fn install(client: &Client, package: Vec<u8>) -> Result<Bytes, Refusal> {
    let args = InstallChaincodeArgs { chaincode_install_package: package.into() };
    Ok(client.propose(&lifecycle_call("", "InstallChaincode", &args)).await?.payload)
}

/// The IDs of all installed packages.
async fn installed(client: &Client) -> Vec<String> {
    let call = lifecycle_call("", "QueryInstalledChaincodes", &QueryInstalledChaincodesArgs {});
    let payload = client.propose(&call).await.expect("an answer").payload;
    let result = QueryInstalledChaincodesResult::decode(payload).expect("a list");
    let mut ids: Vec<_> = result.installed_chaincodes.into_iter().map(|one| one.package_id).collect();
    ids.sort();
    ids
}
