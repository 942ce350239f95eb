//! A YAML document as a tree whose names compare without regard to case.

use std::fmt;

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, SeqAccess, Visitor},
};

/// One node. Scalars are kept as text: the setting decides what they mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Empty,
    Scalar(String),
    List(Vec<Node>),
    Section(Vec<(String, Node)>),
}

impl Node {
    /// Reads YAML text; the error names line and column.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::Empty);
        }
        // A builder called `y` is not called `true`: what a scalar means is up to its setting.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
    }

    /// The entry of a section.
    pub(super) fn entry(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Section(entries) => {
                entries.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The node at a path such as `peer.tls.enabled`.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, name| node.entry(name))
    }

    /// What the node is, in words for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "nothing",
            Self::Scalar(_) => "a value",
            Self::List(_) => "a list",
            Self::Section(_) => "a section",
        }
    }

    /// The node's text in one line.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Scalar(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::text).collect::<Vec<_>>().join(", ")),
            Self::Section(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, node)| format!("{key}: {}", node.text())).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a section")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Section(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_settings_whatever_their_case() {
        let node = Node::parse("peer:\n  listenAddress: 0.0.0.0:7051\n  tls: {enabled: true}\n").expect("YAML");
        assert_eq!(node.at("peer.listenaddress"), Some(&Node::Scalar("0.0.0.0:7051".into())));
        assert_eq!(node.at("Peer.TLS.Enabled"), Some(&Node::Scalar("true".into())));
        assert_eq!(node.at("peer.tls.enabled.deeper"), None);
    }

    #[test]
    fn reads_anchors_merge_keys_and_empty_values() {
        let text = "base: &base\n  a: 1\n  b: two\nderived:\n  <<: *base\n  c: 3\nnothing:\n";
        let node = Node::parse(text).expect("YAML");
        assert_eq!(node.at("derived.a"), Some(&Node::Scalar("1".into())));
        assert_eq!(node.at("derived.c"), Some(&Node::Scalar("3".into())));
        assert_eq!(node.at("nothing"), Some(&Node::Empty));
    }

    #[test]
    fn says_where_the_text_is_broken() {
        let error = Node::parse("peer:\n  id: [unclosed\nchaincode: }").expect_err("broken YAML");
        assert!(error.contains("line"), "{error}");
    }
}
