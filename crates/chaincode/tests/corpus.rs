//! The fuzzer's checks on what its corpus holds: seeds, and whatever it found. `cargo xtask fuzz` goes on from there.

use std::{fs, panic, path::Path};

#[path = "../../../fuzz/checks/message.rs"]
mod message;
#[path = "../../../fuzz/checks/package.rs"]
mod package;

fn replay(target: &str, check: impl Fn(&[u8]) + panic::RefUnwindSafe) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let inputs: Vec<_> = fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    assert!(!inputs.is_empty(), "{target} has a corpus");
    for input in inputs {
        let bytes = fs::read(&input).expect("an input");
        assert!(panic::catch_unwind(|| check(&bytes)).is_ok(), "{} fails", input.display());
    }
}

#[test]
fn packages() {
    replay("package", package::check);
}

#[test]
fn archives_of_code() {
    replay("archive", package::check_code);
}

#[test]
fn messages() {
    replay("message", message::check);
}
