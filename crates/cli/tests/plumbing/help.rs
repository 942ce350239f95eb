//! Help, and what is said of a wrong command line.

use crate::support::Place;

#[test]
fn help_of_every_command() {
    let place = Place::new();
    for words in [
        "--help",
        "channel --help",
        "channel fetch --help",
        "chaincode invoke -h",
        "chaincode query -h",
        "lifecycle chaincode --help",
        "lifecycle chaincode package -h",
        "lifecycle chaincode approveformyorg -h",
        "lifecycle chaincode checkcommitreadiness -h",
        "node rollback -h",
        "snapshot submitrequest -h",
        "completion bash -h",
    ] {
        let said = place.peer(words);
        insta::assert_snapshot!(words.replace([' ', '-'], "_"), said);
    }
}

#[test]
fn a_group_without_a_command_shows_its_help_and_succeeds() {
    let place = Place::new();
    let help = place.peer("lifecycle chaincode --help");
    for words in ["lifecycle chaincode", "lifecycle chaincode nosuch", "help lifecycle chaincode"] {
        let said = place.peer(words);
        assert_eq!((said.code, &said.stdout), (Some(0), &help.stdout), "{words}");
    }
}

#[test]
fn a_wrong_command_line_is_shown_the_usage() {
    let place = Place::new();
    for (name, words) in [
        ("unknown_command", "chnnel"),
        ("unknown_flag", "channel list --nosuch"),
        ("missing_argument", "channel getinfo -c"),
        ("trailing_arguments", "channel list a b"),
        ("invalid_number", "lifecycle chaincode queryapproved --sequence x"),
    ] {
        insta::assert_snapshot!(name, place.peer(words));
    }
}

#[test]
fn what_is_not_available_is_refused_by_name() {
    let place = Place::new();
    for words in [
        "snapshot listpending -c ch",
        "channel joinbysnapshot --snapshotpath x",
        "chaincode signpackage a b",
        "chaincode instantiate -n x",
    ] {
        let said = place.peer(words);
        assert_eq!(said.code, Some(1), "{words}");
        assert!(
            said.stderr.starts_with("Error: 'peer ") && said.stderr.contains("available"),
            "{words}: {}",
            said.stderr
        );
    }
}

#[test]
fn windlass_has_the_same_commands_under_its_own_name() {
    let place = Place::new();
    for words in ["channel list --help", "lifecycle chaincode install --help", "chaincode query", "node pause"] {
        let (peer, windlass) = (place.peer(words), place.windlass(words));
        let renamed = |text: &str| {
            text.replace("peer channel", "windlass channel")
                .replace("peer lifecycle", "windlass lifecycle")
                .replace("peer chaincode", "windlass chaincode")
                .replace("peer node", "windlass node")
        };
        assert_eq!(windlass.stdout, renamed(&peer.stdout), "{words}");
        assert_eq!(windlass.stderr, renamed(&peer.stderr), "{words}");
        assert_eq!(windlass.code, peer.code, "{words}");
    }
}

#[test]
fn shells_complete_its_commands_and_flags() {
    let place = Place::new();
    let listed = place.peer("completion").stdout;
    for shell in ["bash", "fish", "powershell", "zsh"] {
        assert!(listed.contains(&format!("\n  {shell:<11} Generate")), "{listed}");
        let script = place.peer(&format!("completion {shell}")).stdout;
        assert_eq!(script, place.windlass(&format!("completions {shell} --for peer")).stdout);
        assert!(script.contains("approveformyorg"), "{shell}");
    }
    let described = |script: &str| script.contains("Approve the chaincode definition for my org");
    assert!(described(&place.peer("completion zsh").stdout));
    assert!(!described(&place.peer("completion zsh --no-descriptions").stdout));
}

#[test]
fn the_version_has_the_lines_that_scripts_look_for() {
    let said = Place::new().peer("version");
    let lines: Vec<_> = said.stdout.lines().collect();
    assert_eq!(lines[0], "peer:");
    assert_eq!(lines[1], format!(" Version: {}", env!("CARGO_PKG_VERSION")));
    assert!(lines[4].starts_with(" OS/Arch: "), "{}", said.stdout);
}
