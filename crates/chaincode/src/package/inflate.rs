//! Inflating a gzip stream that may be a bomb.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use crate::package::{
    LimitError, Limits,
    archive::{ArchiveError, from_io},
};

/// A gzip stream, inflated within limits.
pub(super) struct Inflate<R: Read> {
    decoder: MultiGzDecoder<BufReader<Counted<R>>>,
    total: u64,
    total_max: u64,
    ratio_max: u64,
}

/// The compressed bytes, the first of which were read to look at.
struct Counted<R> {
    reader: Chain<Cursor<Vec<u8>>, R>,
    count: u64,
}

impl<R: Read> Inflate<R> {
    /// Reads the start of the stream, to tell at once what is not one.
    pub(super) fn new(mut reader: R, limits: &Limits) -> Result<Self, ArchiveError> {
        let mut start = Vec::new();
        (&mut reader).take(10).read_to_end(&mut start).map_err(from_io)?;
        match start.len() {
            0 => return Err(ArchiveError::Empty),
            10 if start.starts_with(&[0x1f, 0x8b, 8]) => {}
            10 => return Err(ArchiveError::GzipHeader),
            _ => return Err(ArchiveError::Truncated),
        }
        // Bits of the flags that mean nothing do not matter.
        start[3] &= 0x1f;
        let counted = Counted { reader: Cursor::new(start).chain(reader), count: 0 };
        Ok(Self {
            decoder: MultiGzDecoder::new(BufReader::new(counted)),
            total: 0,
            total_max: limits.total_bytes,
            ratio_max: limits.ratio,
        })
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        self.total += read as u64;
        let limit = if self.total > self.total_max {
            LimitError::Total(self.total_max)
        } else if self.total > Limits::RATIO_FLOOR
            && self.total / self.ratio_max.max(1) > self.decoder.get_ref().get_ref().count
        {
            LimitError::Ratio(self.ratio_max)
        } else {
            return Ok(read);
        };
        Err(io::Error::other(ArchiveError::Limit(limit)))
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).expect("memory");
        encoder.finish().expect("memory")
    }

    fn inflate(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
        let mut content = Vec::new();
        Inflate::new(bytes, limits)?.read_to_end(&mut content).map_err(from_io)?;
        Ok(content)
    }

    #[test]
    fn reads_streams_of_several_members() {
        let bytes = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(inflate(&bytes, &Limits::default()), Ok(b"one two".to_vec()));
    }

    #[test]
    fn says_what_is_wrong_in_gos_words() {
        let whole = gzip(b"content content content");
        let mut checksum = whole.clone();
        let at = checksum.len() - 8;
        checksum[at] ^= 1;
        for (bytes, text) in [
            (&b""[..], "EOF"),
            (&b"\x1f\x8b"[..], "unexpected EOF"),
            (&b"PK\x03\x04 is not gzip"[..], "gzip: invalid header"),
            (&whole[..whole.len() - 9], "unexpected EOF"),
            (&whole[..10], "unexpected EOF"),
            (&checksum[..], "gzip: invalid checksum"),
        ] {
            assert_eq!(inflate(bytes, &Limits::default()).expect_err(text).to_string(), text);
        }
    }

    #[test]
    fn stops_bombs_while_they_inflate() {
        let zeros = vec![0; (Limits::RATIO_FLOOR + (1 << 20)) as usize];
        let bomb = gzip(&zeros);
        assert_eq!(inflate(&bomb, &Limits::default()), Err(LimitError::Ratio(200).into()));
        let limits = Limits { total_bytes: 1000, ..Limits::default() };
        assert_eq!(inflate(&bomb, &limits), Err(LimitError::Total(1000).into()));
    }

    #[test]
    fn lets_short_texts_shrink_as_they_like() {
        let spaces = vec![b' '; 1 << 20];
        assert_eq!(inflate(&gzip(&spaces), &Limits::default()).map(|content| content.len()), Ok(1 << 20));
    }
}
