//! Ranges, pages, composite keys, history.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::network::Case;

/// The peer answers 100 rows at a time, and looks one row ahead.
// Fabric: chaincode-protocol §11
pub(super) async fn reads_ranges(case: &Case) {
    for rows in [1, 99, 100, 101, 200, 201, 450] {
        let prefix = format!("r{rows}-");
        case.put(&["PutMany", &prefix, &rows.to_string(), "v"]).await;
        assert_eq!(case.text(&["RangeCount", &prefix, &format!("{prefix}~")]).await, rows.to_string());
    }
    assert_eq!(case.text(&["RangeCount", "nothing", "nothing~"]).await, "0");
    assert_eq!(case.text(&["RangeCount", "r101-00000", "r101-00100"]).await, "100", "the end is not part of a range");
    let first = case.json(&["RangeFirst", "r450-", "r450-~", "2"]).await;
    assert_eq!(first, json!([{ "key": "r450-00000", "value": "v" }, { "key": "r450-00001", "value": "v" }]));
    for rows in [0, 100, 150] {
        let open = case.json(&["RangeLeftOpen", "r450-", "r450-~", &rows.to_string()]).await;
        assert_eq!(open.as_array().map(Vec::len), Some(rows));
    }
}

pub(super) async fn turns_pages(case: &Case) {
    case.put(&["PutMany", "p", "250", "v"]).await;
    let page = case.json(&["RangePage", "p", "p~", "1", ""]).await;
    assert_eq!(page["bookmark"], "p00001");
    for size in [40_usize, 100, 101, 249, 250, 251, 1000] {
        let (mut bookmark, mut seen) = (String::new(), 0);
        loop {
            let page = case.json(&["RangePage", "p", "p~", &size.to_string(), &bookmark]).await;
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
    let empty = case.json(&["RangePage", "nothing", "nothing~", "10", ""]).await;
    assert_eq!(empty, json!({ "rows": [], "fetched": 0, "bookmark": "" }));
}

pub(super) async fn may_not_write_after_a_page(case: &Case) {
    let refusal = case.error(&["PageThenPut", "p", "p~", "k"]).await;
    let reason = "Transaction has already performed a paginated query. Writes are not allowed";
    case.assert_refusal(&refusal, "", reason);
}

pub(super) async fn reads_by_composite_keys(case: &Case) {
    let first = if case.library.takes_empty_attributes() { "" } else { "a colour" };
    for (value, color, id) in [("1", "blue", "a"), ("2", "blue", "b"), ("3", "red", "c"), ("4", first, "😀")] {
        case.put(&["PutComposite", value, "color~id", color, id]).await;
    }
    case.put(&["Put", "simple", "v"]).await;
    assert_eq!(values(&case.json(&["CompositeRange", "color~id", "blue"]).await), ["1", "2"]);
    assert_eq!(values(&case.json(&["CompositeRange", "color~id"]).await), ["4", "1", "2", "3"]);
    assert_eq!(values(&case.json(&["CompositeRange", "color~id", "blue", "b"]).await), ["2"]);
    assert_eq!(values(&case.json(&["CompositeRange", "color~id", "green"]).await), [""; 0]);
    let page = case.json(&["CompositePage", "3", "", "color~id"]).await;
    assert_eq!(values(&page["rows"]), ["4", "1", "2"]);
    let bookmark = page["bookmark"].as_str().expect("a bookmark");
    let rest = case.json(&["CompositePage", "3", bookmark, "color~id"]).await;
    assert_eq!(values(&rest["rows"]), ["3"]);
    let split = case.json(&["SplitComposite", "color~id", "blue", "a"]).await;
    assert_eq!(split, json!({ "type": "color~id", "attributes": ["blue", "a"] }));
    let rows = case.json(&["Range", "", "\u{2}"]).await;
    assert_eq!(values(&rows), [""; 0], "simple ranges do not see composite keys");
}

fn values(rows: &Value) -> Vec<&str> {
    rows.as_array().expect("rows").iter().filter_map(|row| row["value"].as_str()).collect()
}

pub(super) async fn remembers_history(case: &Case) {
    let submit = |args: [&'static str; 3]| async move {
        case.client.submit(case.name, &args).await.unwrap_or_else(|refusal| panic!("{refusal}")).id
    };
    // More than one answer holds. Blind writes of one key do not conflict.
    let many = join_all((0..120).map(|_| submit(["Put", "past", "one of many"]))).await;
    let last = submit(["Put", "past", "last"]).await;
    let deleted = case.client.submit(case.name, &["Delete", "past"]).await.expect("a transaction").id;
    let history = case.json(&["History", "past"]).await;
    let versions = history.as_array().expect("versions");
    let ids: Vec<_> = versions.iter().filter_map(|version| version["txId"].as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[1]), (122, deleted.as_str(), last.as_str()), "newest first");
    assert!(many.iter().all(|id| ids.contains(&id.as_str())));
    assert_eq!((&versions[0]["value"], &versions[1]["value"]), (&json!(""), &json!("last")));
    let deletions = versions.iter().filter(|version| version["isDelete"] == true).count();
    assert_eq!((deletions, &versions[0]["isDelete"]), (1, &json!(true)));
    assert!(versions.iter().all(|version| !version["timestamp"].is_null()));
    assert_eq!(case.json(&["History", "never"]).await, json!([]));
}

pub(super) async fn has_no_rich_queries(case: &Case) {
    let refusal = case.error(&["Query", "{}"]).await;
    case.assert_refusal(
        &refusal,
        "GET_QUERY_RESULT failed: transaction ID: ",
        ": ExecuteQuery not supported for leveldb",
    );
}
