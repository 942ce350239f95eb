//! Go's text form of durations, in which every Fabric configuration is written.

use std::time::Duration;

/// Units from the longest to the shortest spelling, so that `ms` is not read as `m`.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3), // U+00B5, micro sign
    ("μs", 1e3), // U+03BC, Greek letter mu
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Reads `30s`, `1h30m`, `1.5h`, `300ms`. A bare number counts nanoseconds, as Go's configuration
/// reader has it. Negative durations are refused: no setting of a peer has a use for one.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_nanos);
    }
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, scale) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        nanoseconds += number * scale;
        rest = &rest[unit.len()..];
    }
    // Go counts in 63 bits of nanoseconds, 292 years; what is beyond is a mistake.
    (nanoseconds <= i64::MAX as f64).then(|| Duration::from_nanos(nanoseconds.round() as u64))
}

/// Writes a duration as Go does: `1h30m0s`, `300ms`, `0s`.
pub(crate) fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let fraction = |scale: u128, unit: &str| {
        let digits = format!("{:0width$}", nanoseconds % scale, width = scale.ilog10() as usize);
        let digits = digits.trim_end_matches('0');
        let point = if digits.is_empty() { "" } else { "." };
        format!("{}{point}{digits}{unit}", nanoseconds / scale)
    };
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => fraction(1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(1_000_000, "ms"),
        _ => {
            let seconds = duration.as_secs();
            let below_minute = Duration::new(seconds % 60, duration.subsec_nanos()).as_secs_f64();
            match (seconds / 3600, seconds / 60 % 60) {
                (0, 0) => format!("{below_minute}s"),
                (0, minutes) => format!("{minutes}m{below_minute}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{below_minute}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, milliseconds) in [
            ("30s", 30_000.0),
            ("1h30m", 5_400_000.0),
            ("1.5h", 5_400_000.0),
            ("300ms", 300.0),
            ("+2m", 120_000.0),
            ("1m1ms", 60_001.0),
            ("250us", 0.25),
            ("250µs", 0.25),
            ("5000000", 5.0),
            ("0", 0.0),
            (" 1s ", 1_000.0),
        ] {
            assert_eq!(parse(text).map(|d| d.as_secs_f64() * 1e3), Some(milliseconds), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in ["", "s", "30 s", "-1s", "1x", "1h30", ".", ".s", "1..5s", "9999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (text, written) in [
            ("0", "0s"),
            ("90m", "1h30m0s"),
            ("1500ms", "1.5s"),
            ("300ms", "300ms"),
            ("15m", "15m0s"),
            ("2500ns", "2.5µs"),
        ] {
            assert_eq!(parse(text).map(format).as_deref(), Some(written), "{text}");
        }
    }
}
