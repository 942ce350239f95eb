//! Looks every setting up where it may be given: environment first, then file, then the default.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use windlass_proto::duration;

use super::{
    Fault, Origin, Setting, Warning,
    document::Node,
    fabric::{is_without_effect, variable_is_foreign},
};

/// What every variable of Fabric begins with.
const PREFIX: &str = "CORE_";

/// Collects settings, and everything that is wrong with them, in one pass over the schema.
pub(super) struct Reader<'a> {
    file: Node,
    /// Relative paths are relative to the configuration file, as in Fabric.
    folder: PathBuf,
    /// By upper-case name: the name as given, and the value.
    environment: BTreeMap<String, (&'a str, &'a str)>,
    known: BTreeSet<String>,
    settings: Vec<Setting>,
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
}

/// What was found for one key.
struct Found {
    node: Node,
    origin: Origin,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: Node, folder: &Path, environment: &'a BTreeMap<String, String>) -> Self {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.to_ascii_uppercase(), (name.as_str(), value.as_str())))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        Self {
            file,
            folder: folder.to_owned(),
            environment,
            known: BTreeSet::new(),
            settings: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A text, or `None` if it is given nowhere.
    pub(super) fn optional(&mut self, key: &str) -> Option<String> {
        let found = self.find(key)?;
        match found.node {
            Node::Scalar(text) => {
                self.settle(key, text.clone(), found.origin);
                Some(text)
            }
            other => {
                self.refuse(key, found.origin, format!("expected a value, found {}", other.kind()));
                None
            }
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str, default: &str) -> String {
        self.parsed(key, default, "a text", |text| Some(text.to_owned()))
    }

    /// `true` or `false`, in all of Go's and YAML's spellings.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        let default = if default { "true" } else { "false" };
        self.parsed(key, default, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "on" => Some(true),
            "false" | "f" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, default: &str, words: &[(&str, T)]) -> T {
        let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
        let (last, others) = names.split_last().expect("there are words to choose from");
        let wanted = format!("{} or {last}", others.join(", "));
        let choose =
            |text: &str| words.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        self.parsed(key, default, &wanted, choose)
    }

    /// A whole number.
    pub(super) fn number<T: FromStr + Display>(&mut self, key: &str, default: T) -> T {
        self.parsed(key, &default.to_string(), "a whole number in range", |text| text.replace('_', "").parse().ok())
    }

    /// A duration in Go's form.
    pub(super) fn duration(&mut self, key: &str, default: &str) -> Duration {
        self.parsed(key, default, "a duration such as 30s or 1h30m", |text| duration::parse_setting(text).ok())
    }

    /// A `host:port` address.
    pub(super) fn address(&mut self, key: &str, default: &str) -> String {
        self.parsed(key, default, "an address such as 0.0.0.0:7051", |text| {
            super::endpoint::split(text).map(|_| text.to_owned())
        })
    }

    /// A `host:port` address that may be missing.
    pub(super) fn optional_address(&mut self, key: &str) -> Option<String> {
        let given = self.find(key).is_some();
        given.then(|| self.address(key, "0.0.0.0:0"))
    }

    /// A path; relative to the configuration file's folder.
    pub(super) fn path(&mut self, key: &str, default: &str) -> PathBuf {
        let text = self.text(key, default);
        self.folder.join(text)
    }

    /// A path that may be missing.
    pub(super) fn optional_path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.optional(key)?;
        Some(self.folder.join(text))
    }

    /// A list of paths. In a variable: separated by blanks or commas, or a YAML list.
    pub(super) fn paths(&mut self, key: &str) -> Vec<PathBuf> {
        let Some(found) = self.find(key) else { return Vec::new() };
        let items = match &found.node {
            Node::Scalar(text) if text.trim_start().starts_with('[') => match Node::parse(text) {
                Ok(Node::List(items)) => items,
                _ => {
                    self.refuse(key, found.origin, "expected a list of paths".to_owned());
                    return Vec::new();
                }
            },
            Node::Scalar(text) => {
                let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
                parts.map(|part| Node::Scalar(part.to_owned())).collect()
            }
            Node::List(items) => items.clone(),
            _ => {
                self.refuse(key, found.origin, format!("expected a list of paths, found {}", found.node.kind()));
                return Vec::new();
            }
        };
        self.settle(key, Node::List(items.clone()).text(), found.origin);
        items.iter().map(|item| self.folder.join(item.text())).collect()
    }

