use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use super::{ConfigError, ExternalBuilder, MetricsProvider, Origin, PeerConfig, Warning};

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Writes `yaml` as a `core.yaml` in a fresh folder and loads it.
fn load(yaml: &str, environment: &[(&str, &str)]) -> Result<(PeerConfig, Vec<Warning>), ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("core.yaml");
    fs::write(&path, yaml).expect("a file");
    PeerConfig::load(Some(&path), &variables(environment))
}

fn loaded(yaml: &str, environment: &[(&str, &str)]) -> PeerConfig {
    let (config, warnings) = load(yaml, environment).expect("a configuration");
    assert_eq!(warnings, [], "for {yaml}");
    config
}

#[test]
fn defaults_are_the_sample_configurations() {
    let config = PeerConfig::default();
    assert_eq!(config.peer.listen_address, "0.0.0.0:7051");
    assert_eq!(config.peer.max_receive_message_size, 104_857_600);
    assert_eq!(config.peer.limits.gateway_service, 500);
    assert_eq!(config.chaincode.execute_timeout, Duration::from_secs(30));
    assert_eq!(config.chaincode.keepalive, None);
    assert!(config.chaincode.runtime.use_write_batch);
    assert_eq!(config.ledger.total_query_limit, 100_000);
    assert_eq!(config.operations.listen_address, "127.0.0.1:9443");
    assert_eq!(config.metrics, MetricsProvider::Disabled);
    assert!(config.settings().iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let yaml = "peer:\n  id: from-file\n  listenAddress: 127.0.0.1:1\n";
    for (name, expected) in [
        (None, "127.0.0.1:1"),
        (Some("CORE_PEER_LISTENADDRESS"), "127.0.0.1:2"),
        (Some("core_peer_listenAddress"), "127.0.0.1:2"),
    ] {
        let environment: Vec<_> = name.map(|name| (name, "127.0.0.1:2")).into_iter().collect();
        let config = loaded(yaml, &environment);
        assert_eq!(config.peer.listen_address, expected, "{name:?}");
        assert_eq!(config.peer.id, "from-file");
        let origin =
            config.settings().iter().find(|setting| setting.key == "peer.listenAddress").map(|s| s.origin.clone());
        assert_eq!(origin, Some(name.map_or(Origin::File, |name| Origin::Environment(name.to_owned()))));
    }
}

#[test]
fn reads_every_kind_of_setting_from_both_places() {
    let yaml = "
peer:
  tls:
    enabled: true
    clientAuthRequired: yes
    cert: {file: tls/server.crt}
    clientRootCAs:
      files: [a.pem, /b.pem]
  gateway: {endorsementTimeout: 1m30s, enabled: false}
  limits: {concurrency: {endorserService: 7}}
chaincode:
  mode: dev
  keepalive: 60
  executetimeout: 5000000000
metrics: {provider: prometheus}
";
    let config = loaded(yaml, &[]);
    assert!(config.peer.tls.enabled && config.peer.tls.client_auth_required && !config.peer.gateway.enabled);
    assert!(
        config.peer.tls.certificate.as_ref().is_some_and(|path| path.is_absolute() && path.ends_with("tls/server.crt"))
    );
    assert!(config.peer.tls.client_root_certificates[0].is_absolute());
    assert_eq!(config.peer.tls.client_root_certificates[1], Path::new("/b.pem"));
    assert_eq!(config.peer.gateway.endorsement_timeout, Duration::from_secs(90));
    assert_eq!(config.peer.limits.endorser_service, 7);
    assert!(config.chaincode.development_mode);
    assert_eq!(config.chaincode.keepalive, Some(Duration::from_secs(60)));
    assert_eq!(config.chaincode.execute_timeout, Duration::from_secs(5));
    assert_eq!(config.metrics, MetricsProvider::Prometheus);

    let config = loaded(
        "",
        &[
            ("CORE_PEER_TLS_ENABLED", "true"),
            ("CORE_PEER_TLS_CLIENTROOTCAS_FILES", "[/a.pem, /b.pem]"),
            ("CORE_OPERATIONS_TLS_CLIENTROOTCAS_FILES", "/a.pem /b.pem"),
            ("CORE_PEER_GATEWAY_DIALTIMEOUT", "250ms"),
            ("CORE_CHAINCODE_RUNTIMEPARAMS_MAXSIZEWRITEBATCH", "5"),
            ("CORE_PEER_LOCALMSPID", "Org1MSP"),
            ("CORE_LEDGER_STATE_TOTALQUERYLIMIT", "10"),
            ("CORE_PEER_ID", ""),
            ("UNRELATED", "x"),
        ],
    );
    assert!(config.peer.tls.enabled);
    assert_eq!(config.peer.tls.client_root_certificates, [Path::new("/a.pem"), Path::new("/b.pem")]);
    assert_eq!(config.operations.tls.client_root_certificates, [Path::new("/a.pem"), Path::new("/b.pem")]);
    assert_eq!(config.peer.gateway.dial_timeout, Duration::from_millis(250));
    assert_eq!(config.chaincode.runtime.max_size_write_batch, 5);
    assert_eq!(config.peer.local_msp_id, "Org1MSP");
    assert_eq!(config.ledger.total_query_limit, 10);
    assert_eq!(config.peer.id, "jdoe", "an empty variable counts as unset");
}

#[test]
fn reads_builders_from_the_file_and_as_yaml_text_from_a_variable() {
    let expected = [
        ExternalBuilder { name: "x".into(), path: "d".into(), propagate_environment: vec!["A".into(), "B".into()] },
        ExternalBuilder { name: "y".into(), path: "/e".into(), propagate_environment: vec![] },
    ];
    let yaml = "chaincode:\n  externalBuilders:\n    - {name: x, path: d, propagateEnvironment: [A, B]}\n    - name: y\n      path: /e\n";
    assert_eq!(loaded(yaml, &[]).chaincode.external_builders, expected);
    let text = "[{name: x, path: d, environmentWhitelist: [A, B]}, {path: /e, name: y}]";
    assert_eq!(loaded(yaml, &[("CORE_CHAINCODE_EXTERNALBUILDERS", text)]).chaincode.external_builders, expected);
    assert_eq!(loaded("chaincode: {externalBuilders: []}", &[]).chaincode.external_builders, []);
}

#[test]
fn reports_every_fault_at_once() {
    let yaml = "
peer: {listenAddress: nowhere, gateway: {dialTimeout: 2x}, tls: {enabled: maybe}, limits: 5}
chaincode:
  mode: turbo
  externalBuilders: [{name: x}, {path: p}, text]
metrics: {provider: statsd}
";
    let error = load(yaml, &[("CORE_PEER_MAXRECVMSGSIZE", "-1")]).expect_err("faults");
    let text = error.to_string();
    assert_eq!(
        text,
        "invalid configuration:
  peer.listenAddress: expected an address such as 0.0.0.0:7051, found \"nowhere\"
  peer.tls.enabled: expected true or false, found \"maybe\"
  peer.gateway.dialTimeout: expected a duration such as 30s or 1h30m, found \"2x\"
  peer.maxRecvMsgSize (from CORE_PEER_MAXRECVMSGSIZE): expected a whole number in range, found \"-1\"
  chaincode.mode: expected net or dev, found \"turbo\"
  chaincode.externalBuilders: invalid external builder configuration, path attribute missing in one or more builders
  chaincode.externalBuilders: external builder at path p has no name attribute
  chaincode.externalBuilders: expected a builder, found a value
  metrics.provider: expected prometheus or disabled, found \"statsd\""
    );
}

#[test]
fn names_what_it_does_not_know() {
    let yaml = "
peer: {lissenAddress: 0.0.0.0:1, gossip: {bootstrap: a, endpoint: b}, limits: 5}
chaincode: {builder: image, externalBuilders: [{name: x, path: p, colour: red}]}
extra: {a: 1}
";
    let environment = [
        ("CORE_PEER_LISSENADDRESS", "x"),
        ("CORE_PEER_GOSSIP_EXTERNALENDPOINT", "x"),
        ("CORE_VM_ENDPOINT", "x"),
        ("CORE_PEER_TLS_SERVERHOSTOVERRIDE", "for the client"),
        ("CORE_CHAINCODE_ID_NAME", "for chaincode"),
    ];
    let (_, warnings) = load(yaml, &environment).expect("a configuration");
    let mut texts: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            "unknown key chaincode.externalBuilders[0].colour in the configuration file",
            "unknown key extra in the configuration file",
            "unknown key peer.limits in the configuration file",
            "unknown key peer.lissenAddress in the configuration file",
            "unknown variable CORE_PEER_LISSENADDRESS",
            "without effect here: chaincode.builder, peer.gossip, vm",
        ]
    );
}

