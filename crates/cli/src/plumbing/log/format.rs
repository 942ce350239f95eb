//! The form of a log line: `%{verb:option}` between literal text, or JSON.

use std::{fmt::Write, str::FromStr};

use time::{OffsetDateTime, UtcOffset};
use tracing::Level;

/// Fabric's own form.
const DEFAULT: &str = "%{color}%{time:2006-01-02 15:04:05.000 MST} %{id:04x} %{level:.4s}%{color:reset} [%{module}] %{color:bold}%{shortfunc}%{color:reset} -> %{message}";

/// The form of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Color,
    Bold,
    Reset,
    /// Width, and whether in hexadecimal.
    Number(usize, bool),
    /// The longest that is written of the level's name.
    Level(usize),
    Message,
    Module,
    Function,
    Time(String),
}

/// What a line says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) number: u32,
    pub(super) level: Level,
    pub(super) logger: &'a str,
    pub(super) function: &'a str,
    pub(super) message: &'a str,
    pub(super) colours: bool,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "json" {
            return Ok(Self::Json);
        }
        let mut rest = if text.is_empty() { DEFAULT } else { text };
        let mut parts = Vec::new();
        while let Some(start) = rest.find("%{") {
            let Some(end) = rest[start..].find('}') else { break };
            let inner = &rest[start + 2..start + end];
            let (verb, option) = inner.split_once(':').unwrap_or((inner, ""));
            let part = part(verb, option)?;
            if start > 0 {
                parts.push(Part::Literal(rest[..start].to_owned()));
            }
            // Text in braces that is no verb of ours stays as it is.
            parts.push(part.unwrap_or_else(|| Part::Literal(rest[start..=start + end].to_owned())));
            rest = &rest[start + end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self::Text(parts))
    }
}

fn part(verb: &str, option: &str) -> Result<Option<Part>, String> {
    Ok(Some(match verb {
        "color" => match option {
            "" => Part::Color,
            "bold" => Part::Bold,
            "reset" => Part::Reset,
            _ => return Err(format!("invalid color option: {option}")),
        },
        "id" => Part::Number(option.trim_end_matches(char::is_alphabetic).parse().unwrap_or(0), option.ends_with('x')),
        "level" => Part::Level(option.trim_start_matches('.').trim_end_matches('s').parse().unwrap_or(usize::MAX)),
        "message" => Part::Message,
        "module" => Part::Module,
        "shortfunc" => Part::Function,
        "time" if option.is_empty() => Part::Time("2006-01-02T15:04:05.999Z07:00".to_owned()),
        "time" => Part::Time(option.to_owned()),
        _ => return Ok(None),
    }))
}

impl Format {
    pub(super) fn line(&self, record: &Record<'_>) -> String {
        let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
        match self {
            Self::Json => json(record, now),
            Self::Text(parts) => parts.iter().fold(String::new(), |mut line, part| {
                part.write(&mut line, record, now);
                line
            }),
        }
    }
}

