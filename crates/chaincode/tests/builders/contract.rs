//! The external builder contract, with builders made of shell scripts.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use futures::StreamExt;

use crate::support::{Peer, eventually, is_alive, run_metadata, write_script};
use windlass_chaincode::build::{
    BuildError, Builds, Failure, OutputLine, Process, Step, StepError, StepEvent, StepTimes, Stream, children,
};

const YES: (&str, &str) = ("detect", "exit 0");
const RELEASE_NOTHING: (&str, &str) = ("release", "exit 0");

/// A line of output without its time.
fn said(line: &OutputLine) -> String {
    format!("{} {}: {}", line.step, line.stream.name(), line.text)
}

fn first_two(text: &str) -> Vec<&str> {
    text.lines().take(2).collect()
}

fn first_line(error: &BuildError) -> String {
    error.to_string().lines().next().expect("a line").to_owned()
}

#[tokio::test]
async fn asks_builders_in_order_and_keeps_what_the_first_taker_makes() {
    let peer = Peer::new();
    let builders = vec![
        peer.builder("missing", &[]),
        peer.builder("unwilling", &[("detect", "echo not mine >&2; exit 1"), ("build", "exit 9")]),
        peer.builder(
            "taker",
            &[
                ("detect", r#"test -f "$1/hello.txt" && grep -q '"extra":true' "$2/metadata.json""#),
                ("build", r#"echo building; cp "$1/hello.txt" "$3/"; ln -s hello.txt "$3/link"; cat "$2/metadata.json" > "$3/m""#),
                ("release", r#"mkdir -p "$2/statedb"; cp "$1/hello.txt" "$2/statedb/""#),
            ],
        ),
        peer.builder("late", &[YES, ("build", "exit 9")]),
    ];
    let id = peer.install("external", &[("hello.txt", b"hello")]);
    let build = peer.builds(builders).build(id.as_str()).await.expect("a build");
    assert_eq!((build.id.as_str(), build.builder.as_str()), (id.as_str(), "taker"));
    let folder = peer.build_folder(&id);
    assert_eq!(fs::read_to_string(folder.join("bld/link")).expect("a link"), "hello");
    let metadata = r#"{"type":"external","path":"","label":"basic","extra":true}"#;
    assert_eq!(fs::read_to_string(folder.join("bld/m")).expect("a file"), metadata);
    assert_eq!(fs::read_to_string(build.release_folder().join("statedb/hello.txt")).expect("a file"), "hello");
    let info = folder.join("build-info.json");
    assert_eq!(fs::read_to_string(&info).expect("a file"), r#"{"builder_name":"taker"}"#);
    assert_eq!(fs::metadata(&info).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, 0o700);
    let output: Vec<_> = build.output().iter().map(said).collect();
    let missing = peer.path("builders/missing/bin/detect");
    assert_eq!(
        output,
        [
            format!(
                "detect note: builder 'missing' declined: fork/exec {}: no such file or directory",
                missing.display()
            ),
            "detect err: not mine".to_owned(),
            "detect note: builder 'unwilling' declined: exit status 1".to_owned(),
            "detect note: builder 'taker' takes the package".to_owned(),
            "build out: building".to_owned(),
        ]
    );
    assert_eq!(build.connection(), Ok(None));
    eventually("the scratch folder to go", || peer.entries("scratch").is_empty()).await;
    assert_eq!(peer.entries("run"), [""; 0], "notes about children are removed");
}

#[tokio::test]
async fn says_who_was_asked_when_nobody_wants_the_package() {
    let peer = Peer::new();
    let builders = vec![
        peer.builder("missing", &[]),
        peer.builder("grumpy", &[("detect", "echo type is wrong >&2; exit 1")]),
        peer.builder("silent", &[("detect", "exit 3")]),
    ];
    let id = peer.install("external", &[]);
    let error = peer.builds(builders).build(id.as_str()).await.expect_err("nobody");
    assert_eq!(error.failure, Failure::NoBuilder);
    let missing = peer.path("builders/missing/bin/detect");
    assert_eq!(
        error.to_string(),
        format!(
            "docker build failed: docker build is disabled\n\
             builder 'missing' declined: fork/exec {}: no such file or directory\n\
             builder 'grumpy' declined: type is wrong\n\
             builder 'silent' declined: exit status 3",
            missing.display()
        )
    );
    assert!(!peer.build_folder(&id).exists());
}

#[tokio::test]
async fn does_not_fall_through_when_a_build_or_release_fails() {
    let peer = Peer::new();
    let other = peer.builder("other", &[YES, ("build", "exit 0")]);
    for (name, scripts, text, output) in [
        (
            "b",
            vec![YES, ("build", "echo compiling; echo 'main.go:1: no' >&2; exit 1"), RELEASE_NOTHING],
            "external builder failed: external builder failed to build: external builder 'b' failed: exit status 1",
            "build: main.go:1: no",
        ),
        (
            "k",
            vec![YES, ("build", "echo last words; kill -9 $$")],
            "external builder failed: external builder failed to build: external builder 'k' failed: signal: killed",
            "build: last words",
        ),
        (
            "r",
            vec![YES, ("build", "echo fine"), ("release", "echo bad >&2; exit 2")],
            "external builder failed: external builder failed to release: builder 'r' release failed: exit status 2",
            "release: bad",
        ),
    ] {
        let builds = peer.builds(vec![peer.builder(name, &scripts), other.clone()]);
        let id = peer.install("external", &[("name", name.as_bytes())]);
        let error = builds.build(id.as_str()).await.expect_err(name);
        assert_eq!(first_line(&error), text);
        assert!(error.to_string().lines().any(|line| line == output), "{error}");
        assert!(!peer.build_folder(&id).exists());
        eventually("the scratch folder to go", || peer.entries("scratch").is_empty()).await;
    }
}

#[tokio::test]
async fn keeps_the_output_of_a_failed_build_until_one_succeeds() {
    let peer = Peer::new();
    let marker = peer.path("fixed");
    let script = format!("echo trying; test -f {} || {{ echo 'no such thing' >&2; exit 4; }}", marker.display());
    let builder = peer.builder("x", &[YES, ("build", &script)]);
    let unwilling = peer.builder("unwilling", &[("detect", "echo not mine; exit 1")]);
    let id = peer.install("external", &[]);
    let builds = peer.builds(vec![unwilling.clone(), builder.clone()]);
    let error = builds.build(id.as_str()).await.expect_err("exit 4").to_string();
    let text = "external builder failed: external builder failed to build: external builder 'x' failed: exit status 4";
    assert_eq!(first_two(&error), [text, "builder 'unwilling' declined: not mine"]);
    // Another process finds it as well.
    let builds = peer.builds(vec![unwilling, builder]);
    assert_eq!(builds.failed(), [id.as_str()]);
    let kept = builds.output(id.as_str()).expect("a log");
    let mut output: Vec<_> = kept.lines().iter().map(|line| said(line)).collect();
    output[3..5].sort();
    assert_eq!(
        output,
        [
            "detect out: not mine".to_owned(),
            "detect note: builder 'unwilling' declined: exit status 1".to_owned(),
            "detect note: builder 'x' takes the package".to_owned(),
            "build err: no such thing".to_owned(),
            "build out: trying".to_owned(),
            format!("build note: failed: {text}"),
        ]
    );
    fs::write(marker, "").expect("a file");
    builds.build(id.as_str()).await.expect("a build");
    assert_eq!((builds.failed(), peer.entries("externalbuilder/failed")), (vec![], vec![]));
    let last = builds.output(id.as_str()).expect("a log").lines().last().map(|line| said(line));
    assert_eq!(last.as_deref(), Some("build out: trying"));
}

#[tokio::test]
async fn shows_the_output_of_a_build_under_way_to_its_end() {
    let peer = Peer::new();
    let marker = peer.path("go on");
    let script = format!("echo waiting; until test -f '{}'; do sleep 0.02; done; echo done", marker.display());
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", &script)])]);
    let id = peer.install("external", &[]);
    let building = tokio::spawn({
        let (builds, id) = (builds.clone(), id.clone());
        async move { builds.build(id.as_str()).await.map(drop) }
    });
    eventually("the build to begin", || builds.output(id.as_str()).is_some()).await;
    let (mut lines, coming) = builds.output(id.as_str()).expect("a journal").follow();
    let mut coming = std::pin::pin!(coming);
    while lines.last().is_none_or(|line| line.text != "waiting") {
        lines.push(coming.next().await.expect("more lines"));
    }
    fs::write(marker, "").expect("a file");
    let rest: Vec<_> = coming.map(|line| said(&line)).collect().await;
    assert_eq!(rest, ["build out: done"], "it ends with the build");
    building.await.expect("no panic").expect("a build");
}

#[tokio::test]
async fn ends_the_output_of_a_build_that_is_cut_short() {
    let peer = Peer::new();
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", "echo waiting; exec sleep 600")])]);
    let id = peer.install("external", &[]);
    let building = tokio::spawn({
        let (builds, id) = (builds.clone(), id.clone());
        async move { builds.build(id.as_str()).await.map(drop) }
    });
    eventually("the build to begin", || builds.output(id.as_str()).is_some()).await;
    let (_, coming) = builds.output(id.as_str()).expect("a journal").follow();
    builds.shutdown().await;
    // Not only when the last who holds it lets go.
    coming.collect::<Vec<_>>().await;
    assert!(building.await.expect("no panic").is_err());
}

#[tokio::test]
async fn fails_when_build_cannot_be_started_and_skips_a_release_that_cannot() {
    let peer = Peer::new();
    let builder = peer.builder("x", &[YES, ("release", "exit 9")]);
    let bin = peer.path("builders/x/bin");
    fs::set_permissions(bin.join("release"), fs::Permissions::from_mode(0o644)).expect("a file");
    let id = peer.install("external", &[]);
    let error = peer.builds(vec![builder.clone()]).build(id.as_str()).await.expect_err("no build program");
    let text = "external builder failed: external builder failed to build: external builder 'x' failed: fork/exec ";
    assert_eq!(first_line(&error), format!("{text}{}: no such file or directory", bin.join("build").display()));
    write_script(&bin.join("build"), "exit 0");
    peer.builds(vec![builder]).build(id.as_str()).await.expect("release is skipped");
}

#[tokio::test]
async fn refuses_a_package_that_would_write_outside_its_folder() {
    let peer = Peer::new();
    let id = peer.install("external", &[]);
    // Replaced on disk after it was installed; whatever is read there is checked again.
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..7].copy_from_slice(b"../evil");
    header.set_cksum();
    let path = peer.path("lifecycle/chaincodes").join(format!("basic.{}.tar.gz", id.hash()));
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let code = gzip(header.as_bytes());
    let mut outer = tar::Builder::new(Vec::new());
    for (name, content) in [("metadata.json", &br#"{"label":"basic"}"#[..]), ("code.tar.gz", &code)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        outer.append_data(&mut header, name, content).expect("memory");
    }
    fs::write(&path, gzip(&outer.into_inner().expect("memory"))).expect("a file");
    let builder = peer.builder("x", &[YES, ("build", "exit 0")]);
    let error = peer.builds(vec![builder]).build(id.as_str()).await.expect_err("an escape");
    assert_eq!(
        error.to_string(),
        "external builder failed: could not create build context: could not untar source package: \
         tar contains the absolute or escaping path '../evil'"
    );
    eventually("the scratch folder to go", || peer.entries("scratch").is_empty()).await;
}

#[tokio::test]
async fn says_that_a_package_is_not_installed() {
    let peer = Peer::new();
    let builds = peer.builds(Vec::new());
    let id = format!("basic:{}", "0".repeat(64));
    for id in [id.as_str(), "no package ID"] {
        let error = builds.build(id).await.expect_err("missing").to_string();
        assert_eq!(
            error,
            format!("failed to get chaincode package for external build: chaincode install package '{id}' not found")
        );
    }
}

#[tokio::test]
async fn finds_builds_again_after_a_restart_by_the_name_of_the_builder() {
    let peer = Peer::new();
    let log = peer.path("log");
    let script = format!("echo build >> {}", log.display());
    let builder = peer.builder("x", &[YES, ("build", &script)]);
    let id = peer.install("external", &[]);
    for _ in 0..3 {
        peer.builds(vec![builder.clone()]).build(id.as_str()).await.expect("a build");
    }
    assert_eq!(fs::read_to_string(&log).expect("a file"), "build\n");
    let error = peer.builds(vec![peer.builder("y", &[YES])]).build(id.as_str()).await.expect_err("builder is gone");
    assert_eq!(
        error.to_string(),
        format!(
            "external builder failed: existing build could not be restored: chaincode '{id}' was already built with \
             builder 'x', but that builder is no longer available"
        )
    );
    let info = peer.build_folder(&id).join("build-info.json");
    fs::write(&info, "{").expect("a file");
    let error = peer.builds(vec![builder]).build(id.as_str()).await.expect_err("a broken file");
    assert_eq!(
        error.to_string(),
        format!(
            "external builder failed: existing build could not be restored: malformed build info at '{}': \
             unexpected end of JSON input",
            info.display()
        )
    );
}

#[tokio::test]
async fn does_not_take_a_half_copied_build_for_a_good_one() {
    let peer = Peer::new();
    let marker = peer.path("fixed");
    let script = format!(r#"test -f {} || ln -s /etc/passwd "$3/x""#, marker.display());
    let builder = peer.builder("x", &[YES, ("build", &script)]);
    let id = peer.install("external", &[]);
    let error = peer.builds(vec![builder.clone()]).build(id.as_str()).await.expect_err("an absolute link");
    let folder = peer.build_folder(&id);
    let text = error.to_string();
    let start = format!(
        "external builder failed: could not move or copy build context bld to persistent location '{}': failed to copy ",
        folder.display()
    );
    assert!(text.starts_with(&start), "{text}");
    assert!(text.contains(": refusing to copy absolute symlink ") && text.ends_with("/bld/x -> /etc/passwd"), "{text}");
    assert_eq!(peer.entries("externalbuilder/builds"), [""; 0]);
    // What a Fabric peer would have left, and what a killed one of ours.
    fs::create_dir_all(folder.join("release")).expect("a folder");
    fs::write(folder.join("build-info.json"), r#"{"builder_name":"x"}"#).expect("a file");
    fs::create_dir_all(peer.path("externalbuilder/builds/.partial-1/bld")).expect("a folder");
    fs::write(marker, "").expect("a file");
    peer.builds(vec![builder]).build(id.as_str()).await.expect("built anew");
    assert!(folder.join("bld").is_dir());
    assert_eq!(peer.entries("externalbuilder/builds").len(), 1);
}

#[tokio::test]
async fn makes_one_build_for_many_callers_and_tries_again_after_a_failure() {
    let peer = Peer::new();
    let log = peer.path("log");
    let marker = peer.path("fixed");
    let script = format!("echo build >> {}; sleep 0.2; test -f {}", log.display(), marker.display());
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", &script)])]);
    let id = peer.install("external", &[]);
    let attempts = || fs::read_to_string(&log).expect("a file").lines().count();
    let calls = (0..10).map(|_| builds.build(id.as_str()));
    assert!(futures::future::join_all(calls).await.iter().all(Result::is_err));
    // The failure answers for a while, so that every invocation does not build.
    builds.build(id.as_str()).await.expect_err("not again so soon");
    assert_eq!(attempts(), 1);
    fs::write(marker, "").expect("a file");
    builds.forget(id.as_str()).await;
    let made = futures::future::join_all((0..10).map(|_| builds.build(id.as_str()))).await;
    let first = made[0].as_ref().expect("a build");
    assert!(made.iter().all(|build| Arc::ptr_eq(build.as_ref().expect("a build"), first)));
    assert_eq!(attempts(), 2);
    assert!(builds.existing(id.as_str()).is_some());
}

#[tokio::test]
async fn keeps_a_failure_only_for_a_time() {
    let peer = Peer::new();
    let marker = peer.path("fixed");
    let builder = peer.builder("x", &[YES, ("build", &format!("test -f {}", marker.display()))]);
    let mut config = peer.config(vec![builder]);
    config.keep_failures = Duration::ZERO;
    let builds = Builds::new(config, peer.packages.clone());
    let id = peer.install("external", &[]);
    builds.build(id.as_str()).await.expect_err("broken");
    fs::write(marker, "").expect("a file");
    builds.build(id.as_str()).await.expect("repaired");
}

#[tokio::test]
async fn goes_on_building_when_a_caller_gives_up() {
    let peer = Peer::new();
    let log = peer.path("log");
    let script = format!("echo build >> {}; sleep 0.3", log.display());
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", &script)])]);
    let id = peer.install("external", &[]);
    tokio::time::timeout(Duration::from_millis(100), builds.build(id.as_str())).await.expect_err("not done yet");
    builds.build(id.as_str()).await.expect("a build");
    assert_eq!(fs::read_to_string(log).expect("a file"), "build\n");
}

#[tokio::test]
async fn kills_a_build_and_its_children_with_the_last_owner() {
    let peer = Peer::new();
    let pid = peer.path("pid");
    let script = format!("sleep 600 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait", pid.display());
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", &script)])]);
    let id = peer.install("external", &[]);
    let waiting = tokio::spawn(async move { builds.build(id.as_str()).await.map(|_| ()) });
    eventually("the build's child", || pid.exists()).await;
    waiting.abort();
    let pid = fs::read_to_string(pid).expect("a file");
    eventually("the end of the build's child", || !is_alive(&pid)).await;
    eventually("the scratch folder to go", || peer.entries("scratch").is_empty()).await;
    eventually("the note to go", || peer.entries("run").is_empty()).await;
}

#[tokio::test]
async fn ends_builds_under_way_when_the_peer_stops() {
    let peer = Peer::new();
    let pid = peer.path("pid");
    let script = format!("sleep 600 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait", pid.display());
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", &script)])]);
    let id = peer.install("external", &[]);
    let waiting = tokio::spawn({
        let (builds, id) = (builds.clone(), id.clone());
        async move { builds.build(id.as_str()).await.map(|_| ()) }
    });
    eventually("the build's child", || pid.exists()).await;
    builds.shutdown().await;
    assert_eq!(peer.entries("run"), [""; 0]);
    eventually("the scratch folder to go", || peer.entries("scratch").is_empty()).await;
    let pid = fs::read_to_string(pid).expect("a file");
    eventually("the end of the build's child", || !is_alive(&pid)).await;
    let error = waiting.await.expect("no panic").expect_err("abandoned");
    assert_eq!(error.failure, Failure::Abandoned);
    assert_eq!(builds.build(id.as_str()).await.expect_err("too late").failure, Failure::Abandoned);
}

#[tokio::test]
async fn kills_a_step_that_takes_too_long() {
    let peer = Peer::new();
    let mut config = peer.config(vec![peer.builder("x", &[YES, ("build", "echo waiting; sleep 600")])]);
    config.time = StepTimes { build: Duration::from_millis(300), ..StepTimes::default() };
    let builds = Builds::new(config, peer.packages.clone());
    let id = peer.install("external", &[]);
    let error = builds.build(id.as_str()).await.expect_err("too long");
    let timed_out = StepError::TimedOut { step: Step::Build, limit: Duration::from_millis(300) };
    assert_eq!(error.failure, Failure::Build { builder: "x".into(), error: timed_out });
    assert_eq!(error.output[0].text, "waiting");
}

#[tokio::test]
async fn reads_everything_that_programs_print_whatever_it_is() {
    let peer = Peer::new();
    // Far more than a pipe holds, on both streams, one of them without a single line end.
    let script = "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2; echo; echo end >&2; exit 1";
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", script)])]);
    let mut watch = builds.subscribe();
    let id = peer.install("external", &[]);
    let error = builds.build(id.as_str()).await.expect_err("exit 1");
    assert!(error.output.iter().map(|line| line.text.len()).sum::<usize>() <= 256 << 10);
    let last = error.output.iter().rfind(|line| line.stream == Stream::Error).expect("a line");
    assert_eq!((last.step, last.text.ends_with("end")), (Step::Build, true));
    let mut steps = Vec::new();
    while let Ok(progress) = watch.try_recv() {
        match progress.event {
            StepEvent::Started => steps.push(format!("{} {} started", progress.builder, progress.step)),
            StepEvent::Finished { failure, .. } => steps.push(format!("{} {failure:?}", progress.step)),
            StepEvent::Output(_) => {}
        }
    }
    assert_eq!(steps, ["x detect started", "detect None", "x build started", "build Some(\"exit status 1\")"]);
}

#[tokio::test]
async fn gives_programs_no_environment_but_the_listed() {
    let peer = Peer::new();
    let mut builder = peer.builder("x", &[YES, ("build", r#"/usr/bin/env > "$3/env""#)]);
    builder.propagate_environment = vec!["CARGO_PKG_NAME".to_owned(), "WINDLASS_UNSET".to_owned()];
    let id = peer.install("external", &[]);
    peer.builds(vec![builder]).build(id.as_str()).await.expect("a build");
    let text = fs::read_to_string(peer.build_folder(&id).join("bld/env")).expect("a file");
    // The shell adds some of its own.
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .filter(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name))
        .collect();
    let allowed = ["CARGO_PKG_NAME", "LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR"];
    assert!(names.contains(&"CARGO_PKG_NAME") && names.iter().all(|name| allowed.contains(name)), "{names:?}");
}

#[tokio::test]
async fn does_not_wait_for_ever_for_what_a_build_left_running() {
    let peer = Peer::new();
    let pid = peer.path("pid");
    let script = format!("sleep 600 & echo $! > {}", pid.display());
    let mut config = peer.config(vec![peer.builder("x", &[YES, ("build", &script)])]);
    config.time.aftermath = Duration::from_millis(200);
    let builds = Builds::new(config, peer.packages.clone());
    let id = peer.install("external", &[]);
    builds.build(id.as_str()).await.expect("a build");
    let pid = fs::read_to_string(pid).expect("a file");
    eventually("the end of what was left", || !is_alive(&pid)).await;
}

#[tokio::test]
async fn runs_a_chaincode_with_its_metadata_and_tells_how_it_ended() {
    let peer = Peer::new();
    let script = r#"cat "$2/chaincode.json"; echo; stat -c '%a' "$2" "$2/chaincode.json"; echo "$1" >&2; exit 7"#;
    let id = peer.install("external", &[]);
    let build = peer.builds(vec![peer.builder("x", &[YES, ("build", ""), ("run", script)])]).build(id.as_str()).await;
    let build = build.expect("a build");
    let mut process = build.run(&run_metadata(&id)).expect("a process");
    let outcome = process.wait().await;
    assert_eq!((outcome.code(), outcome.to_string()), (7, "builder 'x' run failed: exit status 7".to_owned()));
    assert_eq!(process.wait().await, outcome, "asking again changes nothing");
    let json = format!(
        r#"{{"chaincode_id":"{id}","peer_address":"127.0.0.1:7052","client_cert":"certificate","client_key":"key","root_cert":"root","mspid":"Org1MSP"}}"#
    );
    let mut tail = process.output_tail();
    tail.sort();
    let mut expected = vec![json, "700".into(), "600".into(), peer.build_folder(&id).join("bld").display().to_string()];
    expected.sort();
    assert_eq!(tail, expected);
    eventually("the scratch folder to go", || peer.entries("scratch").is_empty()).await;
}

#[tokio::test]
async fn says_why_a_chaincode_cannot_be_started() {
    let peer = Peer::new();
    let id = peer.install("external", &[]);
    let build = peer.builds(vec![peer.builder("x", &[YES, ("build", "")])]).build(id.as_str()).await.expect("a build");
    let error = build.run(&run_metadata(&id)).expect_err("no run program");
    assert_eq!(
        error.to_string(),
        format!(
            "could not execute run: builder 'x' run failed to start: fork/exec {}: no such file or directory",
            peer.path("builders/x/bin/run").display()
        )
    );
    eventually("the key to go", || peer.entries("scratch").is_empty()).await;
}

/// A chaincode whose `run` does not `exec`, with the process IDs of both in a file.
async fn running(peer: &Peer, trap: &str) -> (Process, String) {
    let pid = peer.path("pid");
    let script = format!("{trap}\nsleep 600 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait; wait", pid.display());
    let id = peer.install("external", &[("trap", trap.as_bytes())]);
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", ""), ("run", &script)])]);
    // The process keeps what it needs alive.
    let process = builds.build(id.as_str()).await.expect("a build").run(&run_metadata(&id)).expect("a process");
    drop(builds);
    eventually("the chaincode's child", || pid.exists()).await;
    let child = fs::read_to_string(&pid).expect("a file");
    fs::remove_file(pid).expect("a file");
    (process, child)
}

#[tokio::test]
async fn stops_a_chaincode_and_what_it_started() {
    let peer = Peer::new();
    let (mut process, child) = running(&peer, "").await;
    assert!(is_alive(&child) && is_alive(&process.pid().to_string()));
    process.stop().await;
    assert!(!is_alive(&child) && !is_alive(&process.pid().to_string()));
    assert_eq!(process.wait().await.to_string(), "builder 'x' run failed: signal: terminated");
}

#[tokio::test]
async fn kills_a_chaincode_with_its_owner() {
    let peer = Peer::new();
    let (process, child) = running(&peer, "trap '' TERM").await;
    let pid = process.pid().to_string();
    drop(process);
    eventually("both to end", || !is_alive(&child) && !is_alive(&pid)).await;
    eventually("folder and note to go", || peer.entries("scratch").is_empty() && peer.entries("run").is_empty()).await;
}

#[tokio::test]
async fn lets_a_chaincode_live_on_when_its_run_program_ends() {
    let peer = Peer::new();
    let pid = peer.path("pid");
    let script = format!("sleep 600 > /dev/null 2>&1 & echo $! > {}", pid.display());
    let id = peer.install("external", &[]);
    let builds = peer.builds(vec![peer.builder("x", &[YES, ("build", ""), ("run", &script)])]);
    let mut process = builds.build(id.as_str()).await.expect("a build").run(&run_metadata(&id)).expect("a process");
    assert_eq!(process.wait().await.code(), 0);
    let child = fs::read_to_string(pid).expect("a file");
    assert!(is_alive(&child));
    drop(process);
    eventually("the end of the child", || !is_alive(&child)).await;
}

#[tokio::test]
async fn cleans_up_after_a_process_that_was_killed() {
    let peer = Peer::new();
    let (process, child) = running(&peer, "").await;
    let notes = peer.path("run");
    assert_eq!((peer.entries("run").len(), peer.entries("scratch").len()), (1, 1));
    assert_eq!(children::clean_up(&notes).expect("a folder"), 1);
    eventually("both to end", || !is_alive(&child) && !is_alive(&process.pid().to_string())).await;
    assert_eq!((peer.entries("scratch"), peer.entries("run")), (vec![], vec![]));
}
