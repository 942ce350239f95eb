//! Reading tar archives as Go does: the same entries, the same words for what is wrong.
//!
//! A crate that unpacks archives would be less code, but packages are hostile and its words are not Fabric's.

use std::io::{self, Read};

use crate::package::LimitError;

/// Why an archive cannot be read, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// There is nothing at all.
    #[error("EOF")]
    Empty,
    /// The data break off.
    #[error("unexpected EOF")]
    Truncated,
    /// Not the start of a gzip stream.
    #[error("gzip: invalid header")]
    GzipHeader,
    /// The content does not match its checksum.
    #[error("gzip: invalid checksum")]
    GzipChecksum,
    /// The compressed data make no sense.
    #[error("flate: corrupt input")]
    Deflate,
    /// Not a tar header.
    #[error("archive/tar: invalid tar header")]
    TarHeader,
    /// An extended header is too long.
    #[error("archive/tar: header field too long")]
    TarField,
    /// A limit is exceeded.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Reading failed otherwise.
    #[error("{0}")]
    Io(String),
}

/// An entry of an archive, without its content.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// The path, as it is written.
    pub(super) path: Vec<u8>,
    /// The type flag.
    pub(super) kind: u8,
    /// The permission bits, without set-user-ID and the like.
    pub(super) mode: u32,
    /// The length of the content that follows.
    pub(super) size: u64,
}

/// Type flag of regular files.
pub(super) const REGULAR: u8 = b'0';
/// Type flag of directories.
pub(super) const DIRECTORY: u8 = b'5';

const BLOCK: usize = 512;
/// Extended headers longer than this are refused.
const EXTENDED_MAX: u64 = 1 << 20;

/// An archive under way: [`Self::next`] steps to an entry, reading reads the content of that entry.
pub(super) struct Archive<R> {
    reader: R,
    /// Content of the current entry that has not been read.
    left: u64,
    /// Filling up to the next block, after the content.
    padding: u64,
    entries_left: u64,
    entries_max: u64,
    failure: Option<ArchiveError>,
}

impl Header {
    /// The path, to show to people.
    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }
}

impl<R: Read> Archive<R> {
    pub(super) fn new(reader: R, entries_max: u64) -> Self {
        Self { reader, left: 0, padding: 0, entries_left: entries_max, entries_max, failure: None }
    }

    /// The next entry, whatever is left of the current one being skipped.
    pub(super) fn next(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut long_name = None;
        let mut size = None;
        loop {
            let Some(block) = self.skip()?.then(|| self.block()).transpose()?.flatten() else { return Ok(None) };
            self.entries_left = self.entries_left.checked_sub(1).ok_or(LimitError::Entries(self.entries_max))?;
            let mut header = parse(&block)?;
            match header.kind {
                b'L' => {
                    let mut name = self.extended(&header)?;
                    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                    long_name = Some(name);
                }
                b'K' => drop(self.extended(&header)?),
                b'x' => {
                    let records = self.extended(&header)?;
                    for (key, value) in pax_records(&records)? {
                        match key {
                            _ if value.is_empty() => {}
                            b"path" if value.contains(&0) => return Err(ArchiveError::TarHeader),
                            b"path" => long_name = Some(value.to_vec()),
                            b"size" => size = Some(decimal(value).ok_or(ArchiveError::TarHeader)?),
                            // A file whose length is not that of its content.
                            _ if key.starts_with(b"GNU.sparse.") => return Err(ArchiveError::TarHeader),
                            _ => {}
                        }
                    }
                }
                _ => {
                    if let Some(name) = long_name {
                        header.path = name;
                    }
                    header.size = size.unwrap_or(header.size);
                    if matches!(header.kind, 0 | REGULAR) {
                        header.kind = if header.path.ends_with(b"/") { DIRECTORY } else { REGULAR };
                    }
                    // Links, devices and directories have no content whatever their header says.
                    if matches!(header.kind, b'1'..=b'6') {
                        header.size = 0;
                    }
                    self.start(header.size);
                    return Ok(Some(header));
                }
            }
        }
    }

    /// What reading the current entry ran into, if the archive around it is at fault and not its reader.
    pub(super) fn take_failure(&mut self) -> Option<ArchiveError> {
        self.failure.take()
    }

    /// Reads over what is left of the content of the current entry.
    pub(super) fn skip_content(&mut self) -> Result<(), ArchiveError> {
        io::copy(self, &mut io::sink()).map(|_| ()).map_err(from_io)
    }

