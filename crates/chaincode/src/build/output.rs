//! What programs print: read without end, kept within bounds.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::build::Step;

/// Where a program printed a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// One line that a program printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLine {
    /// Which program.
    pub step: Step,
    /// Where.
    pub stream: Stream,
    /// The line, without its end and without control characters. A longer one than 8 KiB comes in pieces.
    pub text: String,
}

/// The last lines of a program or of several, shared between who reads them and who shows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Arc<OutputLine>>,
    bytes: usize,
}

const LINE_MAX: usize = 8 << 10;
const TAIL_LINES: usize = 500;
const TAIL_BYTES: usize = 128 << 10;

impl Tail {
    pub(super) fn push(&self, line: Arc<OutputLine>) {
        let mut tail = self.0.lock();
        tail.bytes += line.text.len();
        tail.lines.push_back(line);
        while tail.lines.len() > TAIL_LINES || tail.bytes > TAIL_BYTES {
            let Some(oldest) = tail.lines.pop_front() else { break };
            tail.bytes -= oldest.text.len();
        }
    }

    pub(super) fn lines(&self) -> Vec<OutputLine> {
        self.0.lock().lines.iter().map(|line| OutputLine::clone(line)).collect()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.0.lock().lines.iter().map(|line| line.text.clone()).collect()
    }

    /// The last line that says something, on standard error if there is one.
    pub(super) fn last(&self) -> Option<String> {
        let tail = self.0.lock();
        let spoken = |line: &&Arc<OutputLine>| !line.text.trim().is_empty();
        let complaint = tail.lines.iter().rev().filter(spoken).find(|line| line.stream == Stream::Error);
        complaint.or_else(|| tail.lines.iter().rev().find(spoken)).map(|line| line.text.trim().to_owned())
    }
}

/// Hands every line of `reader` to `sink` until the last holder of the other end is gone. Always reads on, so
/// that no program ever waits for us.
pub(super) async fn read_lines(mut reader: impl AsyncRead + Unpin, mut sink: impl FnMut(String)) {
    let mut pending = Vec::with_capacity(LINE_MAX);
    let mut buffer = vec![0; LINE_MAX];
    // Whether the line so far has been handed on in pieces.
    let mut broken = false;
    while let Ok(read @ 1..) = reader.read(&mut buffer).await {
        for byte in &buffer[..read] {
            if *byte == b'\n' {
                if !(broken && pending.is_empty()) {
                    sink(printable(&pending));
                }
                pending.clear();
                broken = false;
                continue;
            }
            pending.push(*byte);
            if pending.len() == LINE_MAX {
                sink(printable(&pending));
                pending.clear();
                broken = true;
            }
        }
    }
    if !pending.is_empty() {
        sink(printable(&pending));
    }
}

/// The text of a line without what would steer a terminal: what a package's author prints ends in the logs and
/// on the screens of operators.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    // A line drawn several times over: the last drawing counts.
    let mut characters = text.rsplit('\r').next().unwrap_or(text).chars().peekable();
    let mut printable = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                // A control sequence goes on to its first letter.
                while characters.next().is_some_and(|c| !matches!(c, '@'..='~')) {}
            }
            '\t' => printable.push('\t'),
            character if character.is_control() => printable.push('\u{fffd}'),
            character => printable.push(character),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        read_lines(bytes, |line| lines.push(line)).await;
        lines
    }

    #[tokio::test]
    async fn splits_lines_and_keeps_an_unfinished_last_one() {
        assert_eq!(lines_of(b"one\n\ntwo\r\nthree").await, ["one", "", "two", "three"]);
    }

    #[tokio::test]
    async fn breaks_endless_lines_into_pieces() {
        let lines = lines_of(&[vec![b'x'; 2 * LINE_MAX], b"\ny".to_vec()].concat()).await;
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_MAX, LINE_MAX, 1]);
    }

    #[tokio::test]
    async fn takes_the_power_over_terminals_away() {
        assert_eq!(lines_of(b"\x1b[31mred\x1b[0m\x07 10%\r 20%\tdone").await, [" 20%\tdone"]);
        assert_eq!(lines_of(b"\x1b[31mred\x1b[0m\x07").await, ["red\u{fffd}"]);
    }

    #[test]
    fn keeps_the_end_of_much_output() {
        let tail = Tail::default();
        for number in 0..2000 {
            let text = format!("{number} {}", "x".repeat(1000));
            tail.push(Arc::new(OutputLine { step: Step::Build, stream: Stream::Out, text }));
        }
        let lines = tail.texts();
        assert!(lines.len() <= TAIL_BYTES / 1000);
        assert!(lines[lines.len() - 1].starts_with("1999 "));
    }
}
