//! Go's `Sprintf`, `Sprint` and `Sprintln`, for the values that templates have.

mod cursor;

use crate::build::buildpacks::template::{
    budget::{Budget, Spent},
    float, quote,
    value::Value,
};
use cursor::{Cursor, number};

/// Fills a format.
pub(super) fn printf(format: &[u8], values: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Spent> {
    let mut printer = Printer::new(budget);
    printer.format(format, values)?;
    Ok(printer.output)
}

/// The values one after another; between two of which neither is a text stands a space.
pub(super) fn print(values: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Spent> {
    let mut printer = Printer::new(budget);
    let is_text = |value: &Value| matches!(value, Value::Text(_));
    for (number, value) in values.iter().enumerate() {
        if number > 0 && !is_text(value) && !is_text(&values[number - 1]) {
            printer.write(" ")?;
        }
        printer.value(value, 'v', 0)?;
    }
    Ok(printer.output)
}

/// The values with spaces between them, and the end of the line.
pub(super) fn println(values: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Spent> {
    let mut printer = Printer::new(budget);
    for (number, value) in values.iter().enumerate() {
        printer.write(if number > 0 { " " } else { "" })?;
        printer.value(value, 'v', 0)?;
    }
    printer.write("\n")?;
    Ok(printer.output)
}

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    sharp: bool,
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    /// `%#v`: as in source code.
    source: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

impl Flags {
    /// What stands before a number.
    fn sign(self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }
}

struct Printer<'a> {
    output: Vec<u8>,
    flags: Flags,
    budget: &'a mut Budget,
}

impl Printer<'_> {
    fn new(budget: &mut Budget) -> Printer<'_> {
        Printer { output: Vec::new(), flags: Flags::default(), budget }
    }

    fn format(&mut self, format: &[u8], values: &[Value]) -> Result<(), Spent> {
        let mut cursor = Cursor::new(values);
        let mut rest = format;
        while let Some(percent) = rest.iter().position(|byte| *byte == b'%') {
            self.write(&rest[..percent])?;
            rest = &rest[percent + 1..];
            self.flags = Flags::default();
            self.directive(&mut rest, &mut cursor)?;
        }
        self.write(rest)?;
        if !cursor.reordered && cursor.next < values.len() {
            self.flags = Flags::default();
            self.write("%!(EXTRA ")?;
            for (number, value) in values[cursor.next..].iter().enumerate() {
                self.write(if number > 0 { ", " } else { "" })?;
                self.typed(value)?;
            }
            self.write(")")?;
        }
        Ok(())
    }

    /// What follows a percent sign.
    fn directive(&mut self, rest: &mut &[u8], cursor: &mut Cursor<'_>) -> Result<(), Spent> {
        while let [flag, behind @ ..] = *rest {
            match flag {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                _ => break,
            }
            *rest = behind;
        }
        cursor.good = true;
        let mut indexed = self.index(rest, cursor)?;
        if let [b'*', behind @ ..] = *rest {
            *rest = behind;
            match cursor.number() {
                Some(width) => {
                    self.flags.minus |= width < 0;
                    self.flags.width = Some(width.unsigned_abs() as usize);
                }
                None => self.write("%!(BADWIDTH)")?,
            }
            indexed = false;
        } else {
            self.flags.width = number(rest);
            cursor.good &= !(indexed && self.flags.width.is_some());
        }
        // A point that nothing follows is the verb.
        if let [b'.', behind @ ..] = *rest
            && !behind.is_empty()
        {
            *rest = behind;
            cursor.good &= !indexed;
            indexed = self.index(rest, cursor)?;
            if let [b'*', behind @ ..] = *rest {
                *rest = behind;
                match cursor.number() {
                    // A negative one is as good as none.
                    Some(precision) => self.flags.precision = usize::try_from(precision).ok(),
                    None => self.write("%!(BADPREC)")?,
                }
                indexed = false;
            } else {
                self.flags.precision = Some(number(rest).unwrap_or_default());
            }
        }
        if !indexed {
            self.index(rest, cursor)?;
        }
        let Some((verb, length)) = first_character(rest) else { return self.write("%!(NOVERB)") };
        *rest = &rest[length..];
        if verb == '%' {
            return self.write("%");
        }
        if !cursor.good {
            return self.write(format!("%!{verb}(BADINDEX)"));
        }
        let Some(value) = cursor.values.get(cursor.next) else { return self.write(format!("%!{verb}(MISSING)")) };
        cursor.next += 1;
        if verb == 'v' {
            self.flags.source = std::mem::take(&mut self.flags.sharp);
            self.flags.plus = false;
        }
        self.value(value, verb, 0)
    }

    /// Takes an index, the end of which may be far away.
    fn index(&mut self, rest: &mut &[u8], cursor: &mut Cursor<'_>) -> Result<bool, Spent> {
        let before = rest.len();
        let indexed = cursor.index(rest);
        self.budget.bytes(if cursor.good { before - rest.len() } else { before })?;
        Ok(indexed)
    }

    /// One value. `depth` counts the lists and maps that it is in.
    fn value(&mut self, value: &Value, verb: char, depth: usize) -> Result<(), Spent> {
        self.budget.step()?;
        if verb == 'T' && depth == 0 {
            return self.text(value.go_type().as_bytes(), 's');
        }
        match (value, verb) {
            (Value::Nil, _) if depth > 0 => self.write(if self.flags.source { "interface {}(nil)" } else { "<nil>" }),
            (Value::Nil, 'v') => self.padded("<nil>"),
            (Value::Bool(flag), 't' | 'v') => self.padded(if *flag { "true" } else { "false" }),
            (Value::Int(number), _) => self.integer(value, number.unsigned_abs(), *number < 0, verb),
            (Value::Byte(number), 'v') if self.flags.source => {
                self.flags.sharp = true;
                let written = self.digits(u64::from(*number), false, 16, 'x');
                self.flags.sharp = false;
                written
            }
            (Value::Byte(number), _) => self.integer(value, u64::from(*number), false, verb),
            (Value::Float(number), 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') => {
                self.float(*number, verb)
            }
            (Value::Text(text), 'v' | 's' | 'x' | 'X' | 'q') => self.text(text, verb),
            (Value::List(items), _) if verb != 'p' => self.list(items, verb, depth),
            (Value::Map(entries), _) if verb != 'p' => {
                let source = self.flags.source;
                self.write(if source { "map[string]interface {}{" } else { "map[" })?;
                for (number, (key, value)) in entries.iter().enumerate() {
                    self.write(if number == 0 { "" } else { self.separator() })?;
                    self.value(&Value::text(key), verb, depth + 1)?;
                    self.write(":")?;
                    self.value(value, verb, depth + 1)?;
                }
                self.write(if source { "}" } else { "]" })
            }
            _ => self.bad(value, verb),
        }
    }

    fn list(&mut self, items: &[Value], verb: char, depth: usize) -> Result<(), Spent> {
        let source = self.flags.source;
        self.write(if source { "[]interface {}{" } else { "[" })?;
        for (number, item) in items.iter().enumerate() {
            self.write(if number == 0 { "" } else { self.separator() })?;
            self.value(item, verb, depth + 1)?;
        }
        self.write(if source { "}" } else { "]" })
    }

    fn separator(&self) -> &'static str {
        if self.flags.source { ", " } else { " " }
    }

    /// A verb that the value does not know.
    fn bad(&mut self, value: &Value, verb: char) -> Result<(), Spent> {
        self.write(format!("%!{verb}("))?;
        self.typed(value)?;
        self.write(")")
    }

    fn typed(&mut self, value: &Value) -> Result<(), Spent> {
        if value.is_nil() {
            return self.write("<nil>");
        }
        self.write(value.go_type())?;
        self.write("=")?;
        self.value(value, 'v', 0)
    }

    fn integer(&mut self, value: &Value, magnitude: u64, negative: bool, verb: char) -> Result<(), Spent> {
        // Go takes the bits of a negative number for a code point beyond all.
        let code = u32::try_from(magnitude).ok().filter(|_| !negative);
        let character = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'v' | 'd' => self.digits(magnitude, negative, 10, verb),
            'b' => self.digits(magnitude, negative, 2, verb),
            'o' | 'O' => self.digits(magnitude, negative, 8, verb),
            'x' | 'X' => self.digits(magnitude, negative, 16, verb),
            'c' => self.padded(character.encode_utf8(&mut [0; 4])),
            'q' => self.padded(quote::character(character, self.flags.plus)),
            'U' => {
                let bits = if negative { magnitude.wrapping_neg() } else { magnitude };
                let mut shown =
                    "U+".to_owned() + &filled(format!("{bits:04X}"), self.flags.precision.unwrap_or_default());
                let printable = code.and_then(char::from_u32).filter(|code| quote::is_printable(*code));
                if let Some(character) = printable.filter(|_| self.flags.sharp) {
                    shown.push_str(&format!(" '{character}'"));
                }
                let zero = std::mem::take(&mut self.flags.zero);
                let written = self.padded(shown);
                self.flags.zero = zero;
                written
            }
            _ => self.bad(value, verb),
        }
    }

    fn digits(&mut self, magnitude: u64, negative: bool, radix: u32, verb: char) -> Result<(), Spent> {
        let flags = self.flags;
        if flags.precision == Some(0) && magnitude == 0 {
            let blank = " ".repeat(flags.width.unwrap_or_default());
            return self.write(blank);
        }
        let mut digits = match radix {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 if verb == 'X' => format!("{magnitude:X}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let signed = negative || flags.plus || flags.space;
        let least = match (flags.precision, flags.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if flags.zero && !flags.minus => width.saturating_sub(usize::from(signed)),
            _ => 0,
        };
        digits = filled(digits, least);
        let prefix = match (radix, verb) {
            (_, 'O') => "0o",
            (2, _) if flags.sharp => "0b",
            (8, _) if flags.sharp && !digits.starts_with('0') => "0",
            (16, 'X') if flags.sharp => "0X",
            (16, _) if flags.sharp => "0x",
            _ => "",
        };
        let sign = flags.sign(negative);
        self.flags.zero = false;
        let written = self.padded(format!("{sign}{prefix}{digits}"));
        self.flags.zero = flags.zero;
        written
    }

    fn float(&mut self, number: f64, verb: char) -> Result<(), Spent> {
        let flags = self.flags;
        let (kind, default) = match verb {
            'f' | 'F' => ('f', Some(6)),
            'e' | 'E' => ('e', Some(6)),
            'x' | 'X' => ('x', None),
            'b' => ('b', None),
            _ => ('g', None),
        };
        let precision = flags.precision.or(default);
        let mut digits = float::digits(number, kind, precision);
        if flags.sharp && kind != 'b' {
            digits = with_point(&digits, verb, precision);
        }
        if verb.is_uppercase() {
            digits.make_ascii_uppercase();
        }
        let sign = flags.sign(number.is_sign_negative());
        let zeros = flags.width.unwrap_or_default().saturating_sub(sign.len() + digits.len());
        if flags.zero && !flags.minus && !sign.is_empty() && zeros > 0 {
            return self.write(format!("{sign}{}{digits}", "0".repeat(zeros)));
        }
        self.padded(format!("{sign}{digits}"))
    }

    fn text(&mut self, text: &[u8], verb: char) -> Result<(), Spent> {
        let flags = self.flags;
        let cut = match flags.precision {
            Some(precision) if matches!(verb, 'x' | 'X') => &text[..precision.min(text.len())],
            Some(precision) => first_characters(text, precision),
            None => text,
        };
        self.budget.bytes(cut.len())?;
        match verb {
            'x' | 'X' => {
                let text = hexadecimal(cut, verb == 'X', flags);
                self.padded(text)
            }
            'v' if !flags.source => self.padded(cut),
            's' => self.padded(cut),
            _ => {
                let raw = std::str::from_utf8(cut).ok().filter(|text| {
                    let plain = |c: char| c != '`' && c != '\u{feff}' && (c == '\t' || c >= ' ') && c != '\u{7f}';
                    flags.sharp && text.chars().all(plain)
                });
                self.padded(raw.map_or_else(|| quote::text(cut, flags.plus), |text| format!("`{text}`")))
            }
        }
    }

    /// Writes a text with what makes it as wide as was asked for.
    fn padded(&mut self, text: impl AsRef<[u8]>) -> Result<(), Spent> {
        let text = text.as_ref();
        let missing = self.flags.width.unwrap_or_default().saturating_sub(characters(text));
        let zero = self.flags.zero && !self.flags.minus;
        let padding = if zero { "0" } else { " " };
        self.budget.bytes(missing)?;
        if !self.flags.minus {
            self.output.extend(padding.repeat(missing).bytes());
        }
        self.write(text)?;
        if self.flags.minus {
            self.output.extend(padding.repeat(missing).bytes());
        }
        Ok(())
    }

    fn write(&mut self, text: impl AsRef<[u8]>) -> Result<(), Spent> {
        self.budget.bytes(text.as_ref().len())?;
        self.output.extend_from_slice(text.as_ref());
        Ok(())
    }
}

/// The digits with as many zeros before them as make them so many.
fn filled(digits: String, least: usize) -> String {
    "0".repeat(least.saturating_sub(digits.len())) + &digits
}

/// The first character and its length; what is no character counts as one byte.
fn first_character(bytes: &[u8]) -> Option<(char, usize)> {
    // No character is longer, and what follows is not to be looked at each time.
    let chunk = bytes[..bytes.len().min(4)].utf8_chunks().next()?;
    let first = chunk.valid().chars().next();
    Some(first.map_or((char::REPLACEMENT_CHARACTER, 1), |first| (first, first.len_utf8())))
}

fn first_characters(bytes: &[u8], count: usize) -> &[u8] {
    let mut end = 0;
    for _ in 0..count {
        match first_character(&bytes[end..]) {
            Some((_, length)) => end += length,
            None => break,
        }
    }
    &bytes[..end]
}

fn characters(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

fn hexadecimal(bytes: &[u8], upper: bool, flags: Flags) -> String {
    let prefix = match (flags.sharp, upper) {
        (false, _) => "",
        (true, false) => "0x",
        (true, true) => "0X",
    };
    let mut text = String::with_capacity(3 * bytes.len());
    for (number, byte) in bytes.iter().enumerate() {
        if flags.space && number > 0 {
            text.push(' ');
        }
        if flags.space || number == 0 {
            text.push_str(prefix);
        }
        text.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
    }
    text
}

/// A number with a point, and for `g` with all its digits: what `#` asks for.
fn with_point(digits: &str, verb: char, precision: Option<usize>) -> String {
    let (mantissa, exponent) = match digits.find(if digits.starts_with("0x") { 'p' } else { 'e' }) {
        Some(at) => digits.split_at(at),
        None => (digits, ""),
    };
    let mut mantissa = mantissa.to_owned();
    let wanted = match (verb, precision) {
        ('v' | 'g' | 'G', precision) => precision.unwrap_or(6),
        // Go counts the x as a digit.
        ('x', None) => 5,
        _ => 0,
    };
    let significant = mantissa.trim_start_matches("0x").replace('.', "").trim_start_matches('0').len();
    if !mantissa.contains('.') {
        mantissa.push('.');
    }
    let missing = wanted.saturating_sub(significant);
    mantissa.push_str(&"0".repeat(missing));
    mantissa + exponent
}
