//! The built-in buildpacks, called as a peer calls them, with the real toolchains.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{self, Command, Stdio},
    time::Duration,
};

use crate::support::{Peer, eventually, is_alive, run_metadata, write_script};
use windlass_chaincode::{
    build::{Build, BuildError, BuilderConfig, Builds, Program, buildpacks, children},
    package::create::{CreateOptions, create},
};
use windlass_proto::ids::PackageId;

const STEP: &str = "WINDLASS_TEST_STEP";

/// Not a test: what `windlass buildpack …` is in a peer. This file's program is started again for it.
#[test]
fn buildpack_process() {
    let Ok(step) = env::var(STEP) else { return };
    let words: Vec<OsString> = step.split('\n').map(OsString::from).collect();
    let [_, name, step, args @ ..] = words.as_slice() else { panic!("too few arguments: {words:?}") };
    let (name, step) = (name.to_str().expect("text"), step.to_str().expect("text"));
    let failed = buildpacks::main(name, step, args) != process::ExitCode::SUCCESS;
    process::exit(i32::from(failed));
}

/// The buildpacks of a peer; `environment` is put before their own, as in `PATH=/nowhere`.
fn builders(peer: &Peer, environment: &str) -> Vec<BuilderConfig> {
    let program = peer.path("windlass");
    let this = env::current_exe().expect("a program");
    write_script(
        &program,
        &format!(
            "words=$(printf '%s\\n' \"$@\")\n{environment} {STEP}=\"$words\" exec '{}' --exact buildpacks::buildpack_process --nocapture --quiet",
            this.display()
        ),
    );
    buildpacks::builders(&program)
}

pub(crate) fn install(peer: &Peer, folder: &Path) -> PackageId {
    let created = create(folder, &CreateOptions::default()).expect("a package");
    peer.packages.save(&created.bytes).expect("a package")
}

