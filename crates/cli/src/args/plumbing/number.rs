//! Numbers and switches as Go reads them, with Go's words for what is wrong.

/// A switch.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// A whole number, with a prefix for its base if it has one.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let wrong = |what: &str| format!("strconv.ParseInt: parsing {text:?}: {what}");
    let magnitude = magnitude(digits).map_err(wrong)?;
    let value = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    i64::try_from(value).map_err(|_| wrong(OUT_OF_RANGE))
}

/// A whole number that is not negative.
pub(super) fn unsigned(text: &str) -> Result<u64, String> {
    magnitude(text).map_err(|what| format!("strconv.ParseUint: parsing {text:?}: {what}"))
}

const INVALID: &str = "invalid syntax";
const OUT_OF_RANGE: &str = "value out of range";

fn magnitude(text: &str) -> Result<u64, &'static str> {
    let lower = text.to_ascii_lowercase();
    let (digits, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return Err(INVALID);
    }
    u64::from_str_radix(&digits, base).map_err(|_| OUT_OF_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_in_every_base() {
        for (text, value) in [("7", 7), ("-7", -7), ("0x10", 16), ("010", 8), ("0b11", 3), ("1_000", 1000), ("0", 0)] {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        assert!(integer("9223372036854775808").is_err_and(|error| error.ends_with(OUT_OF_RANGE)));
        assert!(integer("").is_err());
        assert!(unsigned("-1").is_err());
    }
}
