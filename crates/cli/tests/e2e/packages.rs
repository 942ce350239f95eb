//! Contracts in every language, as packages: made by us and installed with the command line, and made elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    go_contract::check,
    support::{
        client::Client,
        package::{self, Entry},
        parts,
        place::Place,
        tool::Tool,
    },
};

/// The files of an example below `src/`, as Fabric's command line lays them out.
fn source(folder: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if ["node_modules", "target", "dist"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(folder).expect("below").display().to_string();
                entries.push(Entry::file(&format!("src/{below}"), fs::read(&path).expect("a file")));
            }
        }
    }
    entries
}

/// A package as others make it: the code before the metadata, which has keys that nobody knows.
fn made_elsewhere(place: &Place, kind: &str, example: &str) -> PathBuf {
    let metadata = format!(r#"{{"label":"{example}","path":"","type":"{}","made":"elsewhere"}}"#, kind.to_uppercase());
    let code = package::archive(&source(&parts::example(example)));
    let outer = [Entry::file("code.tar.gz", code), Entry::file("metadata.json", metadata)];
    let path = place.path().join(format!("{example}.tar.gz"));
    fs::write(&path, package::archive(&outer)).expect("a file");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_packages_that_were_made_elsewhere() {
    let place = Place::new();
    let windlass = place
        .dev()
        .ephemeral()
        .chaincode("go", made_elsewhere(&place, "golang", "go-contract"))
        .chaincode("javascript", made_elsewhere(&place, "node", "node-contract"))
        .chaincode("java", made_elsewhere(&place, "java", "java-contract"))
        .start();
    let client = Client::user(&windlass.ready).await;
    for name in ["go", "javascript", "java"] {
        check(&client, name).await;
    }
    windlass.stop();
}

#[test]
fn installs_packages_with_the_command_line() {
    let place = Place::new();
    let windlass = place.dev().start();
    for example in ["go-contract", "node-contract", "java-contract"] {
        let package = place.path().join(format!("{example}.tar.gz"));
        let made =
            Tool::new(&windlass.ready, &["package", "--output"]).arg(&package).arg(parts::example(example)).run();
        assert!(made.success, "{}", made.stderr);
        let installed = Tool::new(&windlass.ready, &["lifecycle", "chaincode", "install"]).arg(&package).run();
        assert!(installed.success, "{}", installed.stderr);
        let listed = Tool::new(&windlass.ready, &["lifecycle", "chaincode", "queryinstalled"]).run();
        assert!(listed.stdout.contains(&format!("Package ID: {example}")), "{}", listed.stdout);
    }
    windlass.stop();
}