pub(crate) fn write(root: &Path, name: &str, content: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

/// Builds and runs to the end; what the chaincode printed, and how it ended.
pub(crate) async fn run(peer: &Peer, id: &PackageId, environment: &str) -> (String, i32) {
    let build =
        peer.builds(builders(peer, environment)).build(id.as_str()).await.unwrap_or_else(|error| panic!("{error}"));
    let mut process = build.run(&run_metadata(id)).expect("a process");
    let outcome = process.wait().await;
    (process.output_tail().join("\n"), outcome.code())
}

/// Whether a program printed this line when this was built.
fn printed(build: &Build, text: &str) -> bool {
    build.output().iter().any(|line| line.is_printed() && line.text == text)
}

pub(crate) async fn failure(peer: &Peer, id: &PackageId, environment: &str) -> BuildError {
    peer.builds(builders(peer, environment)).build(id.as_str()).await.expect_err("no build")
}

#[tokio::test]
async fn runs_a_ready_program_with_what_every_shim_looks_for() {
    let peer = Peer::new();
    let script = r#"
        echo "args $*"
        echo "id $CORE_CHAINCODE_ID_NAME peer $CORE_PEER_ADDRESS msp $CORE_PEER_LOCALMSPID tls $CORE_PEER_TLS_ENABLED"
        echo "root $(cat "$CORE_PEER_TLS_ROOTCERT_FILE")"
        echo "pem $(cat "$CORE_TLS_CLIENT_KEY_FILE") $(cat "$CORE_TLS_CLIENT_CERT_FILE")"
        echo "base64 $(cat "$CORE_TLS_CLIENT_KEY_PATH") $(cat "$CORE_TLS_CLIENT_CERT_PATH")"
        test -x "$WINDLASS_EXECUTABLE" && test -d "$HOME" && echo home and executable
        echo "proxy '$GOPROXY' parent '$WINDLASS_PARENT' here $(cat data)"
        exit 5"#;
    write_script(&peer.path("cc"), script);
    let folder = peer.path("binary");
    fs::create_dir(&folder).expect("a folder");
    fs::rename(peer.path("cc"), folder.join("chaincode")).expect("a file");
    write(&folder, "data", "beside");
    let id = install(&peer, &folder);
    let (output, code) = run(&peer, &id, "GOPROXY=secret").await;
    assert_eq!(code, 5);
    let expected = format!(
        "args --peer.address 127.0.0.1:7052\n\
         id {id} peer 127.0.0.1:7052 msp Org1MSP tls true\n\
         root root\n\
         pem key certificate\n\
         base64 a2V5 Y2VydGlmaWNhdGU=\n\
         home and executable\n\
         proxy '' parent '' here beside"
    );
    // The harness around the buildpack prints a line of its own first.
    assert!(output.trim().ends_with(&expected), "{output}");
}

#[tokio::test]
async fn says_tls_is_off_when_it_is() {
    let peer = Peer::new();
    let id = peer.install(
        "Binary",
        &[("chaincode", b"#!/bin/sh\necho tls $CORE_PEER_TLS_ENABLED [$CORE_PEER_TLS_ROOTCERT_FILE]")],
    );
    let build = peer.builds(builders(&peer, "")).build(id.as_str()).await.expect("a build");
    let mut metadata = run_metadata(&id);
    (metadata.root_cert, metadata.client_cert, metadata.client_key) = Default::default();
    let mut process = build.run(&metadata).expect("a process");
    assert_eq!(process.wait().await.code(), 0);
    assert!(process.output_tail().contains(&"tls false []".to_owned()), "{:?}", process.output_tail());
}

#[tokio::test]
async fn builds_and_runs_a_go_module() {
    let peer = Peer::new();
    let module = peer.path("basic");
    write(&module, "go.mod", "module example.com/basic\n\ngo 1.21\n");
    write(
        &module,
        "cmd/cc/main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\n\t\"example.com/basic/lib\"\n)\n\nfunc main() { fmt.Println(lib.Hello, os.Args[1:]) }\n",
    );
    write(&module, "lib/lib.go", "package lib\n\nconst Hello = \"hello from go\"\n");
    write(&module, "META-INF/statedb/couchdb/indexes/owner.json", "{}");
    let id = install(&peer, &module);
    // Neither a network nor a home is needed.
    let (output, code) = run(&peer, &id, "GOPROXY=off").await;
    assert_eq!(code, 0, "{output}");
    assert!(output.ends_with("hello from go [-peer.address 127.0.0.1:7052]"), "{output}");
    let index = peer.build_folder(&id).join("release/statedb/couchdb/indexes/owner.json");
    assert!(index.is_file());
}

#[tokio::test]
async fn notes_the_version_of_the_toolchain() {
    let peer = Peer::new();
    let module = peer.path("go");
    write(&module, "go.mod", "module example.com/basic\n\ngo 1.21\n");
    write(&module, "main.go", "package main\n\nfunc main() {}\n");
    let package = peer.path("node");
    write(&package, "package.json", r#"{"name":"cc","version":"1.0.0","scripts":{"start":"node index.js"}}"#);
    for (folder, beginning) in [(&module, "go1."), (&package, "node v")] {
        let id = install(&peer, folder);
        let build = peer.builds(builders(&peer, "")).build(id.as_str()).await.unwrap_or_else(|error| panic!("{error}"));
        let toolchain = build.toolchain().expect("a version");
        assert!(toolchain.starts_with(beginning), "{toolchain}");
        assert!(printed(&build, &format!("using {toolchain}")));
    }
}

#[tokio::test]
async fn names_the_go_that_is_needed_and_the_one_that_was_found() {
    let peer = Peer::new();
    let module = peer.path("future");
    write(&module, "go.mod", "module example.com/future\n\ngo 1.999\n");
    write(&module, "main.go", "package main\n\nfunc main() {}\n");
    for environment in ["GOTOOLCHAIN=local", "GOTOOLCHAIN=auto GOPROXY=off"] {
        let text = failure(&peer, &install(&peer, &module), environment).await.to_string();
        let last = text.lines().last().expect("a line");
        assert!(
            last.starts_with("build: found go1.") && last.contains("), and go.mod needs go1.999; install Go "),
            "{text}"
        );
    }
}

#[tokio::test]
async fn builds_a_vendored_go_module_without_a_network() {
    let peer = Peer::new();
    let module = peer.path("vendored");
    write(&module, "go.mod", "module example.com/v\n\ngo 1.21\n\nrequire example.com/dep v1.0.0\n");
    write(&module, "go.sum", "");
    write(&module, "main.go", "package main\n\nimport \"example.com/dep\"\n\nfunc main() { println(dep.Hello) }\n");
    write(&module, "vendor/modules.txt", "# example.com/dep v1.0.0\n## explicit\nexample.com/dep\n");
    write(&module, "vendor/example.com/dep/dep.go", "package dep\n\nconst Hello = \"hello from vendor\"\n");
    let id = install(&peer, &module);
    let (output, code) = run(&peer, &id, "GOPROXY=off").await;
    assert!(code == 0 && output.ends_with("hello from vendor"), "{output}");
}

#[tokio::test]
async fn shows_what_the_go_compiler_says() {
    let peer = Peer::new();
    let module = peer.path("broken");
    write(&module, "go.mod", "module example.com/broken\n\ngo 1.21\n");
    write(&module, "main.go", "package main\n\nfunc main() { undefined() }\n");
    let id = install(&peer, &module);
    let text = failure(&peer, &id, "").await.to_string();
    assert!(
        text.starts_with(
            "external builder failed: external builder failed to build: external builder 'golang' failed: exit status 1\n"
        ),
        "{text}"
    );
    assert!(text.contains("./main.go:3:15: undefined: undefined"), "{text}");
}

#[tokio::test]
async fn refuses_a_go_package_that_is_no_program() {
    let peer = Peer::new();
    let id = peer.install("golang", &[("src/go.mod", b"module m\n"), ("src/m.go", b"package m\n")]);
    let text = failure(&peer, &id, "").await.to_string();
    assert!(text.ends_with("build: '.' is not a program: chaincode has a 'package main'"), "{text}");
}

/// Three uses of a buildpack: as what it is, and as a folder of programs, in a peer of ours or a stock one.
#[tokio::test]
async fn is_the_same_as_an_external_builder() {
    let module = |peer: &Peer| {
        let module = peer.path("basic");
        write(&module, "go.mod", "module example.com/basic\n\ngo 1.21\n");
        write(&module, "main.go", "package main\n\nfunc main() { println(\"hello from go\") }\n");
        write(&module, "META-INF/statedb/couchdb/indexes/owner.json", "{}");
        install(peer, &module)
    };
    let package = |peer: &Peer| {
        let folder = peer.path("node");
        write(&folder, "package.json", r#"{"name":"cc","version":"1.0.0","scripts":{"start":"node index.js"}}"#);
        write(&folder, "index.js", "console.log('hello from node')");
        install(peer, &folder)
    };
    let (inside, outside) = (Peer::new(), Peer::new());
    let built_in = builders(&inside, "");
    let Program::Buildpack { executable, .. } = &built_in[0].program else { panic!("a buildpack") };
    let folders = buildpacks::install(&outside.path("builders"), executable).expect("scripts");
    for (make, said) in [(&module as &dyn Fn(&Peer) -> PackageId, "hello from go"), (&package, "hello from node")] {
        let mut made = Vec::new();
        for (peer, builders) in [(&inside, &built_in), (&outside, &folders)] {
            let id = make(peer);
            let build =
                peer.builds(builders.clone()).build(id.as_str()).await.unwrap_or_else(|error| panic!("{error}"));
            let mut process = build.run(&run_metadata(&id)).expect("a process");
            assert_eq!(process.wait().await.code(), 0);
            assert!(process.output_tail().join("\n").ends_with(said), "{:?}", process.output_tail());
            made.push((id, build.builder.clone(), contents(&peer.build_folder(&make(peer)))));
        }
        assert!(made[0].2.len() > 2 && made[0] == made[1], "{said}: the same ID, builder and bytes");
    }
}

/// What a build left, file by file; what was printed has times in it.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "output.log") {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                found.insert(name, fs::read(path).expect("a file"));
            }
        }
    }
    found
}

