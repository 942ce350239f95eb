//! What a jar says of itself: the names of its entries, and its main class.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use flate2::read::DeflateDecoder;

const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// A manifest beyond this is none.
const LARGEST_MANIFEST: u64 = 1 << 20;
/// The end record and the longest comment behind it.
const LONGEST_END: u64 = 22 + 0xffff;

/// A jar, as far as it matters for running it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Jar {
    /// `Main-Class` of its manifest.
    pub(super) main_class: Option<String>,
    /// Whether it brings the chaincode library along, and so probably all that it needs.
    pub(super) has_shim: bool,
    /// Whether it has the contract API, whose router can be the main class.
    pub(super) has_router: bool,
}

/// The class of the contract API that runs contracts.
pub(super) const ROUTER: &str = "org.hyperledger.fabric.contract.ContractRouter";

impl Jar {
    /// Reads the table of contents and the manifest.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let failed = |error| format!("cannot read '{name}': {error}");
        let mut file = File::open(path).map_err(failed)?;
        Self::parse(&mut file).map_err(failed)
    }

    fn parse(file: &mut (impl Read + Seek)) -> io::Result<Self> {
        let mut jar = Self::default();
        for entry in table(file)? {
            match entry.name.as_slice() {
                b"org/hyperledger/fabric/shim/ChaincodeBase.class" => jar.has_shim = true,
                b"org/hyperledger/fabric/contract/ContractRouter.class" => jar.has_router = true,
                name if name.eq_ignore_ascii_case(MANIFEST.as_bytes()) => {
                    let manifest = content(file, &entry)?;
                    jar.main_class = attribute(&String::from_utf8_lossy(&manifest), "Main-Class");
                }
                _ => {}
            }
        }
        Ok(jar)
    }
}

/// An entry of the central directory.
#[derive(Debug)]
struct Entry {
    name: Vec<u8>,
    compressed: bool,
    packed_size: u64,
    offset: u64,
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is not a jar: {what}"))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// The central directory, which the record at the end points to.
fn table(file: &mut (impl Read + Seek)) -> io::Result<Vec<Entry>> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail = length.min(LONGEST_END);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut end = Vec::new();
    file.take(tail).read_to_end(&mut end)?;
    let record = end.windows(4).rposition(|four| four == b"PK\x05\x06").filter(|at| at + 22 <= end.len());
    let record = &end[record.ok_or_else(|| broken("it has no table of contents"))?..];
    let (size, offset) = (u32_at(record, 12), u32_at(record, 16));
    if u64::from(offset) + u64::from(size) > length {
        return Err(broken("its table of contents lies outside"));
    }
    file.seek(SeekFrom::Start(offset.into()))?;
    let mut table = Vec::new();
    file.take(size.into()).read_to_end(&mut table)?;
    let mut rest = table.as_slice();
    let mut entries = Vec::new();
    while rest.starts_with(b"PK\x01\x02") {
        let (name, extra, comment) = (u16_at(rest, 28), u16_at(rest, 30), u16_at(rest, 32));
        let after_name = 46 + usize::from(name);
        let next = after_name + usize::from(extra) + usize::from(comment);
        let (Some(name), Some(behind)) = (rest.get(46..after_name), rest.get(next..)) else {
            return Err(broken("its table of contents is cut off"));
        };
        entries.push(Entry {
            name: name.to_owned(),
            compressed: u16_at(rest, 10) == 8,
            packed_size: u32_at(rest, 20).into(),
            offset: u32_at(rest, 42).into(),
        });
        rest = behind;
    }
    Ok(entries)
}

fn content(file: &mut (impl Read + Seek), entry: &Entry) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(entry.offset))?;
    let mut header = [0; 30];
    file.read_exact(&mut header)?;
    if !header.starts_with(b"PK\x03\x04") {
        return Err(broken("its manifest is not where it should be"));
    }
    let skipped = i64::from(u16_at(&header, 26)) + i64::from(u16_at(&header, 28));
    file.seek(SeekFrom::Current(skipped))?;
    let packed = file.take(entry.packed_size);
    let mut content = Vec::new();
    if entry.compressed {
        DeflateDecoder::new(packed).take(LARGEST_MANIFEST).read_to_end(&mut content)?;
    } else {
        packed.take(LARGEST_MANIFEST).read_to_end(&mut content)?;
    }
    Ok(content)
}

