//! What the system says, in Go's words: lower case, without the number.

use std::io;

/// The text that a Go program would print for the cause of `error`.
pub(crate) fn text(error: &io::Error) -> String {
    let Some(code) = error.raw_os_error() else { return error.to_string() };
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text);
    let mut characters = text.chars();
    match characters.next() {
        // "Is a directory", but "RPC version wrong".
        Some(first) if characters.as_str().starts_with(|second: char| !second.is_uppercase()) => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_as_go_does() {
        for (code, expected) in [
            (2, "no such file or directory"),
            (13, "permission denied"),
            (8, "exec format error"),
            (20, "not a directory"),
        ] {
            assert_eq!(text(&io::Error::from_raw_os_error(code)), expected);
        }
    }
}
