//! The little DER that the parsers do not cover: cutting a certificate at its signature and putting it back.

/// The first element of `input`: all its bytes (tag and length included), and what follows.
pub(crate) fn take_element(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, end) = header(input)?;
    input.split_at_checked(end)
}

/// The content of a SEQUENCE that fills `input`.
pub(crate) fn sequence_content(input: &[u8]) -> Option<&[u8]> {
    let (start, end) = header(input)?;
    (input.first() == Some(&0x30) && end == input.len()).then(|| &input[start..end])
}

/// Wraps `content` in a tag and its length.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
        out.push(0x80 | (bytes.len() - first) as u8);
        out.extend_from_slice(&bytes[first..]);
    }
    out.extend_from_slice(content);
    out
}

/// Replaces the signature of a certificate (or anything else of the shape to-be-signed, algorithm, BIT STRING).
pub(crate) fn with_signature(signed: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
    let content = sequence_content(signed)?;
    let (_, rest) = take_element(content)?;
    let (_, bits) = take_element(rest)?;
    // `bits` is what follows the algorithm: the signature, and whatever should not be there.
    let mut out = content[..content.len() - bits.len()].to_vec();
    let mut padded = Vec::with_capacity(signature.len() + 1);
    padded.push(0);
    padded.extend_from_slice(signature);
    out.extend(element(0x03, &padded));
    Some(element(0x30, &out))
}

/// Whether everything around the to-be-signed part of a certificate has the only form it may have: lengths as short as
/// possible, nothing behind the signature, and the algorithm as the signed part repeats it. No signature covers these
/// bytes, so that otherwise anyone could make a second certificate, of another hash, out of a good one.
pub(crate) fn has_canonical_shell(certificate: &[u8], signature: &[u8]) -> bool {
    let algorithms_agree = || {
        let content = sequence_content(certificate)?;
        let (signed, rest) = take_element(content)?;
        let (outer, _) = take_element(rest)?;
        let mut fields = sequence_content(signed)?;
        if fields.first() == Some(&0xa0) {
            fields = take_element(fields)?.1;
        }
        let (_serial, fields) = take_element(fields)?;
        Some(take_element(fields)?.0 == outer)
    };
    with_signature(certificate, signature).as_deref() == Some(certificate) && algorithms_agree() == Some(true)
}

/// Where the content of the first element starts and ends.
fn header(input: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*input.get(1)?);
    let (start, length) = if first < 0x80 {
        (2, first)
    } else {
        let count = first & 0x7f;
        let digits = input.get(2..2 + count).filter(|digits| (1..=4).contains(&digits.len()))?;
        (2 + count, digits.iter().fold(0, |value, digit| value << 8 | usize::from(*digit)))
    };
    let end = start.checked_add(length)?;
    (end <= input.len()).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swaps_the_signature_and_nothing_else() {
        let body = [element(0x30, b"tbs"), element(0x30, b"alg"), element(0x03, b"\0old")].concat();
        let swapped = with_signature(&element(0x30, &body), &[7; 200]).expect("the shape");
        let content = sequence_content(&swapped).expect("a sequence");
        assert!(content.starts_with(&body[..10]));
        assert!(content.ends_with(&[7; 200]));
    }

    #[test]
    fn refuses_what_is_cut_short() {
        let whole = element(0x30, &[0; 300]);
        for end in 0..whole.len() {
            assert_eq!(take_element(&whole[..end]), None);
        }
        assert_eq!(take_element(&whole), Some((&whole[..], &[][..])));
        assert_eq!(with_signature(&whole[..20], b""), None);
    }
}
