//! Results as JSON, in the shapes that Go's library gives the messages: names as in the protocol, empty values left out,
//! bytes in base64, choices under the names of their Go types.
// Fabric: endorsement-and-gateway §11

mod definition;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Map, Value, ser::PrettyFormatter};
use windlass_proto::common::BlockchainInfo;

pub(crate) use definition::{approved, approved_list, committed, committed_list, installed, package_id, readiness};

/// Text over several lines, indented with tabs.
pub(crate) fn pretty(value: &Value) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"\t"));
    match value.serialize(&mut serializer) {
        Ok(()) => escaped(&String::from_utf8_lossy(&text)),
        Err(_) => String::new(),
    }
}

/// Text in one line.
pub(crate) fn compact(value: &Value) -> String {
    escaped(&value.to_string())
}

/// The result of `channel getinfo`, in one line.
pub(crate) fn blockchain_info(info: &BlockchainInfo) -> String {
    let mut object = Object::default();
    object.number("height", info.height);
    object.bytes("currentBlockHash", &info.current_block_hash);
    object.bytes("previousBlockHash", &info.previous_block_hash);
    if let Some(snapshot) = &info.bootstrapping_snapshot_info {
        let mut inner = Object::default();
        inner.number("lastBlockInSnapshot", snapshot.last_block_in_snapshot);
        object.put("bootstrappingSnapshotInfo", inner.done());
    }
    compact(&object.done())
}

/// Go escapes what could end a script in a page.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => text.push(character),
        }
    }
    text
}

/// An object under construction: empty values are left out.
#[derive(Debug, Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, text.into());
        }
    }

    fn number(&mut self, name: &str, number: impl Into<Value> + Default + PartialEq) {
        if number != Default::default() {
            self.put(name, number.into());
        }
    }

    fn flag(&mut self, name: &str, flag: bool) {
        if flag {
            self.put(name, true.into());
        }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.put(name, STANDARD.encode(bytes).into());
        }
    }

    fn list(&mut self, name: &str, list: Vec<Value>) {
        if !list.is_empty() {
            self.put(name, list.into());
        }
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// An object with one entry.
fn one(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indents_with_tabs_and_escapes_as_go_does() {
        let value = serde_json::json!({"a": {}, "b": ["<&>"], "c": []});
        assert_eq!(pretty(&value), "{\n\t\"a\": {},\n\t\"b\": [\n\t\t\"\\u003c\\u0026\\u003e\"\n\t],\n\t\"c\": []\n}");
    }

    #[test]
    fn leaves_empty_values_out() {
        let info = BlockchainInfo { height: 1, current_block_hash: vec![1].into(), ..Default::default() };
        assert_eq!(blockchain_info(&info), r#"{"height":1,"currentBlockHash":"AQ=="}"#);
    }
}
