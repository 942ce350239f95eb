//! Durations in Go's text form: `2s`, `1h30m`, `1.5h`, `250ms`. Channel configurations, settings, `connection.json` and
//! command lines all write them so.

use std::time::Duration;

/// How long each unit is, in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),  // micro sign
    ("\u{3bc}s", 1_000), // Greek letter mu
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

const SECOND: u64 = 1_000_000_000;

/// Why a text is not a duration, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It has no form, or is beyond the 292 years of Go's 63 bits of nanoseconds.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without its unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// There is no such unit.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// What stands there.
        unit: String,
        /// The whole text.
        text: String,
    },
    /// Go has them, but nothing in Fabric means anything by one.
    #[error("time: invalid duration {0:?}")]
    Negative(String),
}

/// Reads a duration.
///
/// # Errors
/// It is malformed, too long, or negative.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanoseconds = 0_u64;
    while !rest.is_empty() {
        let whole = digits(&mut rest);
        let fraction = rest.strip_prefix('.').map(|after| {
            rest = after;
            digits(&mut rest)
        });
        if whole.is_empty() && fraction.unwrap_or_default().is_empty() {
            return Err(invalid());
        }
        let end = rest.find(|next: char| next.is_ascii_digit() || next == '.').unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        rest = after;
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(text.to_owned()));
        }
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, scale)) = known else {
            return Err(DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() });
        };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let part = fraction.map_or(0, |fraction| part_of(*scale, fraction));
        let sum = whole.checked_mul(*scale).and_then(|whole| whole.checked_add(part)?.checked_add(nanoseconds));
        nanoseconds = sum.filter(|sum| i64::try_from(*sum).is_ok()).ok_or_else(invalid)?;
    }
    if text.starts_with('-') && nanoseconds > 0 {
        return Err(DurationError::Negative(text.to_owned()));
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Reads a duration as Go's configuration reader does: a number alone counts nanoseconds.
///
/// # Errors
/// As [`parse`].
pub fn parse_setting(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    text.parse().map(Duration::from_nanos).or_else(|_| parse(text))
}

/// Takes the digits at the beginning.
fn digits<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    digits
}

/// The part of a unit that these digits behind the point are; what is less than a nanosecond is dropped.
fn part_of(scale: u64, fraction: &str) -> u64 {
    // What is behind these digits is less than a nanosecond, even of an hour.
    let fraction = &fraction[..fraction.len().min(18)];
    let digits = fraction.bytes().fold(0, |number, digit| number * 10 + u128::from(digit - b'0'));
    (u128::from(scale) * digits / 10_u128.pow(fraction.len() as u32)) as u64
}

/// Writes a duration as Go does: `1h30m0s`, `300ms`, `0s`.
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let second = u128::from(SECOND);
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => decimal(nanoseconds, 1_000) + "\u{b5}s",
        1_000_000..1_000_000_000 => decimal(nanoseconds, 1_000_000) + "ms",
        _ => {
            let minutes = nanoseconds / (60 * second);
            let seconds = decimal(nanoseconds % (60 * second), second);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// `value / unit` without trailing zeros.
fn decimal(value: u128, unit: u128) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("30s", 30_000_000_000),
            ("1h1m1s", 3_661_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("+2m", 120_000_000_000),
            ("1m1ms", 60_001_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("0.1s", 100_000_000),
            ("0.000000001s", 1),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("3us", 3_000),
            ("3\u{b5}s", 3_000),
            ("3\u{3bc}s", 3_000),
            ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_in_gos_words() {
        for (text, error) in [
            ("", r#"time: invalid duration """#),
            ("-", r#"time: invalid duration "-""#),
            ("s", r#"time: invalid duration "s""#),
            (".s", r#"time: invalid duration ".s""#),
            (" 1s", r#"time: invalid duration " 1s""#),
            ("-1s", r#"time: invalid duration "-1s""#),
            ("10", r#"time: missing unit in duration "10""#),
            ("1h30", r#"time: missing unit in duration "1h30""#),
            ("1..5s", r#"time: missing unit in duration "1..5s""#),
            ("10x", r#"time: unknown unit "x" in duration "10x""#),
            ("2 s", r#"time: unknown unit " s" in duration "2 s""#),
            ("9999999h", r#"time: invalid duration "9999999h""#),
            ("99999999999999999999999h", r#"time: invalid duration "99999999999999999999999h""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), error, "{text}");
        }
    }

    #[test]
    fn counts_nanoseconds_in_settings() {
        assert_eq!(parse_setting("5000000"), Ok(Duration::from_millis(5)));
        assert_eq!(parse_setting(" 1s "), Ok(Duration::from_secs(1)));
        assert!(parse_setting("").is_err());
    }

    #[test]
    fn writes_what_go_writes() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (999, "999ns"),
            (1_500, "1.5\u{b5}s"),
            (500_000_000, "500ms"),
            (1_250_000, "1.25ms"),
            (2_000_000_000, "2s"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (5_430_010_000_000, "1h30m30.01s"),
        ] {
            let duration = Duration::from_nanos(nanoseconds);
            assert_eq!(format(duration), text);
            assert_eq!(parse(text), Ok(duration));
        }
    }
}
