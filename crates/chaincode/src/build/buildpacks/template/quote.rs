//! Go's way to write texts and characters in source code.

use std::fmt::Write;

/// The text between double quotes; with `ascii`, in ASCII alone.
pub(super) fn text(bytes: &[u8], ascii: bool) -> String {
    let mut quoted = String::from('"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape(&mut quoted, character, '"', ascii);
        }
        for byte in chunk.invalid() {
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

/// The character between single quotes.
pub(super) fn character(character: char, ascii: bool) -> String {
    let mut quoted = String::from('\'');
    escape(&mut quoted, character, '\'', ascii);
    quoted.push('\'');
    quoted
}

fn escape(quoted: &mut String, character: char, quote: char, ascii: bool) {
    let code = u32::from(character);
    let named = match character {
        '\u{7}' => Some('a'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{b}' => Some('v'),
        '\\' => Some('\\'),
        other if other == quote => Some(quote),
        _ => None,
    };
    let _ = match named {
        Some(name) => write!(quoted, "\\{name}"),
        None if is_printable(character) && (character.is_ascii() || !ascii) => write!(quoted, "{character}"),
        None if code < 0x20 || code == 0x7f => write!(quoted, "\\x{code:02x}"),
        None if code < 0x1_0000 => write!(quoted, "\\u{code:04x}"),
        None => write!(quoted, "\\U{code:08x}"),
    };
}

/// Whether a character shows something: letters, marks, numbers, punctuation, symbols and the space.
pub(super) fn is_printable(character: char) -> bool {
    // What `escape_debug` leaves alone behind another character, which is where marks are left alone, too.
    matches!(character, '"' | '\'' | '\\') || format!("a{character}").escape_debug().count() == 2
}

/// A character as messages name it: `U+002D '-'`.
pub(super) fn code_point(character: char) -> String {
    let code = u32::from(character);
    if is_printable(character) { format!("U+{code:04X} '{character}'") } else { format!("U+{code:04X}") }
}
