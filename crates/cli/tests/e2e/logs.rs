//! What chaincode and its builders print, as `windlass logs` shows it.

use std::{fs, process::Command, time::Duration};

use crate::{
    builders::{BUILD, DETECT, RUN, configuration},
    support::{
        client::Client,
        output::Pipe,
        package::{self, Entry},
        parts,
        place::Place,
        tool::{Said, Tool},
        windlass::Windlass,
    },
};

/// A network with a chaincode `own` that says hello when it is built, and when it starts.
fn network(place: &Place) -> Windlass {
    let build = format!("{BUILD}if [ -e \"$1/broken\" ]; then echo 'line 7: no' >&2; exit 3; fi\necho building it\n");
    let run = RUN.replace("set -e\n", "set -e\necho hello from the chaincode\n");
    let programs = [("bin/detect", DETECT), ("bin/build", build.as_str()), ("bin/run", run.as_str())];
    let core = configuration(place, "shell", &programs, &["WINDLASS"]);
    let package = crate::builders::package(place, "own_label");
    place
        .dev()
        .arg("--config")
        .arg(core)
        .chaincode("own", package)
        .env("WINDLASS", env!("CARGO_BIN_EXE_windlass"))
        .start()
}

#[track_caller]
fn logs(windlass: &Windlass, words: &[&str]) -> Said {
    Tool::new(&windlass.ready, &[&["logs"], words, &["--network"]].concat()).arg(&windlass.ready.data).run()
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_what_chaincode_and_builders_print_under_every_name() {
    let place = Place::new();
    let windlass = network(&place);
    Client::user(&windlass.ready).await.submit("own", &["Put", "k", "v"]).await.expect("a transaction");
    let id = windlass.package_id("own").to_owned();
    let hash = id.split(':').nth(1).expect("a hash");
    for name in ["own", "own_label", &id, &id[..20], &hash[..8]] {
        let run = logs(&windlass, &[name]);
        assert!(run.success && run.stdout.contains(" 1 | hello from the chaincode\n"), "{name}: {run:?}");
        assert!(run.stdout.contains(" 1 | [process "), "{name}: {run:?}");
        let build = logs(&windlass, &[name, "--build"]);
        assert!(build.stdout.contains(" build | building it\n"), "{name}: {build:?}");
        assert!(build.stdout.contains(" detect | [builder 'shell' takes the package]\n"), "{name}: {build:?}");
    }
    let last = logs(&windlass, &["own", "--build", "--json", "--lines", "1"]).stdout;
    let last: serde_json::Value = serde_json::from_str(&last).expect("one line");
    assert_eq!(
        (&last["step"], &last["stream"], &last["text"]),
        (&"build".into(), &"out".into(), &"building it".into())
    );
    assert_eq!(logs(&windlass, &["own", "--instance", "2"]).stdout, "");
    let unknown = logs(&windlass, &["nothing"]);
    assert_eq!(
        unknown.stderr,
        format!(
            "error: no chaincode, package label or package ID 'nothing' is known to this peer; \
             hint: there is own ({id})\n"
        )
    );
    windlass.stop();
}

#[test]
fn keeps_what_a_failed_build_printed() {
    let place = Place::new();
    let windlass = network(&place);
    let broken = place.path().join("broken.tar.gz");
    fs::write(&broken, package::package("shell", "broken", &[Entry::file("broken", "")])).expect("a file");
    let install = Tool::new(&windlass.ready, &["lifecycle", "chaincode", "install"]).arg(&broken).run();
    assert!(!install.success && install.stderr.contains("line 7: no"), "{install:?}");
    assert!(install.stderr.contains("external builder 'shell' failed: exit status 3"), "{install:?}");
    let build = logs(&windlass, &["broken", "--build"]);
    assert!(build.stdout.contains(" build | line 7: no\n"), "{build:?}");
    assert!(build.stdout.contains(" build | [failed: external builder failed: "), "{build:?}");
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_a_node_contract_until_the_network_stops() {
    let place = Place::new();
    let folder = place.path().join("assets");
    parts::copy(&parts::example("node-contract"), &folder);
    let contract = folder.join("lib/asset-contract.js");
    let code = fs::read_to_string(&contract).expect("a contract");
    let head = "async CreateAsset(ctx, id, color, size, owner, appraisedValue) {";
    assert!(code.contains(head), "{code}");
    fs::write(&contract, code.replace(head, &format!("{head} console.log(`creates ${{id}}`);"))).expect("a contract");
    let windlass = place.dev().chaincode("assets", folder).start();

    let (mut follower, output) =
        Tool::new(&windlass.ready, &["logs", "assets", "-f", "--network"]).arg(&windlass.ready.data).start();
    let limit = Duration::from_secs(60);
    let printed = |end: &'static str| output.wait_for(Pipe::Stdout, limit, move |line| line.ends_with(end)).is_some();
    assert!(printed(" started]"), "{}", output.shown());
    let client = Client::user(&windlass.ready).await;
    client.submit("assets", &["CreateAsset", "asset7", "blue", "5", "Ada", "300"]).await.expect("an asset");
    assert!(printed(" 1 | creates asset7"), "{}", output.shown());
    // The toolchain is the one that is here.
    let node = Command::new("node").arg("--version").output().expect("a version").stdout;
    let node = String::from_utf8(node).expect("text");
    let status = Tool::new(&windlass.ready, &["status", "--network"]).arg(&windlass.ready.data).run();
    assert!(status.success && status.stdout.contains(node.trim()), "{node} in {status:?}");
    // Stopping does not wait for those who look on.
    windlass.stop();
    assert!(follower.wait(limit).is_some_and(|status| status.success()), "{}", output.shown());
}
