//! The java buildpack with a real Gradle, by the wrapper that a project brings. Gradle comes from Debian's package, so that
//! nothing is downloaded from gradle.org; where that is not installed there is nothing to test with, and it is said.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use crate::{
    buildpacks::{failure, install, run, write},
    support::Peer,
};

/// Where Debian's package has it.
const FOLDER: &str = "/usr/share/gradle";
/// What Debian's own script lets Java do for this old version.
const OPTIONS: &str = "--add-opens=java.base/java.lang=ALL-UNNAMED";

const GREETING: &str = r#"
package org.example.greeting;

public final class Greeting {
    public static String of(String[] args) {
        return "hello from gradle " + String.join(" ", args);
    }
}
"#;

const MAIN: &str = r#"
package org.example;

public final class Main {
    public static void main(String[] args) {
        System.out.println(org.example.greeting.Greeting.of(args));
    }
}
"#;

/// What the shadow plugin makes: a task of this name, whose jar has everything.
const SHADOW: &str = "
apply plugin: 'java'
sourceCompatibility = 11
task shadowJar(type: Jar) {
    from sourceSets.main.output
    classifier = 'all'
    manifest { attributes 'Main-Class': 'org.example.Main' }
}
";

/// Adds the wrapper to a project, as `gradle wrapper` does; what it would download is a file.
fn add_wrapper(peer: &Peer, project: &Path) {
    let distribution = peer.path("gradle-bin.zip");
    if !distribution.exists() {
        let mut zip = Command::new("jar");
        zip.args(["--create", "--no-manifest", "--file"]).arg(&distribution).args(["-C", "/usr/share", "gradle"]);
        assert!(zip.status().expect("a JDK").success());
    }
    let mut gradle = Command::new("gradle");
    gradle.args(["--no-daemon", "--quiet", "wrapper", "--gradle-distribution-url"]);
    gradle.arg(format!("file:{}", distribution.display())).current_dir(project);
    gradle.env("GRADLE_USER_HOME", peer.path("gradle-home"));
    let output = gradle.output().expect("Gradle");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Archivers lose the bit.
    fs::set_permissions(project.join("gradlew"), fs::Permissions::from_mode(0o644)).expect("a file");
}

#[tokio::test]
async fn builds_gradle_projects_by_their_wrapper() {
    if !Path::new(FOLDER).is_dir() {
        // Not by a macro, whose output is kept back when a test passes.
        let said = writeln!(io::stderr(), "Gradle is not tested: it is not at {FOLDER}; hint: apt-get install gradle");
        return said.expect("somewhere to say it");
    }
    let peer = Peer::new();
    let environment = format!("GRADLE_OPTS={OPTIONS} GRADLE_USER_HOME={}", peer.path("gradle-home").display());

    // Of several projects the chaincode is the one that says that it is a program; its jar does not name the class.
    let project = peer.path("several");
    write(&project, "settings.gradle", "include 'app', 'greeting'\n");
    write(&project, "build.gradle", "subprojects { apply plugin: 'java'; sourceCompatibility = 11 }\n");
    let app = "apply plugin: 'application'\nmainClassName = 'org.example.Main'\ndependencies { compile project(':greeting') }\n";
    write(&project, "app/build.gradle", app);
    write(&project, "app/src/main/java/org/example/Main.java", MAIN);
    write(&project, "greeting/src/main/java/org/example/greeting/Greeting.java", GREETING);
    add_wrapper(&peer, &project);
    let id = install(&peer, &project);
    let hello = |id| format!("hello from gradle -i {id} --peer.address 127.0.0.1:7052");
    let (output, code) = run(&peer, &id, &environment).await;
    assert!(code == 0 && output.ends_with(&hello(&id)), "{output}");
    assert!(peer.build_folder(&id).join("bld/lib/greeting.jar").is_file());

    // Without a build file at the root; and no project says that it is the program.
    fs::remove_file(project.join("build.gradle")).expect("a file");
    for name in ["app", "greeting"] {
        write(&project, &format!("{name}/build.gradle"), "apply plugin: 'java'\n");
    }
    let text = failure(&peer, &install(&peer, &project), &environment).await.to_string();
    assert!(text.contains("is the chaincode and found several (:app, :greeting); apply the application"), "{text}");

    let project = peer.path("one");
    write(&project, "build.gradle", SHADOW);
    write(&project, "src/main/java/org/example/Main.java", MAIN);
    write(&project, "src/main/java/org/example/greeting/Greeting.java", GREETING);
    add_wrapper(&peer, &project);
    let id = install(&peer, &project);
    let (output, code) = run(&peer, &id, &environment).await;
    assert!(code == 0 && output.ends_with(&hello(&id)), "{output}");
    assert!(!peer.build_folder(&id).join("bld/lib").exists());
}
