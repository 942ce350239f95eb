//! `windlass.*`: what Fabric's configuration has no name for.

use std::collections::BTreeMap;

use windlass_chaincode::{
    build::sandbox::Limits,
    engine::{ChaincodeSettings, Settings},
};
use windlass_proto::duration;

use super::{
    Origin, Warning,
    document::Node,
    reader::Reader,
    sandbox::{SandboxSection, limit},
};

/// `windlass.*`.
#[derive(Clone, Debug, PartialEq)]
pub struct WindlassSection {
    /// `windlass.chaincode.*` for all chaincode, `windlass.chaincodes.<name>.*` for one: by the label of its
    /// package, by its name on a channel, or by its package ID.
    pub chaincode: Settings,
    /// `windlass.buildpacks`: whether the built-in buildpacks are asked after the external builders.
    pub buildpacks: bool,
    /// `windlass.sandbox.*`.
    pub sandbox: SandboxSection,
}

const ALL: &str = "windlass.chaincode";
const ONE: &str = "windlass.chaincodes";

impl WindlassSection {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let key = |name: &str| format!("{ALL}.{name}");
        let all = ChaincodeSettings {
            execute_timeout: None,
            startup_timeout: None,
            instances: Some(reader.number(&key("instances"), 1)),
            retries: Some(reader.number(&key("retry"), 1)),
            idle_timeout: Some(reader.duration(&key("idle_timeout"), "0s")),
            lazy: Some(reader.flag(&key("lazy"), false)),
            stream_max_age: Some(reader.duration(&key("stream_max_age"), "0s")),
            resolve_interval: Some(reader.duration(&key("resolve_interval"), "30s")),
            queue: Some(reader.number(&key("queue"), 1000)),
            environment: environment(reader, &key("environment")),
            limits: super::sandbox::limits(reader, ALL, Limits::of_runs()),
        };
        let buildpacks = reader.flag("windlass.buildpacks", true);
        Self { chaincode: Settings { all, one: chaincodes(reader) }, buildpacks, sandbox: SandboxSection::read(reader) }
    }
}

fn environment(reader: &mut Reader<'_>, key: &str) -> BTreeMap<String, String> {
    let Some((node, origin)) = reader.subtree(key) else { return BTreeMap::new() };
    variables(&node).unwrap_or_else(|problem| {
        reader.refuse(key, origin, problem);
        BTreeMap::new()
    })
}

fn variables(node: &Node) -> Result<BTreeMap<String, String>, String> {
    match node {
        Node::Empty => Ok(BTreeMap::new()),
        Node::Section(entries) => entries
            .iter()
            .map(|(name, value)| match value {
                Node::Scalar(text) => Ok((name.clone(), text.clone())),
                Node::Empty => Ok((name.clone(), String::new())),
                other => Err(format!("expected a value for {name}, found {}", other.kind())),
            })
            .collect(),
        other => Err(format!("expected variables with their values, found {}", other.kind())),
    }
}

fn chaincodes(reader: &mut Reader<'_>) -> BTreeMap<String, ChaincodeSettings> {
    let Some((node, origin)) = reader.subtree(ONE) else { return BTreeMap::new() };
    let entries = match node {
        Node::Section(entries) => entries,
        Node::Empty => return BTreeMap::new(),
        other => {
            reader.refuse(ONE, origin, format!("expected a section for each chaincode, found {}", other.kind()));
            return BTreeMap::new();
        }
    };
    let mut chaincodes = BTreeMap::new();
    for (name, node) in &entries {
        match chaincode(reader, name, node) {
            Ok(settings) => {
                chaincodes.insert(name.clone(), settings);
            }
            Err(problem) => reader.refuse(ONE, Origin::clone(&origin), problem),
        }
    }
    chaincodes
}

