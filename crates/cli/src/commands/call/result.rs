//! What chaincode answered.

use std::io::IsTerminal;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use windlass_proto::protos::Response;

use crate::printer::Printer;

/// Adds an answer to an object: the bytes exactly, and what they say if that can be told.
pub(super) fn add_to(object: &mut Value, response: &Response) {
    object["status"] = response.status.into();
    object["message"] = response.message.as_str().into();
    object["result"] = value(&response.payload);
    object["payload"] = STANDARD.encode(&response.payload).into();
}

/// JSON as it is, any other text as a text, and null for what is no text.
fn value(payload: &[u8]) -> Value {
    match std::str::from_utf8(payload) {
        Ok(text) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        Err(_) => Value::Null,
    }
}

/// For a program the bytes as they are; on a terminal something to read.
pub(super) fn print(printer: &Printer, payload: &[u8]) {
    if !std::io::stdout().is_terminal() {
        printer.raw(payload);
    } else if !payload.is_empty() {
        printer.line(readable(payload));
    }
}

/// JSON in lines, other text as it is, other bytes in hex.
fn readable(payload: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(payload) else { return hex::encode(payload) };
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        _ if text.chars().any(|c| c.is_control() && !c.is_whitespace()) => hex::encode(payload),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_people_what_can_be_read() {
        assert_eq!(readable(br#"{"b":1,"a":[]}"#), "{\n  \"b\": 1,\n  \"a\": []\n}");
        assert_eq!(readable(b"12345678901234567890123"), "12345678901234567890123", "a number stays as it is");
        assert_eq!(readable(b"one\ntwo"), "one\ntwo");
        assert_eq!(readable(b"\x1b[2J"), "1b5b324a", "nothing that a terminal obeys");
        assert_eq!(readable(&[0xff, 0]), "ff00");
    }

    #[test]
    fn gives_programs_the_bytes_and_what_they_say() {
        let mut object = json!({});
        add_to(&mut object, &Response { status: 200, message: "ok".into(), payload: "{\"a\":1}".into() });
        assert_eq!(object, json!({ "status": 200, "message": "ok", "result": {"a": 1}, "payload": "eyJhIjoxfQ==" }));
        assert_eq!(value(b"plain"), json!("plain"));
        assert_eq!(value(&[0xff]), Value::Null);
    }
}