const INDEX_JS: &[u8] = b"console.log('hello from node', process.argv.slice(2).join(' '), require('./lib').name)";

#[tokio::test]
async fn runs_a_node_package_without_dependencies() {
    let peer = Peer::new();
    let folder = peer.path("node");
    write(&folder, "package.json", r#"{"name":"cc","version":"1.0.0","scripts":{"start":"node index.js"}}"#);
    write(&folder, "index.js", std::str::from_utf8(INDEX_JS).expect("text"));
    write(&folder, "lib.js", "exports.name = 'lib'");
    let id = install(&peer, &folder);
    let (output, code) = run(&peer, &id, "npm_config_offline=true").await;
    assert!(code == 0 && output.ends_with("hello from node --peer.address 127.0.0.1:7052 lib"), "{output}");
}

#[tokio::test]
async fn runs_a_node_package_that_brings_its_dependencies() {
    let peer = Peer::new();
    let manifest = br#"{"name":"cc","version":"1.0.0","dependencies":{"dep":"1.0.0"},
        "scripts":{"build":"node build.js","start":"X=1 node dist/index.js"},"main":"dist/index.js"}"#;
    let id = peer.install(
        "NODE",
        &[
            ("src/package.json", manifest),
            (
                "src/build.js",
                b"require('fs').mkdirSync('dist'); require('fs').copyFileSync('index.js', 'dist/index.js')",
            ),
            ("src/index.js", b"console.log(require('dep').hello, process.env.X, process.argv[3])"),
            ("src/node_modules/dep/package.json", br#"{"name":"dep","version":"1.0.0"}"#),
            ("src/node_modules/dep/index.js", b"exports.hello = 'hello from dep'"),
        ],
    );
    let (output, code) = run(&peer, &id, "npm_config_offline=true").await;
    assert!(code == 0 && output.ends_with("hello from dep 1 127.0.0.1:7052"), "{output}");
}

#[tokio::test]
async fn installs_by_the_lock_file_through_npm() {
    let peer = Peer::new();
    let manifest =
        br#"{"name":"cc","version":"1.0.0","dependencies":{"dep":"file:dep"},"scripts":{"start":"node index.js"}}"#;
    let lock = br#"{"name":"cc","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
        "":{"name":"cc","version":"1.0.0","dependencies":{"dep":"file:dep"}},
        "dep":{"version":"1.0.0"},"node_modules/dep":{"resolved":"dep","link":true}}}"#;
    let id = peer.install(
        "node",
        &[
            ("src/package.json", manifest),
            ("src/package-lock.json", lock),
            ("src/index.js", b"console.log(require('dep').hello)"),
            ("src/dep/package.json", br#"{"name":"dep","version":"1.0.0"}"#),
            ("src/dep/index.js", b"exports.hello = 'hello from a link'"),
        ],
    );
    let build = peer.builds(builders(&peer, "npm_config_offline=true")).build(id.as_str()).await.expect("a build");
    assert!(printed(&build, "$ npm ci --no-audit --no-fund --omit=dev"));
    let (output, _) = run(&peer, &id, "").await;
    assert!(output.ends_with("hello from a link"), "{output}");
}

