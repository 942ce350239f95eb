//! Arguments and transient data, as JSON.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use windlass_proto::Bytes;

use crate::plumbing::{failure::Failure, golang};

const KEYS: &str = "JSON chaincode parameters must contain the following keys: 'Args' or 'Function' and 'Args'";

/// `{"Args":[…]}` or `{"Function":"…","Args":[…]}`, names in any case.
pub(super) fn arguments(text: &str) -> Result<Vec<Bytes>, Failure> {
    if text == "{}" {
        return Err(Failure::usage(format!("empty {KEYS}")));
    }
    let wrong = |error: String| Failure::failed(format!("chaincode argument error: {error}"));
    let object: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(Failure::usage(format!("non-empty {KEYS}"))),
        Err(error) => return Err(wrong(golang::json_error(text.as_bytes(), &error)).with_usage()),
    };
    let find = |name: &str| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let (function, args) = (find("function"), find("args"));
    if args.is_none() || object.len() > 2 || object.len() == 2 && function.is_none() {
        return Err(Failure::usage(format!("non-empty {KEYS}")));
    }
    let mut arguments = Vec::new();
    match function {
        None | Some(Value::Null) => {}
        Some(Value::String(function)) if function.is_empty() => {}
        Some(Value::String(function)) => arguments.push(Bytes::copy_from_slice(function.as_bytes())),
        Some(other) => return Err(wrong(mismatch(other, "Function", "string"))),
    }
    match args {
        None | Some(Value::Null) => {}
        Some(Value::Array(values)) => {
            for value in values {
                match value {
                    Value::String(text) => arguments.push(Bytes::copy_from_slice(text.as_bytes())),
                    Value::Null => arguments.push(Bytes::new()),
                    other => return Err(wrong(mismatch(other, "Args", "string"))),
                }
            }
        }
        Some(other) => return Err(wrong(mismatch(other, "Args", "[]string"))),
    }
    Ok(arguments)
}

/// `{"key":"base64"}`; empty for none.
pub(super) fn transient(text: &str) -> Result<BTreeMap<String, Bytes>, String> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let map: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(map)) => map,
        Ok(Value::Null) => return Ok(BTreeMap::new()),
        Ok(other) => {
            return Err(format!("json: cannot unmarshal {} into Go value of type map[string][]uint8", kind(&other)));
        }
        Err(error) => return Err(golang::json_error(text.as_bytes(), &error)),
    };
    let decode = |value: &Value| match value {
        Value::Null => Ok(Bytes::new()),
        Value::String(text) => STANDARD.decode(text).map(Bytes::from).map_err(|error| {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _) => at,
                // Where the last, incomplete group begins.
                _ => text.len() / 4 * 4,
            };
            format!("illegal base64 data at input byte {at}")
        }),
        other => Err(format!("json: cannot unmarshal {} into Go value of type []uint8", kind(other))),
    };
    map.iter().map(|(key, value)| Ok((key.clone(), decode(value)?))).collect()
}

fn mismatch(value: &Value, name: &str, into: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field .{name} of type {into}", kind(value))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms() {
        for text in [r#"{"Args":["f","a"]}"#, r#"{"function":"f","args":["a"]}"#, r#"{"Args":["a"],"Function":"f"}"#] {
            assert_eq!(arguments(text).expect(text), [Bytes::from("f"), Bytes::from("a")], "{text}");
        }
        assert!(arguments(r#"{"Args":null}"#).expect("none").is_empty());
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error, usage) in [
            ("{}", format!("empty {KEYS}"), true),
            (r#"{"Function":"f"}"#, format!("non-empty {KEYS}"), true),
            (r#"{"Args":[],"x":1}"#, format!("non-empty {KEYS}"), true),
            ("{", "chaincode argument error: unexpected end of JSON input".to_owned(), true),
            (
                r#"{"Args":[1]}"#,
                "chaincode argument error: json: cannot unmarshal number into Go struct field .Args of type string"
                    .to_owned(),
                false,
            ),
        ] {
            match arguments(text).expect_err(text) {
                Failure::Usage(found) => assert_eq!((found, true), (error, usage), "{text}"),
                Failure::Failed(found) => assert_eq!((found, false), (error, usage), "{text}"),
                Failure::Said => panic!("{text}"),
            }
        }
    }

    #[test]
    fn decodes_transient_data() {
        let map = transient(r#"{"k":"AQI="}"#).expect("transient data");
        assert_eq!(map["k"], Bytes::from_static(&[1, 2]));
        for (text, error) in [
            (r#"{"k":"a!=="}"#, "illegal base64 data at input byte 1"),
            (r#"{"k":"b"}"#, "illegal base64 data at input byte 0"),
            (r#"{"k":1}"#, "json: cannot unmarshal number into Go value of type []uint8"),
            ("x", "invalid character 'x' looking for beginning of value"),
        ] {
            assert_eq!(transient(text).expect_err("no transient data"), error, "{text}");
        }
    }
}
