//! `calculatepackageid`.

use windlass_chaincode::package::{Limits, Package};
use windlass_proto::Bytes;

use super::wants_json;
use crate::plumbing::{
    failure::{After, Failure},
    golang, json,
    session::Session,
};

/// Prints the ID of a package file.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    let [path] = session.operands.as_slice() else {
        return Err(Failure::failed("invalid number of args. expected only the packaged chaincode file"));
    };
    if path.is_empty() {
        return Err(Failure::failed("chaincode install package must be provided"));
    }
    let bytes = golang::read_file(path.as_ref()).after(format_args!("failed to read chaincode package at '{path}'"))?;
    let package = Package::parse(&Bytes::from(bytes), &Limits::default())
        .after("could not parse as a chaincode install package")?;
    let id = package.id.to_string();
    if wants_json(session) {
        session.print(json::pretty(&json::package_id(&id)));
    } else {
        session.print(id);
    }
    Ok(())
}
