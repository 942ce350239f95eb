use std::{collections::BTreeMap, time::Duration};

use windlass_chaincode::engine::EngineMetrics;

use super::{Delivery, Metrics};

/// A registry in which everything has happened once.
fn busy() -> Metrics {
    let metrics = Metrics::new("1.2.3");
    let second = Duration::from_secs(1);
    metrics.launch_duration("id", true, second);
    metrics.launch_failure("id");
    metrics.launch_timeout("id");
    metrics.shim_request_received("GET_STATE", "ch", "id");
    metrics.shim_request_completed("GET_STATE", "ch", "id", false, second);
    metrics.execute_timeout("id");
    metrics.proposal_received();
    metrics.proposal_invalid();
    metrics.proposal_duplicate("ch", "cc");
    metrics.proposal_acl_failed("ch", "cc");
    metrics.simulation_failed("ch", "cc");
    metrics.endorsement_failed("ch", "cc", true);
    metrics.instantiation_failed("ch", "cc");
    metrics.proposal_succeeded();
    metrics.proposal_finished("ch", "cc", true, second);
    drop(metrics.deliver_stream_opened());
    metrics.deliver_request_received("ch", Delivery::Block);
    metrics.deliver_block_sent("ch", Delivery::FilteredBlock);
    metrics.deliver_request_completed("ch", Delivery::BlockAndPrivateData, false);
    metrics.ledger_height("ch", 7);
    drop(metrics.connection_opened());
    metrics
}

/// Every family with its type.
fn types(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines.filter_map(|line| line.split_once(' ')).collect()
}

