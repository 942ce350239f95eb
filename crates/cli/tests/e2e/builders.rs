//! External builders of one's own, named in core.yaml.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    client::Client,
    package::{self, Entry},
    place::{Place, SAMPLE, make_executable},
};

/// Claims packages of type `shell`.
pub(crate) const DETECT: &str = r#"#!/bin/sh
grep -q '"type":"shell"' "$2/metadata.json"
"#;

/// Keeps what it is called with, and the code.
pub(crate) const BUILD: &str = r#"#!/bin/sh
set -e
cp -R "$1"/. "$3"
env | sort > "$3/environment"
cp "$2/metadata.json" "$3/metadata.json"
"#;

/// Runs the sample that is in the peer's own binary, as the package says.
pub(crate) const RUN: &str = r#"#!/bin/sh
set -e
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2/chaincode.json" | sed 's/\\n/\
/g'; }
field root_cert "$2" > "$1/root.pem"
field client_cert "$2" > "$1/client.pem"
field client_key "$2" > "$1/client.key"
base64 -w0 "$1/client.key" > "$1/client.key.64"
base64 -w0 "$1/client.pem" > "$1/client.pem.64"
export CORE_CHAINCODE_ID_NAME="$(field chaincode_id "$2")"
export CORE_PEER_LOCALMSPID="$(field mspid "$2")"
export CORE_PEER_TLS_ENABLED=true
export CORE_PEER_TLS_ROOTCERT_FILE="$1/root.pem"
export CORE_TLS_CLIENT_KEY_PATH="$1/client.key.64" CORE_TLS_CLIENT_CERT_PATH="$1/client.pem.64"
exec "$WINDLASS" sample -peer.address "$(field peer_address "$2")"
"#;

/// Writes a builder and a core.yaml that names it; returns the latter.
pub(crate) fn configuration(place: &Place, name: &str, programs: &[(&str, &str)], propagate: &[&str]) -> PathBuf {
    let builder = place.folder_with(&format!("{name}-builder"), programs);
    for (program, _) in programs {
        make_executable(&builder.join(program));
    }
    let core = format!(
        "chaincode:\n  externalBuilders:\n    - name: {name}\n      path: {}\n      propagateEnvironment: [{}]\n",
        builder.display(),
        propagate.join(", ")
    );
    place.folder_with("config", &[("core.yaml", &core)]).join("core.yaml")
}

/// A package that only a builder of one's own can want.
pub(crate) fn package(place: &Place, label: &str) -> PathBuf {
    let path = place.path().join(format!("{label}.tar.gz"));
    let code = [Entry::folder("deep/"), Entry::file("deep/code.txt", "any code")];
    fs::write(&path, package::package("shell", label, &code)).expect("a file");
    path
}

fn build_folder(data: &Path, package_id: &str) -> PathBuf {
    data.join("peer/externalbuilder/builds").join(package_id.replace(':', "-"))
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_and_runs_with_a_builder_of_ones_own() {
    let place = Place::new();
    let programs = [("bin/detect", DETECT), ("bin/build", BUILD), ("bin/run", RUN)];
    let core = configuration(&place, "shell", &programs, &["WINDLASS", "GREETING"]);
    let windlass = place
        .dev()
        .arg("--config")
        .arg(core)
        .chaincode("own", package(&place, "own"))
        .env("WINDLASS", env!("CARGO_BIN_EXE_windlass"))
        .env("GREETING", "hello")
        .env("SECRET", "not for builders")
        .start();
    let client = Client::user(&windlass.ready).await;
    client.submit("own", &["Put", "k", "v"]).await.expect("a transaction");
    assert_eq!(client.text("own", &["Get", "k"]).await, "v");

    let build = build_folder(&windlass.ready.data, windlass.package_id("own"));
    let info = fs::read_to_string(build.join("build-info.json")).expect("what built it");
    assert_eq!(info, r#"{"builder_name":"shell"}"#);
    assert_eq!(fs::read(build.join("bld/deep/code.txt")).expect("the code"), b"any code");
    assert_eq!(
        fs::read_to_string(build.join("bld/metadata.json")).expect("metadata"),
        package::metadata("shell", "own")
    );
    let environment = fs::read_to_string(build.join("bld/environment")).expect("an environment");
    let names: Vec<_> = environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.contains(&"GREETING") && names.contains(&"PATH") && names.contains(&"TMPDIR"), "{names:?}");
    let foreign = |name: &&&str| ["SECRET", "HOME"].contains(*name) || name.starts_with("CORE_");
    assert_eq!(names.iter().find(foreign), None, "{names:?}");
    windlass.stop();
}

#[test]
fn a_build_may_take_longer_than_the_peer_waits_and_is_told_of_once() {
    let place = Place::new();
    let slow = format!("{BUILD}sleep 8\n");
    let release = "#!/bin/sh\nsleep 1\n";
    let programs = [("bin/detect", DETECT), ("bin/build", &slow), ("bin/release", release), ("bin/run", RUN)];
    let core = configuration(&place, "shell", &programs, &["WINDLASS"]);
    let settings = fs::read_to_string(&core).expect("a file");
    fs::write(&core, format!("{settings}  executetimeout: 3s\n  installTimeout: 1s\n")).expect("a file");
    let windlass = place
        .dev()
        .arg("--config")
        .arg(core)
        .chaincode("own", package(&place, "own"))
        .env("WINDLASS", env!("CARGO_BIN_EXE_windlass"))
        .start();
    assert_eq!(windlass.ready.chaincodes[0].name, "own");
    let said = windlass.stop().stderr();
    assert_eq!(said.matches("built own with shell in ").count(), 1, "{said}");
}

#[test]
fn shows_what_a_failing_build_printed() {
    let place = Place::new();
    let failing = "#!/bin/sh\necho 'line 7: no such thing as a free lunch' >&2\nexit 3\n";
    let core = configuration(&place, "shell", &[("bin/detect", DETECT), ("bin/build", failing)], &[]);
    let said = place.dev().arg("--config").arg(core).chaincode("own", package(&place, "own")).fail().stderr();
    assert!(
        said.contains(
            "could not build chaincode: external builder failed: external builder failed to build: \
                           external builder 'shell' failed: exit status 3"
        ),
        "{said}"
    );
    assert!(said.contains("line 7: no such thing as a free lunch"), "{said}");
    let installed = place.data().join("peer/lifecycle/chaincodes");
    let left: Vec<_> = fs::read_dir(installed).map(|entries| entries.collect()).unwrap_or_default();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn says_which_builders_were_asked_when_none_takes_a_package() {
    let place = Place::new();
    let core = configuration(&place, "picky", &[("bin/detect", "#!/bin/sh\nexit 1\n")], &[]);
    let said = place.dev().arg("--config").arg(core).chaincode("own", package(&place, "own")).fail().stderr();
    assert!(said.contains("could not build chaincode: "), "{said}");
    for builder in ["picky", "golang", "node", "ccaas", "binary"] {
        assert!(said.contains(builder), "{builder} is not named: {said}");
    }
}

#[test]
fn never_falls_back_to_another_builder_when_a_build_fails() {
    let place = Place::new();
    let programs = [("bin/detect", "#!/bin/sh\n"), ("bin/build", "#!/bin/sh\nexit 9\n")];
    let core = configuration(&place, "greedy", &programs, &[]);
    let sample = place.program("sample", SAMPLE);
    let said = place.dev().arg("--config").arg(core).chaincode("basic", sample).fail().stderr();
    assert!(said.contains("external builder 'greedy' failed: exit status 9"), "{said}");
}