#[test]
fn replaces_an_execute_timeout_under_a_second() {
    let (config, warnings) = load("chaincode: {executetimeout: 300ms}", &[]).expect("a configuration");
    assert_eq!(config.chaincode.execute_timeout, Duration::from_secs(30));
    assert_eq!(warnings[0].to_string(), "chaincode.executetimeout is 300ms, which is less than 1s; 30s is used");
}

#[test]
fn counts_a_keepalive_in_whole_seconds_only() {
    for (text, expected) in [("60", Some(60)), ("60s", None), ("0", None), ("-1", None)] {
        let config = loaded(&format!("chaincode: {{keepalive: {text}}}"), &[]);
        assert_eq!(config.chaincode.keepalive, expected.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn says_which_file_is_missing_or_broken() {
    let error = PeerConfig::load(Some(Path::new("/nowhere/core.yaml")), &BTreeMap::new()).expect_err("no file");
    assert!(error.to_string().starts_with("cannot read /nowhere/core.yaml: "), "{error}");
    let error = load("peer: [", &[]).expect_err("no YAML");
    assert!(error.to_string().contains("core.yaml is not YAML: "), "{error}");
}

#[test]
fn a_client_needs_less_than_a_node() {
    let config = loaded(
        "peer: {tls: {enabled: true, rootcert: {file: ca.crt}}}\nledger: {state: {stateDatabase: CouchDB}}",
        &[],
    );
    assert_eq!(
        config.check_node().expect_err("faults").to_string(),
        "invalid configuration:
  peer.tls.cert.file: needed because TLS is enabled
  peer.tls.key.file: needed because TLS is enabled
  ledger.state.stateDatabase: only goleveldb, the embedded database, is available
  peer.chaincodeAddress: invalid endpoint for chaincode to connect"
    );
    let config = loaded("peer: {address: peer0:7051, localMspId: Org1MSP}", &[]);
    assert!(config.check_node().is_ok());
}

#[test]
fn a_client_certificate_goes_with_its_key() {
    let load = |client: &str| {
        let tls = format!("{{enabled: true, cert: {{file: s.crt}}, key: {{file: s.key}}{client}}}");
        loaded(&format!("peer: {{address: peer0:7051, localMspId: Org1MSP, tls: {tls}}}"), &[]).check_node()
    };
    let both = "peer.tls.clientCert.file and peer.tls.clientKey.file must both be set or both be empty";
    for (client, key) in [
        (", clientCert: {file: c.crt}", "peer.tls.clientCert.file"),
        (", clientKey: {file: c.key}", "peer.tls.clientKey.file"),
    ] {
        let error = load(client).expect_err("half a pair").to_string();
        assert_eq!(error, format!("invalid configuration:\n  {key}: {both}"));
    }
    assert!(load("").is_ok());
    assert!(load(", clientCert: {file: c.crt}, clientKey: {file: c.key}").is_ok());
}

#[test]
fn in_development_mode_a_port_without_tls_is_for_this_machine_alone() {
    let check = |tls: bool, listen: &str| {
        let tls = format!("{{enabled: {tls}, cert: {{file: s.crt}}, key: {{file: s.key}}}}");
        let peer =
            format!("{{address: peer0:7051, localMspId: Org1MSP, tls: {tls}, chaincodeListenAddress: '{listen}'}}");
        loaded(&format!("peer: {peer}\nchaincode: {{mode: dev}}"), &[]).check_node()
    };
    for open in ["0.0.0.0:7052", "10.0.0.1:7052", "[::]:7052", ""] {
        let error = check(true, open).expect_err("open to others").to_string();
        assert!(error.contains("peer.chaincodeListenAddress: expected an address of this machine alone"), "{error}");
        assert!(check(false, open).is_ok(), "{open}: nothing is protected without TLS");
    }
    for local in ["127.0.0.1:7052", "[::1]:7052", "localhost:7052"] {
        assert!(check(true, local).is_ok(), "{local}");
    }
}
