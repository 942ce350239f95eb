//! Node packages.

use std::{env, fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    build::buildpacks::{
        chaincode::Chaincode,
        complete, folders,
        tools::{self, Home},
    },
    package::json,
};

const HINT: &str = "install Node.js with npm (https://nodejs.org)";
const FOLDER: &str = "src";

/// `package.json`, as far as it matters here.
#[derive(Debug)]
struct Manifest(Value);

pub(super) fn build(source: &Path, output: &Path) -> Result<(), String> {
    let below = source.join(FOLDER);
    let from = [&below, source].into_iter().find(|folder| folder.join("package.json").is_file());
    let from = from.ok_or("looked for package.json at src/ and at the root of the package, and found none")?;
    let folder = output.join(FOLDER);
    folders::copy_into(from, &folder)?;
    folders::keep_meta_inf(source, output)?;
    let manifest = Manifest::read(&folder)?;
    let node = tools::find("node", HINT)?;
    let mut command = Command::new(&node);
    command.arg("--version");
    let version = tools::first_line(command).ok_or_else(|| format!("'{} --version' says nothing", node.display()))?;
    manifest.check_engine(&version, &node)?;
    tools::record(output, &format!("node {version}"))?;
    let home = Home::find()?;
    for args in manifest.plan(&folder) {
        let mut command = Command::new(tools::find("npm", HINT)?);
        // `CI`: nobody is there to answer questions.
        command.args(args).current_dir(&folder).env("CI", "true");
        home.lend(&mut command);
        complete(command)?;
    }
    Ok(())
}

pub(super) fn run(output: &Path, metadata: &Path) -> Result<(), String> {
    let chaincode = Chaincode::read(metadata)?;
    let folder = output.join(FOLDER);
    let mut command = Manifest::read(&folder)?.start(&folder)?;
    command
        .args(["--peer.address", &chaincode.peer_address])
        .current_dir(&folder)
        .env("PATH", path_with_tools(&folder)?);
    chaincode.become_it(command)
}

impl Manifest {
    fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("package.json");
        let text = fs::read(&path).map_err(|error| format!("cannot read package.json: {error}"))?;
        json::parse(&text).map(Self).map_err(|error| format!("package.json is not valid: {error}"))
    }

    fn script(&self, name: &str) -> Option<&str> {
        self.0.get("scripts")?.get(name)?.as_str()
    }

    /// Refuses a Node.js that is older than `engines` says. Ranges of other kinds are left to npm, which warns.
    fn check_engine(&self, version: &str, node: &Path) -> Result<(), String> {
        let needed = self.0.get("engines").and_then(|engines| engines.get("node")).and_then(Value::as_str);
        let oldest = needed.and_then(|needed| tools::numbers(needed.trim().strip_prefix(">=")?));
        match (needed, oldest, tools::numbers(version.trim_start_matches('v'))) {
            (Some(needed), Some(oldest), Some(found)) if found < oldest => {
                Err(format!("found node {version} ({}), and package.json needs {needed}; {HINT}", node.display()))
            }
            _ => Ok(()),
        }
    }

    /// What npm has to do: install, build, and drop what only the build needed. A package that brings its
    /// `node_modules` is taken as it is, and one without dependencies needs nothing, so that neither needs a
    /// network.
    fn plan(&self, folder: &Path) -> Vec<Vec<&'static str>> {
        const QUIET: [&str; 2] = ["--no-audit", "--no-fund"];
        let builds = self.script("build").is_some();
        let run_build = vec!["run", "build"];
        if folder.join("node_modules").is_dir() || !self.needs_install() {
            let built = self.0.get("main").and_then(Value::as_str).is_some_and(|main| folder.join(main).exists());
            return if builds && !built { vec![run_build] } else { Vec::new() };
        }
        let locked = ["package-lock.json", "npm-shrinkwrap.json"].iter().any(|lock| folder.join(lock).is_file());
        let mut install = vec![if locked { "ci" } else { "install" }];
        install.extend(QUIET);
        if !builds {
            install.push("--omit=dev");
            return vec![install];
        }
        let mut prune = vec!["prune", "--omit=dev"];
        prune.extend(QUIET);
        vec![install, run_build, prune]
    }

    fn needs_install(&self) -> bool {
        let lists = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "workspaces"];
        let scripts = ["preinstall", "install", "postinstall", "prepare"];
        let filled = |list: &Value| match list {
            Value::Object(map) => !map.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => false,
        };
        lists.iter().any(|list| self.0.get(list).is_some_and(filled))
            || scripts.iter().any(|script| self.script(script).is_some())
    }

    /// What `npm start -- …` would run, without npm between the peer and the chaincode where that makes no
    /// difference: it would take memory, and not pass signals on.
    fn start(&self, folder: &Path) -> Result<Command, String> {
        tools::find("node", HINT)?;
        let around = self.script("prestart").is_some() || self.script("poststart").is_some();
        match self.script("start") {
            Some(_) if around => {
                let mut command = Command::new(tools::find("npm", HINT)?);
                command.args(["start", "--"]);
                Ok(command)
            }
            Some(script) => Ok(shell_command(script, folder)),
            None if folder.join("server.js").is_file() => Ok(words_command("node server.js", folder)),
            None if tool(folder, "fabric-chaincode-node").is_file() => {
                Ok(words_command("fabric-chaincode-node start", folder))
            }
            None => Err("package.json has no script 'start' to run the chaincode with, such as \
                         \"start\": \"fabric-chaincode-node start\""
                .to_owned()),
        }
    }
}

