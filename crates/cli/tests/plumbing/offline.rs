//! What goes wrong before anybody is asked.

use crate::support::Place;

#[test]
fn says_what_the_configuration_lacks() {
    let place = Place::new();
    let nowhere = place.peer_with("channel list", &[("FABRIC_CFG_PATH", "/nonexistent")]);
    assert_eq!(
        nowhere.stderr,
        "TIME 0001 ERRO [main] InitCmd -> Fatal error when initializing core config : FABRIC_CFG_PATH /nonexistent does not exist\n"
    );
    let without_msp = place.peer("channel list");
    assert_eq!(
        without_msp.stderr,
        "TIME 0001 ERRO [main] InitCmd -> Cannot run peer because cannot init crypto, specified path \"DIR/config/msp\" does not exist or cannot be accessed: stat DIR/config/msp: no such file or directory\n"
    );
    place.write("config/core.yaml", "peer: [\n");
    let broken = place.peer("channel list");
    assert_eq!(broken.stderr.lines().count(), 1, "{}", broken.stderr);
    assert!(
        broken.stderr.contains("error when reading core config file: While parsing config: yaml: "),
        "{}",
        broken.stderr
    );
    for said in [nowhere, without_msp, broken] {
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    }
}

#[test]
fn log_lines_obey_the_two_variables() {
    let place = Place::new();
    let variables = |spec, format| {
        [("FABRIC_CFG_PATH", "/nonexistent"), ("FABRIC_LOGGING_SPEC", spec), ("FABRIC_LOGGING_FORMAT", format)]
    };
    let text = "Fatal error when initializing core config : FABRIC_CFG_PATH /nonexistent does not exist";
    let said = place.peer_with("channel list", &variables("info", "%{level}|%{module}|%{message}"));
    assert_eq!(said.stderr, format!("ERROR|main|{text}\n"));
    let said = place.peer_with("channel list", &variables("fatal", ""));
    assert_eq!((said.stderr.as_str(), said.code), ("", Some(1)));
    let said = place.peer_with("channel list", &variables("info", "json"));
    assert!(said.stderr.contains(&format!("\"msg\":\"{text}\"")), "{}", said.stderr);
    let said = place.peer_with("channel list", &variables("nosuch", ""));
    assert_eq!(said.stderr, "Error: invalid logging specification 'nosuch': bad segment 'nosuch'\n");
}

#[test]
fn packaging_needs_no_identity() {
    let place = Place::new();
    for (words, error) in [
        ("package", "invalid number of args. expected only the output file"),
        ("package x.tgz", "chaincode path must be specified"),
        ("package x.tgz -p y", "package label must be specified"),
        ("package x.tgz -p y --label a -l cobol", "failed to normalize chaincode path: unknown chaincodeType: COBOL"),
        (
            "package x.tgz -p nope --label a -l node",
            "error getting chaincode bytes: Error writing Chaincode package contents: lstat nope: no such file or directory",
        ),
        ("calculatepackageid", "invalid number of args. expected only the packaged chaincode file"),
        ("calculatepackageid nope", "failed to read chaincode package at 'nope': open nope: no such file or directory"),
    ] {
        let said = place.peer(&format!("lifecycle chaincode {words}"));
        assert_eq!((said.code, said.stderr), (Some(1), format!("Error: {error}\n")), "{words}");
    }
}
