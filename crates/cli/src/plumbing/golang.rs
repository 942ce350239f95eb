//! Errors and messages as Go's libraries write them.

use std::{fmt::Write, io, path::Path};

use tonic::Code;
use windlass_proto::{
    Bytes,
    protos::{ProposalResponse, Response},
};
use windlass_transport::DialError;

/// `no such file or directory`.
pub(crate) fn system_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.split_once(" (os error") {
        Some((text, _)) => text,
        None => &text,
    };
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// `open x: no such file or directory`.
pub(crate) fn file_error(verb: &str, path: &Path, error: &io::Error) -> String {
    format!("{verb} {}: {}", path.display(), system_error(error))
}

/// Reads a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    match std::fs::metadata(path) {
        // Opening a folder succeeds; reading it does not.
        Ok(metadata) if metadata.is_dir() => Err(format!("read {}: is a directory", path.display())),
        _ => std::fs::read(path).map_err(|error| file_error("open", path, &error)),
    }
}

/// `rpc error: code = Unknown desc = …`.
pub(crate) fn status(status: &tonic::Status) -> String {
    let code = match status.code() {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    };
    format!("rpc error: code = {code} desc = {}", status.message())
}

/// Why there is no connection.
pub(crate) fn dial_error(error: &DialError) -> String {
    match error {
        // Fabric does not get as far as trying.
        DialError::Material(error) => format!("error adding root certificate: {error}"),
        error => no_connection(&dial_cause(error)),
    }
}

/// What stands before every reason that there is no connection.
pub(crate) fn no_connection(cause: &str) -> String {
    format!("failed to create new connection: {cause}")
}

fn dial_cause(error: &DialError) -> String {
    let transport = |what: String| format!("connection error: desc = {}", quoted(&format!("transport: {what}")));
    match error {
        DialError::Connect { address, source } => {
            transport(format!("error while dialing: dial tcp {address}: connect: {}", system_error(source)))
        }
        DialError::Resolve { host, source } => {
            let source = system_error(source);
            let cause = if source.contains("lookup") { "no such host".to_owned() } else { source };
            transport(format!("error while dialing: dial tcp: lookup {host}: {cause}"))
        }
        DialError::Handshake { source, .. } => transport(format!("authentication handshake failed: {source}")),
        DialError::Timeout { .. } => "context deadline exceeded".to_owned(),
        DialError::Address(address) if !address.contains(':') => {
            transport(format!("error while dialing: dial tcp: address {address}: missing port in address"))
        }
        other => other.to_string(),
    }
}

/// What is wrong with JSON: our parser finds it, Go's has the words.
pub(crate) fn json_error(text: &[u8], error: &serde_json::Error) -> String {
    let said = error.to_string();
    // Our parser stops at the byte that has no place, or at the end.
    let line: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = line + error.column().saturating_sub(1);
    if said.starts_with("expected ident") {
        return broken_word(text, at).unwrap_or(said);
    }
    if error.is_eof() {
        let word = said.starts_with("EOF while parsing a value").then(|| broken_word(text, text.len())).flatten();
        return word.unwrap_or_else(|| "unexpected end of JSON input".to_owned());
    }
    let place = [
        ("expected value", "looking for beginning of value"),
        ("trailing comma", "looking for beginning of value"),
        ("key must be a string", "looking for beginning of object key string"),
        ("expected `:`", "after object key"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("trailing characters", "after top-level value"),
    ];
    let found = place.into_iter().find(|(ours, _)| said.starts_with(ours));
    match (found, text.get(at).copied()) {
        (Some(("trailing comma", _)), Some(b'}')) => {
            "invalid character '}' looking for beginning of object key string".to_owned()
        }
        (Some((_, place)), Some(character)) => format!("invalid character '{}' {place}", char::from(character)),
        _ => said,
    }
}

/// `true`, `false` or `null` that goes wrong at an offset; the end counts as a space.
fn broken_word(text: &[u8], at: usize) -> Option<String> {
    let (before, found) = (text.get(..at)?, text.get(at).copied().unwrap_or(b' '));
    let (word, next) = ["true", "false", "null"].into_iter().find_map(|word| {
        let begun = (1..word.len()).rev().find(|length| before.ends_with(&word.as_bytes()[..*length]))?;
        Some((word, char::from(word.as_bytes()[begun])))
    })?;
    Some(format!("invalid character '{}' in literal {word} (expecting '{next}')", char::from(found)))
}

/// What is wrong with a protobuf message: Go's library does not say more.
pub(crate) fn message_error(_: prost::DecodeError) -> &'static str {
    windlass_proto::envelope::MALFORMED
}

