//! Ranges, pages, composite keys, history.

use serde_json::{Value, json};
use windlass_shim::{KeyValue, Outcome, Page, Response, Stub, composite};

use crate::{answer, number, parameter};

fn row(row: &KeyValue) -> Value {
    json!({ "key": row.key, "value": String::from_utf8_lossy(&row.value) })
}

fn rows(rows: &[KeyValue]) -> Value {
    rows.iter().map(row).collect()
}

fn page(page: &Page<KeyValue>) -> Outcome {
    answer(&json!({ "rows": rows(&page.rows), "fetched": page.rows.len(), "bookmark": page.bookmark }))
}

pub(crate) async fn range(stub: &Stub, p: &[&str]) -> Outcome {
    answer(&rows(&stub.range(parameter(p, 0)?, parameter(p, 1)?).await?.collect().await?))
}

pub(crate) async fn range_count(stub: &Stub, p: &[&str]) -> Outcome {
    answer(&json!(stub.range(parameter(p, 0)?, parameter(p, 1)?).await?.collect().await?.len()))
}

/// Reads that many rows, then closes the iterator.
pub(crate) async fn range_first(stub: &Stub, p: &[&str]) -> Outcome {
    let mut found = stub.range(parameter(p, 0)?, parameter(p, 1)?).await?;
    let mut first = Vec::new();
    while first.len() < number(p, 2)? {
        let Some(next) = found.next().await? else { break };
        first.push(next);
    }
    found.close().await?;
    answer(&rows(&first))
}

/// Reads that many rows and leaves the iterator open.
pub(crate) async fn range_left_open(stub: &Stub, p: &[&str]) -> Outcome {
    let mut found = stub.range(parameter(p, 0)?, parameter(p, 1)?).await?;
    let mut first = Vec::new();
    while first.len() < number(p, 2)? {
        let Some(next) = found.next().await? else { break };
        first.push(next);
    }
    answer(&rows(&first))
}

/// start, end, size, bookmark.
pub(crate) async fn range_page(stub: &Stub, p: &[&str]) -> Outcome {
    page(&stub.range_page(parameter(p, 0)?, parameter(p, 1)?, number(p, 2)? as i32, parameter(p, 3)?).await?)
}

/// Reads a page, then writes, which no transaction may.
pub(crate) async fn page_then_put(stub: &Stub, p: &[&str]) -> Outcome {
    stub.range_page(parameter(p, 0)?, parameter(p, 1)?, 2, "").await?;
    stub.put(parameter(p, 2)?, "written").await?;
    Ok(Response::ok(""))
}

pub(crate) async fn put_composite(stub: &Stub, p: &[&str]) -> Outcome {
    let key = composite::key(parameter(p, 1)?, &p[2..])?;
    stub.put(&key, parameter(p, 0)?.to_owned()).await?;
    Ok(Response::ok(""))
}

pub(crate) async fn composite_range(stub: &Stub, p: &[&str]) -> Outcome {
    answer(&rows(&stub.composite_range(parameter(p, 0)?, &p[1..]).await?.collect().await?))
}

/// size, bookmark, object type, first attributes.
pub(crate) async fn composite_page(stub: &Stub, p: &[&str]) -> Outcome {
    let size = number(p, 0)? as i32;
    page(&stub.composite_range_page(parameter(p, 2)?, &p[3..], size, parameter(p, 1)?).await?)
}

pub(crate) fn split_composite(p: &[&str]) -> Outcome {
    let key = composite::key(parameter(p, 0)?, &p[1..])?;
    let (object_type, attributes) = composite::split(&key)?;
    answer(&json!({ "type": object_type, "attributes": attributes }))
}

/// Answers the versions of a key, newest first.
pub(crate) async fn history(stub: &Stub, p: &[&str]) -> Outcome {
    let versions = stub.history(parameter(p, 0)?).await?.collect().await?;
    let version = |one: &windlass_shim::Modification| {
        json!({
            "txId": one.tx_id,
            "value": String::from_utf8_lossy(&one.value),
            "timestamp": one.timestamp.map(|time| time.seconds),
            "isDelete": one.is_delete,
        })
    };
    answer(&versions.iter().map(version).collect())
}

pub(crate) async fn query(stub: &Stub, p: &[&str]) -> Outcome {
    answer(&rows(&stub.query(parameter(p, 0)?).await?.collect().await?))
}