fn chaincode(reader: &mut Reader<'_>, name: &str, node: &Node) -> Result<ChaincodeSettings, String> {
    let fields = match node {
        Node::Section(fields) => fields,
        Node::Empty => return Ok(ChaincodeSettings::default()),
        other => return Err(format!("expected settings of {name}, found {}", other.kind())),
    };
    let mut settings = ChaincodeSettings::default();
    for (field, value) in fields {
        let key = field.to_ascii_lowercase();
        let said = |wanted: &str| format!("{name}.{field}: expected {wanted}, found \"{}\"", value.text());
        let time =
            || duration::parse_setting(&value.text()).map(Some).map_err(|_| said("a duration such as 30s or 1h30m"));
        let number = || value.text().parse::<u32>().map_err(|_| said("a whole number"));
        match key.as_str() {
            "execute_timeout" => settings.execute_timeout = time()?,
            "startup_timeout" => settings.startup_timeout = time()?,
            "instances" => settings.instances = Some(number()? as usize),
            "retry" => settings.retries = Some(number()?),
            "idle_timeout" => settings.idle_timeout = time()?,
            "lazy" => match value.text().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => settings.lazy = Some(true),
                "false" | "no" | "off" => settings.lazy = Some(false),
                _ => return Err(said("true or false")),
            },
            "stream_max_age" => settings.stream_max_age = time()?,
            "resolve_interval" => settings.resolve_interval = time()?,
            "queue" => settings.queue = Some(number()? as usize),
            "environment" => {
                settings.environment = variables(value).map_err(|problem| format!("{name}.{field}: {problem}"))?;
            }
            limit_name => match limit(limit_name, &mut settings.limits) {
                Some(mut limit) => limit.read(&value.text()).ok_or_else(|| said(limit.wanted()))?,
                None => reader.warn(Warning::UnknownKey(format!("{ONE}.{name}.{field}"))),
            },
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::{super::PeerConfig, *};

    fn read(yaml: &str, environment: &[(&str, &str)]) -> Result<(Settings, Vec<Warning>), String> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let node = Node::parse(yaml).expect("YAML");
        let read = PeerConfig::read(node, Path::new(""), &environment);
        read.map(|(config, warnings)| (config.windlass.chaincode, warnings)).map_err(|error| error.to_string())
    }

    #[test]
    fn says_nothing_by_default_that_the_engine_does_not_do_anyway() {
        let (settings, _) = read("", &[]).expect("defaults");
        let all = ChaincodeSettings {
            instances: Some(1),
            retries: Some(1),
            idle_timeout: Some(Duration::ZERO),
            lazy: Some(false),
            stream_max_age: Some(Duration::ZERO),
            resolve_interval: Some(Duration::from_secs(30)),
            queue: Some(1000),
            limits: Limits::of_runs(),
            ..Default::default()
        };
        assert_eq!(settings, Settings { all, one: BTreeMap::new() });
    }

    #[test]
    fn reads_settings_of_all_chaincode_and_of_one() {
        let yaml = "
windlass:
  chaincode:
    instances: 2
    idle_timeout: 5m
    environment:
      LOG_LEVEL: debug
      PORT: 080
  chaincodes:
    basic_1.0:
      instances: 3
      Retry: 0
      lazy: yes
      memory: 256MiB
      cpus: 2
      colour: red
    'token:abc':
      execute_timeout: 2m
      environment: { A: b }
";
        let (settings, warnings) = read(yaml, &[("CORE_WINDLASS_CHAINCODE_IDLE_TIMEOUT", "1h")]).expect("valid");
        assert_eq!(warnings, [Warning::UnknownKey("windlass.chaincodes.basic_1.0.colour".into())]);
        assert_eq!((settings.all.instances, settings.all.idle_timeout), (Some(2), Some(Duration::from_secs(3600))));
        assert_eq!(settings.all.environment.get("PORT").map(String::as_str), Some("080"));
        let basic = &settings.one["basic_1.0"];
        assert_eq!((basic.instances, basic.retries, basic.lazy), (Some(3), Some(0), Some(true)));
        assert_eq!((basic.limits.memory, basic.limits.cpus, basic.limits.disk), (Some(256 << 20), Some(2), None));
        let token = &settings.one["token:abc"];
        assert_eq!(token.execute_timeout, Some(Duration::from_secs(120)));
        assert_eq!(token.environment.get("A").map(String::as_str), Some("b"));
    }

    #[test]
    fn refuses_what_is_no_setting() {
        for (yaml, problem) in [
            (
                "{windlass: {chaincodes: 7}}",
                "windlass.chaincodes: expected a section for each chaincode, found a value",
            ),
            (
                "{windlass: {chaincodes: {cc: {instances: many}}}}",
                "windlass.chaincodes: cc.instances: expected a whole number, found \"many\"",
            ),
            (
                "{windlass: {chaincodes: {cc: {idle_timeout: soon}}}}",
                "windlass.chaincodes: cc.idle_timeout: expected a duration such as 30s or 1h30m, found \"soon\"",
            ),
            (
                "{windlass: {chaincodes: {cc: {memory: much}}}}",
                "windlass.chaincodes: cc.memory: expected a size such as 512MiB or 50%, found \"much\"",
            ),
            (
                "{windlass: {chaincode: {environment: [A]}}}",
                "windlass.chaincode.environment: expected variables with their values, found a list",
            ),
        ] {
            let error = read(yaml, &[]).expect_err("refused");
            assert!(error.ends_with(problem), "{error}");
        }
    }
}