    /// A whole subtree; in a variable as YAML text.
    pub(super) fn subtree(&mut self, key: &str) -> Option<(Node, Origin)> {
        let mut found = self.find(key)?;
        if let (Node::Scalar(text), Origin::Environment(_)) = (&found.node, &found.origin) {
            match Node::parse(text) {
                Ok(node) => found.node = node,
                Err(error) => {
                    self.refuse(key, found.origin, format!("expected YAML: {error}"));
                    return None;
                }
            }
        }
        self.settle(key, found.node.text(), found.origin.clone());
        Some((found.node, found.origin))
    }

    /// Notes a fault of `key` beyond its form.
    pub(super) fn refuse(&mut self, key: &str, origin: Origin, problem: String) {
        self.faults.push(Fault { key: key.to_owned(), origin, problem });
    }

    /// Notes something odd that is no fault.
    pub(super) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// Where the value of `key`, already read, came from.
    pub(super) fn origin(&self, key: &str) -> Origin {
        let setting = self.settings.iter().rev().find(|setting| setting.key == key);
        setting.map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Ends the pass: what was given but never asked for becomes warnings.
    pub(super) fn finish(mut self) -> (Vec<Setting>, Vec<Fault>, Vec<Warning>) {
        let mut unknown = Vec::new();
        collect_unknown(&self.file, "", &self.known, &mut unknown);
        let mut without_effect = BTreeSet::new();
        for key in unknown {
            match is_without_effect(&key) {
                Some(section) => {
                    without_effect.insert(section.to_owned());
                }
                None => self.warnings.push(Warning::UnknownKey(key)),
            }
        }
        let variables: BTreeSet<String> = self.known.iter().map(|key| variable_of(key)).collect();
        for (upper, (name, _)) in &self.environment {
            if !variables.contains(upper) && !variable_is_foreign(upper) {
                let key = upper[PREFIX.len()..].to_ascii_lowercase().replace('_', ".");
                match is_without_effect(&key) {
                    Some(section) => {
                        without_effect.insert(section.to_owned());
                    }
                    None => self.warnings.push(Warning::UnknownVariable((*name).to_owned())),
                }
            }
        }
        if !without_effect.is_empty() {
            self.warnings.push(Warning::WithoutEffect(without_effect.into_iter().collect()));
        }
        (self.settings, self.faults, self.warnings)
    }

    fn find(&mut self, key: &str) -> Option<Found> {
        self.known.insert(key.to_ascii_lowercase());
        // An empty variable counts as unset, as in Fabric.
        if let Some((name, value)) = self.environment.get(&variable_of(key)).filter(|(_, value)| !value.is_empty()) {
            let origin = Origin::Environment((*name).to_owned());
            return Some(Found { node: Node::Scalar((*value).to_owned()), origin });
        }
        let node = self.file.at(key)?;
        let given = !matches!(node, Node::Empty) && *node != Node::Scalar(String::new());
        given.then(|| Found { node: node.clone(), origin: Origin::File })
    }

    /// What `parse` makes of a text; `wanted` is said of what it makes nothing of.
    pub(super) fn parsed<T>(&mut self, key: &str, default: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let fallback = || parse(default).expect("defaults have the form of their setting");
        let Some(found) = self.find(key) else {
            self.settle(key, default.to_owned(), Origin::Default);
            return fallback();
        };
        let problem = match &found.node {
            Node::Scalar(text) => match parse(text.trim()) {
                Some(value) => {
                    self.settle(key, text.clone(), found.origin);
                    return value;
                }
                None => format!("expected {wanted}, found \"{text}\""),
            },
            other => format!("expected {wanted}, found {}", other.kind()),
        };
        self.refuse(key, found.origin, problem);
        fallback()
    }

    fn settle(&mut self, key: &str, value: String, origin: Origin) {
        self.settings.push(Setting { key: key.to_owned(), value, origin });
    }
}

/// `peer.listenAddress` → `CORE_PEER_LISTENADDRESS`.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Every key of `node` that nothing asked for, at the depth where it leaves the schema.
fn collect_unknown(node: &Node, path: &str, known: &BTreeSet<String>, unknown: &mut Vec<String>) {
    let Node::Section(entries) = node else { return };
    for (name, child) in entries {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let lower = key.to_ascii_lowercase();
        if known.contains(&lower) {
            continue;
        }
        let section = format!("{lower}.");
        let is_section = known.range(section.clone()..).next().is_some_and(|next| next.starts_with(&section));
        match child {
            Node::Empty if is_section => {}
            Node::Section(_) if is_section => collect_unknown(child, &key, known, unknown),
            _ => unknown.push(key),
        }
    }
}