impl Part {
    fn write(&self, line: &mut String, record: &Record<'_>, now: OffsetDateTime) {
        let _ = match self {
            Self::Literal(text) => line.write_str(text),
            Self::Color | Self::Bold | Self::Reset if !record.colours => Ok(()),
            Self::Color => write!(line, "\x1b[{}m", colour(record.level)),
            Self::Bold => write!(line, "\x1b[{};1m", colour(record.level)),
            Self::Reset => line.write_str("\x1b[0m"),
            Self::Number(width, true) => write!(line, "{:0width$x}", record.number, width = *width),
            Self::Number(width, false) => write!(line, "{:0width$}", record.number, width = *width),
            Self::Level(longest) => line.write_str(&name(record.level)[..name(record.level).len().min(*longest)]),
            Self::Message => line.write_str(record.message),
            Self::Module => line.write_str(record.logger),
            Self::Function => line.write_str(record.function),
            Self::Time(layout) => line.write_str(&time(layout, now)),
        };
    }
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 34,
        _ => 36,
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

fn json(record: &Record<'_>, now: OffsetDateTime) -> String {
    serde_json::json!({
        "level": name(record.level).to_lowercase(),
        "ts": now.unix_timestamp_nanos() as f64 / 1e9,
        "name": record.logger,
        "caller": record.function,
        "msg": record.message,
    })
    .to_string()
}

/// A time in a layout of Go's, where each part is written as it stands in Monday, 2 January 2006, 15:04:05 MST.
fn time(layout: &str, now: OffsetDateTime) -> String {
    let mut text = String::new();
    let mut rest = layout;
    while !rest.is_empty() {
        let known = PARTS.iter().find(|(pattern, _)| rest.starts_with(pattern));
        if let Some((pattern, write)) = known {
            text.push_str(&write(now));
            rest = &rest[pattern.len()..];
        } else if let Some(digits) = fraction(rest) {
            let nanoseconds = format!("{:09}", now.nanosecond());
            let _ = write!(text, ".{}", &nanoseconds[..digits]);
            rest = &rest[digits + 1..];
        } else {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            text.push_str(&rest[..next]);
            rest = &rest[next..];
        }
    }
    text
}

/// How many digits `.000` or `.999` asks for.
fn fraction(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('.')?;
    let digit = digits.chars().next().filter(|digit| "09".contains(*digit))?;
    let count = digits.chars().take_while(|next| *next == digit).count();
    Some(count.min(9))
}

type Write1 = fn(OffsetDateTime) -> String;

/// Longer patterns first.
const PARTS: [(&str, Write1); 14] = [
    ("2006", |now| format!("{:04}", now.year())),
    ("January", |now| now.month().to_string()),
    ("Jan", |now| now.month().to_string()[..3].to_owned()),
    ("Monday", |now| now.weekday().to_string()),
    ("Mon", |now| now.weekday().to_string()[..3].to_owned()),
    ("MST", |now| zone(now, true)),
    ("Z07:00", |now| if now.offset() == UtcOffset::UTC { "Z".to_owned() } else { zone(now, false) }),
    ("-07:00", |now| zone(now, false)),
    ("01", |now| format!("{:02}", u8::from(now.month()))),
    ("02", |now| format!("{:02}", now.day())),
    ("15", |now| format!("{:02}", now.hour())),
    ("04", |now| format!("{:02}", now.minute())),
    ("05", |now| format!("{:02}", now.second())),
    ("06", |now| format!("{:02}", now.year() % 100)),
];

fn zone(now: OffsetDateTime, name: bool) -> String {
    let (hours, minutes, _) = now.offset().as_hms();
    match (name, hours, minutes) {
        (true, 0, 0) => "UTC".to_owned(),
        (true, ..) => format!("{hours:+03}{:02}", minutes.abs()),
        (false, ..) => format!("{hours:+03}:{:02}", minutes.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Record<'_> = Record {
        number: 31,
        level: Level::ERROR,
        logger: "chaincodeCmd",
        function: "InitCmdFactory",
        message: "hello",
        colours: false,
    };

    #[test]
    fn writes_the_default_form() {
        let format: Format = "".parse().expect("the default");
        let line = format.line(&RECORD);
        let (time, rest) = line.split_at("2006-01-02 15:04:05.000 ".len());
        assert!(time.starts_with("20"), "{line}");
        assert!(rest.ends_with(" 001f ERRO [chaincodeCmd] InitCmdFactory -> hello"), "{line}");
    }

    #[test]
    fn writes_the_form_that_was_asked_for() {
        let format: Format = "<%{id}> %{level} %{nosuch} %{message}".parse().expect("a form");
        assert_eq!(format.line(&RECORD), "<31> ERROR %{nosuch} hello");
        let coloured = Record { colours: true, ..RECORD };
        let format: Format = "%{color}a%{color:bold}b%{color:reset}".parse().expect("a form");
        assert_eq!(format.line(&coloured), "\x1b[31ma\x1b[31;1mb\x1b[0m");
        assert!("%{color:red}".parse::<Format>().is_err());
        let json: Format = "json".parse().expect("JSON");
        assert!(json.line(&RECORD).contains("\"msg\":\"hello\""));
    }

    #[test]
    fn writes_times_in_a_layout_of_go() {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(1_136_214_245_123_456_789).expect("a moment");
        assert_eq!(time("Mon Jan 02 15:04:05.000000 MST 2006", moment), "Mon Jan 02 15:04:05.123456 UTC 2006");
        assert_eq!(time("2006-01-02T15:04:05Z07:00", moment), "2006-01-02T15:04:05Z");
    }
}
