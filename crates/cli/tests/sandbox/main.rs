//! Packages that mean no good, built and run as a peer does it, and what comes of it; and such as mean well.
//!
//! Each test asks the peer's own report what this system enforces, and expects exactly that.
#![cfg(target_os = "linux")]

#[path = "../e2e"]
mod e2e {
    #[allow(dead_code, reason = "the end-to-end tests need more of it")]
    pub(crate) mod support;
}

mod languages;
mod support;

use std::{fs, net::TcpListener, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use windlass_chaincode::build::{
    Failure, Step, StepError,
    sandbox::{Excess, Limits, Mode},
};

use support::{Peer, eventually, mark, sleepers, write_script};

/// Says of each line whether it worked.
const TRY: &str =
    r#"try() { what=$1; shift; if sh -c "$*" > /dev/null 2>&1; then echo "$what: yes"; else echo "$what: no"; fi; }"#;

fn open_socket(family: &str) -> String {
    format!("perl -e 'use Socket; socket(S, {family}, SOCK_STREAM, 0) or exit 1'")
}

#[tokio::test]
async fn a_chaincode_sees_its_own_and_nothing_of_the_peer() {
    let peer = Peer::new();
    fs::create_dir_all(peer.path("peer/externalbuilder/builds/other/bld")).expect("a folder");
    fs::write(peer.path("peer/externalbuilder/builds/other/bld/chaincode"), "").expect("a file");
    let us = std::process::id();
    let root = peer.root().display();
    let (unix, inet) = (open_socket("AF_UNIX"), open_socket("AF_INET"));
    let script = format!(
        r#"{TRY}
        try key cat {root}/peer/key.pem
        try ledger ls {root}/peer
        try other-chaincode cat {root}/peer/externalbuilder/builds/other/bld/chaincode
        try outside "echo x > {root}/outside"
        try tmp "echo x > /tmp/windlass-sandbox-$$; test -e /tmp/windlass-sandbox-$$"
        try own-build-written "echo x > $PWD/new"
        try own-build-read cat $PWD/chaincode
        try home "echo x > $HOME/x"
        try own-tmp mktemp
        try environment-of-the-peer cat /proc/{us}/environ
        try signal-to-the-peer kill -0 {us}
        try signal-to-the-supervisor kill -0 $PPID
        try signal-to-oneself kill -0 $$
        try namespaces unshare -U true
        try machine-socket "{unix}"
        try network-socket "{inet}"
        try capabilities "chroot / true"
        rm -f /tmp/windlass-sandbox-$$"#
    );
    let (output, ended) = peer.run_to_end(&script).await;
    let unless = |what: &str| if peer.keeps_from(what) { "no" } else { "yes" };
    let (files, calls, signals) = (unless("files"), unless("sockets of this machine"), unless("signals"));
    let expected = [
        ("key", files),
        ("ledger", files),
        ("other-chaincode", files),
        ("outside", files),
        ("tmp", files),
        ("own-build-written", files),
        ("own-build-read", "yes"),
        ("home", "yes"),
        ("own-tmp", "yes"),
        ("environment-of-the-peer", files),
        ("signal-to-the-peer", signals),
        ("signal-to-the-supervisor", signals),
        ("signal-to-oneself", "yes"),
        ("namespaces", calls),
        ("machine-socket", unless("sockets of this machine")),
        ("network-socket", "yes"),
        ("capabilities", "no"),
    ];
    let expected: Vec<_> = expected.iter().map(|(what, answer)| format!("{what}: {answer}")).collect();
    assert_eq!(output, expected);
    assert_eq!(ended.error, None);
    assert_eq!(peer.path("outside").exists(), files == "yes");
}

#[tokio::test]
async fn a_build_script_sees_a_home_of_its_own_and_no_key() {
    let peer = Peer::new();
    let script = format!(
        r#"{TRY}
        try key cat {0}/peer/key.pem
        try outside "echo x > {0}/outside"
        try real-home "ls {home}"
        try home "echo x > $HOME/x && mktemp"
        case $HOME in {0}/scratch/*) echo own home;; *) echo "another home: $HOME";; esac"#,
        peer.root().display(),
        home = std::env::var("HOME").expect("a home"),
    );
    let built = peer.build_with_script(&format!("{{ {script}\n}} > report 2>&1")).await;
    let built = built.unwrap_or_else(|error| panic!("{error}"));
    let report = built.build.release_folder().with_file_name("bld").join("src/report");
    let files = if peer.keeps_from("files") { "no" } else { "yes" };
    assert_eq!(
        fs::read_to_string(report).expect("a file"),
        format!("key: {files}\noutside: {files}\nreal-home: {files}\nhome: yes\nown home\n")
    );
    assert_eq!(fs::read_dir(peer.path("scratch")).expect("a folder").count(), 0, "the home is gone");
}

#[tokio::test]
async fn memory_without_end_is_ended() {
    let mut peer = Peer::new();
    peer.limit_run(Limits { memory: Some(64 << 20), ..Limits::default() });
    assert!(peer.keeps_from("memory"));
    // At most a gigabyte, in case nobody stops it.
    let script =
        "exec perl -e 'for (1..1024) { push @a, \"x\" x 1048576; select(undef, undef, undef, 0.005) } sleep 600'";
    let (_, ended) = peer.run_to_end(script).await;
    assert_eq!(ended.error, Some(StepError::Exceeded { step: Step::Run, excess: Excess::Memory(64 << 20) }));
    assert_eq!(ended.to_string(), "builder 'binary' run failed: run used more than 64 MiB of memory and was killed");
}

#[tokio::test]
async fn processes_without_end_are_ended_all_of_them() {
    let mut peer = Peer::new();
    peer.limit_run(Limits { processes: Some(40), ..Limits::default() });
    assert!(peer.keeps_from("processes"));
    let mark = mark();
    // Each starts two more: 512 in the end, in case nobody stops them. They leave their group and their session.
    let bomb = format!(
        "bomb() {{ if [ $1 -gt 0 ]; then setsid sh \"$0\" $(($1 - 1)) & setsid sh \"$0\" $(($1 - 1)) & fi; echo sleeps; exec sleep {mark}; }}\n\
         case $1 in [0-9]*) bomb $1;; *) bomb 8;; esac"
    );
    let (output, ended) = peer.run_to_end(&bomb).await;
    assert_eq!(ended.to_string(), "builder 'binary' run failed: run had more than 40 processes and was killed");
    assert!(output.iter().any(|line| line == "sleeps"), "some had got as far: {output:?}");
    assert_eq!(sleepers(&mark), 0, "when the end is told, nothing runs any more");
}

#[tokio::test]
async fn a_full_disk_is_nobody_elses() {
    for (script, ended) in [
        // One file, many files, and files without a name.
        ("exec head -c 100000000 /dev/zero > $HOME/one", "signal: file size limit exceeded"),
        (
            "for i in 1 2 3 4 5 6 7 8; do head -c 9000000 /dev/zero > $TMPDIR/$i; done; sleep 600",
            "run used more than 32 MiB of disk and was killed",
        ),
        (
            "f() { exec perl -e 'for (1..5) { open my $f, \">\", \"$ENV{HOME}/$_\"; unlink \"$ENV{HOME}/$_\"; print $f \"x\" x 9000000; $f->flush; push @f, $f } sleep 600'; }; f",
            "run used more than 32 MiB of disk and was killed",
        ),
    ] {
        let mut peer = Peer::new();
        peer.limit_run(Limits { disk: Some(32 << 20), ..Limits::default() });
        assert!(peer.keeps_from("disk"));
        let (output, outcome) = peer.run_to_end(script).await;
        assert_eq!(outcome.to_string(), format!("builder 'binary' run failed: {ended}"), "{output:?}");
        assert_eq!(fs::read_dir(peer.path("scratch")).expect("a folder").count(), 0);
    }
}

#[tokio::test]
async fn processors_are_limited_and_stay_so() {
    let mut peer = Peer::new();
    peer.limit_run(Limits { cpus: Some(1), ..Limits::default() });
    let script = "nproc; taskset -p -c 0,1 $$ > /dev/null 2>&1; nproc";
    let (output, _) = peer.run_to_end(script).await;
    assert_eq!(output, ["1", "1"]);
}

#[tokio::test]
async fn what_a_build_leaves_behind_ends_with_it() {
    let peer = Peer::new();
    assert!(peer.keeps_from("processes left behind"));
    let mark = mark();
    // A daemon in the usual manner: a session of its own, its parent gone, no output.
    let script = format!(
        "(setsid sh -c 'sleep {mark} > /dev/null 2>&1 < /dev/null & touch daemon' &)\n\
         until [ -e daemon ]; do sleep 0.1; done; sleep 1"
    );
    let built = peer.build_with_script(&script).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(built.build.release_folder().with_file_name("bld").join("src/daemon").exists(), "it was there");
    assert_eq!(sleepers(&mark), 0);
}

#[tokio::test]
async fn what_a_chaincode_starts_ends_with_it_however_it_is_ended() {
    let peer = Peer::new();
    for polite in [true, false] {
        let mark = mark();
        let script = format!("setsid sleep {mark} &\n(setsid sh -c 'sleep {mark} &' &)\nexec sleep {mark}");
        let mut process = peer.run(&script).await;
        eventually("three processes", || sleepers(&mark) == 3).await;
        if polite {
            process.stop().await;
            assert_eq!(sleepers(&mark), 0);
            assert_eq!(process.wait().await.to_string(), "builder 'binary' run failed: signal: terminated");
        } else {
            drop(process);
            eventually("their end", || sleepers(&mark) == 0).await;
        }
    }
}

#[tokio::test]
async fn a_build_that_hangs_is_ended_in_time() {
    let mut peer = Peer::new();
    let limit = Duration::from_secs(20);
    peer.config.time.build = limit;
    let mark = mark();
    let script = format!("setsid sleep {mark} & sleep {mark}");
    let building = peer.build_with_script(&script);
    let (built, ()) = tokio::join!(building, eventually("both sleep", || sleepers(&mark) == 2));
    let error = built.err().expect("no build");
    let timed_out = StepError::TimedOut { step: Step::Build, limit };
    assert_eq!(error.failure, Failure::Build { builder: "node".into(), error: timed_out });
    assert_eq!(sleepers(&mark), 0);
}

#[tokio::test]
async fn a_build_has_a_network_or_none() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = listener.local_addr().expect("a socket").port();
    let connect = format!(
        "exec node -e \"require('net').connect({port}, '127.0.0.1').on('connect', () => process.exit(0)).on('error', e => {{ console.log(e.code); process.exit(1) }})\""
    );
    let mut peer = Peer::new();
    peer.build_with_script(&connect).await.unwrap_or_else(|error| panic!("{error}"));
    peer.config.sandbox.offline = true;
    let denied = peer.keeps_from("network of builds");
    let result = peer.build_with_script(&format!("{connect} # again")).await;
    match result.err() {
        Some(error) if denied => assert!(error.to_string().contains("ENETUNREACH"), "{error}"),
        None if !denied => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_builder_of_ones_own_is_left_alone_unless_it_is_named() {
    let mut peer = Peer::new();
    let key = peer.path("peer/key.pem");
    let script = format!("echo home [$HOME]; cat {}", key.display());
    peer.add_builder("own", &[("detect", "exit 0"), ("build", &script)]);
    peer.write_chaincode("exit 0");
    let built = peer.build("binary").await.unwrap_or_else(|error| panic!("{error}"));
    let printed: Vec<_> = built.build.output().into_iter().filter(|line| line.step == Step::Build).collect();
    assert_eq!(printed.iter().map(|line| &line.text).collect::<Vec<_>>(), ["home []", "the peer's key"]);

    fs::remove_dir_all(peer.path("peer/externalbuilder/builds")).expect("a folder");
    peer.config.sandbox.builders.insert("own".to_owned(), Mode::Auto);
    match peer.build("binary").await.err() {
        Some(error) if peer.keeps_from("files") => {
            assert!(error.to_string().contains("external builder 'own' failed: exit status 1"), "{error}");
            assert!(error.to_string().contains("key.pem: Permission denied"), "{error}");
        }
        None if !peer.keeps_from("files") => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_program_outside_of_the_package_runs_where_operators_let_it() {
    let mut peer = Peer::new();
    let folder = peer.path("tools");
    write_script(&folder.join("tool"), "echo from outside");
    let script = format!("exec {}/tool", folder.display());
    let (output, ended) = peer.run_to_end(&script).await;
    if peer.keeps_from("files") {
        assert!(output[0].ends_with("Permission denied"), "{output:?}");
        assert!(output[1].contains("windlass.sandbox.read"), "{output:?}");
        assert_eq!(ended.error, Some(StepError::Exited(126)));
    }
    peer.config.sandbox.read = vec![folder];
    let (output, ended) = peer.run_to_end(&format!("{script} # again")).await;
    assert_eq!((output, ended.error), (vec!["from outside".to_owned()], None));
}

#[tokio::test]
async fn threads_without_end_are_ended() {
    let mut peer = Peer::new();
    peer.limit_run(Limits { processes: Some(8), ..Limits::default() });
    let script = "exec python3 -c 'import threading, time; \
                  [threading.Thread(target=time.sleep, args=[600], daemon=True).start() for _ in range(1100)]; \
                  time.sleep(600)'";
    let (_, ended) = peer.run_to_end(script).await;
    assert_eq!(ended.to_string(), "builder 'binary' run failed: run had more than 1024 threads and was killed");
}

#[tokio::test]
async fn a_supervisor_outlives_whoever_ends_everything_at_once() {
    let peer = Peer::new();
    let mark = mark();
    let mut process = peer.run(&format!("trap 'echo asked; exit 0' TERM\nsleep {mark} & wait")).await;
    eventually("it sleeps", || sleepers(&mark) == 1).await;
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        kill_process(Pid::from_raw(process.pid() as i32).expect("a process"), signal).expect("a signal");
    }
    process.stop().await;
    assert_eq!(sleepers(&mark), 0);
    assert_eq!(process.output_tail(), ["asked"], "it was there to be asked");
}

#[tokio::test]
async fn what_must_be_confined_and_cannot_is_not_started() {
    let mut peer = Peer::new();
    peer.config.sandbox.mode = Mode::Require;
    peer.config.sandbox.executable = None;
    let error = peer.build_with_script("touch ran").await.err().expect("no build");
    let text = error.to_string();
    assert_eq!(
        text.lines().next().unwrap_or_default(),
        "external builder failed: external builder failed to build: external builder 'node' failed: it cannot be \
         confined as windlass.sandbox.mode demands: the peer does not know the windlass binary"
    );
    assert!(!peer.keeps_from("sandbox"));
}
