//! Literals: numbers, characters and texts, as Go's source code writes them.

use crate::build::buildpacks::template::{quote, value::Value};

/// A number or a character. The error of a number that is beyond Go's `int` comes when it is used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
    TooLarge,
}

impl Number {
    pub(super) fn value(self) -> Option<Value> {
        match self {
            Self::Int(number) => Some(Value::Int(number)),
            Self::Float(number) => Some(Value::Float(number)),
            Self::TooLarge => None,
        }
    }
}

pub(super) fn number(text: &str) -> Result<Number, String> {
    if text.ends_with('i') {
        return Err(format!("complex numbers are not known here: {}", quote::text(text.as_bytes(), false)));
    }
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if let Some(magnitude) = integer(digits) {
        let signed = if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
        return match signed {
            Some(number) => Ok(Number::Int(number)),
            None if negative => Err(overflow(text)),
            None => Ok(Number::TooLarge),
        };
    }
    match float(digits) {
        Some(number) if digits.contains(['.', 'e', 'E', 'p', 'P']) => {
            Ok(Number::Float(if negative { -number } else { number }))
        }
        Some(_) => Err(overflow(text)),
        // Too large for 64 bits.
        None if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => Err(overflow(text)),
        None => Err(format!("illegal number syntax: {}", quote::text(text.as_bytes(), false))),
    }
}

fn overflow(text: &str) -> String {
    format!("integer overflow: {}", quote::text(text.as_bytes(), false))
}

fn integer(digits: &str) -> Option<u64> {
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    // An underscore is fine between digits, and behind a prefix.
    let digits = if radix == 10 { digits } else { digits.strip_prefix('_').unwrap_or(digits) };
    u64::from_str_radix(&separated(digits)?, radix).ok()
}

/// The digits without the underscores between them.
fn separated(digits: &str) -> Option<String> {
    let wrong = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    (!wrong).then(|| digits.replace('_', ""))
}

fn float(digits: &str) -> Option<f64> {
    let lower = digits.to_ascii_lowercase();
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        return hexadecimal_float(hexadecimal.strip_prefix('_').unwrap_or(hexadecimal));
    }
    let number: f64 = separated(&lower)?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// `1.8p3`: a mantissa of hexadecimal digits and a power of two.
fn hexadecimal_float(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = digits.split_once('p')?;
    let mut exponent: i32 = separated(exponent)?.parse().ok()?;
    let mantissa = separated(mantissa)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    let mut number = 0_u64;
    for digit in whole.chars().chain(fraction.chars()) {
        number = number.checked_mul(16)?.checked_add(digit.to_digit(16)?.into())?;
    }
    exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    let number = number as f64 * 2_f64.powi(exponent);
    (number.is_finite() && !(whole.is_empty() && fraction.is_empty())).then_some(number)
}

/// `'a'`, quotes included.
pub(super) fn character(quoted: &str) -> Result<Number, String> {
    let inner = quoted.strip_prefix('\'').ok_or_else(syntax)?;
    let (unit, rest) = unquote_one(inner, '\'')?;
    if rest != "'" {
        return Err(format!("malformed character constant: {quoted}"));
    }
    Ok(Number::Int(match unit {
        Unit::Character(character) => u32::from(character).into(),
        Unit::Byte(byte) => byte.into(),
    }))
}

/// `"a"` or `` `a` ``, quotes included.
pub(super) fn text(quoted: &str) -> Result<Vec<u8>, String> {
    if let Some(raw) = quoted.strip_prefix('`') {
        return Ok(raw.trim_end_matches('`').replace('\r', "").into_bytes());
    }
    let mut rest = quoted.strip_prefix('"').ok_or_else(syntax)?;
    let mut bytes = Vec::with_capacity(rest.len());
    while rest != "\"" {
        let (unit, next) = unquote_one(rest, '"')?;
        match unit {
            Unit::Character(character) => bytes.extend(character.encode_utf8(&mut [0; 4]).bytes()),
            Unit::Byte(byte) => bytes.push(byte),
        }
        rest = next;
    }
    Ok(bytes)
}

/// What one character or escape stands for.
enum Unit {
    Character(char),
    Byte(u8),
}

fn syntax() -> String {
    "invalid syntax".to_owned()
}

fn unquote_one(text: &str, quote: char) -> Result<(Unit, &str), String> {
    let mut rest = text.chars();
    let first = rest.next().filter(|first| *first != quote && *first != '\n').ok_or_else(syntax)?;
    if first != '\\' {
        return Ok((Unit::Character(first), rest.as_str()));
    }
    let escape = rest.next().ok_or_else(syntax)?;
    let after = rest.as_str();
    let simple = match escape {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        '\\' => Some('\\'),
        other if other == quote => Some(quote),
        _ => None,
    };
    if let Some(character) = simple {
        return Ok((Unit::Character(character), after));
    }
    let (digits, radix, length) = match escape {
        'x' => (after, 16, 2),
        'u' => (after, 16, 4),
        'U' => (after, 16, 8),
        // The escape is the first digit.
        '0'..='7' => (&text[1..], 8, 3),
        _ => return Err(syntax()),
    };
    let code = digits.get(..length).filter(|digits| digits.bytes().all(|digit| char::from(digit).is_digit(radix)));
    let code = code.and_then(|digits| u32::from_str_radix(digits, radix).ok()).ok_or_else(syntax)?;
    let unit = match escape {
        'u' | 'U' => char::from_u32(code).map(Unit::Character),
        _ => u8::try_from(code).ok().map(Unit::Byte),
    };
    Ok((unit.ok_or_else(syntax)?, &digits[length..]))
}