/// A script as npm runs it: by a shell, further arguments at its end.
fn shell_command(script: &str, folder: &Path) -> Command {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-/@:+,".contains(c);
    if script.chars().all(plain) && !script.trim().is_empty() {
        return words_command(script, folder);
    }
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("{script} \"$@\"")).arg("sh");
    command
}

/// A script that is only words: no shell needed.
fn words_command(script: &str, folder: &Path) -> Command {
    let mut words = script.split_whitespace();
    let first = words.next().unwrap_or_default();
    let local = tool(folder, first);
    let mut command = if local.is_file() { Command::new(local) } else { Command::new(first) };
    command.args(words);
    command
}

fn tool(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join("node_modules").join(".bin").join(name)
}

/// `PATH` with the tools of the package first, as npm sets it.
fn path_with_tools(folder: &Path) -> Result<std::ffi::OsString, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let tools = folder.join("node_modules").join(".bin");
    env::join_paths(std::iter::once(tools).chain(env::split_paths(&path)))
        .map_err(|error| format!("cannot extend PATH: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(json: Value) -> Manifest {
        Manifest(json)
    }

    fn plan(json: Value, prepare: impl FnOnce(&Path)) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        manifest(json).plan(folder.path()).iter().map(|args| args.join(" ")).collect()
    }

    fn file(folder: &Path, name: &str) {
        fs::create_dir_all(folder.join(name).parent().expect("a folder")).expect("a folder");
        fs::write(folder.join(name), "").expect("a file");
    }

    #[test]
    fn installs_by_the_lock_file_if_there_is_one() {
        let json = || serde_json::json!({ "dependencies": { "a": "1" } });
        assert_eq!(plan(json(), |_| {}), ["install --no-audit --no-fund --omit=dev"]);
        let locked = plan(json(), |folder| file(folder, "package-lock.json"));
        assert_eq!(locked, ["ci --no-audit --no-fund --omit=dev"]);
    }

    #[test]
    fn builds_with_development_tools_and_then_drops_them() {
        let json = serde_json::json!({ "devDependencies": { "typescript": "5" }, "scripts": { "build": "tsc" } });
        let plan = plan(json, |_| {});
        assert_eq!(plan, ["install --no-audit --no-fund", "run build", "prune --omit=dev --no-audit --no-fund"]);
    }

    #[test]
    fn needs_no_npm_for_what_is_bundled_or_has_no_dependencies() {
        let json =
            serde_json::json!({ "dependencies": { "a": "1" }, "scripts": { "build": "x" }, "main": "dist/i.js" });
        let bundled = |folder: &Path| file(folder, "node_modules/a/index.js");
        assert_eq!(plan(json.clone(), bundled), ["run build"]);
        let built = |folder: &Path| {
            bundled(folder);
            file(folder, "dist/i.js");
        };
        assert!(plan(json, built).is_empty());
        assert!(plan(serde_json::json!({ "dependencies": {} }), |_| {}).is_empty());
    }

    #[test]
    fn refuses_a_node_that_is_too_old() {
        let check = |needed: &str, found: &str| {
            manifest(serde_json::json!({ "engines": { "node": needed } })).check_engine(found, Path::new("/bin/node"))
        };
        assert_eq!(
            check(">=18.12", "v16.20.2"),
            Err(format!("found node v16.20.2 (/bin/node), and package.json needs >=18.12; {HINT}"))
        );
        for (needed, found) in
            [(">=18", "v18.0.0"), (">= 18", "v20.19.2"), ("^18 || 20", "v16.0.0"), (">=18 <21", "v16.0.0")]
        {
            assert_eq!(check(needed, found), Ok(()), "{needed}");
        }
    }

    fn start(json: Value, prepare: impl FnOnce(&Path)) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        let command = manifest(json).start(folder.path())?;
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        Ok(words.join("|").replace(&folder.path().display().to_string(), "DIR"))
    }

    #[test]
    fn starts_without_npm_or_a_shell_where_it_can() {
        let script = |start: &str| serde_json::json!({ "scripts": { "start": start } });
        let with_tool = |folder: &Path| file(folder, "node_modules/.bin/fabric-chaincode-node");
        let tool = "DIR/node_modules/.bin/fabric-chaincode-node|start";
        assert_eq!(start(script("fabric-chaincode-node start"), with_tool).as_deref(), Ok(tool));
        assert_eq!(start(serde_json::json!({}), with_tool).as_deref(), Ok(tool));
        assert_eq!(start(script("node index.js"), |_| {}).as_deref(), Ok("node|index.js"));
        let shell = start(script("set -x && node i.js"), |_| {});
        assert_eq!(shell.as_deref(), Ok("/bin/sh|-c|set -x && node i.js \"$@\"|sh"));
        let both = serde_json::json!({ "scripts": { "start": "node a", "prestart": "node b" } });
        assert!(start(both, |_| {}).expect("npm").ends_with("/npm|start|--"));
        assert!(start(serde_json::json!({}), |_| {}).expect_err("nothing").contains("script 'start'"));
    }
}
