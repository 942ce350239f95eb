//! A configuration tree as a flat map of its elements, and back.

use std::collections::BTreeMap;

use windlass_proto::common::{ConfigGroup, ConfigPolicy, ConfigValue};

const ROOT: &str = "/Channel";
const ID_MAX: usize = 249;

/// Why a tree cannot be taken apart or put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementsError {
    /// A name that an element must not have.
    #[error("illegal characters in key: {kind}{path}: {source}")]
    Name {
        /// `[Group]  `, `[Value]  ` or `[Policy] `.
        kind: &'static str,
        /// The path of the element.
        path: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// A group names an element that is neither new nor there already.
    #[error("missing {kind} at path: {key}")]
    Missing {
        /// `group`, `value` or `policy`.
        kind: &'static str,
        /// The key of the element.
        key: String,
    },
}

/// Why a name is refused.
// Fabric: ledger §7
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("config ID illegal, cannot be empty")]
    Empty,
    /// The name has more than 249 characters.
    #[error("config ID illegal, cannot be longer than {ID_MAX}")]
    Long,
    /// The name is `.` or `..`.
    #[error("name '{0}' for config ID is not allowed")]
    Dots(String),
    /// The name does not match `[a-zA-Z0-9.-]+`.
    #[error("config ID '{0}' contains illegal characters")]
    Characters(String),
}

/// Checks the name of a group, value or policy.
pub(super) fn check_name(name: &str) -> Result<(), NameError> {
    match name {
        "" => Err(NameError::Empty),
        _ if name.len() > ID_MAX => Err(NameError::Long),
        "." | ".." => Err(NameError::Dots(name.to_owned())),
        _ if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) => Ok(()),
        _ => Err(NameError::Characters(name.to_owned())),
    }
}

/// One element of a tree.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    Group(&'a ConfigGroup),
    Value(&'a ConfigValue),
    Policy(&'a ConfigPolicy),
}

impl<'a> Node<'a> {
    pub(super) fn version(self) -> u64 {
        match self {
            Self::Group(group) => group.version,
            Self::Value(value) => value.version,
            Self::Policy(policy) => policy.version,
        }
    }

    pub(super) fn mod_policy(self) -> &'a str {
        match self {
            Self::Group(group) => &group.mod_policy,
            Self::Value(value) => &value.mod_policy,
            Self::Policy(policy) => &policy.mod_policy,
        }
    }

    // The widths are the same, as in the texts that administrators know.
    fn kind(self) -> &'static str {
        match self {
            Self::Group(_) => "[Group]  ",
            Self::Value(_) => "[Value]  ",
            Self::Policy(_) => "[Policy] ",
        }
    }
}

/// An element with the path of the group that its relative mod policy is looked up in.
#[derive(Clone, Debug)]
pub(super) struct Element<'a> {
    pub(super) node: Node<'a>,
    pub(super) scope: String,
}

/// The elements of a tree by key, such as `[Value]  /Channel/Orderer/BatchSize`.
#[derive(Clone, Debug, Default)]
pub(super) struct Elements<'a>(pub(super) BTreeMap<String, Element<'a>>);

impl<'a> Elements<'a> {
    /// Takes a tree apart. No tree has no elements.
    pub(super) fn of(root: Option<&'a ConfigGroup>) -> Result<Self, ElementsError> {
        let mut elements = Self::default();
        if let Some(root) = root {
            elements.add_group("Channel", "", root)?;
        }
        Ok(elements)
    }

    fn add_group(&mut self, name: &str, parent: &str, group: &'a ConfigGroup) -> Result<(), ElementsError> {
        let path = format!("{parent}/{name}");
        self.add(name, &path, &path, Node::Group(group))?;
        for (name, child) in &group.groups {
            self.add_group(name, &path, child)?;
        }
        for (name, value) in &group.values {
            self.add(name, &format!("{path}/{name}"), &path, Node::Value(value))?;
        }
        for (name, policy) in &group.policies {
            self.add(name, &format!("{path}/{name}"), &path, Node::Policy(policy))?;
        }
        Ok(())
    }

    fn add(&mut self, name: &str, path: &str, scope: &str, node: Node<'a>) -> Result<(), ElementsError> {
        let kind = node.kind();
        check_name(name).map_err(|source| ElementsError::Name { kind, path: path.to_owned(), source })?;
        self.0.insert(format!("{kind}{path}"), Element { node, scope: scope.to_owned() });
        Ok(())
    }

    /// Puts the tree together: what a group names comes from the map, what no group names is left out.
    pub(super) fn to_group(&self) -> Result<ConfigGroup, ElementsError> {
        self.group(ROOT)
    }

    fn group(&self, path: &str) -> Result<ConfigGroup, ElementsError> {
        let key = format!("[Group]  {path}");
        let Some(Element { node: Node::Group(found), .. }) = self.0.get(&key) else {
            return Err(ElementsError::Missing { kind: "group", key });
        };
        let mut group =
            ConfigGroup { version: found.version, mod_policy: found.mod_policy.clone(), ..Default::default() };
        for name in found.groups.keys() {
            group.groups.insert(name.clone(), self.group(&format!("{path}/{name}"))?);
        }
        for name in found.values.keys() {
            let key = format!("[Value]  {path}/{name}");
            let Some(Element { node: Node::Value(value), .. }) = self.0.get(&key) else {
                return Err(ElementsError::Missing { kind: "value", key });
            };
            group.values.insert(name.clone(), (*value).clone());
        }
        for name in found.policies.keys() {
            let key = format!("[Policy] {path}/{name}");
            let Some(Element { node: Node::Policy(policy), .. }) = self.0.get(&key) else {
                return Err(ElementsError::Missing { kind: "policy", key });
            };
            group.policies.insert(name.clone(), (*policy).clone());
        }
        Ok(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_names() {
        assert_eq!(check_name("Org1.example-A"), Ok(()));
        for (name, text) in [
            ("", "config ID illegal, cannot be empty"),
            (".", "name '.' for config ID is not allowed"),
            ("..", "name '..' for config ID is not allowed"),
            ("a_b", "config ID 'a_b' contains illegal characters"),
            ("a/b", "config ID 'a/b' contains illegal characters"),
        ] {
            assert_eq!(check_name(name).expect_err(name).to_string(), text);
        }
        let long = check_name(&"a".repeat(250)).expect_err("too long");
        assert_eq!(long.to_string(), "config ID illegal, cannot be longer than 249");
    }

    #[test]
    fn puts_together_what_it_took_apart() {
        let mut root = ConfigGroup { version: 3, mod_policy: "Admins".into(), ..Default::default() };
        root.values.insert("V".into(), ConfigValue { version: 1, ..Default::default() });
        root.policies.insert("P".into(), ConfigPolicy { version: 2, ..Default::default() });
        root.groups.insert("G".into(), ConfigGroup { version: 4, ..Default::default() });
        let elements = Elements::of(Some(&root)).expect("elements");
        let keys: Vec<_> = elements.0.keys().map(String::as_str).collect();
        assert_eq!(keys, ["[Group]  /Channel", "[Group]  /Channel/G", "[Policy] /Channel/P", "[Value]  /Channel/V"]);
        assert_eq!(elements.to_group(), Ok(root));
    }

    #[test]
    fn misses_what_a_group_names_but_nobody_brings() {
        let elements = Elements::default();
        let error = elements.to_group().expect_err("no root");
        assert_eq!(error.to_string(), "missing group at path: [Group]  /Channel");
    }
}
