//! A block on disk.
//!
//! ```text
//! 0   magic "wlb1"
//! 4   length of the block, u32 big-endian
//! 8   length of the private data, u32
//! 12  block number, u64
//! 20  first 8 bytes of SHA-256 over bytes 0 to 20 and the block
//! 28  first 8 bytes of SHA-256 over the private data
//! 36  the block (serialized common.Block), then the private data
//! ```
//! The private data has a checksum of its own so that it can be blanked without touching the block.

use windlass_proto::hash::sha256_of;

use super::BlockError;

pub(super) const MAGIC: [u8; 4] = *b"wlb1";
pub(super) const HEADER: usize = 36;
const SUM: usize = 8;

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) block_length: u32,
    pub(super) private_length: u32,
    pub(super) number: u64,
    block_sum: [u8; SUM],
    private_sum: [u8; SUM],
}

impl Header {
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let header = Self {
            block_length: u32::from_be_bytes(part(bytes, 4)),
            private_length: u32::from_be_bytes(part(bytes, 8)),
            number: u64::from_be_bytes(part(bytes, 12)),
            block_sum: part(bytes, 20),
            private_sum: part(bytes, 28),
        };
        (bytes[..4] == MAGIC).then_some(header)
    }

    /// The length of the whole frame in bytes.
    pub(super) fn frame_length(&self) -> u64 {
        HEADER as u64 + u64::from(self.block_length) + u64::from(self.private_length)
    }

    /// Whether `body` (block, then private data) is what was written under this header.
    pub(super) fn fits(&self, body: &[u8]) -> bool {
        let Some((block, private)) = body.split_at_checked(self.block_length as usize) else { return false };
        private.len() == self.private_length as usize
            && self.block_sum == self.sum_block(block)
            && self.private_sum == sum([private])
    }

    fn sum_block(&self, block: &[u8]) -> [u8; SUM] {
        sum([self.prefix().as_slice(), block])
    }

    fn prefix(&self) -> [u8; 20] {
        let mut out = [0; 20];
        out[..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&self.block_length.to_be_bytes());
        out[8..12].copy_from_slice(&self.private_length.to_be_bytes());
        out[12..].copy_from_slice(&self.number.to_be_bytes());
        out
    }
}

/// The frame of block `number`.
pub(super) fn encode(number: u64, block: &[u8], private: &[u8]) -> Result<Vec<u8>, BlockError> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| BlockError::TooLarge(bytes.len()));
    let mut header = Header {
        block_length: length(block)?,
        private_length: length(private)?,
        number,
        block_sum: [0; SUM],
        private_sum: sum([private]),
    };
    header.block_sum = header.sum_block(block);
    let mut out = Vec::with_capacity(HEADER + block.len() + private.len());
    out.extend_from_slice(&header.prefix());
    out.extend_from_slice(&header.block_sum);
    out.extend_from_slice(&header.private_sum);
    out.extend_from_slice(block);
    out.extend_from_slice(private);
    Ok(out)
}

fn sum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; SUM] {
    let digest = sha256_of(parts);
    let mut out = [0; SUM];
    out.copy_from_slice(&digest[..SUM]);
    out
}

fn part<const N: usize>(bytes: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(frame: &[u8]) -> (Header, &[u8]) {
        let (header, body) = frame.split_at(HEADER);
        (Header::parse(header.try_into().expect("a whole header")).expect("a header"), body)
    }

    #[test]
    fn reads_what_it_wrote() {
        let frame = encode(7, b"block", b"secret").expect("a frame");
        let (header, body) = split(&frame);
        assert_eq!((header.number, header.frame_length()), (7, frame.len() as u64));
        assert!(header.fits(body));
        assert!(!header.fits(&body[..body.len() - 1]));
    }

    #[test]
    fn notices_any_changed_byte() {
        let frame = encode(1, b"block", b"secret").expect("a frame");
        for position in 0..frame.len() {
            let mut changed = frame.clone();
            changed[position] ^= 0x40;
            let (header, body) = changed.split_at(HEADER);
            let header = Header::parse(header.try_into().expect("a whole header"));
            assert!(!header.is_some_and(|header| header.fits(body)), "byte {position}");
        }
    }
}
