//! What chaincode answered.

use std::io::IsTerminal;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use windlass_proto::protos::Response;

use crate::printer::{Printer, clean};

/// An answer for programs: the bytes exactly, and what they say if that can be told.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    #[serde(flatten)]
    transaction: Option<Transaction<'a>>,
    status: i32,
    message: &'a str,
    result: Said<'a>,
    payload: String,
}

/// Where an answer is on the ledger.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction<'a> {
    pub(super) transaction_id: &'a str,
    pub(super) block: u64,
    pub(super) code: &'static str,
}

/// JSON as it is written, numbers too; any other text as a text, and null for what is no text.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    Bytes,
}

impl<'a> Answer<'a> {
    pub(super) fn new(response: &'a Response, transaction: Option<Transaction<'a>>) -> Self {
        let result = match std::str::from_utf8(&response.payload) {
            Ok(text) => serde_json::from_str(text).map_or(Said::Text(text), Said::Json),
            Err(_) => Said::Bytes,
        };
        let payload = STANDARD.encode(&response.payload);
        Self { transaction, status: response.status, message: &response.message, result, payload }
    }

    pub(super) fn print(&self, printer: &Printer) -> anyhow::Result<()> {
        printer.line(serde_json::to_string_pretty(self)?);
        Ok(())
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

/// JSON in lines, other text as it is, other bytes in hex. JSON that would not say the same in lines stays as it is.
fn readable(payload: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(payload) else { return hex::encode(payload) };
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => {
            let understood = value.to_string();
            clean(&if understood == compact(text) { format!("{value:#}") } else { text.to_owned() }).into_owned()
        }
        _ if clean(text) != text => hex::encode(payload),
        _ => text.to_owned(),
    }
}

/// JSON without the spaces between its parts.
fn compact(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let counts = |c: &char| {
        quoted ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        quoted || !c.is_ascii_whitespace()
    };
    json.chars().filter(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_people_what_can_be_read() {
        assert_eq!(readable(br#"{"b":1,"a":[]}"#), "{\n  \"b\": 1,\n  \"a\": []\n}");
        assert_eq!(readable(b"12345678901234567890123"), "12345678901234567890123", "a number stays as it is");
        let exact = r#"{"a":100000000000000000000,"b":1.10}"#;
        assert_eq!(readable(exact.as_bytes()), exact, "so do numbers in JSON");
        assert_eq!(readable(br#"[1.5]"#), "[\n  1.5\n]");
        assert_eq!(readable(br#"[ "x  \" y" , 1 ]"#), "[\n  \"x  \\\" y\",\n  1\n]", "spaces do not matter");
        assert_eq!(readable(b"one\ntwo"), "one\ntwo");
        assert_eq!(readable(b"\x1b[2J"), "1b5b324a", "nothing that a terminal obeys");
        assert_eq!(readable(b"a\rb"), "610d62");
        assert_eq!(readable("[\"\u{9b}2J\"]".as_bytes()), "[\n  \"\u{fffd}2J\"\n]");
        assert_eq!(readable(&[0xff, 0]), "ff00");
    }

    #[test]
    fn gives_programs_the_bytes_and_what_they_say() {
        let json = |payload: &'static [u8]| {
            let response = Response { status: 200, message: "ok".into(), payload: payload.into() };
            serde_json::to_string(&Answer::new(&response, None)).expect("JSON")
        };
        let exact = json(br#"{"a":100000000000000000000, "b":1.10}"#);
        let payload = r#""payload":"eyJhIjoxMDAwMDAwMDAwMDAwMDAwMDAwMDAsICJiIjoxLjEwfQ==""#;
        let result = r#""result":{"a":100000000000000000000, "b":1.10}"#;
        assert_eq!(exact, format!(r#"{{"status":200,"message":"ok",{result},{payload}}}"#));
        assert!(json(b"plain").contains(r#""result":"plain""#));
        assert!(json(&[0xff]).contains(r#""result":null"#));
    }

    #[test]
    fn gives_programs_the_transaction() {
        let transaction = Transaction { transaction_id: "ab", block: 7, code: "VALID" };
        let answer = serde_json::to_value(Answer::new(&Response::default(), Some(transaction))).expect("JSON");
        assert_eq!(
            (&answer["transactionId"], &answer["block"], &answer["code"]),
            (&json!("ab"), &json!(7), &json!("VALID"))
        );
    }
}
