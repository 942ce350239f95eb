//! PEM, read the way Go's decoder reads it: certificates arrive inside signed messages, so what counts as
//! trailing bytes has to agree.

use base64::{Engine, engine::general_purpose::STANDARD};

/// One PEM block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What follows `BEGIN`.
    pub(crate) label: String,
    /// The decoded body.
    pub(crate) contents: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// The first well-formed block of `input` and what follows its END line.
pub(crate) fn decode(input: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = input;
    loop {
        let start = find_at_line_start(rest, BEGIN)?;
        let after = &rest[start + BEGIN.len()..];
        match decode_after_begin(after) {
            Some(found) => return Some(found),
            None => rest = after,
        }
    }
}

/// All well-formed blocks of `input`.
pub(crate) fn decode_all(input: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = input;
    while let Some((block, after)) = decode(rest) {
        blocks.push(block);
        rest = after;
    }
    blocks
}

/// One block as text, with lines of 64 characters and a final newline.
pub(crate) fn encode(label: &str, contents: &[u8]) -> String {
    let body = STANDARD.encode(contents);
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut body = body.as_str();
    while !body.is_empty() {
        let (line, rest) = body.split_at(body.len().min(64));
        text.push_str(line);
        text.push('\n');
        body = rest;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

fn decode_after_begin(after: &[u8]) -> Option<(Block, &[u8])> {
    let (line, body) = take_line(after);
    let label = std::str::from_utf8(line.strip_suffix(DASHES)?).ok()?;
    let end = if body.starts_with(END) { 0 } else { find_at_line_start(body, END)? };
    let (end_line, rest) = take_line(&body[end + END.len()..]);
    if end_line.strip_suffix(DASHES)? != label.as_bytes() {
        return None;
    }
    let mut encoded = Vec::with_capacity(end);
    let mut lines = &body[..end];
    let mut in_headers = true;
    while !lines.is_empty() {
        let (line, next) = take_line(lines);
        lines = next;
        if in_headers && line.contains(&b':') {
            continue;
        }
        in_headers = in_headers && line.is_empty();
        encoded.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
    }
    let contents = STANDARD.decode(encoded).ok()?;
    Some((Block { label: label.to_owned(), contents }, rest))
}

/// The first line without its trailing white space, and what follows its newline.
fn take_line(input: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &input[input.len()..]),
    };
    (line.trim_ascii_end(), rest)
}

fn find_at_line_start(input: &[u8], needle: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at + needle.len() <= input.len() {
        if input[at..].starts_with(needle) {
            return Some(at);
        }
        at += input[at..].iter().position(|byte| *byte == b'\n')? + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for length in [0, 1, 47, 48, 49, 500] {
            let contents: Vec<u8> = (0..length).map(|value| value as u8).collect();
            let text = encode("THING", &contents);
            let (block, rest) = decode(text.as_bytes()).expect("a block");
            assert_eq!((block.label.as_str(), block.contents), ("THING", contents));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn leaves_what_follows_the_block() {
        let text = format!("{}\n", encode("A", b"1"));
        assert_eq!(decode(text.as_bytes()).expect("a block").1, b"\n");
        let unended = encode("A", b"1");
        assert_eq!(decode(unended.trim_end().as_bytes()).expect("a block").1, b"");
    }

    #[test]
    fn skips_text_and_malformed_blocks_before_the_first_good_one() {
        let text = format!("hello\n-----BEGIN A-----\n!!\n-----END A-----\n{}", encode("B", b"2"));
        assert_eq!(decode(text.as_bytes()).expect("a block").0.label, "B");
        assert!(decode(b"-----BEGIN A-----\nAAAA\n-----END B-----\n").is_none());
        assert!(decode(b"").is_none());
    }

    #[test]
    fn reads_several_blocks_with_headers() {
        let text = format!(
            "-----BEGIN K-----\nProc-Type: 4\n\nAQI=\n-----END K-----\n{}",
            encode("L", b"3").replace('\n', "\r\n")
        );
        let blocks = decode_all(text.as_bytes());
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0].contents, [1, 2]);
        assert_eq!(blocks[1].contents, b"3");
    }
}
