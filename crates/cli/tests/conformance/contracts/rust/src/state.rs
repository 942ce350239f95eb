//! Single keys: values, batches, sizes, policies.

use prost::Message;
use serde_json::json;
use windlass_proto::common::{
    MspPrincipal, MspRole, SignaturePolicy, SignaturePolicyEnvelope, msp_principal::Classification,
    msp_role::MspRoleType, signature_policy,
};
use windlass_shim::{Error, Outcome, Response, Stub};

use crate::{answer, number, parameter, text};

pub(crate) async fn put(stub: &Stub, p: &[&str]) -> Outcome {
    stub.put(parameter(p, 0)?, parameter(p, 1)?.to_owned()).await?;
    Ok(Response::ok(""))
}

/// Answers the value as it is; an absent key is an error.
pub(crate) async fn get(stub: &Stub, p: &[&str]) -> Outcome {
    let key = parameter(p, 0)?;
    Ok(Response::ok(stub.get(key).await?.ok_or_else(|| format!("the key {key} does not exist"))?))
}

pub(crate) async fn delete(stub: &Stub, p: &[&str]) -> Outcome {
    stub.delete(parameter(p, 0)?).await?;
    Ok(Response::ok(""))
}

/// Answers what the key holds before and after writing it, in one transaction.
pub(crate) async fn read_after_write(stub: &Stub, p: &[&str]) -> Outcome {
    let before = stub.get(parameter(p, 0)?).await?;
    put(stub, p).await?;
    let after = stub.get(parameter(p, 0)?).await?;
    answer(&json!({ "before": text(before.as_ref()), "after": text(after.as_ref()) }))
}

/// Answers the values in order; null where the key is absent.
pub(crate) async fn get_multiple(stub: &Stub, keys: &[&str]) -> Outcome {
    let values = stub.get_multiple(keys).await?;
    answer(&values.iter().map(|value| text(value.as_ref())).collect())
}

/// prefix, count, value: writes `<prefix>00000` and on, one request each.
pub(crate) async fn put_many(stub: &Stub, p: &[&str]) -> Outcome {
    for at in 0..number(p, 1)? {
        stub.put(&format!("{}{at:05}", parameter(p, 0)?), parameter(p, 2)?.to_owned()).await?;
    }
    Ok(Response::ok(""))
}

/// Like `put_many`, in one batch where the peer takes batches.
pub(crate) async fn put_batch(stub: &Stub, p: &[&str]) -> Outcome {
    stub.start_write_batch();
    put_many(stub, p).await?;
    stub.finish_write_batch().await?;
    Ok(Response::ok(""))
}

/// Writes, overwrites, deletes and sets a policy in a batch that the end of the function flushes.
pub(crate) async fn mixed_batch(stub: &Stub, p: &[&str]) -> Outcome {
    let key = |name: &str| Ok::<_, Error>(format!("{}{name}", parameter(p, 0)?));
    let (kept, gone) = (key("kept")?, key("gone")?);
    stub.start_write_batch();
    stub.put(&kept, "first").await?;
    stub.put(&kept, "second").await?;
    stub.put(&gone, "here").await?;
    stub.delete(&gone).await?;
    stub.set_validation_parameter(&kept, policy(&["Org1MSP"])).await?;
    Ok(Response::ok(""))
}

pub(crate) async fn put_big(stub: &Stub, p: &[&str]) -> Outcome {
    stub.put(parameter(p, 0)?, big(&p[1..])?).await?;
    Ok(Response::ok(""))
}

pub(crate) fn big(p: &[&str]) -> Result<Vec<u8>, Error> {
    Ok(vec![b'x'; number(p, 0)?])
}

pub(crate) async fn set_key_policy(stub: &Stub, p: &[&str]) -> Outcome {
    stub.set_validation_parameter(parameter(p, 0)?, policy(&p[1..])).await?;
    Ok(Response::ok(""))
}

/// Answers the MSP IDs of its policy; nothing if it has none.
pub(crate) async fn get_key_policy(stub: &Stub, p: &[&str]) -> Outcome {
    let Some(policy) = stub.validation_parameter(parameter(p, 0)?).await? else { return Ok(Response::ok("")) };
    let failed = |error: prost::DecodeError| Error::new(error.to_string());
    let policy = SignaturePolicyEnvelope::decode(policy).map_err(failed)?;
    let roles = policy.identities.into_iter().map(|one| MspRole::decode(one.principal).map_err(failed));
    let roles: Vec<_> = roles.collect::<Result<_, _>>()?;
    answer(&roles.into_iter().map(|role| json!(role.msp_identifier)).collect())
}

pub(crate) async fn put_with_metadata(stub: &Stub, p: &[&str]) -> Outcome {
    put(stub, p).await?;
    stub.set_validation_parameter(parameter(p, 0)?, policy(&p[2..])).await?;
    Ok(Response::ok(""))
}

/// Peers of all these organizations.
fn policy(msp_ids: &[&str]) -> Vec<u8> {
    let identity = |id: &&str| MspPrincipal {
        principal_classification: Classification::Role as i32,
        principal: MspRole { msp_identifier: (*id).to_owned(), role: MspRoleType::Peer as i32 }.encode_to_vec().into(),
    };
    let signed_by = |index: usize| SignaturePolicy { r#type: Some(signature_policy::Type::SignedBy(index as i32)) };
    let rules = (0..msp_ids.len()).map(signed_by).collect();
    let all = signature_policy::NOutOf { n: msp_ids.len() as i32, rules };
    let rule = Some(SignaturePolicy { r#type: Some(signature_policy::Type::NOutOf(all)) });
    SignaturePolicyEnvelope { version: 0, rule, identities: msp_ids.iter().map(identity).collect() }.encode_to_vec()
}
