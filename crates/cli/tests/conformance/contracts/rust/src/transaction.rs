//! What a transaction knows and says: chaincode to chaincode, events, transient data, responses, faults.

use std::time::Duration;

use prost::Message;
use serde_json::{Map, json};
use windlass_proto::msp::SerializedIdentity;
use windlass_shim::{Error, Outcome, Response, Stub, local_msp_id};

use crate::{answer, number, parameter, text};

/// Answers what the stub knows of the transaction.
pub(crate) fn describe(stub: &Stub, p: &[&str]) -> Outcome {
    let creator = SerializedIdentity::decode(stub.creator().clone());
    let creator = creator.map_err(|error| Error::new(error.to_string()))?;
    answer(&json!({
        "txId": stub.tx_id(),
        "channel": stub.channel(),
        "parameters": p,
        "mspId": creator.mspid,
        "certificate": text(Some(&creator.id_bytes)),
        "binding": hex::encode(stub.binding()),
        "localMspId": local_msp_id(),
    }))
}

pub(crate) fn transient(stub: &Stub) -> Outcome {
    let texts: Map<_, _> = stub.transient().iter().map(|(name, value)| (name.clone(), text(Some(value)))).collect();
    answer(&texts.into())
}

pub(crate) fn event_then_error(stub: &Stub, p: &[&str]) -> Outcome {
    stub.set_event(parameter(p, 0)?, parameter(p, 1)?.to_owned())?;
    Err("failed after setting an event".into())
}

pub(crate) async fn put_with_event(stub: &Stub, p: &[&str]) -> Outcome {
    stub.put(parameter(p, 0)?, parameter(p, 1)?.to_owned()).await?;
    stub.set_event(parameter(p, 2)?, parameter(p, 3)?.to_owned())?;
    Ok(Response::ok(""))
}

/// name, channel (empty: this one), arguments.
pub(crate) async fn call(stub: &Stub, p: &[&str]) -> Outcome {
    let args = p.get(2..).unwrap_or_default().iter().map(|arg| bytes::Bytes::copy_from_slice(arg.as_bytes()));
    let answered = stub.invoke_chaincode(parameter(p, 0)?, args, parameter(p, 1)?).await?;
    answer(&json!({
        "status": answered.status,
        "message": answered.message,
        "payload": text(Some(&answered.payload)),
    }))
}

pub(crate) async fn put_then_call(stub: &Stub, p: &[&str]) -> Outcome {
    stub.put(parameter(p, 0)?, parameter(p, 1)?.to_owned()).await?;
    call(stub, &p[2..]).await
}

/// Answers just that, with the payload "payload of <status>".
pub(crate) fn status(p: &[&str]) -> Outcome {
    let status = number(p, 0)? as i32;
    Ok(Response { status, message: parameter(p, 1)?.to_owned(), payload: format!("payload of {status}").into() })
}

pub(crate) async fn sleep(p: &[&str]) -> Outcome {
    tokio::time::sleep(Duration::from_millis(number(p, 0)? as u64)).await;
    Ok(Response::ok(""))
}
