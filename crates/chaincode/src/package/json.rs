//! JSON objects as Go programs read them: names without regard to case, and Go's words for what is wrong.

use serde_json::{Map, Value};

/// The fields of a JSON object that a Go program would read into a struct.
#[derive(Debug)]
pub(crate) struct Fields {
    map: Map<String, Value>,
    go_type: &'static str,
}

impl Fields {
    /// Parses `json` as the Go struct `go_package.go_type`, which only error texts name.
    pub(crate) fn parse(json: &[u8], go_package: &str, go_type: &'static str) -> Result<Self, String> {
        match parse(json)? {
            Value::Object(map) => Ok(Self { map, go_type }),
            Value::Null => Ok(Self { map: Map::new(), go_type }),
            other => {
                Err(format!("json: cannot unmarshal {} into Go value of type {go_package}.{go_type}", kind(&other)))
            }
        }
    }

    /// The value of a field; `null` counts as absent. Of several spellings the last counts.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.map.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// The text in a field.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, String> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.mismatch(key, other, "string")),
        }
    }

    /// The truth value in a field.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            // Fabric refuses these, but they are often written so, and mean nothing else.
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(other) => Err(self.mismatch(key, other, "bool")),
        }
    }

    fn mismatch(&self, key: &str, value: &Value, wanted: &str) -> String {
        let (kind, go_type) = (kind(value), self.go_type);
        format!("json: cannot unmarshal {kind} into Go struct field {go_type}.{key} of type {wanted}")
    }
}

/// Parses a JSON object as a Go program reads one into a map.
pub(crate) fn object(json: &[u8]) -> Result<Map<String, Value>, String> {
    match parse(json)? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        other => {
            Err(format!("json: cannot unmarshal {} into Go value of type map[string]interface {{}}", kind(&other)))
        }
    }
}

/// Parses any JSON value.
pub(crate) fn parse(json: &[u8]) -> Result<Value, String> {
    serde_json::from_str(&String::from_utf8_lossy(json)).map_err(|error| {
        let mut scanner = Scanner { bytes: json, at: 0, depth: 0 };
        scanner.document().err().unwrap_or_else(|| error.to_string())
    })
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

/// Finds the first error in what is not JSON.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

const DEPTH_MAX: usize = 127;

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), String> {
        self.value()?;
        match self.peek_past_space() {
            None => Ok(()),
            Some(byte) => Err(unexpected(byte, "after top-level value")),
        }
    }

    fn value(&mut self) -> Result<(), String> {
        match self.past_space()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' => match self.next()? {
                digit @ b'0'..=b'9' => self.number(digit),
                byte => Err(unexpected(byte, "in numeric literal")),
            },
            digit @ b'0'..=b'9' => self.number(digit),
            byte => Err(unexpected(byte, "looking for beginning of value")),
        }
    }

    fn nested(&mut self, content: fn(&mut Self) -> Result<(), String>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("exceeded max depth".to_owned());
        }
        content(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), String> {
        let mut byte = self.past_space()?;
        if byte == b'}' {
            return Ok(());
        }
        loop {
            if byte != b'"' {
                return Err(unexpected(byte, "looking for beginning of object key string"));
            }
            self.string()?;
            match self.past_space()? {
                b':' => self.value()?,
                byte => return Err(unexpected(byte, "after object key")),
            }
            match self.past_space()? {
                b'}' => return Ok(()),
                b',' => byte = self.past_space()?,
                byte => return Err(unexpected(byte, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Result<(), String> {
        if self.peek_past_space() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value()?;
            match self.past_space()? {
                b']' => return Ok(()),
                b',' => {}
                byte => return Err(unexpected(byte, "after array element")),
            }
        }
    }

    fn string(&mut self) -> Result<(), String> {
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let byte = self.next()?;
                            if !byte.is_ascii_hexdigit() {
                                return Err(unexpected(byte, "in \\u hexadecimal character escape"));
                            }
                        }
                    }
                    byte => return Err(unexpected(byte, "in string escape code")),
                },
                byte @ 0..0x20 => return Err(unexpected(byte, "in string literal")),
                _ => {}
            }
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes().skip(1) {
            let byte = self.next()?;
            if byte != expected {
                return Err(unexpected(byte, &format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), String> {
        if first != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn digit(&mut self, context: &str) -> Result<(), String> {
        let byte = self.next()?;
        if !byte.is_ascii_digit() {
            return Err(unexpected(byte, context));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, String> {
        let byte = self.peek().ok_or("unexpected end of JSON input")?;
        self.at += 1;
        Ok(byte)
    }

    fn peek_past_space(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.peek()
    }

    fn past_space(&mut self) -> Result<u8, String> {
        self.peek_past_space();
        self.next()
    }
}

fn unexpected(byte: u8, context: &str) -> String {
    let shown = match byte {
        b'\'' => r"\'".to_owned(),
        b'"' => "\"".to_owned(),
        b'\\' => r"\\".to_owned(),
        7 => r"\a".to_owned(),
        8 => r"\b".to_owned(),
        b'\n' => r"\n".to_owned(),
        11 => r"\v".to_owned(),
        12 => r"\f".to_owned(),
        b'\r' => r"\r".to_owned(),
        b'\t' => r"\t".to_owned(),
        0..0x20 | 0x7f => format!("\\x{byte:02x}"),
        0x80..0xa1 => format!("\\u{byte:04x}"),
        byte => char::from(byte).to_string(),
    };
    format!("invalid character '{shown}' {context}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_in_gos_words() {
        for (json, text) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("{\"a\":\"", "unexpected end of JSON input"),
            ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
            ("<xml>", "invalid character '<' looking for beginning of value"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1.a", "invalid character 'a' after decimal point in numeric literal"),
            ("01", "invalid character '1' after top-level value"),
            ("\u{1f}", "invalid character '\\x1f' looking for beginning of value"),
        ] {
            assert_eq!(parse(json.as_bytes()).expect_err(json), text, "{json}");
        }
        assert_eq!(parse("[".repeat(500).as_bytes()), Err("exceeded max depth".to_owned()));
    }

    #[test]
    fn finds_fields_without_regard_to_case() {
        let fields = Fields::parse(br#"{"LABEL":"a","label":"b","Type":null,"path":1}"#, "p", "T").expect("an object");
        assert_eq!(fields.text("label"), Ok(Some("b".to_owned())));
        assert_eq!(fields.text("type"), Ok(None));
        let mismatch = "json: cannot unmarshal number into Go struct field T.path of type string";
        assert_eq!(fields.text("path"), Err(mismatch.to_owned()));
        let array = Fields::parse(b"[]", "p", "T").expect_err("an array");
        assert_eq!(array, "json: cannot unmarshal array into Go value of type p.T");
        let array = object(b"[]").expect_err("an array");
        assert_eq!(array, "json: cannot unmarshal array into Go value of type map[string]interface {}");
    }
}
