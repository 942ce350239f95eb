//! Ranges, pages, composite keys, history.

use serde_json::{Value, json};

use super::serve;
use crate::support::{chain, client::Client, place::Place, refusal::Refusal};

async fn count(client: &Client, start: &str, end: &str) -> String {
    client.text("shim", &["RangeCount", start, end]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_ranges_across_the_limit_of_one_answer() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    // The peer answers 100 rows at a time, and looks one row ahead.
    for rows in [1, 99, 100, 101, 200, 201, 1000] {
        let prefix = format!("r{rows}-");
        client.submit("shim", &["PutMany", &prefix, &rows.to_string(), "v"]).await.expect("a transaction");
        assert_eq!(count(&client, &prefix, &format!("{prefix}~")).await, rows.to_string());
    }
    assert_eq!(client.json("shim", &["Range", "r1-", "r1-~"]).await, json!([{ "key": "r1-00000", "value": "v" }]));
    assert_eq!(count(&client, "nothing", "nothing~").await, "0");
    assert_eq!(count(&client, "r101-00000", "r101-00100").await, "100", "the end is not part of a range");
    assert_eq!(count(&client, "", "").await, (1 + 99 + 100 + 101 + 200 + 201 + 1000).to_string());
    let first = client.json("shim", &["RangeFirst", "r1000-", "r1000-~", "2"]).await;
    assert_eq!(first, json!([{ "key": "r1000-00000", "value": "v" }, { "key": "r1000-00001", "value": "v" }]));
    for rows in ["0", "100", "150"] {
        let open = client.json("shim", &["RangeLeftOpen", "r1000-", "r1000-~", rows]).await;
        assert_eq!(open.as_array().map(Vec::len).map(|rows| rows.to_string()).as_deref(), Some(rows));
    }
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_pages() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    client.submit("shim", &["PutMany", "p", "250", "v"]).await.expect("a transaction");
    for size in [1_usize, 7, 100, 101, 249, 250, 251, 1000] {
        if size == 1 {
            let page = client.json("shim", &["RangePage", "p", "p~", "1", ""]).await;
            assert_eq!(page["bookmark"], "p00001");
            continue;
        }
        let (mut bookmark, mut seen) = (String::new(), 0);
        loop {
            let page = client.json("shim", &["RangePage", "p", "p~", &size.to_string(), &bookmark]).await;
            let rows = page["rows"].as_array().expect("rows");
            assert_eq!(page["fetched"], json!(rows.len()));
            assert!(rows.len() <= size);
            if let Some(row) = rows.first() {
                assert_eq!(row["key"], format!("p{seen:05}"), "pages follow each other");
            }
            seen += rows.len();
            bookmark = page["bookmark"].as_str().expect("a bookmark").to_owned();
            if bookmark.is_empty() || rows.is_empty() {
                break;
            }
        }
        assert_eq!(seen, 250, "pages of {size}");
    }
    let refusal = client.submit("shim", &["PageThenPut", "p", "p~", "k"]).await.expect_err("pages are for queries");
    let reason = "Transaction has already performed a paginated query. Writes are not allowed";
    assert!(refusal.text().ends_with(reason), "{refusal}");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_by_composite_keys() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    for (value, color, id) in [("1", "blue", "a"), ("2", "blue", "b"), ("3", "red", "c")] {
        client.submit("shim", &["PutComposite", value, "color~id", color, id]).await.expect("a transaction");
    }
    client.submit("shim", &["Put", "simple", "v"]).await.expect("a transaction");
    assert_eq!(client.text("shim", &["GetComposite", "color~id", "blue", "b"]).await, "2");
    let blue = client.json("shim", &["CompositeRange", "color~id", "blue"]).await;
    assert_eq!(values(&blue), ["1", "2"]);
    assert_eq!(values(&client.json("shim", &["CompositeRange", "color~id"]).await), ["1", "2", "3"]);
    assert_eq!(values(&client.json("shim", &["CompositeRange", "color~id", "green"]).await), [""; 0]);
    let page = client.json("shim", &["CompositePage", "2", "", "color~id"]).await;
    assert_eq!(values(&page["rows"]), ["1", "2"]);
    let bookmark = page["bookmark"].as_str().expect("a bookmark");
    let rest = client.json("shim", &["CompositePage", "2", bookmark, "color~id"]).await;
    assert_eq!(values(&rest["rows"]), ["3"]);
    let split = client.json("shim", &["SplitComposite", "color~id", "blue", "a"]).await;
    assert_eq!(split, json!({ "type": "color~id", "attributes": ["blue", "a"] }));
    assert_eq!(count(&client, "", "").await, "1", "simple ranges do not see composite keys");
    assert_eq!(values(&client.json("shim", &["AllComposites", "10", ""]).await["rows"]), ["1", "2", "3"]);
    client.submit("shim", &["DeleteComposite", "color~id", "blue", "a"]).await.expect("a transaction");
    assert_eq!(values(&client.json("shim", &["CompositeRange", "color~id", "blue"]).await), ["2"]);
    windlass.stop();
}

fn values(rows: &Value) -> Vec<&str> {
    rows.as_array().expect("rows").iter().filter_map(|row| row["value"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn remembers_what_became_of_a_key() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    let first = client.submit("shim", &["Put", "k", "first"]).await.expect("a transaction");
    let second = client.submit("shim", &["Put", "k", "second"]).await.expect("a transaction");
    let deleted = client.submit("shim", &["Delete", "k"]).await.expect("a transaction");
    let history = client.json("shim", &["History", "k"]).await;
    let versions: Vec<_> = history.as_array().expect("versions").iter().collect();
    let ids: Vec<_> = versions.iter().map(|version| version["txId"].as_str().unwrap_or_default()).collect();
    assert_eq!(ids, [&deleted.id, &second.id, &first.id], "newest first");
    let values: Vec<_> = versions.iter().map(|version| version["value"].as_str().unwrap_or_default()).collect();
    assert_eq!(values, ["", "second", "first"]);
    let deletions: Vec<_> = versions.iter().map(|version| version["isDelete"].as_bool()).collect();
    assert_eq!(deletions, [Some(true), Some(false), Some(false)]);
    assert_eq!(client.json("shim", &["History", "never"]).await, json!([]));

    // More versions than one answer holds; those of one block in the order of its transactions.
    let puts = (0..101).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { client.submit("shim", &["Put", "often", &number.to_string()]).await })
    });
    for put in futures::future::try_join_all(puts).await.expect("no panic") {
        put.expect("a transaction");
    }
    let on_ledger: Vec<_> = chain::verify_all(&client).await.into_iter().map(|transaction| transaction.id).collect();
    let history = client.json("shim", &["History", "often"]).await;
    let versions: Vec<_> =
        history.as_array().expect("versions").iter().filter_map(|one| one["txId"].as_str()).collect();
    let newest_first: Vec<_> = on_ledger.iter().rev().take(101).collect();
    assert_eq!(versions, newest_first);
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_phantoms_and_conflicts() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    client.submit("shim", &["PutMany", "q", "150", "v"]).await.expect("a transaction");
    let counting = client.prepare(&client.call("shim", &["RangeThenPut", "q", "q~", "count"])).await.expect("endorsed");
    client.submit("shim", &["Put", "q00000x", "new"]).await.expect("a transaction");
    client.order(&counting).await.expect("ordered");
    let code = client.commit(&counting).await.expect_err("a row has appeared");
    assert!(matches!(code, Refusal::Invalid(code) if code.as_str_name() == "PHANTOM_READ_CONFLICT"), "{code}");

    let first = client.prepare(&client.call("shim", &["Swap", "k", "first"])).await.expect("endorsed");
    let second = client.prepare(&client.call("shim", &["Swap", "k", "second"])).await.expect("endorsed");
    client.order(&first).await.expect("ordered");
    client.order(&second).await.expect("ordered");
    client.commit(&first).await.expect("the first is valid");
    let code = client.commit(&second).await.expect_err("the second read what is no longer so");
    assert!(matches!(code, Refusal::Invalid(code) if code.as_str_name() == "MVCC_READ_CONFLICT"), "{code}");
    assert_eq!(client.text("shim", &["Get", "k"]).await, "first");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_rich_queries_as_a_peer_on_leveldb_does() {
    let place = Place::new();
    let (windlass, client) = serve(&place).await;
    for (args, reason) in [
        (&["Query", "{}"][..], ": ExecuteQuery not supported for leveldb"),
        (&["QueryPage", "{}", "10", ""], ": ExecuteQueryWithMetadata not supported for leveldb"),
    ] {
        let refusal = client.error("shim", args).await;
        assert!(refusal.starts_with("GET_QUERY_RESULT failed: transaction ID: "), "{refusal}");
        assert!(refusal.ends_with(reason), "{refusal}");
    }
    windlass.stop();
}
