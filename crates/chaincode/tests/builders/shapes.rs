//! Builders in the shapes in which others write them, unmodified: what they take, make and hand out.

use std::fs;

use windlass_chaincode::build::{BuilderConfig, Failure, StepError};

use crate::support::{Peer, eventually, is_alive, run_metadata, write_script};

/// Shell scripts for chaincode that is started elsewhere: type `external`, the connection in the package.
fn sample(peer: &Peer) -> BuilderConfig {
    peer.builder(
        "sample",
        &[
            (
                "detect",
                r#"set -euo 2>/dev/null || set -eu
                CC_METADATA_DIR="$2"
                if [ "$(sed -n 's/.*"type":"\([^"]*\)".*/\1/p' "$CC_METADATA_DIR/metadata.json")" = "external" ]; then
                    exit 0
                fi
                exit 1"#,
            ),
            (
                "build",
                r#"set -eu
                CC_SOURCE_DIR="$1"; BLD="$3"
                if [ ! -f "$CC_SOURCE_DIR/connection.json" ]; then
                    >&2 echo "$CC_SOURCE_DIR/connection.json not found"
                    exit 1
                fi
                cp "$CC_SOURCE_DIR/connection.json" "$BLD/connection.json"
                if [ -d "$CC_SOURCE_DIR/metadata" ]; then cp -a "$CC_SOURCE_DIR/metadata" "$BLD/metadata"; fi"#,
            ),
            (
                "release",
                r#"set -eu
                BLD="$1"; RELEASE="$2"
                if [ -d "$BLD/metadata" ]; then cp -a "$BLD/metadata/"* "$RELEASE/"; fi
                if [ -f "$BLD/connection.json" ]; then
                    mkdir -p "$RELEASE"/chaincode/server
                    cp "$BLD/connection.json" "$RELEASE"/chaincode/server
                    sed -i "s/CHAINCODE_HOST/$CARGO_PKG_NAME/" "$RELEASE"/chaincode/server/connection.json
                fi"#,
            ),
        ],
    )
}

#[tokio::test]
async fn takes_the_connection_from_a_builder_of_scripts() {
    let peer = Peer::new();
    let mut builder = sample(&peer);
    builder.propagate_environment = vec!["CARGO_PKG_NAME".to_owned()];
    let connection = br#"{"address":"CHAINCODE_HOST:9999","dial_timeout":"10s","tls_required":false}"#;
    let id = peer.install(
        "external",
        &[("./connection.json", connection), ("./metadata/statedb/couchdb/indexes/i.json", b"{}")],
    );
    let build = peer.builds(vec![builder]).build(id.as_str()).await.expect("a build");
    let found = build.connection().expect("valid").expect("a server");
    assert_eq!(found.address, format!("{}:9999", env!("CARGO_PKG_NAME")));
    assert!(build.release_folder().join("statedb/couchdb/indexes/i.json").is_file());
}

#[tokio::test]
async fn shows_what_a_builder_of_scripts_misses() {
    let peer = Peer::new();
    let id = peer.install("external", &[("other.json", b"{}")]);
    let error = peer.builds(vec![sample(&peer)]).build(id.as_str()).await.expect_err("no connection").to_string();
    assert!(error.lines().last().expect("a line").ends_with("/src/connection.json not found"), "{error}");
}

/// For images that run in a cluster: the label has to be the name of an object there.
fn cluster(peer: &Peer) -> BuilderConfig {
    let field = |file: &str, name: &str| format!(r#"$(sed -n 's/.*"{name}":"\([^"]*\)".*/\1/p' "{file}")"#);
    let (kind, label) = (field("$2/metadata.json", "type"), field("$2/metadata.json", "label"));
    let (name, digest) = (field("$1/image.json", "name"), field("$1/image.json", "digest"));
    let detect = format!(r#"[ "$(echo "{kind}" | tr A-Z a-z)" = k8s ] && [ -n "{label}" ]"#);
    let build = format!(
        r#"echo "{label}" | grep -Eq '^[a-z]([-a-z0-9]*[a-z0-9])?$' || {{ echo "label '{label}' must be a valid RFC1035 label" >&2; exit 1; }}
        [ -n "{name}" ] && [ -n "{digest}" ] || {{ echo "image.json needs name and digest" >&2; exit 1; }}
        cp "$1/image.json" "$3/"
        [ ! -d "$1/META-INF" ] || cp -R "$1/META-INF" "$3/""#
    );
    let release = r#"indexes="$1/META-INF/statedb/couchdb/indexes"
        [ ! -d "$indexes" ] || { mkdir -p "$2/statedb/couchdb/indexes" && cp "$indexes"/*.json "$2/statedb/couchdb/indexes/"; }"#;
    let run = r#"echo "job for $(cat "$1/image.json") $(ls "$2")"; exec sleep 600"#;
    peer.builder("k8s", &[("detect", &detect), ("build", &build), ("release", release), ("run", run)])
}

#[tokio::test]
async fn builds_and_runs_what_is_only_the_name_of_an_image() {
    let peer = Peer::new();
    let image = br#"{"name":"registry.example.com/cc","digest":"sha256:00"}"#;
    let index = ("META-INF/statedb/couchdb/indexes/i.json", &b"{}"[..]);
    let id = peer.install("K8S", &[("image.json", image), index]);
    let builds = peer.builds(vec![cluster(&peer)]);
    let build = builds.build(id.as_str()).await.expect("a build");
    assert!(build.release_folder().join("statedb/couchdb/indexes/i.json").is_file());
    let mut process = build.run(&run_metadata(&id)).expect("a process");
    eventually("the job", || !process.output_tail().is_empty()).await;
    let said = format!("job for {} chaincode.json", String::from_utf8_lossy(image));
    assert_eq!(process.output_tail(), [said]);
    process.stop().await;
    assert_eq!(process.wait().await.to_string(), "builder 'k8s' run failed: signal: terminated");

    let id = peer.install("k8s", &[("image.json", br#"{"name":"cc"}"#)]);
    let error = builds.build(id.as_str()).await.expect_err("no digest").to_string();
    assert!(error.ends_with("build: image.json needs name and digest"), "{error}");
}

/// Compiles in the scratch folder and keeps one jar; the index has to be copied by the builder itself.
#[tokio::test]
async fn builds_and_runs_java_with_a_builder_of_ones_own() {
    let peer = Peer::new();
    let builder = peer.builder(
        "java-scripts",
        &[
            ("detect", r#"test -f "$1/src/Main.java""#),
            (
                "build",
                r#"set -e
                cp -R "$1/src" "$3/work"
                javac -d "$3/work" "$3/work/Main.java"
                jar --create --file "$3/cc.jar" --main-class Main -C "$3/work" Main.class
                rm -r "$3/work""#,
            ),
            (
                "run",
                r#"exec java -jar "$1/cc.jar" "$(sed -n 's/.*"peer_address":"\([^"]*\)".*/\1/p' "$2/chaincode.json")""#,
            ),
        ],
    );
    let main = b"class Main { public static void main(String[] a) { System.out.println(\"hello \" + a[0]); } }";
    let id = peer.install("java", &[("src/Main.java", main)]);
    let build = peer.builds(vec![builder]).build(id.as_str()).await.unwrap_or_else(|error| panic!("{error}"));
    let mut process = build.run(&run_metadata(&id)).expect("a process");
    assert_eq!(process.wait().await.code(), 0);
    assert_eq!(process.output_tail(), ["hello 127.0.0.1:7052"]);
}

#[tokio::test]
async fn passes_over_a_detect_that_cannot_be_run() {
    let peer = Peer::new();
    let locked = peer.builder("locked", &[("detect", "exit 0"), ("build", "exit 9")]);
    let detect = peer.path("builders/locked/bin/detect");
    fs::set_permissions(&detect, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a file");
    let taker = peer.builder("taker", &[("detect", "exit 0"), ("build", "exit 0")]);
    let id = peer.install("external", &[]);
    let build = peer.builds(vec![locked.clone(), taker]).build(id.as_str()).await.expect("a build");
    assert_eq!(build.builder, "taker");
    let id = peer.install("external", &[("another", b"")]);
    let error = peer.builds(vec![locked]).build(id.as_str()).await.expect_err("nobody").to_string();
    let reason = format!("builder 'locked' declined: fork/exec {}: permission denied", detect.display());
    assert_eq!(error.lines().last(), Some(reason.as_str()));
}

#[tokio::test]
async fn ends_a_chaincode_that_will_not_be_asked() {
    let peer = Peer::new();
    let pid = peer.path("pid");
    let script =
        format!("trap '' TERM\nsleep 600 &\necho $! > {0}.tmp; mv {0}.tmp {0}\nwhile :; do wait; done", pid.display());
    let builder = peer.builder("deaf", &[("detect", "exit 0"), ("build", "exit 0"), ("run", &script)]);
    let id = peer.install("external", &[]);
    let build = peer.builds(vec![builder]).build(id.as_str()).await.expect("a build");
    let mut process = build.run(&run_metadata(&id)).expect("a process");
    eventually("the chaincode's child", || pid.exists()).await;
    let child = fs::read_to_string(pid).expect("a file");
    process.stop().await;
    assert_eq!(process.wait().await.to_string(), "builder 'deaf' run failed: signal: killed");
    assert!(!is_alive(&child) && !is_alive(&process.pid().to_string()));
}

/// A peer of Fabric remembers a failure until the package is installed again, and stalls on a line of 64 KiB.
#[tokio::test]
async fn builds_again_after_a_failure_with_endless_lines() {
    let peer = Peer::new();
    let marker = peer.path("fixed");
    let script = format!("head -c 200000 /dev/zero | tr '\\0' x >&2; test -f {}", marker.display());
    let mut config = peer.config(vec![peer.builder("x", &[("detect", "exit 0"), ("build", &script)])]);
    config.keep_failures = std::time::Duration::ZERO;
    let builds = windlass_chaincode::build::Builds::new(config, peer.packages.clone());
    let id = peer.install("external", &[]);
    let error = builds.build(id.as_str()).await.expect_err("not fixed");
    assert_eq!(error.failure, Failure::Build { builder: "x".into(), error: StepError::Exited(1) });
    write_script(&marker, "");
    builds.build(id.as_str()).await.expect("a build, without another install");
}