/// A text between quotes.
pub(crate) fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// `status:200 message:"…" payload:"…"`.
pub(crate) fn response(response: Option<&Response>) -> String {
    let Some(response) = response else { return "<nil>".to_owned() };
    let mut parts = Vec::new();
    if response.status != 0 {
        parts.push(format!("status:{}", response.status));
    }
    if !response.message.is_empty() {
        parts.push(format!("message:{}", literal(response.message.as_bytes())));
    }
    if !response.payload.is_empty() {
        parts.push(format!("payload:{}", literal(&response.payload)));
    }
    parts.join(" ")
}

/// The fields of a proposal response that are set.
pub(crate) fn proposal_response(answer: Option<&ProposalResponse>) -> String {
    let Some(answer) = answer else { return "<nil>".to_owned() };
    let mut parts = Vec::new();
    if answer.version != 0 {
        parts.push(format!("version:{}", answer.version));
    }
    if let Some(inner) = &answer.response {
        parts.push(format!("response:{{{}}}", response(Some(inner))));
    }
    if !answer.payload.is_empty() {
        parts.push(format!("payload:{}", literal(&answer.payload)));
    }
    if let Some(endorsement) = &answer.endorsement {
        let (endorser, signature) = (literal(&endorsement.endorser), literal(&endorsement.signature));
        parts.push(format!("endorsement:{{endorser:{endorser} signature:{signature}}}"));
    }
    parts.join(" ")
}

/// Bytes as protobuf's text form has them: text as it is, everything else escaped.
fn literal(bytes: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let _ = match character {
                '"' => text.write_str("\\\""),
                '\\' => text.write_str("\\\\"),
                '\n' => text.write_str("\\n"),
                '\r' => text.write_str("\\r"),
                '\t' => text.write_str("\\t"),
                '\0'..='\x1f' | '\x7f' => write!(text, "\\x{:02x}", u32::from(character)),
                '\u{80}'..='\u{9f}' => write!(text, "\\u{:04x}", u32::from(character)),
                _ => text.write_char(character),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

/// `[49 50]`.
pub(crate) fn byte_list(bytes: &Bytes) -> String {
    let bytes: Vec<_> = bytes.iter().map(u8::to_string).collect();
    format!("[{}]", bytes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_responses_as_protobuf_text() {
        let answer = Response {
            status: 500,
            message: "no \"such\" thing\n".into(),
            payload: Bytes::from_static(b"\xff\x00a\xc3\xa9"),
        };
        assert_eq!(response(Some(&answer)), r#"status:500 message:"no \"such\" thing\n" payload:"\xff\x00aé""#);
        assert_eq!(response(None), "<nil>");
    }

    #[test]
    fn says_what_is_wrong_with_json() {
        for (text, said) in [
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{x", "invalid character 'x' looking for beginning of object key string"),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (r#"{"a":1 2}"#, "invalid character '2' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("1 2", "invalid character '2' after top-level value"),
            ("[", "unexpected end of JSON input"),
            (r#"["tru"#, "unexpected end of JSON input"),
            ("{\n\"a\": txue}", "invalid character 'x' in literal true (expecting 'r')"),
            ("[nul]", "invalid character ']' in literal null (expecting 'l')"),
            ("fals", "invalid character ' ' in literal false (expecting 'e')"),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(text).expect_err("no JSON");
            assert_eq!(json_error(text.as_bytes(), &error), said, "{text}");
        }
    }

    #[test]
    fn writes_system_errors_in_lower_case() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(file_error("open", Path::new("x"), &error), "open x: no such file or directory");
        let status = tonic::Status::new(Code::Cancelled, "gone");
        assert_eq!(super::status(&status), "rpc error: code = Canceled desc = gone");
        assert_eq!(byte_list(&Bytes::from_static(b"12")), "[49 50]");
    }
}