#[test]
fn shows_fabrics_names_types_and_labels() {
    let text = busy().render();
    let types = types(&text);
    for (name, kind, sample) in [
        ("chaincode_execute_timeouts", "counter", r#"chaincode_execute_timeouts{chaincode="id"} 1"#),
        (
            "chaincode_launch_duration",
            "histogram",
            r#"chaincode_launch_duration_count{chaincode="id",success="true"} 1"#,
        ),
        ("chaincode_launch_failures", "counter", r#"chaincode_launch_failures{chaincode="id"} 1"#),
        ("chaincode_launch_timeouts", "counter", r#"chaincode_launch_timeouts{chaincode="id"} 1"#),
        (
            "chaincode_shim_request_duration",
            "histogram",
            r#"chaincode_shim_request_duration_sum{chaincode="id",channel="ch",success="false",type="GET_STATE"} 1"#,
        ),
        (
            "chaincode_shim_requests_completed",
            "counter",
            r#"chaincode_shim_requests_completed{chaincode="id",channel="ch",success="false",type="GET_STATE"} 1"#,
        ),
        (
            "chaincode_shim_requests_received",
            "counter",
            r#"chaincode_shim_requests_received{chaincode="id",channel="ch",type="GET_STATE"} 1"#,
        ),
        (
            "deliver_blocks_sent",
            "counter",
            r#"deliver_blocks_sent{channel="ch",data_type="filtered_block",filtered="true"} 1"#,
        ),
        (
            "deliver_requests_completed",
            "counter",
            r#"deliver_requests_completed{channel="ch",data_type="block_and_pvtdata",filtered="false",success="false"} 1"#,
        ),
        (
            "deliver_requests_received",
            "counter",
            r#"deliver_requests_received{channel="ch",data_type="block",filtered="false"} 1"#,
        ),
        ("deliver_streams_closed", "counter", "deliver_streams_closed 1"),
        ("deliver_streams_opened", "counter", "deliver_streams_opened 1"),
        (
            "endorser_chaincode_instantiation_failures",
            "counter",
            r#"endorser_chaincode_instantiation_failures{chaincode="cc",channel="ch"} 1"#,
        ),
        (
            "endorser_duplicate_transaction_failures",
            "counter",
            r#"endorser_duplicate_transaction_failures{chaincode="cc",channel="ch"} 1"#,
        ),
        (
            "endorser_endorsement_failures",
            "counter",
            r#"endorser_endorsement_failures{chaincode="cc",chaincodeerror="true",channel="ch"} 1"#,
        ),
        (
            "endorser_proposal_acl_failures",
            "counter",
            r#"endorser_proposal_acl_failures{chaincode="cc",channel="ch"} 1"#,
        ),
        (
            "endorser_proposal_duration",
            "histogram",
            r#"endorser_proposal_duration_bucket{chaincode="cc",channel="ch",success="true",le="1"} 1"#,
        ),
        (
            "endorser_proposal_simulation_failures",
            "counter",
            r#"endorser_proposal_simulation_failures{chaincode="cc",channel="ch"} 1"#,
        ),
        ("endorser_proposal_validation_failures", "counter", "endorser_proposal_validation_failures 1"),
        ("endorser_proposals_received", "counter", "endorser_proposals_received 1"),
        ("endorser_successful_proposals", "counter", "endorser_successful_proposals 1"),
        ("fabric_version", "gauge", r#"fabric_version{version="1.2.3"} 1"#),
        ("grpc_comm_conn_closed", "counter", "grpc_comm_conn_closed 1"),
        ("grpc_comm_conn_opened", "counter", "grpc_comm_conn_opened 1"),
        ("ledger_blockchain_height", "gauge", r#"ledger_blockchain_height{channel="ch"} 7"#),
    ] {
        assert_eq!(types.get(name), Some(&kind), "{name}");
        assert!(text.lines().any(|line| line == sample), "{sample} in\n{text}");
    }
}

#[test]
fn shows_what_is_there_now() {
    let metrics = Metrics::new("1");
    metrics.open_snapshots("ch", 3);
    metrics.running_tasks(5);
    let text = metrics.render();
    for line in [r#"windlass_ledger_snapshots{channel="ch"} 3"#, "windlass_tasks 5"] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[test]
fn counts_for_each_peer_by_itself() {
    let (one, other) = (Metrics::new("1"), Metrics::new("1"));
    one.clone().proposal_received();
    assert!(one.render().contains("endorser_proposals_received 1"));
    assert!(other.render().contains("endorser_proposals_received 0"));
}

#[test]
fn counts_the_transactions_of_a_block() {
    use windlass_ledger::Committed;
    use windlass_proto::{
        common::{Block, BlockData, BlockHeader},
        protos::TxValidationCode,
    };

    let block = Block {
        header: Some(BlockHeader { number: 4, ..Default::default() }),
        data: Some(BlockData { data: vec![b"\xff".as_slice().into()] }),
        metadata: None,
    };
    let committed = Committed {
        block: block.into(),
        codes: vec![TxValidationCode::BadPayload],
        stored: Duration::from_millis(7),
        applied: Duration::from_millis(2),
    };
    let metrics = Metrics::new("1");
    metrics.block_committed("ch", &committed, Duration::from_millis(12));
    let text = metrics.render();
    for line in [
        r#"ledger_blockchain_height{channel="ch"} 5"#,
        r#"ledger_block_processing_time_bucket{channel="ch",le="0.01"} 0"#,
        r#"ledger_block_processing_time_bucket{channel="ch",le="0.015"} 1"#,
        r#"ledger_blockstorage_commit_time_bucket{channel="ch",le="0.005"} 0"#,
        r#"ledger_blockstorage_commit_time_bucket{channel="ch",le="0.01"} 1"#,
        r#"ledger_blockstorage_and_pvtdata_commit_time_sum{channel="ch"} 0.007"#,
        r#"ledger_statedb_commit_time_sum{channel="ch"} 0.002"#,
        "# TYPE ledger_statedb_commit_time histogram",
        r#"ledger_transaction_count{chaincode="unknown",channel="ch",transaction_type="unknown",validation_code="BAD_PAYLOAD"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}