#[tokio::test]
async fn installs_npm_workspaces_without_a_network() {
    let peer = Peer::new();
    let folder = peer.path("workspaces");
    let manifest = r#"{"name":"cc","version":"1.0.0","private":true,"workspaces":["packages/*"],"scripts":{"start":"node index.js"}}"#;
    write(&folder, "package.json", manifest);
    write(&folder, "index.js", "console.log(require('@cc/greeting').hello)");
    write(&folder, "packages/greeting/package.json", r#"{"name":"@cc/greeting","version":"1.0.0","main":"lib.js"}"#);
    write(&folder, "packages/greeting/lib.js", "exports.hello = 'hello from a workspace'");
    let id = install(&peer, &folder);
    let (output, code) = run(&peer, &id, "npm_config_offline=true").await;
    assert!(code == 0 && output.ends_with("hello from a workspace"), "{output}");
}

const MAIN_JAVA: &str = r#"
package org.example;

public final class Main {
    public static void main(String[] args) {
        System.out.println("hello from java " + String.join(" ", args));
    }
}
"#;

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId>
  <artifactId>basic</artifactId>
  <version>1.0</version>
  <properties>
    <maven.compiler.source>11</maven.compiler.source>
    <maven.compiler.target>11</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <build>
    <plugins>
      <plugin>
        <artifactId>maven-jar-plugin</artifactId>
        <configuration><archive><manifest><mainClass>org.example.Main</mainClass></manifest></archive></configuration>
      </plugin>
    </plugins>
  </build>
</project>
"#;

fn hello_from_java(id: &PackageId) -> String {
    format!("hello from java -i {id} --peer.address 127.0.0.1:7052")
}

#[tokio::test]
async fn builds_and_runs_a_maven_project() {
    let peer = Peer::new();
    let project = peer.path("maven");
    write(&project, "pom.xml", POM);
    write(&project, "src/main/java/org/example/Main.java", MAIN_JAVA);
    write(&project, "META-INF/statedb/couchdb/indexes/owner.json", "{}");
    let id = install(&peer, &project);
    let (output, code) = run(&peer, &id, "").await;
    assert!(code == 0 && output.ends_with(&hello_from_java(&id)), "{output}");
    assert!(peer.build_folder(&id).join("release/statedb/couchdb/indexes/owner.json").is_file());

    write(&project, "src/main/java/org/example/Main.java", "class Main { void broken() { undefined(); } }");
    let text = failure(&peer, &install(&peer, &project), "").await.to_string();
    assert!(text.contains("external builder 'java' failed: exit status 1"), "{text}");
    assert!(text.contains("Main.java:[1,30] cannot find symbol"), "{text}");
}

/// A jar with the class `org.example.Main`; `entry` is an option of the `jar` tool.
fn jar(peer: &Peer, path: &Path, entry: &[&str]) {
    let classes = peer.path("classes");
    write(&classes, "org/example/Main.java", MAIN_JAVA);
    let compiled = Command::new("javac").arg("-d").arg(&classes).arg(classes.join("org/example/Main.java")).status();
    assert!(compiled.expect("a JDK").success());
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut jar = Command::new("jar");
    jar.args(["--create", "--file"]).arg(path).args(entry).arg("-C").arg(&classes).arg("org/example/Main.class");
    assert!(jar.status().expect("a JDK").success());
}

#[tokio::test]
async fn runs_ready_jars() {
    let peer = Peer::new();
    let main = ["--main-class", "org.example.Main"];
    let folder = peer.path("jars");
    jar(&peer, &folder.join("app.jar"), &main);
    jar(&peer, &folder.join("lib/dep.jar"), &[]);
    // A folder of jars, and a jar on its own.
    for path in [folder.clone(), folder.join("app.jar")] {
        let id = install(&peer, &path);
        let (output, code) = run(&peer, &id, "").await;
        assert!(code == 0 && output.ends_with(&hello_from_java(&id)), "{output}");
    }
    assert!(peer.build_folder(&install(&peer, &folder)).join("bld/lib/dep.jar").is_file());

    let folder = peer.path("nameless");
    jar(&peer, &folder.join("app.jar"), &[]);
    let text = failure(&peer, &install(&peer, &folder), "").await.to_string();
    let end = "the jar names no Main-Class in its manifest, and org.hyperledger.fabric.contract.ContractRouter is not \
               among the dependencies; there is nothing to run";
    assert!(text.ends_with(end), "{text}");
}

#[tokio::test]
async fn builds_by_the_wrapper_that_a_project_brings() {
    let peer = Peer::new();
    let made = peer.path("made.jar");
    jar(&peer, &made, &["--main-class", "org.example.Main"]);
    let dependency = peer.path("dependency.jar");
    jar(&peer, &dependency, &[]);
    // What a wrapper does, without the download.
    let gradle = format!(
        "#!/bin/sh\necho \"gradlew $1 $2 $3\"\ncp {} \"$WINDLASS_OUTPUT/$WINDLASS_PROGRAM\"\n\
         mkdir \"$WINDLASS_OUTPUT/$WINDLASS_LIBRARIES\" && cp {} \"$WINDLASS_OUTPUT/$WINDLASS_LIBRARIES\"\n",
        made.display(),
        dependency.display()
    );
    let maven = format!(
        "#!/bin/sh\necho \"mvnw $*\"\ncase \"$*\" in\n*copy-dependencies*) ;;\n*) mkdir -p target && cp {} target/basic-1.0.jar;;\nesac\n",
        made.display()
    );
    for (file, wrapper, script, line) in [
        ("build.gradle", "gradlew", &gradle, "gradlew --no-daemon --quiet --console=plain"),
        ("pom.xml", "mvnw", &maven, "mvnw --batch-mode --quiet -DskipTests package"),
    ] {
        let project = peer.path(wrapper);
        write(&project, file, "");
        write(&project, wrapper, script);
        let id = install(&peer, &project);
        let build = peer.builds(builders(&peer, "")).build(id.as_str()).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(printed(&build, line), "{:?}", build.output());
        let (output, code) = run(&peer, &id, "").await;
        assert!(code == 0 && output.ends_with(&hello_from_java(&id)), "{output}");
    }
}

#[tokio::test]
async fn refuses_a_jdk_that_is_too_old() {
    let peer = Peer::new();
    write_script(&peer.path("javac"), "echo 'javac 1.8.0_402' >&2");
    let project = peer.path("maven");
    write(&project, "pom.xml", POM);
    let text =
        failure(&peer, &install(&peer, &project), &format!("PATH={}", peer.path("").display())).await.to_string();
    assert!(text.contains("build: found javac 1.8.0_402 ("), "{text}");
    assert!(
        text.ends_with(
            "and need 11 or later; install a JDK, version 11 or later (https://adoptium.net), or set JAVA_HOME"
        ),
        "{text}"
    );
}

/// The caches of a test's own.
fn caches(peer: &Peer) -> String {
    format!("XDG_CACHE_HOME={}", peer.path("caches").display())
}

#[tokio::test]
async fn builds_and_runs_a_crate() {
    let peer = Peer::new();
    let folder = peer.path("crates/basic");
    let manifest = |more: &str| {
        format!(
            "[package]\nname = 'basic'\nversion = '1.0.0'\nedition = '2021'\n{more}\n[dependencies]\nlib = {{ path = '../lib' }}\n"
        )
    };
    write(&folder, "Cargo.toml", &manifest(""));
    let main = |greeting: &str| {
        format!(
            "fn main() {{ println!(\"{greeting} {{}} {{:?}}\", lib::NAME, std::env::args().skip(1).collect::<Vec<_>>()) }}"
        )
    };
    write(&folder, "src/main.rs", &main("hello from"));
    write(&folder, "META-INF/statedb/couchdb/indexes/owner.json", "{}");
    write(&peer.path("crates/lib"), "Cargo.toml", "[package]\nname = 'lib'\nversion = '1.0.0'\nedition = '2021'\n");
    write(&peer.path("crates/lib"), "src/lib.rs", "pub const NAME: &str = \"rust\";");
    let id = install(&peer, &folder);
    let (output, code) = run(&peer, &id, &caches(&peer)).await;
    let end = r#"rust ["--peer.address", "127.0.0.1:7052"]"#;
    assert!(code == 0 && output.ends_with(&format!("hello from {end}")), "{output}");
    assert!(peer.build_folder(&id).join("release/statedb/couchdb/indexes/owner.json").is_file());

    // Another of the same name and version never gets what was compiled for this one.
    write(&folder, "src/main.rs", &main("changed to"));
    let (output, _) = run(&peer, &install(&peer, &folder), &caches(&peer)).await;
    assert!(output.ends_with(&format!("changed to {end}")), "{output}");

    write(&folder, "src/main.rs", "fn main() { undefined() }");
    let text = failure(&peer, &install(&peer, &folder), &caches(&peer)).await.to_string();
    assert!(text.contains("cannot find function `undefined` in this scope"), "{text}");
    write(&folder, "Cargo.toml", &manifest("rust-version = '1.999'"));
    let text = failure(&peer, &install(&peer, &folder), &caches(&peer)).await.to_string();
    assert!(text.contains("rustc 1.999"), "{text}");
}

#[tokio::test]
async fn builds_the_two_of_one_name_that_are_installed_at_once() {
    let peer = Peer::new();
    let install = |greeting: &str| {
        let folder = peer.path(greeting);
        write(&folder, "Cargo.toml", "[package]\nname = 'same'\nversion = '1.0.0'\nedition = '2021'\n");
        write(&folder, "Cargo.lock", "version = 4\n\n[[package]]\nname = \"same\"\nversion = \"1.0.0\"\n");
        write(&folder, "src/main.rs", &format!("fn main() {{ println!(\"{greeting}\") }}"));
        install(&peer, &folder)
    };
    let ids = ["one", "two", "three"].map(install);
    let caches = caches(&peer);
    let outputs = futures::future::join_all(ids.iter().map(|id| run(&peer, id, &caches))).await;
    let said: Vec<_> = outputs.iter().map(|(output, _)| output.lines().last().unwrap_or_default()).collect();
    assert_eq!(said, ["one", "two", "three"]);
}

#[tokio::test]
async fn names_the_toolchain_that_is_missing() {
    let peer = Peer::new();
    for (kind, files, text) in [
        (
            "golang",
            &[("src/go.mod", &b"module m\n"[..])][..],
            "build: looked for 'go' on PATH (/nowhere:/empty) and did not find it; install Go (https://go.dev/dl), or \
             package the built program as type 'binary'",
        ),
        (
            "node",
            &[("src/package.json", b"{}")],
            "build: looked for 'node' on PATH (/nowhere:/empty) and did not find it; install Node.js with npm \
             (https://nodejs.org)",
        ),
        (
            "java",
            &[("src/pom.xml", b"<project/>")],
            "build: looked for 'javac' on PATH (/nowhere:/empty) and did not find it; install a JDK, version 11 or later \
             (https://adoptium.net), or set JAVA_HOME",
        ),
        (
            "rust",
            &[("src/Cargo.toml", b"")],
            "build: looked for 'cargo' on PATH (/nowhere:/empty) and did not find it; install Rust (https://rustup.rs), or \
             package the built program as type 'binary'",
        ),
        (
            "java",
            &[("src/Main.java", b"")],
            "build: looked for pom.xml (Maven), build.gradle or settings.gradle (Gradle) and jars at src/ and at the root of \
             the package, and found none",
        ),
        (
            "rust",
            &[("src/main.rs", b"")],
            "build: looked for Cargo.toml at src/ and at the root of the package, and found none",
        ),
        (
            "golang",
            &[("main.go", b"package main\n")],
            "build: looked for go.mod at src/, at the root and at src/ of the package, and found none",
        ),
        (
            "node",
            &[("index.js", b"")],
            "build: looked for package.json at src/ and at the root of the package, and found none",
        ),
        (
            "binary",
            &[("other", b"")],
            "build: looked for a file 'chaincode' in the package, at its root and in src/, and found none",
        ),
    ] {
        let id = peer.install(kind, files);
        let error = failure(&peer, &id, "PATH=/nowhere:/empty").await.to_string();
        assert!(error.ends_with(text), "{error}");
    }
}

#[tokio::test]
async fn says_why_each_buildpack_declines_a_type_that_none_knows() {
    let peer = Peer::new();
    let id = peer.install("cobol", &[]);
    let error = failure(&peer, &id, "").await;
    assert_eq!(
        error.to_string(),
        "docker build failed: docker build is disabled\n\
         builder 'ccaas' declined: ::Error: chaincode type not supported: cobol\n\
         builder 'binary' declined: the package has type 'cobol', this buildpack takes 'binary'\n\
         builder 'golang' declined: the package has type 'cobol', this buildpack takes 'golang'\n\
         builder 'node' declined: the package has type 'cobol', this buildpack takes 'node'\n\
         builder 'java' declined: the package has type 'cobol', this buildpack takes 'java'\n\
         builder 'rust' declined: the package has type 'cobol', this buildpack takes 'rust'"
    );
}

#[tokio::test]
async fn hands_out_where_a_chaincode_server_is() {
    let peer = Peer::new();
    let connection = br#"{"address":"{{.peername}}_basic:9999","tls_required":false}"#;
    let id =
        peer.install("CCAAS", &[("connection.json", connection), ("META-INF/statedb/couchdb/indexes/i.json", b"{}")]);
    let environment = r#"CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG='{"peername":"peer0"}'"#;
    let build = peer.builds(builders(&peer, environment)).build(id.as_str()).await.expect("a build");
    let connection = build.connection().expect("valid").expect("a server");
    assert_eq!((connection.address.as_str(), connection.dial_timeout), ("peer0_basic:9999", Duration::from_secs(3)));
    assert!(build.release_folder().join("statedb/couchdb/indexes/i.json").is_file());
    // Operators edit the file that is kept; the next launch sees it.
    let path = build.release_folder().join("chaincode/server/connection.json");
    fs::write(path, r#"{"address":"elsewhere:1","dial_timeout":"1s"}"#).expect("a file");
    let connection = build.connection().expect("valid").expect("a server");
    assert_eq!((connection.address.as_str(), connection.dial_timeout), ("elsewhere:1", Duration::from_secs(1)));
}

const PEER: &str = "WINDLASS_TEST_PEER";

/// Not a test: a peer with a running chaincode, in a process of its own that can be killed.
#[tokio::test]
async fn peer_process() {
    let Ok(folder) = env::var(PEER) else { return };
    let peer = Peer::new();
    let id = peer.install("binary", &[("chaincode", b"#!/bin/sh\necho started\nexec sleep 600")]);
    let mut config = peer.config(builders(&peer, ""));
    config.children = Path::new(&folder).join("run");
    config.scratch = Some(Path::new(&folder).join("scratch"));
    let build = Builds::new(config, peer.packages.clone()).build(id.as_str()).await.expect("a build");
    let process = build.run(&run_metadata(&id)).expect("a process");
    eventually("the chaincode", || process.output_tail().contains(&"started".to_owned())).await;
    fs::write(Path::new(&folder).join("pid.tmp"), process.pid().to_string()).expect("a file");
    fs::rename(Path::new(&folder).join("pid.tmp"), Path::new(&folder).join("pid")).expect("a file");
    std::future::pending().await
}

#[tokio::test]
async fn ends_chaincode_when_its_peer_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut peer = Command::new(env::current_exe().expect("a program"))
        .args(["--exact", "buildpacks::peer_process", "--nocapture"])
        .env(PEER, folder.path())
        // Nobody removes its temporary files.
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a process");
    eventually("the chaincode", || folder.path().join("pid").exists()).await;
    let pid = fs::read_to_string(folder.path().join("pid")).expect("a file");
    assert!(is_alive(&pid));
    peer.kill().expect("a process");
    peer.wait().expect("a process");
    // The system ends it; nobody had to start again for that.
    eventually("the chaincode's end", || !is_alive(&pid)).await;
    let count = |name: &str| fs::read_dir(folder.path().join(name)).expect("a folder").count();
    assert_eq!((count("run"), count("scratch")), (1, 1));
    children::clean_up(&folder.path().join("run")).expect("a folder");
    assert_eq!((count("run"), count("scratch")), (0, 0), "the key goes at the next start");
}