    /// Reads over what is left of the current entry. Says whether anything can follow: the last entry need not
    /// be filled up to a whole block.
    fn skip(&mut self) -> Result<bool, ArchiveError> {
        self.skip_content()?;
        let padding = std::mem::take(&mut self.padding);
        let skipped = io::copy(&mut (&mut self.reader).take(padding), &mut io::sink()).map_err(from_io)?;
        Ok(skipped == padding)
    }

    fn start(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    fn extended(&mut self, header: &Header) -> Result<Vec<u8>, ArchiveError> {
        self.start(header.size);
        let mut content = Vec::new();
        self.take(EXTENDED_MAX + 1).read_to_end(&mut content).map_err(from_io)?;
        if content.len() as u64 > EXTENDED_MAX {
            return Err(ArchiveError::TarField);
        }
        Ok(content)
    }

    /// A header block; `None` at the end, which is two blocks of zeros or simply no more data.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let mut block = [0; BLOCK];
        if !self.fill(&mut block)? {
            return Ok(None);
        }
        if block != [0; BLOCK] {
            return Ok(Some(block));
        }
        if self.fill(&mut block)? && block != [0; BLOCK] {
            return Err(ArchiveError::TarHeader);
        }
        Ok(None)
    }

    fn fill(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, ArchiveError> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]).map_err(from_io)? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(ArchiveError::Truncated),
                read => filled += read,
            }
        }
        Ok(true)
    }
}

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let error = match self.reader.read(&mut buffer[..most]) {
            Ok(0) => ArchiveError::Truncated,
            Ok(read) => {
                self.left -= read as u64;
                return Ok(read);
            }
            Err(error) => from_io(error),
        };
        self.failure = Some(error.clone());
        Err(io::Error::other(error))
    }
}

/// The error inside an I/O error that one of our readers made, else its nearest.
pub(super) fn from_io(error: io::Error) -> ArchiveError {
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<ArchiveError>()) {
        return inner.clone();
    }
    let text = error.to_string();
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Truncated,
        _ if text.contains("header") => ArchiveError::GzipHeader,
        _ if text.contains("checksum") => ArchiveError::GzipChecksum,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => ArchiveError::Deflate,
        _ => ArchiveError::Io(text),
    }
}

fn parse(block: &[u8; BLOCK]) -> Result<Header, ArchiveError> {
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    let bytes = block.iter().enumerate().map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    let unsigned: i64 = bytes.clone().map(i64::from).sum();
    let signed: i64 = bytes.map(|byte| i64::from(byte.cast_signed())).sum();
    let stated = octal(&block[CHECKSUM]).and_then(|sum| i64::try_from(sum).ok()).ok_or(ArchiveError::TarHeader)?;
    if stated != unsigned && stated != signed {
        return Err(ArchiveError::TarHeader);
    }
    let mut path = text(&block[..100]).to_vec();
    // Only POSIX archives continue the name in the prefix; GNU puts times there.
    if &block[257..263] == b"ustar\0" {
        let prefix = text(&block[345..500]);
        if !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
    }
    // User, group, time and device do not matter here, but must be numbers.
    let devices = if &block[257..262] == b"ustar" { &[329..337, 337..345][..] } else { &[] };
    for field in [108..116, 116..124, 136..148].iter().chain(devices) {
        let field = &block[field.clone()];
        // In binary, anything is a number; a time may well be negative.
        if field[0] & 0x80 == 0 {
            octal(field).ok_or(ArchiveError::TarHeader)?;
        }
    }
    let mode = number(&block[100..108]).ok_or(ArchiveError::TarHeader)?;
    let size = number(&block[124..136]).ok_or(ArchiveError::TarHeader)?;
    Ok(Header { path, kind: block[156], mode: (mode & 0o777) as u32, size })
}

fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// A number field: octal text, or big-endian binary if its first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    if field[0] & 0x40 != 0 {
        return None; // negative
    }
    let mut value = u64::from(field[0] & 0x3f);
    for byte in &field[1..] {
        value = value.checked_mul(256)? | u64::from(*byte);
    }
    i64::try_from(value).is_ok().then_some(value)
}

fn octal(field: &[u8]) -> Option<u64> {
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !blank(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    let text = std::str::from_utf8(text(&field[start..end])).ok()?;
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8).ok().filter(|_| !text.starts_with('+'))
}

fn decimal(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|value: &u64| i64::try_from(*value).is_ok())
}

