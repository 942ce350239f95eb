//! The two halves of ECDSA: (r, s) and (r, order − s) are signatures of the same message.

use std::cmp::Ordering;

/// The curves an MSP's keys may be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

const P256_ORDER: [u8; 32] = unhex(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
const P384_ORDER: [u8; 48] =
    unhex(b"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973");
const P521_ORDER: [u8; 66] = unhex(
    b"01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
);

impl Curve {
    fn order(self) -> &'static [u8] {
        match self {
            Curve::P256 => &P256_ORDER,
            Curve::P384 => &P384_ORDER,
            Curve::P521 => &P521_ORDER,
        }
    }
}

/// Whether a DER signature has the lower S; None when it is not a signature on this curve.
pub(crate) fn is_low(curve: Curve, signature: &[u8]) -> Option<bool> {
    let (_, s) = parse(signature)?;
    let other = order_minus(curve, s)?;
    Some(compare(s, &other) == Ordering::Less)
}

/// The signature with the lower S: itself, or its mirror.
pub(crate) fn to_low(curve: Curve, signature: &[u8]) -> Option<Vec<u8>> {
    if is_low(curve, signature)? { Some(signature.to_vec()) } else { mirrored(curve, signature) }
}

/// The same signature with the other S.
pub(crate) fn mirrored(curve: Curve, signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = parse(signature)?;
    let s = order_minus(curve, s)?;
    let mut body = Vec::with_capacity(signature.len() + 2);
    push_integer(&mut body, r);
    push_integer(&mut body, &s);
    let mut out = Vec::with_capacity(body.len() + 3);
    out.push(0x30);
    push_length(&mut out, body.len());
    out.extend_from_slice(&body);
    Some(out)
}

/// r and s without leading zeros, from strict DER with nothing behind it.
fn parse(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, rest) = take(signature, 0x30)?;
    let (r, body) = take_integer(body)?;
    let (s, body) = take_integer(body)?;
    (rest.is_empty() && body.is_empty()).then_some((r, s))
}

fn take_integer(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (bytes, rest) = take(input, 0x02)?;
    match bytes {
        // Negative, empty, zero, or with a needless leading zero.
        [] | [0x80..=0xff, ..] | [0] => None,
        [0, next, ..] if next & 0x80 == 0 => None,
        [0, digits @ ..] => Some((digits, rest)),
        digits => Some((digits, rest)),
    }
}

fn take(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, body) = match input {
        [first, length @ 0..=0x7f, body @ ..] if *first == tag => (usize::from(*length), body),
        [first, 0x81, length @ 0x80..=0xff, body @ ..] if *first == tag => (usize::from(*length), body),
        _ => return None,
    };
    body.split_at_checked(length)
}

fn push_integer(out: &mut Vec<u8>, digits: &[u8]) {
    let digits = trim(digits);
    let pad = digits.first().is_none_or(|first| first & 0x80 != 0);
    out.push(0x02);
    push_length(out, digits.len() + usize::from(pad));
    if pad {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    // The longest signature, on P-521, has 139 bytes.
    if length >= 0x80 {
        out.push(0x81);
    }
    out.push(length as u8);
}

/// order − s, or None when s is not below the order.
fn order_minus(curve: Curve, s: &[u8]) -> Option<Vec<u8>> {
    let order = curve.order();
    if compare(s, order) != Ordering::Less {
        return None;
    }
    let mut difference = order.to_vec();
    let mut borrow = 0_i16;
    for (index, digit) in difference.iter_mut().rev().enumerate() {
        let subtrahend = s.len().checked_sub(index + 1).map_or(0, |at| i16::from(s[at]));
        let mut value = i16::from(*digit) - subtrahend - borrow;
        borrow = i16::from(value < 0);
        if value < 0 {
            value += 256;
        }
        *digit = value as u8;
    }
    Some(difference)
}

fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let (left, right) = (trim(left), trim(right));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn trim(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    &digits[zeros..]
}

const fn unhex<const N: usize>(text: &[u8]) -> [u8; N] {
    assert!(text.len() == 2 * N);
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
        at += 1;
    }
    bytes
}

const fn digit(text: u8) -> u8 {
    match text {
        b'0'..=b'9' => text - b'0',
        _ => text - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    fn signature(r: &[u8], s: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        push_integer(&mut body, r);
        push_integer(&mut body, s);
        let mut out = vec![0x30];
        push_length(&mut out, body.len());
        out.extend(body);
        out
    }

    #[test]
    fn draws_the_line_at_half_the_order() {
        // (order − 1) / 2 is the last low value.
        let half = unhex::<32>(b"7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8");
        let mut above = half;
        above[31] += 1;
        assert_eq!(is_low(Curve::P256, &signature(&[1], &half)), Some(true));
        assert_eq!(is_low(Curve::P256, &signature(&[1], &above)), Some(false));
        assert_eq!(to_low(Curve::P256, &signature(&[1], &above)), Some(signature(&[1], &half)));
        assert_eq!(is_low(Curve::P256, &signature(&[1], &P256_ORDER)), None);
    }

    #[test]
    fn refuses_loose_der() {
        for loose in [
            &[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x00][..],
            &[0x30, 0x07, 0x02, 0x02, 0x00, 0x01, 0x02, 0x01, 0x01],
            &[0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x01],
            &[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x01],
            &[0x30, 0x81, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01],
        ] {
            assert_eq!(is_low(Curve::P256, loose), None, "{loose:02x?}");
        }
    }

    proptest! {
        #[test]
        fn mirrors_twice_into_itself(r in prop::array::uniform32(any::<u8>()), s in prop::array::uniform31(any::<u8>()), curve in 0..3) {
            let curve = [Curve::P256, Curve::P384, Curve::P521][curve as usize];
            let (r, s) = ([&[1][..], &r[1..]].concat(), [&[1][..], &s[..]].concat());
            let signature = signature(&r, &s);
            let mirror = mirrored(curve, &signature).expect("in range");
            prop_assert_eq!(mirrored(curve, &mirror), Some(signature.clone()));
            prop_assert_eq!(is_low(curve, &mirror), is_low(curve, &signature).map(|low| !low));
        }
    }
}
