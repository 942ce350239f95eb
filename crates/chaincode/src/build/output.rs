//! What programs print: read without end, kept within bounds.

use std::{fmt, str::FromStr};

use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::build::Step;

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The program's standard output.
    Out,
    /// The program's standard error.
    Error,
    /// The peer, which has something to say about the program.
    Note,
}

/// One line that a program printed, or that the peer noted about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLine {
    /// When it was read.
    pub at: OffsetDateTime,
    /// Which program.
    pub step: Step,
    /// Where.
    pub stream: Stream,
    /// Which instance of the chaincode, if it is one that runs.
    pub instance: Option<u32>,
    /// The line, without its end and without control characters. A longer one than 8 KiB comes in pieces.
    pub text: String,
}

const LINE_MAX: usize = 8 << 10;

impl Stream {
    /// Its short name, as it is written in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Error => "err",
            Self::Note => "note",
        }
    }
}

impl OutputLine {
    pub(crate) fn new(step: Step, stream: Stream, text: String) -> Self {
        Self { at: OffsetDateTime::now_utc(), step, stream, instance: None, text }
    }

    /// Whether a program printed it.
    pub fn is_printed(&self) -> bool {
        self.stream != Stream::Note
    }

    /// When it was read, as RFC 3339 has it, in milliseconds.
    pub fn time(&self) -> String {
        self.at.format(TIME).unwrap_or_default()
    }
}

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// As it is kept on disk: `2026-01-31T12:00:00.000Z build err: text`.
impl fmt::Display for OutputLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {}", self.time(), self.step, self.stream.name(), self.text)
    }
}

/// Reads back what [`OutputLine`]'s `Display` wrote; the error is a line of another kind.
impl FromStr for OutputLine {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (head, text) = line.split_once(": ").ok_or(())?;
        let [time, step, stream] = head.split(' ').collect::<Vec<_>>()[..] else { return Err(()) };
        let at = PrimitiveDateTime::parse(time, TIME).map_err(|_| ())?.assume_utc();
        let step = Step::ALL.into_iter().find(|known| known.name() == step).ok_or(())?;
        let streams = [Stream::Out, Stream::Error, Stream::Note];
        let stream = streams.into_iter().find(|known| known.name() == stream).ok_or(())?;
        Ok(Self { at, step, stream, instance: None, text: text.to_owned() })
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
    fn reads_back_what_it_writes() {
        for (stream, text) in [(Stream::Out, "a: b"), (Stream::Error, ""), (Stream::Note, " x ")] {
            let line = OutputLine::new(Step::Release, stream, text.to_owned());
            let read: OutputLine = line.to_string().parse().expect("a line");
            assert_eq!((read.to_string(), read.text.as_str()), (line.to_string(), text));
        }
        for other in ["", "build err: old", "2026-01-31T12:00:00.000Z paint err: x", "yesterday build err: x"] {
            assert_eq!(other.parse::<OutputLine>(), Err(()), "{other}");
        }
    }
}
