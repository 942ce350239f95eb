//! `windlass.sandbox.*`, and limits wherever they are said.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use windlass_chaincode::build::{
    StepTimes,
    sandbox::{Limits, Mode, SandboxConfig, Size},
};
use windlass_proto::duration;

use super::{document::Node, reader::Reader};

/// `windlass.sandbox.*`.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxSection {
    /// `mode`: whether built-in buildpacks, and the chaincode that they run, are confined.
    pub mode: Mode,
    /// `builders.<name>`: the same for builders of `chaincode.externalBuilders`.
    pub builders: BTreeMap<String, Mode>,
    /// `network: deny`: whether builds have no network.
    pub offline: bool,
    /// `caches: own`: whether no build shares caches with another.
    pub own_caches: bool,
    /// `read`: what programs may read beside the usual.
    pub read: Vec<PathBuf>,
    /// `write`: what programs may write beside the usual.
    pub write: Vec<PathBuf>,
    /// `build.*`: limits on builds.
    pub build: Limits,
    /// `detect_timeout`, `build_timeout`, `release_timeout`.
    pub times: StepTimes,
}

const SECTION: &str = "windlass.sandbox";

impl SandboxSection {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let key = |name: &str| format!("{SECTION}.{name}");
        let modes = [("off", Mode::Off), ("auto", Mode::Auto), ("require", Mode::Require)];
        let usual = StepTimes::default();
        let mut time = |name: &str, usual: Duration| {
            let given = reader.duration(&key(name), &duration::format(usual));
            // A program that may take no time at all is no setting that anybody means.
            if given.is_zero() { usual } else { given }
        };
        let times = StepTimes {
            detect: time("detect_timeout", usual.detect),
            build: time("build_timeout", usual.build),
            release: time("release_timeout", usual.release),
            ..usual
        };
        Self {
            mode: reader.choice(&key("mode"), "auto", &modes),
            builders: builders(reader, &modes),
            offline: reader.choice(&key("network"), "allow", &[("allow", false), ("deny", true)]),
            own_caches: reader.choice(&key("caches"), "shared", &[("shared", false), ("own", true)]),
            read: reader.paths(&key("read")),
            write: reader.paths(&key("write")),
            build: limits(reader, &key("build"), Limits::of_builds()),
            times,
        }
    }

    /// What the builds of a peer are made with, whose chaincode has the limits `run` unless one has others.
    pub fn config(&self, executable: Option<PathBuf>, secrets: Vec<PathBuf>, run: Limits) -> SandboxConfig {
        SandboxConfig {
            mode: self.mode,
            builders: self.builders.clone(),
            executable,
            offline: self.offline,
            own_caches: self.own_caches,
            read: self.read.clone(),
            write: self.write.clone(),
            secrets,
            build: self.build,
            run,
        }
    }
}

fn builders(reader: &mut Reader<'_>, modes: &[(&str, Mode)]) -> BTreeMap<String, Mode> {
    const KEY: &str = "windlass.sandbox.builders";
    let Some((node, origin)) = reader.subtree(KEY) else { return BTreeMap::new() };
    let entries = match node {
        Node::Section(entries) => entries,
        Node::Empty => return BTreeMap::new(),
        other => {
            reader.refuse(KEY, origin, format!("expected a mode for each builder, found {}", other.kind()));
            return BTreeMap::new();
        }
    };
    let mut builders = BTreeMap::new();
    for (name, value) in entries {
        let said = value.text();
        match modes.iter().find(|(word, _)| word.eq_ignore_ascii_case(&said)) {
            Some((_, mode)) => {
                builders.insert(name, *mode);
            }
            None => {
                reader.refuse(KEY, origin.clone(), format!("{name}: expected off, auto or require, found \"{said}\""))
            }
        }
    }
    builders
}