/// A key and its value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// Splits `<length> <key>=<value>\n…`, the length counting itself.
fn pax_records(mut data: &[u8]) -> Result<Vec<Record<'_>>, ArchiveError> {
    let mut records = Vec::new();
    while !data.is_empty() {
        let record = (|| {
            let space = data.iter().position(|byte| *byte == b' ')?;
            let length = usize::try_from(decimal(&data[..space])?).ok()?;
            let record = data.get(space + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            data = &data[length..];
            Some((&record[..equals], &record[equals + 1..]))
        })();
        records.push(record.ok_or(ArchiveError::TarHeader)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(configure: impl FnOnce(&mut tar::Header), content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o4755);
        header.set_entry_type(tar::EntryType::Regular);
        configure(&mut header);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn named(name: &str, content: &[u8]) -> Vec<u8> {
        entry(|header| header.set_path(name).expect("a short name"), content)
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<(String, u8, Vec<u8>)>, ArchiveError> {
        let mut archive = Archive::new(bytes, 10);
        let mut entries = Vec::new();
        while let Some(header) = archive.next()? {
            let mut content = Vec::new();
            archive.read_to_end(&mut content).map_err(from_io)?;
            entries.push((header.name(), header.kind, content));
        }
        Ok(entries)
    }

    #[test]
    fn reads_entries_with_and_without_an_end_marker() {
        let mut bytes = [named("a", b"one"), named("b/c", b"")].concat();
        let expected = vec![("a".to_owned(), b'0', b"one".to_vec()), ("b/c".to_owned(), b'0', Vec::new())];
        assert_eq!(read_all(&bytes), Ok(expected.clone()));
        bytes.truncate(bytes.len() - BLOCK);
        assert_eq!(read_all(&bytes[..BLOCK + 3]), Ok(expected[..1].to_vec()), "without filling");
        bytes.extend_from_slice(&named("b/c", b""));
        bytes.resize(bytes.len() + 2 * BLOCK, 0);
        bytes.extend_from_slice(b"whatever follows the end");
        assert_eq!(read_all(&bytes), Ok(expected));
    }

    #[test]
    fn drops_special_permission_bits() {
        let bytes = named("a", b"");
        let header = Archive::new(&bytes[..], 1).next().expect("an archive").expect("an entry");
        assert_eq!(header.mode, 0o755);
    }

    #[test]
    fn follows_long_names_of_both_kinds() {
        let long = "d/".repeat(100) + "f";
        let gnu = entry(|header| header.set_entry_type(tar::EntryType::GNULongName), (long.clone() + "\0").as_bytes());
        let record = format!("{} path={long}\n", long.len() + 10);
        assert_eq!(record.len(), long.len() + 10);
        let pax = entry(|header| header.set_entry_type(tar::EntryType::XHeader), record.as_bytes());
        for extension in [gnu, pax] {
            let bytes = [extension, named("short", b"x")].concat();
            assert_eq!(read_all(&bytes), Ok(vec![(long.clone(), b'0', b"x".to_vec())]));
        }
    }

    #[test]
    fn says_what_is_wrong_in_gos_words() {
        let mut flipped = named("a", b"one");
        flipped[0] ^= 1;
        let sparse = entry(|header| header.set_entry_type(tar::EntryType::XHeader), b"22 GNU.sparse.major=1\n");
        let bad_record = entry(|header| header.set_entry_type(tar::EntryType::XHeader), b"99 a=b\n");
        let huge = vec![b'n'; EXTENDED_MAX as usize + 1];
        let huge = entry(|header| header.set_entry_type(tar::EntryType::GNULongName), &huge);
        let half_zero = [vec![0; BLOCK], named("a", b"")].concat();
        for (bytes, text) in [
            (flipped, "archive/tar: invalid tar header"),
            (b"short".to_vec(), "unexpected EOF"),
            (named("a", b"one")[..BLOCK + 1].to_vec(), "unexpected EOF"),
            (sparse, "archive/tar: invalid tar header"),
            (bad_record, "archive/tar: invalid tar header"),
            (huge, "archive/tar: header field too long"),
            (half_zero, "archive/tar: invalid tar header"),
            (named("a", b"").repeat(11), "archive has more than 10 entries"),
        ] {
            assert_eq!(read_all(&bytes).expect_err(text).to_string(), text);
        }
    }

    #[test]
    fn takes_a_trailing_slash_for_a_directory() {
        let bytes = entry(|header| header.as_mut_bytes()[..2].copy_from_slice(b"d/"), b"");
        assert_eq!(read_all(&bytes), Ok(vec![("d/".to_owned(), b'5', Vec::new())]));
    }
}
