//! Hashes that are defined over bytes of the wire.

use aws_lc_rs::digest::{Context, SHA256};

use crate::common::{BlockData, BlockHeader};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> Digest {
    sha256_of([data])
}

/// SHA-256 of the concatenation of `parts`.
pub fn sha256_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = Digest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// The hash that the next block's `previous_hash` repeats: SHA-256 of the header as ASN.1 DER.
// Fabric: ledger §5
pub fn block_header_hash(header: &BlockHeader) -> Digest {
    sha256(&block_header_der(header))
}

/// A block header as the ASN.1 DER sequence (number, previous hash, data hash) that orderers sign.
// Fabric: ledger §5
pub fn block_header_der(header: &BlockHeader) -> Vec<u8> {
    let mut body = Vec::with_capacity(96);
    let number = header.number.to_be_bytes();
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len() - 1);
    let mut integer = Vec::with_capacity(9);
    if number[first] & 0x80 != 0 {
        integer.push(0);
    }
    integer.extend_from_slice(&number[first..]);
    push_der(&mut body, 0x02, &integer);
    push_der(&mut body, 0x04, &header.previous_hash);
    push_der(&mut body, 0x04, &header.data_hash);
    let mut sequence = Vec::with_capacity(body.len() + 4);
    push_der(&mut sequence, 0x30, &body);
    sequence
}

/// SHA-256 over the concatenated entries of a block's data.
// Fabric: ledger §5
pub fn block_data_hash(data: &BlockData) -> Digest {
    sha256_of(data.data.iter().map(|entry| entry.as_ref()))
}

fn push_der(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_a_header_as_der() {
        let header = BlockHeader { number: 128, previous_hash: Default::default(), data_hash: vec![1, 2].into() };
        assert_eq!(block_header_der(&header), [0x30, 10, 0x02, 2, 0, 128, 0x04, 0, 0x04, 2, 1, 2]);
    }

    #[test]
    fn encodes_number_zero_as_one_byte() {
        assert_eq!(block_header_der(&BlockHeader::default()), [0x30, 7, 0x02, 1, 0, 0x04, 0, 0x04, 0]);
    }

    #[test]
    fn hashes_data_without_separators() {
        let split = BlockData { data: vec![b"ab".as_ref().into(), b"c".as_ref().into()] };
        assert_eq!(block_data_hash(&split), sha256(b"abc"));
    }
}
