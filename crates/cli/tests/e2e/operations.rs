//! What operators look at.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    client::Client,
    http::{get, request},
    place::{Place, make_executable},
};

#[test]
fn says_that_it_is_healthy_and_what_it_is() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().start();
    let health = get(&windlass.ready, "/healthz");
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("OK")));
    let time = health.json()["time"].as_str().expect("a time").to_owned();
    assert!(time.contains('T') && time.len() > "2026-01-01T00:00:00Z".len() - 1, "{time}");
    let version = get(&windlass.ready, "/version");
    assert_eq!((version.status, &version.json()["Version"]), (200, &json!(env!("CARGO_PKG_VERSION"))));
    assert!(version.json()["CommitSHA"].is_string());
    assert_eq!(request(&windlass.ready, "POST", "/healthz", "").status, 405);
    assert_eq!(get(&windlass.ready, "/nothing").status, 404);
    windlass.stop();
}

#[test]
fn shows_and_changes_the_log_levels() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().arg("--log").arg("warn").start();
    let spec = || get(&windlass.ready, "/logspec");
    assert_eq!((spec().status, spec().json()), (200, json!({ "spec": "warn" })));
    let changed = request(&windlass.ready, "PUT", "/logspec", r#"{"spec":"info:endorser=debug"}"#);
    assert_eq!((changed.status, changed.body.as_str()), (204, ""));
    let now = spec().json()["spec"].as_str().expect("a spec").to_owned();
    assert!(now.contains("endorser=debug") && now.contains("info"), "{now}");
    for wrong in [r#"{"spec":"endorser=loud"}"#, "not JSON"] {
        let refused = request(&windlass.ready, "PUT", "/logspec", wrong);
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
        assert!(refused.json()["error"].is_string());
    }
    assert_eq!(spec().json()["spec"], json!(now), "a refused change changes nothing");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_under_fabrics_names() {
    let place = Place::new();
    let windlass = place.dev().ephemeral().start();
    let client = Client::user(&windlass.ready).await;
    for number in 0..3 {
        client.submit("basic", &["Put", "k", &number.to_string()]).await.expect("a transaction");
    }
    client.error("basic", &["Get", "missing"]).await;
    client.error("nowhere", &["Get"]).await;

    let answer = get(&windlass.ready, "/metrics");
    assert_eq!(answer.status, 200);
    let package_id = windlass.package_id("basic");
    let channel = r#"channel="mychannel""#;
    for (series, at_least) in [
        ("endorser_successful_proposals".to_owned(), 3.0),
        ("endorser_proposals_received".to_owned(), 5.0),
        (format!(r#"endorser_proposal_duration_count{{{channel},chaincode="basic",success="true"}}"#), 3.0),
        (format!(r#"endorser_proposal_duration_count{{{channel},chaincode="nowhere",success="false"}}"#), 1.0),
        (format!(r#"chaincode_launch_duration_count{{chaincode="{package_id}",success="true"}}"#), 1.0),
        (format!(r#"chaincode_shim_requests_received{{type="PUT_STATE",{channel},chaincode="{package_id}"}}"#), 3.0),
        (
            format!(
                r#"chaincode_shim_requests_completed{{type="GET_STATE",{channel},chaincode="{package_id}",success="true"}}"#
            ),
            1.0,
        ),
        (format!(r#"ledger_blockchain_height{{{channel}}}"#), 6.0),
        (
            format!(
                r#"ledger_transaction_count{{{channel},transaction_type="ENDORSER_TRANSACTION",chaincode="basic:1.0",validation_code="VALID"}}"#
            ),
            3.0,
        ),
    ] {
        let value = value_of(&answer.body, &series);
        assert!(value.is_some_and(|value| value >= at_least), "{series} is {value:?} in\n{}", answer.body);
    }
    for (name, kind) in [
        ("chaincode_shim_request_duration", "histogram"),
        ("endorser_proposal_duration", "histogram"),
        ("ledger_block_processing_time", "histogram"),
        ("fabric_version", "gauge"),
    ] {
        assert!(answer.body.contains(&format!("# TYPE {name} {kind}\n")), "{name} in\n{}", answer.body);
    }
    windlass.stop();
}

#[test]
fn says_which_limit_a_chaincode_went_beyond() {
    const HOG: &str = r#"#!/bin/sh
perl -e 'sleep 2; for (1..600) { push @a, "x" x 1048576 } sleep 600' &
exec "$WINDLASS_EXECUTABLE" sample "$@"
"#;
    let place = Place::new();
    let hog = place.folder_with("hog", &[("chaincode", HOG)]);
    make_executable(&hog.join("chaincode"));
    let core = place.folder_with(
        "core",
        &[("core.yaml", "windlass: { sandbox: { mode: auto }, chaincodes: { hog: { memory: 300MiB } } }\n")],
    );
    let windlass = place.dev().ephemeral().arg("--config").arg(core.join("core.yaml")).chaincode("hog", hog).start();
    let expected = json!("builder 'binary' run failed: run used more than 300 MiB of memory and was killed");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let chaincodes = get(&windlass.ready, "/chaincodes").json();
        if chaincodes.to_string().contains(&expected.to_string()) {
            break;
        }
        assert!(Instant::now() < deadline, "{chaincodes:#}");
        thread::sleep(Duration::from_millis(50));
    }
    windlass.stop();
}

/// The value of a series; its labels may stand in any order.
fn value_of(metrics: &str, series: &str) -> Option<f64> {
    let parts = |series: &str| {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let mut labels: Vec<_> = labels.trim_end_matches('}').split(',').map(str::to_owned).collect();
        labels.sort();
        (name.to_owned(), labels)
    };
    let wanted = parts(series);
    metrics
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .find(|(found, _)| parts(found) == wanted)
        .and_then(|(_, value)| value.parse().ok())
}