/// An attribute of the manifest's main section. Long lines go on in the next, behind a space.
fn attribute(manifest: &str, name: &str) -> Option<String> {
    let manifest = manifest.replace("\r\n", "\n").replace('\r', "\n").replace("\n ", "");
    let main = manifest.split("\n\n").next().unwrap_or_default();
    main.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        let value = value.trim();
        (key.eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::{Compression, write::DeflateEncoder};

    use super::*;

    /// A jar of these entries.
    fn jar(entries: &[(&str, &str)]) -> Vec<u8> {
        let (mut file, mut table) = (Vec::new(), Vec::new());
        for (number, (name, text)) in entries.iter().enumerate() {
            let compressed = number % 2 == 0;
            let content = if compressed {
                let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
                deflate.write_all(text.as_bytes()).expect("memory");
                deflate.finish().expect("memory")
            } else {
                text.as_bytes().to_owned()
            };
            let method = if compressed { 8_u16 } else { 0 };
            let offset = file.len() as u32;
            let (packed, size, length) = (content.len() as u32, text.len() as u32, name.len() as u16);
            file.extend_from_slice(b"PK\x03\x04\x14\0\0\0");
            file.extend_from_slice(&method.to_le_bytes());
            file.extend_from_slice(&[0; 8]);
            for word in [packed, size] {
                file.extend_from_slice(&word.to_le_bytes());
            }
            file.extend_from_slice(&length.to_le_bytes());
            file.extend_from_slice(&3_u16.to_le_bytes());
            file.extend_from_slice(name.as_bytes());
            file.extend_from_slice(b"xxx");
            file.extend_from_slice(&content);
            table.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0");
            table.extend_from_slice(&method.to_le_bytes());
            table.extend_from_slice(&[0; 8]);
            for word in [packed, size] {
                table.extend_from_slice(&word.to_le_bytes());
            }
            table.extend_from_slice(&length.to_le_bytes());
            table.extend_from_slice(&[0; 12]);
            table.extend_from_slice(&offset.to_le_bytes());
            table.extend_from_slice(name.as_bytes());
        }
        let (offset, size) = (file.len() as u32, table.len() as u32);
        file.extend_from_slice(&table);
        file.extend_from_slice(b"PK\x05\x06\0\0\0\0\0\0\0\0");
        for word in [size, offset] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&[0; 2]);
        file
    }

    #[test]
    fn finds_the_main_class_and_the_library() {
        let manifest = "Manifest-Version: 1.0\r\nMain-Class: org.example.with.a.very.long.name.that.is.wrapp\r\n ed.Main\r\n\r\nName: x\r\nMain-Class: wrong\r\n";
        for entries in [
            &[("a", ""), ("META-INF/MANIFEST.MF", manifest)][..],
            &[("meta-inf/manifest.mf", manifest), ("org/hyperledger/fabric/shim/ChaincodeBase.class", "x")],
        ] {
            let found = Jar::parse(&mut Cursor::new(jar(entries))).expect("a jar");
            assert_eq!(found.main_class.as_deref(), Some("org.example.with.a.very.long.name.that.is.wrapped.Main"));
            assert_eq!((found.has_shim, found.has_router), (entries[1].0.starts_with("org/"), false));
        }
        let bare = Jar::parse(&mut Cursor::new(jar(&[("org/hyperledger/fabric/contract/ContractRouter.class", "x")])));
        assert_eq!(bare.expect("a jar"), Jar { has_router: true, ..Default::default() });
    }

    #[test]
    fn refuses_what_is_no_jar() {
        let good = jar(&[(MANIFEST, "Main-Class: a\n")]);
        for bytes in [&b""[..], b"PK", b"nothing of the kind", &good[..good.len() - 30]] {
            let error = Jar::parse(&mut Cursor::new(bytes)).expect_err("no jar").to_string();
            assert!(error.starts_with("it is not a jar: "), "{error}");
        }
        // Whatever is changed, it never panics.
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = 0xff;
            let _ = Jar::parse(&mut Cursor::new(bad));
        }
    }
}
