//! Floating-point numbers as Go writes them.

/// The parts of a number with a given verb and number of digits behind the point (or, for `g`, of digits at all);
/// without one, as many as tell it from its neighbours. The sign is left out. Numbers are finite: JSON has no others.
pub(super) fn digits(number: f64, verb: char, precision: Option<usize>) -> String {
    let number = number.abs();
    match verb {
        'f' => fixed(number, precision),
        'e' => scientific(number, precision),
        'g' => shorter(number, precision),
        'x' => hexadecimal(number, precision),
        _ => binary(number),
    }
}

/// No number has more digits that are no zeros.
const DIGITS_MAX: usize = 1100;

/// As many zeros as are asked for beyond what a number can have.
fn more_zeros(precision: usize) -> String {
    "0".repeat(precision.saturating_sub(DIGITS_MAX))
}

fn fixed(number: f64, precision: Option<usize>) -> String {
    match precision {
        Some(precision) => format!("{number:.*}{}", precision.min(DIGITS_MAX), more_zeros(precision)),
        None => format!("{number}"),
    }
}

fn scientific(number: f64, precision: Option<usize>) -> String {
    let text = exponential(number, precision);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    // Go writes a sign and two digits at least.
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    let zeros = more_zeros(precision.unwrap_or_default());
    format!("{mantissa}{zeros}e{sign}{exponent:0>2}")
}

fn exponential(number: f64, precision: Option<usize>) -> String {
    match precision {
        Some(precision) => format!("{number:.*e}", precision.min(DIGITS_MAX)),
        None => format!("{number:e}"),
    }
}

fn shorter(number: f64, precision: Option<usize>) -> String {
    let precision = precision.map(|precision| precision.max(1));
    let text = exponential(number, precision.map(|precision| precision - 1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let significant = mantissa.replace('.', "").trim_end_matches('0').len().max(1);
    let point = exponent + 1;
    let limit = match precision {
        None => 6,
        Some(precision) if precision > significant && significant as i32 >= point => significant as i32,
        Some(precision) => precision as i32,
    };
    if exponent < -4 || exponent >= limit {
        return scientific(number, precision.map(|_| significant - 1));
    }
    let behind = usize::try_from(significant as i32 - point).unwrap_or_default();
    fixed(number, precision.map(|_| behind))
}

/// The mantissa with 52 bits, and the exponent that belongs to it.
fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let (mantissa, exponent) = (bits & ((1 << 52) - 1), (bits >> 52) as i32 & 0x7ff);
    if exponent == 0 { (mantissa, -1074) } else { (mantissa | 1 << 52, exponent - 1075) }
}

fn binary(number: f64) -> String {
    let (mantissa, exponent) = parts(number);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(number);
    // One digit, which is 1, before the point, and 60 bits behind it.
    exponent = if mantissa == 0 { 0 } else { exponent + 60 };
    while mantissa != 0 && mantissa < 1 << 60 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let shift = 60 - 4 * precision;
        let (half, rest) = (1_u64 << (shift - 1), mantissa & ((1 << shift) - 1));
        mantissa >>= shift;
        if rest > half || rest == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= shift;
        if mantissa >= 1 << 61 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let behind = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let behind = match precision {
        None => behind.trim_end_matches('0').to_owned(),
        Some(precision) => behind[..precision.min(15)].to_owned() + &"0".repeat(precision.saturating_sub(15)),
    };
    let point = if behind.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{behind}p{sign}{:02}", mantissa >> 60, exponent.unsigned_abs())
}