/// The limits below a key.
pub(super) fn limits(reader: &mut Reader<'_>, section: &str, usual: Limits) -> Limits {
    let mut limits = Limits::default();
    for (name, default) in [
        ("memory", "50%".to_owned()),
        ("processes", number(usual.processes)),
        ("disk", usual.disk.map_or_else(|| number(None), |bytes| Size(bytes).to_string())),
        ("cpus", number(usual.cpus)),
        ("open_files", number(usual.open_files)),
    ] {
        let limit = limit(name, &mut limits).expect("these are all limits");
        let read = |text: &str| limit.parse(text);
        let value = reader.parsed(&format!("{section}.{name}"), &default, limit.wanted(), read);
        *limit.value = Some(value);
    }
    limits
}

fn number(limit: Option<u64>) -> String {
    limit.unwrap_or(0).to_string()
}

/// One limit, to be read.
pub(super) struct LimitSetting<'a> {
    value: &'a mut Option<u64>,
    is_size: bool,
}

/// The limit of this name.
pub(super) fn limit<'a>(name: &str, limits: &'a mut Limits) -> Option<LimitSetting<'a>> {
    let (value, is_size) = match name {
        "memory" => (&mut limits.memory, true),
        "disk" => (&mut limits.disk, true),
        "processes" => (&mut limits.processes, false),
        "cpus" => (&mut limits.cpus, false),
        "open_files" => (&mut limits.open_files, false),
        _ => return None,
    };
    Some(LimitSetting { value, is_size })
}

impl LimitSetting<'_> {
    /// Takes a text; `None` if it is no limit.
    pub(super) fn read(&mut self, text: &str) -> Option<()> {
        *self.value = Some(self.parse(text)?);
        Some(())
    }

    /// What a text should have been.
    pub(super) fn wanted(&self) -> &'static str {
        if self.is_size { "a size such as 512MiB or 50%" } else { "a whole number" }
    }

    fn parse(&self, text: &str) -> Option<u64> {
        if self.is_size { text.parse().ok().map(|Size(bytes)| bytes) } else { text.parse().ok() }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::{super::PeerConfig, *};

    fn read(yaml: &str) -> Result<PeerConfig, String> {
        let node = Node::parse(yaml).expect("YAML");
        PeerConfig::read(node, Path::new("/etc/windlass"), &BTreeMap::new())
            .map(|(config, _)| config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn confines_what_packages_bring_by_default() {
        let section = read("").expect("defaults").windlass.sandbox;
        assert_eq!((section.mode, section.offline, section.own_caches), (Mode::Auto, false, false));
        assert_eq!(
            (section.builders.len(), section.build, section.times),
            (0, Limits::of_builds(), StepTimes::default())
        );
    }

    #[test]
    fn reads_what_operators_say() {
        let yaml = "
windlass:
  sandbox:
    mode: require
    network: deny
    caches: own
    read: [/opt/fonts, keys]
    build_timeout: 5m
    build: { memory: 2GiB, processes: 64, disk: 0 }
    builders: { k8s: off, Mine: require }
";
        let section = read(yaml).expect("valid").windlass.sandbox;
        assert_eq!((section.mode, section.offline, section.own_caches), (Mode::Require, true, true));
        assert_eq!(section.read, [PathBuf::from("/opt/fonts"), PathBuf::from("/etc/windlass/keys")]);
        assert_eq!(section.times.build, Duration::from_secs(300));
        assert_eq!(
            (section.build.memory, section.build.processes, section.build.disk),
            (Some(2 << 30), Some(64), Some(0))
        );
        assert_eq!(section.builders, [("k8s".to_owned(), Mode::Off), ("Mine".to_owned(), Mode::Require)].into());
    }

    #[test]
    fn refuses_what_is_no_setting() {
        for (yaml, problem) in [
            (
                "{windlass: {sandbox: {mode: maybe}}}",
                "windlass.sandbox.mode: expected off, auto or require, found \"maybe\"",
            ),
            (
                "{windlass: {sandbox: {build: {memory: lots}}}}",
                "windlass.sandbox.build.memory: expected a size such as 512MiB or 50%, found \"lots\"",
            ),
            (
                "{windlass: {sandbox: {builders: {mine: no}}}}",
                "windlass.sandbox.builders: mine: expected off, auto or require, found \"no\"",
            ),
        ] {
            let error = read(yaml).expect_err("refused");
            assert!(error.ends_with(problem), "{error}");
        }
    }
}
